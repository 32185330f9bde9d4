//! Linker arguments for the helper alone, where it is built to be shipped: static and small.

use std::env;

#[allow(
    clippy::disallowed_methods,
    reason = "Cargo speaks to build scripts by the environment"
)]
fn main() {
    println!("cargo::rerun-if-changed=helper.ld");
    let of_target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let small = env::var("OPT_LEVEL").is_ok_and(|level| level == "z");
    let r#static = of_target("FEATURE")
        .split(',')
        .any(|feature| feature == "crt-static");
    // Elsewhere rustc links with GNU ld, which knows neither of these.
    let lld = of_target("ARCH") == "x86_64" && of_target("OS") == "linux";
    if small && r#static && lld {
        for argument in [
            "--icf=all",
            "--no-eh-frame-hdr",
            "--build-id=none",
            "--pack-dyn-relocs=relr",
            concat!("--script=", env!("CARGO_MANIFEST_DIR"), "/helper.ld"),
        ] {
            println!("cargo::rustc-link-arg-bin=alter-credential-process=-Wl,{argument}");
        }
    }
}
