//! Hosts of single resources and accounts: names that AWS gives out at run time, in forms that its documents give.
//! No list of endpoints has them.

use super::{Place, Refusal, Scope, Stack, Suffix, split_last};

type Answer = Option<Result<Scope, Refusal>>;

/// A service, and what may stand before its part of the name.
type Plane = (&'static str, fn(&str) -> bool);

/// The most labels that a [`plane`] has.
const LABELS: usize = 2;

/// `RESOURCE.PLANE.REGION.SUFFIX`; `None` where the name is of no such form.
pub(super) fn in_region(head: &str, place: Place) -> Answer {
    (1..=LABELS).rev().find_map(|labels| {
        let (left, own) = split_labels(head, labels)?;
        let (service, fits) = plane(place.suffix.stack, own)?;
        fits(left).then(|| Ok(place.signs_for(service, left)))
    })
}

fn plane(stack: Stack, own: &str) -> Option<Plane> {
    Some(match (stack, own) {
        // Services that botocore does not have, or not by this name.
        (Stack::Dual, "aws-external-anthropic") => ("aws-external-anthropic", none),
        (Stack::Dual, "bedrock-mantle") => ("bedrock-mantle", none),
        (Stack::Dns | Stack::Dual, "aps-workspaces" | "aps-workspaces-fips") => ("aps", none),
        (Stack::Dns | Stack::Dual, "git-codecommit" | "git-codecommit-fips") => {
            ("codecommit", none)
        }
        (Stack::Dns | Stack::Dual, "transcribestreaming" | "transcribestreaming-fips") => {
            ("transcribe", none)
        }
        // Endpoints of an account.
        (Stack::Dns | Stack::Dual, "ddb" | "streams-ddb") => ("dynamodb", account),
        (
            Stack::Dns | Stack::Dual,
            "data-kinesis" | "data-kinesis-fips" | "control-kinesis" | "control-kinesis-fips",
        ) => ("kinesis", account),
        (Stack::Dns | Stack::Dual, "iot" | "iot-fips") => ("iotdata", iot),
        (Stack::Dns | Stack::Dual, "jobs.iot" | "jobs.iot-fips") => ("iot-jobs-data", one),
        // Endpoints of a resource.
        (Stack::Dns | Stack::Dual, "execute-api") => ("execute-api", one),
        (Stack::Dns, "appsync-api" | "appsync-realtime-api") => ("appsync", one),
        (Stack::Dns, "gateway.bedrock-agentcore") => ("bedrock-agentcore", one),
        (Stack::Dns, "kinesisvideo") => ("kinesisvideo", one),
        (Stack::Dns, "ethereum.managedblockchain" | "bitcoin.managedblockchain") => {
            ("managedblockchain", one)
        }
        (Stack::Dns, "data.mediastore") => ("mediastore", one),
        (Stack::Dns | Stack::Dual, "timestream") => ("timestream", timestream_cell),
        (Stack::On, "aos") => ("es", search_domain),
        (Stack::On, "dsql") => ("dsql", one),
        (Stack::On, "lambda-url") => ("lambda", one),
        (Stack::On, "neptune-graph") => ("neptune-graph", one),
        (Stack::On, "vpc-lattice-svcs") => ("vpc-lattice-svcs", some),
        _ => return None,
    })
}

/// The service of a name that nothing stands before.
pub(super) fn service(own: &str) -> Option<&'static str> {
    [Stack::Dns, Stack::Dual]
        .into_iter()
        .find_map(|stack| plane(stack, own))
        .and_then(|(service, fits)| fits("").then_some(service))
}

/// Names in which the region does not stand before the suffix, or that have none.
pub(super) fn outside_regions(rest: &str, suffix: &'static Suffix) -> Answer {
    let everywhere = match suffix.stack {
        Stack::Dns => global(
            rest,
            &[(".endpoint.events", "events"), (".endpoints.email", "ses")],
        ),
        Stack::Dual => global(
            rest,
            &[
                (".endpoint.events", "events"),
                (".endpoints.email.global", "ses"),
                (".cloudfront-kvs.global", "cloudfront-keyvaluestore"),
            ],
        ),
        Stack::On => None,
    };
    if let Some((service, left)) = everywhere {
        let place = Place::home(suffix, suffix.partitions().next()?);
        return Some(place.map(|place| place.signs_everywhere(service, left)));
    }
    if suffix.stack != Stack::Dns {
        return None;
    }
    let (head, own) = split_last(rest);
    let (left, region) = split_last(head);
    if rest == "queue" {
        let place = Place::home(suffix, suffix.partitions().next()?);
        return Some(place.map(|place| place.signs_for("sqs", "")));
    }
    let (service, fits): Plane = match own {
        "aoss" => ("aoss", one),
        "cloudsearch" => ("cloudsearch", cloudsearch_domain),
        "es" => ("es", search_domain),
        "neptune" => ("neptune-db", some),
        "neptune-graph" => ("neptune-graph", one),
        // What SQS was called first, and still calls itself in the URLs of old queues.
        "queue" => ("sqs", none),
        _ => return None,
    };
    let place = Place::new(suffix, suffix.partition_of(region)?, region);
    fits(left).then(|| place.map(|place| place.signs_for(service, left)))
}

/// The service of an endpoint that stands for several regions at once, and its id: `ID` and one of these.
fn global<'a>(rest: &'a str, forms: &[(&str, &'static str)]) -> Option<(&'static str, &'a str)> {
    forms.iter().find_map(|(own, service)| {
        let left = rest.strip_suffix(own)?;
        some(left).then_some((*service, left))
    })
}

/// `("a", "b.c")` of `a.b.c` with two labels; `("", "b.c")` of `b.c`.
fn split_labels(name: &str, labels: usize) -> Option<(&str, &str)> {
    let mut dots = name.rmatch_indices('.');
    match dots.nth(labels - 1) {
        Some((at, _)) => Some((&name[..at], &name[at + 1..])),
        None if name.bytes().filter(|b| *b == b'.').count() + 1 == labels => Some(("", name)),
        None => None,
    }
}

fn none(left: &str) -> bool {
    left.is_empty()
}

/// Labels, whatever they are.
fn some(left: &str) -> bool {
    !left.is_empty()
}

pub(super) fn one(left: &str) -> bool {
    !left.is_empty() && !left.contains('.')
}

pub(super) fn account(left: &str) -> bool {
    left.len() == 12 && left.bytes().all(|b| b.is_ascii_digit())
}

fn begins(left: &str, beginnings: &[&str]) -> bool {
    one(left)
        && beginnings
            .iter()
            .any(|beginning| left.strip_prefix(beginning).is_some_and(some))
}

fn search_domain(left: &str) -> bool {
    begins(left, &["search-", "vpc-"])
}

fn cloudsearch_domain(left: &str) -> bool {
    begins(left, &["search-", "doc-"])
}

/// The account's own prefix, with `-ats` for Amazon's certificates or without for older ones. Others of these names
/// (`credentials.iot`) take client certificates.
fn iot(left: &str) -> bool {
    let prefix = left.strip_suffix("-ats").unwrap_or(left);
    prefix.len() >= 10
        && prefix
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && prefix.bytes().any(|b| b.is_ascii_digit())
}

/// What `timestream:DescribeEndpoints` answers.
fn timestream_cell(left: &str) -> bool {
    ["ingest-cell", "query-cell"].iter().any(|beginning| {
        left.strip_prefix(beginning)
            .is_some_and(|number| some(number) && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_from_the_right() {
        assert_eq!(split_labels("a.b.c", 1), Some(("a.b", "c")));
        assert_eq!(split_labels("a.b.c", 2), Some(("a", "b.c")));
        assert_eq!(split_labels("b.c", 2), Some(("", "b.c")));
        assert_eq!(split_labels("c", 2), None);
        assert_eq!(split_labels("c", 1), Some(("", "c")));
    }

    #[test]
    fn what_stands_before_a_plane_has_its_form() {
        assert!(account("111122223333") && !account("11112222333") && !account("11112222333a"));
        assert!(iot("a1b2c3d4e5f6g7-ats") && iot("a1b2c3d4e5f6g7"));
        assert!(!iot("credentials") && !iot("data") && !iot("a.b1b2c3d4e5f6g7"));
        assert!(timestream_cell("query-cell12"));
        assert!(
            !timestream_cell("query-cell")
                && !timestream_cell("query-cellx")
                && !timestream_cell("query")
        );
        assert!(search_domain("vpc-a") && !search_domain("vpc-") && !search_domain("search-a.b"));
    }
}
