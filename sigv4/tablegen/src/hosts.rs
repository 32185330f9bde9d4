//! The table's text: a service a block, with its hosts.

use crate::data::{Data, Host, Partition};
use crate::partitions;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use thiserror::Error;

/// Zone of names that only `PrivateLink` has: the bit after those of eight partitions with two stacks each.
const PRIVATE_LINK: u32 = 1 << 16;
/// `Suffix::partitions` has a bit for each.
const MOST_PARTITIONS: usize = 8;

/// What cannot be made a table.
#[derive(Debug, Error)]
pub(crate) enum TableError {
    #[error("{name} in {zone:#x} is {one} and {other}: decide between them in hosts.rs")]
    Ambiguous {
        name: String,
        zone: u32,
        one: String,
        other: String,
    },
    #[error("a host of the zone {0:?}, which no partition has")]
    Zone(String),
    #[error("{0:?} signs in no way that is known here")]
    Signs(String),
    #[error("regions of the form {0:?}: region::is_of must learn it")]
    Regions(String),
    #[error("more than {MOST_PARTITIONS} partitions: widen Suffix::partitions and the zones")]
    Partitions,
    #[error(
        "the suffix {0} is the end of another: hosts::split_suffix must try the longer one first"
    )]
    Nested(String),
    #[error("{name} is a host of {whole}, and in a region one of {regional}")]
    Shadowed {
        name: String,
        whole: String,
        regional: String,
    },
    #[error("writing text: {0}")]
    Write(#[from] std::fmt::Error),
}

/// Where a host signs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Signs {
    Here,
    In(String),
    Whole(String),
}

/// Who answers for a name in a zone, the likelier one first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Claim {
    /// A service that signs comes before one that takes tokens.
    bearer: bool,
    /// A service's own host comes before one that serves a single operation of another.
    operation: bool,
    service: String,
    signs: Signs,
}

/// Name, whether it is all of what stands before the suffix, zone.
type Key = (String, bool, u32);
/// Names and where they sign, with their zones: of one service.
type Hosts<'a> = BTreeMap<(&'a str, &'a Signs), u32>;

/// The text of `generated.rs`.
pub(crate) fn table(data: &Data) -> Result<String, TableError> {
    if data.partitions.len() > MOST_PARTITIONS {
        return Err(TableError::Partitions);
    }
    let mut claims: BTreeMap<Key, BTreeSet<Claim>> = BTreeMap::new();
    for Host(name, zone, service, auth, signs, operation) in &data.hosts {
        // Version 2 signatures, which nothing makes any more.
        if auth == "other" {
            continue;
        }
        let signs = match signs.split_once(' ') {
            None if signs == "here" => Signs::Here,
            Some(("in", region)) => Signs::In(region.to_owned()),
            Some(("whole", region)) => Signs::Whole(region.to_owned()),
            _ => return Err(TableError::Signs(signs.clone())),
        };
        let key = (
            name.clone(),
            matches!(signs, Signs::Whole(_)),
            bit(zone, &data.partitions)?,
        );
        claims.entry(key).or_default().insert(Claim {
            bearer: auth == "bearer",
            operation: *operation,
            service: service.clone(),
            signs,
        });
    }
    let mut answers = claims
        .into_iter()
        .map(|(key, claims)| Ok((key.clone(), decide(&key, claims)?)))
        .collect::<Result<BTreeMap<Key, Claim>, TableError>>()?;
    drop_repeated(&mut answers, &data.partitions)?;
    add_prefixes(&mut answers, data);
    write(data, &answers)
}

/// The bit of `partition/stack`.
fn bit(zone: &str, partitions: &[Partition]) -> Result<u32, TableError> {
    let unknown = || TableError::Zone(zone.to_owned());
    let (id, stack) = zone.split_once('/').ok_or_else(unknown)?;
    let partition = partitions
        .iter()
        .position(|partition| partition.id == id)
        .ok_or_else(unknown)?;
    match stack {
        "dns" => Ok(1 << (2 * partition)),
        "dual" => Ok(2 << (2 * partition)),
        _ => Err(unknown()),
    }
}

/// The likeliest claim, if no other is as likely.
fn decide(key: &Key, claims: BTreeSet<Claim>) -> Result<Claim, TableError> {
    let mut claims = claims.into_iter();
    let (Some(first), second) = (claims.next(), claims.next()) else {
        return Err(TableError::Zone(key.0.clone()));
    };
    match second {
        Some(other)
            if (other.bearer, other.operation) == (first.bearer, first.operation)
                && (&other.service, &other.signs) != (&first.service, &first.signs) =>
        {
            Err(TableError::Ambiguous {
                name: key.0.clone(),
                zone: key.2,
                one: format!("{first:?}"),
                other: format!("{other:?}"),
            })
        }
        _ => Ok(first),
    }
}

/// A whole name that says what the regional one says already.
fn drop_repeated(
    answers: &mut BTreeMap<Key, Claim>,
    partitions: &[Partition],
) -> Result<(), TableError> {
    let mut repeated = Vec::new();
    for (key @ (name, _, zone), claim) in &*answers {
        let (Signs::Whole(region), Some((head, last))) = (&claim.signs, name.rsplit_once('.'))
        else {
            continue;
        };
        let is_region = partitions.iter().enumerate().any(|(i, partition)| {
            zone >> (2 * i) & 3 != 0 && partition.regions.iter().any(|region| region == last)
        });
        let Some(regional) = answers.get(&(head.to_owned(), false, *zone)) else {
            continue;
        };
        if !is_region {
            continue;
        }
        let signs = match &regional.signs {
            Signs::In(region) => region,
            _ => last,
        };
        if (signs, &regional.service) != (region, &claim.service) {
            return Err(TableError::Shadowed {
                name: name.clone(),
                whole: format!("{claim:?}"),
                regional: format!("{regional:?}"),
            });
        }
        repeated.push(key.clone());
    }
    for key in repeated {
        answers.remove(&key);
    }
    Ok(())
}

/// Services are on `PrivateLink` by their endpoint prefix, also those whose public hosts have other names.
fn add_prefixes(answers: &mut BTreeMap<Key, Claim>, data: &Data) {
    let regional: BTreeSet<(String, String)> = answers
        .iter()
        .filter(|((_, whole, _), _)| !whole)
        .map(|((name, ..), claim)| (name.clone(), claim.service.clone()))
        .collect();
    for (prefix, service) in &data.prefixes {
        if !regional.contains(&(prefix.clone(), service.clone())) {
            let claim = Claim {
                bearer: false,
                operation: false,
                service: service.clone(),
                signs: Signs::Here,
            };
            answers.insert((prefix.clone(), false, PRIVATE_LINK), claim);
        }
    }
}

fn write(data: &Data, answers: &BTreeMap<Key, Claim>) -> Result<String, TableError> {
    let mut services: BTreeMap<(&str, bool), Hosts<'_>> = BTreeMap::new();
    let mut elsewhere = BTreeSet::new();
    for ((name, _, zone), claim) in answers {
        if let Signs::In(region) | Signs::Whole(region) = &claim.signs {
            elsewhere.insert(region);
        }
        *services
            .entry((&claim.service, claim.bearer))
            .or_default()
            .entry((name, &claim.signs))
            .or_default() |= zone;
    }
    let mut text = format!(
        "//! Generated by `make tables` from the endpoint rules of botocore {}; do not edit.\n\
         //!\n\
         //! The zones of a host are bits: for each partition of [`PARTITIONS`] one for its DNS suffix and one for its\n\
         //! dual-stack suffix; the last is for names that `PrivateLink` alone has.\n\n\
         use super::table::Service;\n\
         use super::table::Signs::{{Here, In, Whole}};\n\
         use super::{{Partition, Stack, Suffix}};\n\n",
        data.botocore
    );
    partitions::write_partitions(&mut text, &data.partitions)?;
    partitions::write_suffixes(&mut text, &data.partitions)?;
    writeln!(
        text,
        "/// Regions in which hosts sign that do not name them."
    )?;
    let elsewhere: Vec<_> = elsewhere.into_iter().collect();
    writeln!(
        text,
        "pub(super) static SIGNED_ELSEWHERE: &[&str] = &{elsewhere:?};\n"
    )?;
    writeln!(text, "pub(super) const SERVICES: &[Service] = &[")?;
    for ((name, bearer), hosts) in services {
        writeln!(
            text,
            "    Service {{\n        name: {name:?},\n        bearer: {bearer},\n        hosts: &["
        )?;
        for ((host, signs), zones) in hosts {
            let signs = match signs {
                Signs::Here => "Here".to_owned(),
                Signs::In(region) => format!("In({region:?})"),
                Signs::Whole(region) => format!("Whole({region:?})"),
            };
            writeln!(text, "            ({host:?}, {zones:#07x}, {signs}),")?;
        }
        writeln!(text, "        ],\n    }},")?;
    }
    writeln!(text, "];")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(hosts: &[(&str, &str, &str, &str, &str, bool)]) -> Data {
        let partition = |id: &str, dns: &str, dual: &str| Partition {
            id: id.to_owned(),
            dns: dns.to_owned(),
            dual: dual.to_owned(),
            global: "us-east-1".to_owned(),
            form: r"^(us)\-\w+\-\d+$".to_owned(),
            regions: vec!["us-east-1".to_owned(), "us-west-2".to_owned()],
        };
        let hosts = hosts.iter().map(|(name, zone, service, auth, signs, own)| {
            Host(
                (*name).into(),
                (*zone).into(),
                (*service).into(),
                (*auth).into(),
                (*signs).into(),
                *own,
            )
        });
        Data {
            botocore: "1".to_owned(),
            partitions: vec![
                partition("aws", "amazonaws.com", "api.aws"),
                partition("aws-us-gov", "amazonaws.com", "api.aws"),
            ],
            prefixes: BTreeMap::from([("email".to_owned(), "ses".to_owned())]),
            hosts: hosts.collect(),
        }
    }

    #[test]
    fn a_service_has_its_hosts_in_one_block() {
        let text = table(&data(&[
            ("sts", "aws/dns", "sts", "sigv4", "here", false),
            ("sts", "aws-us-gov/dns", "sts", "sigv4", "here", false),
            ("sts", "aws/dns", "sts", "sigv4", "whole us-east-1", false),
            ("waf", "aws/dual", "waf", "sigv4", "in us-east-1", false),
            ("old", "aws/dns", "old", "other", "here", false),
        ]))
        .unwrap();
        assert!(text.contains("(\"sts\", 0x00005, Here),"), "{text}");
        assert!(
            text.contains("(\"sts\", 0x00001, Whole(\"us-east-1\")),"),
            "{text}"
        );
        assert!(
            text.contains("(\"waf\", 0x00002, In(\"us-east-1\")),"),
            "{text}"
        );
        assert!(text.contains("(\"email\", 0x10000, Here),"), "{text}");
        assert!(!text.contains("old"), "{text}");
        assert!(text.contains(
            "name: \"amazonaws.com\",\n        stack: Stack::Dns,\n        partitions: 0x03,"
        ));
    }

    #[test]
    fn the_likelier_of_two_services_answers_and_a_tie_is_an_error() {
        let likelier = table(&data(&[
            ("maps.geo", "aws/dns", "geo", "sigv4", "here", true),
            ("maps.geo", "aws/dns", "geo-maps", "sigv4", "here", false),
        ]));
        assert!(!likelier.unwrap().contains("\"geo\""));
        let tie = table(&data(&[
            ("a", "aws/dns", "one", "sigv4", "here", false),
            ("a", "aws/dns", "two", "sigv4", "here", false),
        ]));
        assert!(matches!(tie, Err(TableError::Ambiguous { .. })));
    }

    #[test]
    fn a_whole_name_says_nothing_that_the_regional_one_denies() {
        let row = |signs| {
            table(&data(&[
                ("a", "aws/dns", "a", "sigv4", "here", false),
                ("a.us-west-2", "aws/dns", "a", "sigv4", signs, false),
            ]))
        };
        assert!(!row("whole us-west-2").unwrap().contains("a.us-west-2"));
        assert!(matches!(
            row("whole us-east-1"),
            Err(TableError::Shadowed { .. })
        ));
    }
}
