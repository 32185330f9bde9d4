//! Method and path to operation.

use super::Untold;
use super::form::decode;
use crate::sign::Request;

/// How well a template fits, the better the greater: segments from the left, then parameters.
type Fit = (Vec<u8>, usize);

/// The operation whose template fits a request best: `METHOD PATH NAME` lines.
pub(super) fn operation(
    lines: &'static str,
    request: &Request<'_>,
) -> Result<Option<&'static str>, Untold> {
    let mut best: Option<(Fit, &str)> = None;
    let mut is_tied = false;
    for line in lines.lines() {
        let Some(rest) = line
            .strip_prefix(request.method)
            .and_then(|rest| rest.strip_prefix(' '))
        else {
            continue;
        };
        let Some((template, name)) = rest.split_once(' ') else {
            continue;
        };
        let Some(fit) = fit(template, request) else {
            continue;
        };
        match &best {
            Some((other, known)) if *other == fit => is_tied |= *known != name,
            Some((other, _)) if *other > fit => {}
            _ => {
                best = Some((fit, name));
                is_tied = false;
            }
        }
    }
    if is_tied {
        return Err(Untold::Ambiguous);
    }
    Ok(best.map(|(_, name)| name))
}

/// A slash at the end counts for nothing. A label takes one segment, `{+}` as many as the rest of the template leaves.
fn fit(template: &str, request: &Request<'_>) -> Option<Fit> {
    let (path, query) = template.split_once('?').unwrap_or((template, ""));
    let (before, after) = match path.split_once("{+}") {
        Some((before, after)) => (before, Some(after)),
        None => (path, None),
    };
    let mut sent = segments(request.path);
    let mut fits = Vec::new();
    for part in segments(before) {
        fits.push(fit_one(part, sent.next()?)?);
    }
    if let Some(after) = after {
        let mut ending = Vec::new();
        for part in segments(after).rev() {
            ending.push(fit_one(part, sent.next_back()?)?);
        }
        fits.push(0);
        fits.extend(ending.into_iter().rev());
        // What is left over is the label's, and something must be.
        let mut all = sent.by_ref().map(is_plain);
        if !(all.next()? && all.all(|is_plain| is_plain)) {
            return None;
        }
    }
    if sent.next().is_some() {
        return None;
    }
    let parameters = || query.split('&').filter(|parameter| !parameter.is_empty());
    let has = |wanted: &str| {
        request
            .query
            .split('&')
            .any(|sent| match wanted.split_once('=') {
                Some(_) => sent == wanted,
                None => sent.split('=').next() == Some(wanted),
            })
    };
    parameters().all(has).then(|| (fits, parameters().count()))
}

/// How well one segment fits a part of a template.
fn fit_one(part: &str, segment: &str) -> Option<u8> {
    match part {
        "{}" if is_plain(segment) => Some(1),
        literal if literal == segment => Some(2),
        _ => None,
    }
}

/// Neither empty nor one that a server may resolve.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty() && !matches!(&decode(segment)[..], b"." | b"..")
}

fn segments(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    Some(path)
        .filter(|path| !path.is_empty())
        .into_iter()
        .flat_map(|path| path.split('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "GET /a ListA\nGET /a/{} GetA\nGET /a/new NewA\nPOST /a?operation=stop StopA\nPOST /a MakeA\n\
        GET /all/{+} GetAll\nGET /all/{+}/part GetPart\nGET / Root\nPUT /x/{} One\nPUT /x/{} Other";

    fn told(method: &str, path: &str, query: &str) -> Result<Option<&'static str>, Untold> {
        let headers = &[];
        operation(
            LINES,
            &Request {
                method,
                path,
                query,
                headers,
            },
        )
    }

    #[test]
    fn the_best_fit_counts() {
        assert_eq!(told("GET", "/a", ""), Ok(Some("ListA")));
        assert_eq!(told("GET", "/a/", ""), Ok(Some("ListA")));
        assert_eq!(told("GET", "/a/b", "x=1"), Ok(Some("GetA")));
        assert_eq!(told("GET", "/a/new", ""), Ok(Some("NewA")));
        assert_eq!(told("POST", "/a", "operation=stop"), Ok(Some("StopA")));
        assert_eq!(told("POST", "/a", "operation=go"), Ok(Some("MakeA")));
        assert_eq!(told("GET", "/all/b/c/d", ""), Ok(Some("GetAll")));
        assert_eq!(told("GET", "/all/b/c/part", ""), Ok(Some("GetPart")));
        assert_eq!(told("GET", "/all/part", ""), Ok(Some("GetAll")));
        assert_eq!(told("GET", "/", ""), Ok(Some("Root")));
        assert_eq!(told("GET", "", ""), Ok(Some("Root")));
    }

    #[test]
    fn what_fits_nothing_or_two_things_is_not_told() {
        for path in [
            "/b",
            "/a/..",
            "/a/%2e%2E",
            "/a/.",
            "/a/b/c",
            "/a//b",
            "//a",
            "/A",
            "/%61",
            "/all",
            "/all/",
        ] {
            assert_eq!(told("GET", path, ""), Ok(None), "{path}");
        }
        assert_eq!(told("DELETE", "/a", ""), Ok(None));
        assert_eq!(told("PUT", "/x/y", ""), Err(Untold::Ambiguous));
    }
}
