//! The partitions of AWS.

/// What the names of a partition's endpoints end in.
///
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>, and the
/// SDKs' `partitions.json`.
pub(crate) fn dns_suffix(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// Where a partition's IAM is, and the region that calls of it are signed for.
///
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>, and the SDKs' endpoint rules.
pub(crate) fn iam(partition: &str) -> (&'static str, &'static str) {
    match partition {
        "aws-cn" => ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        "aws-us-gov" => ("iam.us-gov.amazonaws.com", "us-gov-west-1"),
        "aws-iso" => ("iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        "aws-iso-b" => ("iam.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        "aws-iso-e" => ("iam.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        "aws-iso-f" => ("iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        "aws-eusc" => ("iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        _ => ("iam.amazonaws.com", "us-east-1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn china_has_a_name_of_its_own_and_the_government_has_not() {
        assert_eq!(dns_suffix("aws-cn"), "amazonaws.com.cn");
        assert_eq!(dns_suffix("aws-us-gov"), dns_suffix("aws"));
    }

    #[test]
    fn each_partition_has_one_iam() {
        assert_eq!(iam("aws"), ("iam.amazonaws.com", "us-east-1"));
        for partition in [
            "aws-cn",
            "aws-iso",
            "aws-iso-b",
            "aws-iso-e",
            "aws-iso-f",
            "aws-eusc",
        ] {
            let (host, region) = iam(partition);
            assert_eq!(host, format!("iam.{region}.{}", dns_suffix(partition)));
        }
        assert_eq!(
            iam("aws-us-gov"),
            ("iam.us-gov.amazonaws.com", "us-gov-west-1")
        );
    }
}
