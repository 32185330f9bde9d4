//! What holds for every host, whatever names customers give to what they own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "also in what the tests share"
)]

use alter_sigv4::hosts::{self, Algorithm};
use proptest::prelude::*;

/// Labels that mean something elsewhere in a host.
const TELLING: &[&str] = &[
    "s3",
    "s3-fips",
    "dualstack",
    "us-west-2",
    "eu-central-1",
    "cn-north-1",
    "sts",
    "bedrock-runtime",
    "execute-api",
    "vpce",
    "vpce-0123",
    "vpce-svc-0123",
    "control",
    "bucket",
    "accesspoint",
    "api",
    "aws",
    "amazonaws",
    "com",
    "on",
    "elb",
    "es",
    "queue",
    "s3-accelerate",
    "s3-us-west-2",
    "s3express-usw2-az1",
    "lambda-url",
    "global",
    "mrap",
    "s3-global",
    "s3-website",
    "111122223333",
    "iot",
    "credentials",
    "dkr",
    "ecr",
];

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(TELLING).prop_map(str::to_owned),
        "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?",
    ]
}

/// A bucket's name: labels with dots between them.
fn bucket() -> impl Strategy<Value = String> {
    prop::collection::vec(label(), 1..5).prop_map(|labels| labels.join("."))
}

fn region() -> impl Strategy<Value = &'static str> {
    prop::sample::select(
        &[
            "us-east-1",
            "eu-west-3",
            "ap-southeast-2",
            "us-gov-west-1",
            "mx-central-1",
        ][..],
    )
}

/// Hosts with an answer.
fn known() -> impl Strategy<Value = String> {
    let forms = prop::sample::select(
        &[
            "sts.{}.amazonaws.com",
            "bedrock-runtime-fips.{}.api.aws",
            "b.s3.{}.amazonaws.com",
            "x.execute-api.{}.amazonaws.com",
            "vpce-1-2.api.ecr.{}.vpce.amazonaws.com",
            "iam.amazonaws.com",
            "x.lambda-url.{}.on.aws",
            "search-x.{}.es.amazonaws.com",
            "x.mrap.accesspoint.s3-global.amazonaws.com",
        ][..],
    );
    (forms, region()).prop_map(|(form, region)| form.replace("{}", region))
}

proptest! {
    #[test]
    fn a_bucket_changes_no_answer(bucket in bucket(), region in region()) {
        for (own, service) in [
            ("s3", "s3"), ("s3-fips", "s3"), ("s3.dualstack", "s3"), ("s3-fips.dualstack", "s3"),
        ] {
            let scope = hosts::scope(&format!("{bucket}.{own}.{region}.amazonaws.com")).unwrap();
            prop_assert_eq!((scope.service, scope.region.as_str()), (service, region));
            prop_assert_eq!(scope.algorithm, Algorithm::SigV4);
        }
        for (host, region) in [
            (format!("{bucket}.s3.amazonaws.com"), "us-east-1"),
            (format!("{bucket}.s3-{region}.amazonaws.com"), region),
            (format!("{bucket}.s3-accelerate.amazonaws.com"), "us-east-1"),
            (format!("{bucket}.bucket.vpce-1-2.s3.{region}.vpce.amazonaws.com"), region),
        ] {
            let scope = hosts::scope(&host).unwrap();
            prop_assert_eq!((scope.service, scope.region.as_str()), ("s3", region), "{}", host);
        }
    }

    #[test]
    fn the_name_of_an_endpoint_changes_no_answer(name in label(), region in region()) {
        for (form, service) in [
            ("{name}.execute-api.{region}.amazonaws.com", "execute-api"),
            ("{name}.appsync-api.{region}.amazonaws.com", "appsync"),
            ("{name}.lambda-url.{region}.on.aws", "lambda"),
            ("{name}.a.vpc-lattice-svcs.{region}.on.aws", "vpc-lattice-svcs"),
            ("search-{name}.{region}.es.amazonaws.com", "es"),
            ("{name}.{region}.aoss.amazonaws.com", "aoss"),
            ("{name}.{region}.neptune.amazonaws.com", "neptune-db"),
            ("{name}-111122223333.s3-accesspoint.{region}.amazonaws.com", "s3"),
            ("{name}-111122223333.s3-object-lambda.{region}.amazonaws.com", "s3-object-lambda"),
            ("{name}-1.op-0123.s3-outposts.{region}.amazonaws.com", "s3-outposts"),
            ("{name}.s3express-usw2-az1.{region}.amazonaws.com", "s3express"),
            ("vpce-{name}.sts.{region}.vpce.amazonaws.com", "sts"),
        ] {
            // Of a customer's own endpoint service.
            if form.starts_with("vpce-") && name.starts_with("svc-") {
                continue;
            }
            let host = form.replace("{name}", &name).replace("{region}", region);
            let scope = hosts::scope(&host).unwrap();
            prop_assert_eq!((scope.service, scope.region.as_str()), (service, region), "{}", host);
        }
    }

    #[test]
    fn a_foreign_suffix_is_refused(host in known(), suffix in "[a-z0-9]{1,12}\\.[a-z]{2,8}", glue in "[.-]?") {
        prop_assume!(suffix != "amazonaws.com" && suffix != "amazonaws.eu" && suffix != "api.aws" && suffix != "on.aws");
        prop_assert!(hosts::scope(&host).is_ok(), "{}", host);
        let foreign = format!("{host}{glue}{suffix}");
        prop_assert!(hosts::scope(&foreign).is_err(), "{}", foreign);
    }

    #[test]
    fn what_customers_are_given_is_refused(name in bucket(), region in region()) {
        for form in [
            "{name}.{region}.elb.amazonaws.com", "{name}.elb.{region}.amazonaws.com",
            "{name}.{region}.compute.amazonaws.com", "vpce-1-2.vpce-svc-{name}.{region}.vpce.amazonaws.com",
            "{name}.vpce-svc-1.{region}.vpce.amazonaws.com", "{name}.{region}.rds.amazonaws.com",
            "{name}.s3-website.{region}.amazonaws.com", "{name}.s3-website-{region}.amazonaws.com",
            "{name}.dkr.ecr.{region}.amazonaws.com", "{name}.credentials.iot.{region}.amazonaws.com",
        ] {
            let host = form.replace("{name}", &name).replace("{region}", region);
            prop_assert!(hosts::scope(&host).is_err(), "{}", host);
        }
    }

    #[test]
    fn case_port_and_trailing_dot_change_no_answer(host in known(), port in 1_u16..) {
        let plain = hosts::scope(&host);
        for other in [host.to_uppercase(), format!("{host}."), format!("{host}:{port}"), format!("{host}.:{port}")] {
            prop_assert_eq!(hosts::scope(&other), plain, "{}", other);
        }
    }

    #[test]
    fn no_input_panics(any in any::<String>(), close in "[a-z0-9.:*_\\[\\]-]{0,80}", labels in bucket()) {
        for suffix in ["", ".amazonaws.com", ".api.aws", ".on.aws", ".vpce.amazonaws.com", ".us-east-1.amazonaws.com"] {
            for name in [&any, &close, &labels] {
                let _ = hosts::scope(&format!("{name}{suffix}"));
            }
        }
    }
}
