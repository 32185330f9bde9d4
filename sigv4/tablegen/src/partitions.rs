//! The partitions and their suffixes, as text.

use crate::data::Partition;
use crate::hosts::TableError;
use std::fmt::Write as _;

pub(crate) fn write_partitions(
    text: &mut String,
    partitions: &[Partition],
) -> Result<(), TableError> {
    writeln!(text, "pub(super) static PARTITIONS: &[Partition] = &[")?;
    for Partition {
        id, global, form, ..
    } in partitions
    {
        let regions = beginnings(form)?;
        writeln!(
            text,
            "    Partition {{\n        id: {id:?},\n        global: {global:?},\n        regions: &{regions:?},\n    }},"
        )?;
    }
    Ok(writeln!(text, "];\n")?)
}

/// What the names of regions begin with: `us`, `eu` of `^(us|eu)\-\w+\-\d+$`.
fn beginnings(regex: &str) -> Result<Vec<String>, TableError> {
    let unknown = || TableError::Regions(regex.to_owned());
    let text = regex
        .strip_prefix('^')
        .and_then(|text| text.strip_suffix(r"\-\w+\-\d+$"))
        .ok_or_else(unknown)?
        .replace(r"\-", "-");
    let (before, group, after) = match text.split_once('(') {
        None => (text.as_str(), "", ""),
        Some((before, rest)) => {
            let (group, after) = rest.split_once(')').ok_or_else(unknown)?;
            (before, group, after)
        }
    };
    let all: Vec<String> = group
        .split('|')
        .map(|one| format!("{before}{one}{after}"))
        .collect();
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if all.iter().all(plain) {
        Ok(all)
    } else {
        Err(unknown())
    }
}

pub(crate) fn write_suffixes(
    text: &mut String,
    partitions: &[Partition],
) -> Result<(), TableError> {
    let mut suffixes: Vec<(&str, &str, u8)> = Vec::new();
    let each = partitions.iter().enumerate().flat_map(|(i, partition)| {
        [
            (partition.dns.as_str(), "Dns", i),
            (partition.dual.as_str(), "Dual", i),
        ]
    });
    // Endpoints of single resources, which no rule of botocore's names as a suffix.
    let on = (0..partitions.len()).map(|i| ("on.aws", "On", i));
    for (name, stack, partition) in each.chain(on) {
        match suffixes.iter_mut().find(|(other, ..)| *other == name) {
            Some((.., bits)) => *bits |= 1 << partition,
            None => suffixes.push((name, stack, 1 << partition)),
        }
    }
    for (name, ..) in &suffixes {
        if suffixes
            .iter()
            .any(|(other, ..)| other.ends_with(&format!(".{name}")))
        {
            return Err(TableError::Nested((*name).to_owned()));
        }
    }
    writeln!(text, "pub(super) static SUFFIXES: &[Suffix] = &[")?;
    for (name, stack, bits) in suffixes {
        writeln!(
            text,
            "    Suffix {{\n        name: {name:?},\n        stack: Stack::{stack},\n        partitions: {bits:#04x},\n    }},"
        )?;
    }
    Ok(writeln!(text, "];\n")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_of_regions_are_read_from_their_expression() {
        let read = |regex| beginnings(regex).map_err(|e| e.to_string());
        assert_eq!(read(r"^(us|eu)\-\w+\-\d+$").unwrap(), ["us", "eu"]);
        assert_eq!(read(r"^us\-gov\-\w+\-\d+$").unwrap(), ["us-gov"]);
        assert_eq!(read(r"^eusc\-(de)\-\w+\-\d+$").unwrap(), ["eusc-de"]);
        assert!(read(r"^(us|eu)\-\w+$").is_err() && read(r"^u[st]\-\w+\-\d+$").is_err());
    }
}
