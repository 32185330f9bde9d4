//! What costs no memory.

use alter_sigv4::hosts;

#[test]
fn the_scope_of_a_host_is_found_without_allocation() {
    // The last is refused.
    for host in [
        "bedrock-runtime.us-west-2.amazonaws.com",
        "my.bucket.s3.dualstack.eu-west-1.amazonaws.com:443",
        "x.mrap.accesspoint.s3-global.amazonaws.com",
        "vpce-0123456789abcdef0-abcdefgh.sts.us-east-1.vpce.amazonaws.com",
        "IAM.AMAZONAWS.COM.",
        "sts.amazonaws.com.example.com",
    ] {
        let used = allocation_counter::measure(|| {
            std::hint::black_box(hosts::scope(std::hint::black_box(host)).is_ok());
        });
        assert_eq!(used.count_total, 0, "{host}");
    }
}
