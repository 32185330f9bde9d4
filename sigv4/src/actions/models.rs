//! How each service is told its operation, as botocore's models have it.

use super::{Untold, form, header, is_name, rest};
use crate::sign::Request;
use std::sync::LazyLock;

/// A block a signing name; see `tablegen/operations.py`.
static TEXT: &str = include_str!("../../data/operations.txt");

/// Blocks by their names, which the text has in order.
static BLOCKS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let blocks = TEXT.split("\n[").skip(1);
    blocks
        .filter_map(|block| block.split_once("]\n@"))
        .collect()
});

/// What is known of a service at one of its hosts.
#[derive(Clone, Copy)]
pub(super) struct Model {
    /// The signing name.
    pub(super) service: &'static str,
    /// Of the host's own part of the block; of all of it for a host that none is named after.
    lines: &'static str,
}

/// `own` is the host without what a resource has before it.
pub(super) fn of(service: &str, own: &str) -> Option<Model> {
    let at = BLOCKS
        .binary_search_by(|(name, _)| (*name).cmp(service))
        .ok()?;
    let (service, lines) = *BLOCKS.get(at)?;
    let parts = lines.split("\n@").filter_map(|part| part.split_once('\n'));
    let part = parts
        .filter(|(prefix, _)| is_named(own, prefix))
        .max_by_key(|(prefix, _)| prefix.len());
    Some(Model {
        service,
        lines: part.map_or(lines, |(_, lines)| lines),
    })
}

/// Whether a host is one of an endpoint prefix.
fn is_named(own: &str, prefix: &str) -> bool {
    own.split_at_checked(prefix.len())
        .is_some_and(|(name, rest)| {
            name.eq_ignore_ascii_case(prefix)
                && (rest.starts_with('.') || rest.starts_with("-fips."))
        })
}

impl Model {
    fn names(self, protocol: &str) -> impl Iterator<Item = &'static str> {
        self.lines
            .lines()
            .filter_map(move |line| line.strip_prefix(protocol)?.strip_prefix(' '))
    }

    /// `X-Amz-Target: TARGET.OPERATION`.
    pub(super) fn target<'a>(self, request: &Request<'a>) -> Result<Option<&'a str>, Untold> {
        let Some(target) = header(request, "x-amz-target")? else {
            return Ok(None);
        };
        let Some((target, name)) = target.rsplit_once('.') else {
            return Ok(None);
        };
        let is_known = self.names("json").any(|known| known == target);
        Ok((is_known && is_root(request) && is_name(name)).then_some(name))
    }

    /// `/service/TARGET/operation/OPERATION`.
    pub(super) fn cbor<'a>(self, request: &Request<'a>) -> Option<&'a str> {
        let path = request.path.strip_prefix("/service/")?;
        let (target, name) = path.split_once("/operation/")?;
        let is_known = self.names("cbor").any(|known| known == target);
        (is_known && request.method == "POST" && is_name(name)).then_some(name)
    }

    /// `Action=OPERATION`, in the query or in a form.
    pub(super) fn form<'a>(
        self,
        request: &Request<'a>,
        body: Option<&'a [u8]>,
    ) -> Result<Option<&'a str>, Untold> {
        // SQS goes on to take forms, which its model has no more.
        let takes_forms = self.service == "sqs" || self.lines.lines().any(|line| line == "query");
        let is_told = header(request, "x-amz-target")?.is_some();
        if !takes_forms && !is_told {
            return Ok(None);
        }
        let form = "application/x-www-form-urlencoded";
        let is_form = header(request, "content-type")?
            .and_then(|kind| kind.get(..form.len()))
            .is_some_and(|kind| kind.eq_ignore_ascii_case(form));
        let text = match body {
            None if is_form => return Err(Untold::Body),
            // Whatever the header says of it: a service may read the form all the same.
            Some(body) if is_form || !is_told => std::str::from_utf8(body).unwrap_or_default(),
            _ => "",
        };
        let named = form::action(request.query, text)?;
        // Both ways at once: which one counts is the service's secret.
        if is_told && named.is_some() {
            return Err(Untold::Ambiguous);
        }
        Ok(named)
    }

    /// Method and path.
    pub(super) fn rest(self, request: &Request<'_>) -> Result<Option<&'static str>, Untold> {
        rest::operation(self.lines, request)
    }
}

/// Whether the path is that of services with one path.
fn is_root(request: &Request<'_>) -> bool {
    request.method == "POST" && matches!(request.path, "" | "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_in_order_and_of_known_lines() {
        assert!(BLOCKS.len() > 300);
        assert!(BLOCKS.windows(2).all(|two| two[0].0 < two[1].0));
        for (service, lines) in BLOCKS.iter() {
            assert!(
                of(service, "")
                    .is_some_and(|found| found.service == *service && found.lines == *lines)
            );
            for line in lines.split("\n@").flat_map(|part| part.lines().skip(1)) {
                let words = line.split(' ').count();
                let is_rest = words == 3 && line.contains(" /");
                let is_named =
                    words == 2 && (line.starts_with("json ") || line.starts_with("cbor "));
                assert!(is_rest || is_named || line == "query", "{line}");
            }
        }
    }

    #[test]
    fn a_host_has_its_part_of_a_block() {
        let lines = |own| of("bedrock", own).unwrap().lines;
        let runtime = lines("bedrock-runtime.us-east-1.amazonaws.com");
        assert!(runtime.contains(" Converse\n") && !runtime.contains(" PrepareAgent\n"));
        assert_eq!(
            lines("BEDROCK-RUNTIME-fips.us-east-1.amazonaws.com"),
            runtime
        );
        assert!(!lines("bedrock.us-east-1.amazonaws.com").contains(" Converse\n"));
        assert!(lines("other.us-east-1.amazonaws.com").contains(" PrepareAgent\n"));
    }
}
