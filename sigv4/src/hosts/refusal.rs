//! Why a host is none that may be signed for.

use thiserror::Error;

/// Why no signature may be made for a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing was given.
    #[error("no host was given; give one such as sts.us-east-1.amazonaws.com")]
    Empty,
    /// More than a host was given.
    #[error("a URL, or a part of one; give the host alone, without scheme, user and path")]
    Url,
    /// An IP address.
    #[error("an IP address says neither service nor region; name both to sign for it")]
    Address,
    /// The part after the colon is no port.
    #[error("what follows the colon is no port; give a number up to 65535, or none")]
    Port,
    /// Not a host by RFC 1035.
    #[error(
        "no host name: an empty or overlong label, or a letter that none has; check the spelling"
    )]
    Malformed,
    /// The suffix of a partition alone.
    #[error("the suffix alone names no service; put service and region before it")]
    Bare,
    /// A suffix that is none of AWS's.
    #[error("none of AWS's own suffixes; name service and region to sign for it all the same")]
    Foreign,
    /// AWS's suffix, but nothing that is known before it.
    #[error("no service is known at this name; check the spelling, or name service and region")]
    Unknown,
    /// A name under AWS's suffix that AWS hands to its customers.
    #[error(
        "the name of a customer's {0}, who would receive the signature; name service and region if it is yours and checks it"
    )]
    Customer(&'static str),
    /// An endpoint of AWS that takes no signature.
    #[error("{0}; send the request without a signature")]
    NotSigned(&'static str),
    /// A service that takes bearer tokens alone.
    #[error("this service takes bearer tokens and no signature; send a token of its own")]
    Bearer,
}

/// Why nothing is known at a name, whose suffix (and region, where it stands before the suffix) is taken off.
pub(super) fn explain(name: &str) -> Refusal {
    let mut labels = name.rsplit('.');
    let last = labels.next().unwrap_or_default();
    let before = labels.next().unwrap_or_default();
    match (before, last) {
        (_, "elb") => Refusal::Customer("load balancer"),
        (_, "compute" | "compute-1") => Refusal::Customer("EC2 instance"),
        (_, "rds" | "redshift" | "redshift-serverless" | "docdb" | "docdb-elastic") => {
            Refusal::Customer("database")
        }
        (_, "cache" | "memorydb" | "dax-clusters") => Refusal::Customer("cache"),
        (_, "kafka" | "mq" | "amazonmq" | "elasticfilesystem" | "efs" | "fsx" | "transfer") => {
            Refusal::Customer("broker, file system or server")
        }
        ("dkr", "ecr" | "ecr-fips") => {
            Refusal::NotSigned("a registry, which takes a token of ecr:GetAuthorizationToken")
        }
        ("credentials", "iot") => {
            Refusal::NotSigned("the IoT credentials provider, which takes a client certificate")
        }
        (_, website) if website.starts_with("s3-website") => {
            Refusal::NotSigned("an S3 website, which answers anyone alike")
        }
        _ => Refusal::Unknown,
    }
}
