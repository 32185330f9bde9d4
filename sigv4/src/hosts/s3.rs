//! The hosts of S3, which carry names that customers choose.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html> and
//! <https://docs.aws.amazon.com/general/latest/gr/s3.html>

use super::generated::PARTITIONS;
use super::{Algorithm, Place, Refusal, Scope, Stack, Suffix, planes, privatelink, split_last};

type Answer = Option<Result<Scope, Refusal>>;

/// `BUCKET.s3.REGION.SUFFIX` and its like; `None` where the name is none of S3's.
pub(super) fn in_region(head: &str, place: Place) -> Answer {
    if place.suffix.stack != Stack::Dns {
        return None;
    }
    let (head, dualstack) = match head.strip_suffix(".dualstack") {
        Some(head) => (head, true),
        None => (head, false),
    };
    let (left, own) = split_last(head);
    let (service, fits) = match own {
        "s3" | "s3-fips" => ("s3", true),
        "s3-accesspoint" | "s3-accesspoint-fips" => ("s3", planes::one(left)),
        "s3-control" | "s3-control-fips" => ("s3", left.is_empty() || planes::account(left)),
        "s3-object-lambda" | "s3-object-lambda-fips" if !dualstack => {
            ("s3-object-lambda", left.is_empty() || planes::one(left))
        }
        "s3-outposts" | "s3-outposts-fips" if !dualstack => ("s3-outposts", true),
        "s3express-control" | "s3express-control-fips" => ("s3express", left.is_empty()),
        zonal if is_express_zone(zonal) => {
            let scope = Scope {
                algorithm: Algorithm::S3Express,
                ..place.signs_for("s3express", left)
            };
            return (left.is_empty() || planes::one(left)).then_some(Ok(scope));
        }
        _ => return None,
    };
    fits.then(|| Ok(place.signs_for(service, left)))
}

/// S3's hosts that name no region, or name it in a label with something else.
pub(super) fn outside_regions(rest: &str, suffix: &'static Suffix) -> Answer {
    if suffix.stack != Stack::Dns {
        return None;
    }
    let partition = suffix.partitions().next()?;
    if let Some(alias) = rest.strip_suffix(".mrap.accesspoint.s3-global") {
        let place = Place::home(suffix, partition);
        return planes::one(alias).then(|| place.map(|place| place.signs_everywhere("s3", alias)));
    }
    let (head, dualstack) = match rest.strip_suffix(".dualstack") {
        Some(head) => (head, true),
        None => (rest, false),
    };
    let (left, own) = split_last(head);
    let place = match own {
        // Whoever knows the bucket's region signs for that one.
        "s3-accelerate" => Place::home(suffix, partition),
        _ if dualstack || PARTITIONS[partition].id != "aws" => return None,
        "s3" => Place::home(suffix, partition),
        "s3-external-1" => Place::new(suffix, partition, PARTITIONS[partition].global),
        _ => {
            let label = own.strip_prefix("s3-")?;
            let label = label.strip_prefix("fips-").unwrap_or(label);
            Place::new(suffix, suffix.partition_of(label)?, label)
        }
    };
    Some(place.map(|place| place.signs_for("s3", left)))
}

/// The label of a zone's endpoint: `s3express-usw2-az1`, `s3express-fips-usw2-lax1-az1`.
fn is_express_zone(label: &str) -> bool {
    let Some(zone) = label.strip_prefix("s3express-") else {
        return false;
    };
    let zone = zone.strip_prefix("fips-").unwrap_or(zone);
    zone.rsplit_once("-az").is_some_and(|(region, number)| {
        !region.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// `KIND.ENDPOINT.s3.REGION.vpce.SUFFIX`, with `BUCKET.` before it or without: whether what stands before `.s3` is of
/// that form.
pub(super) fn is_private_link(left: &str) -> bool {
    let (left, endpoint) = split_last(left);
    let (_, kind) = split_last(left);
    privatelink::is_endpoint(endpoint) && matches!(kind, "" | "bucket" | "accesspoint" | "control")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_told_from_other_labels() {
        for zone in [
            "s3express-usw2-az1",
            "s3express-fips-use1-az4",
            "s3express-usw2-lax1-az1",
        ] {
            assert!(is_express_zone(zone), "{zone}");
        }
        for other in [
            "s3express-control",
            "s3express-",
            "s3express",
            "s3express-az1",
            "s3express-usw2-az",
            "s3",
        ] {
            assert!(!is_express_zone(other), "{other}");
        }
    }
}
