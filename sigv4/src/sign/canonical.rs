//! The canonical request: what both sides hash, so that each must write it alike.

use super::{Request, is_s3};

/// Names that a hop may change, or that are the signature's own.
const UNSIGNED: &[&str] = &[
    "authorization",
    "baggage",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// The headers that a signature covers, sorted.
pub(super) struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// Those of a request that are signed, with `own` in place of any of the same name.
    pub(super) fn new(request: &Request<'a>, own: &[(&'a str, &'a [u8])]) -> Self {
        let is_own = |name: &str| {
            own.iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        let is_unsigned = |name: &str| {
            UNSIGNED
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name))
        };
        let mut headers: Vec<_> = request
            .headers
            .iter()
            .filter(|(name, _)| !is_own(name) && !is_unsigned(name))
            .chain(own)
            .copied()
            .collect();
        // Stable: the values of one name stay in their order.
        headers.sort_by(|(one, _), (other, _)| lower(one).cmp(lower(other)));
        Self(headers)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// The names, with `;` between.
    pub(super) fn names(&self) -> String {
        let mut names = String::new();
        for (i, (name, _)) in self.0.iter().enumerate() {
            if i > 0 && self.0[i - 1].0.eq_ignore_ascii_case(name) {
                continue;
            }
            if i > 0 {
                names.push(';');
            }
            names.extend(lower(name).map(char::from));
        }
        names
    }

    /// `name:value` lines; values of one name with commas between.
    fn write(&self, text: &mut Vec<u8>) {
        for (i, (name, value)) in self.0.iter().enumerate() {
            if i > 0 && self.0[i - 1].0.eq_ignore_ascii_case(name) {
                // In place of the line's end.
                text.pop();
                text.push(b',');
            } else {
                text.extend(lower(name));
                text.push(b':');
            }
            write_value(value, text);
            text.push(b'\n');
        }
    }
}

fn lower(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|b| b.to_ascii_lowercase())
}

/// Without white space at its ends, and one space for each run of it inside.
fn write_value(value: &[u8], text: &mut Vec<u8>) {
    for (i, word) in value
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        if i > 0 {
            text.push(b' ');
        }
        text.extend(word);
    }
}

/// The canonical request. `query` is the request's own or, for a presigned URL, with what is added to it.
pub(super) fn request(
    request: &Request<'_>,
    service: &str,
    query: &str,
    headers: &Headers<'_>,
    names: &str,
    payload: &str,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    text.extend(request.method.as_bytes());
    text.push(b'\n');
    if is_s3(service) {
        text.extend(
            if request.path.is_empty() {
                "/"
            } else {
                request.path
            }
            .as_bytes(),
        );
    } else {
        write_path(request.path, &mut text);
    }
    text.push(b'\n');
    write_query(query, &mut text);
    text.push(b'\n');
    headers.write(&mut text);
    text.push(b'\n');
    text.extend(names.as_bytes());
    text.push(b'\n');
    text.extend(payload.as_bytes());
    text
}

/// The path without `.`, `..` and empty segments, encoded once more than it is sent.
fn write_path(path: &str, text: &mut Vec<u8>) {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    for segment in &segments {
        text.push(b'/');
        write_encoded(segment.as_bytes(), text);
    }
    if segments.is_empty() || path.ends_with('/') {
        text.push(b'/');
    }
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
pub(super) fn write_encoded(bytes: &[u8], text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(*byte),
            _ => text.extend([
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]),
        }
    }
}

/// The parameters as they are sent, sorted by name and value, each with a `=`.
fn write_query(query: &str, text: &mut Vec<u8>) {
    if query.is_empty() {
        return;
    }
    let mut parameters: Vec<(&str, &str)> = query
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .collect();
    parameters.sort_unstable();
    for (i, (name, value)) in parameters.iter().enumerate() {
        if i > 0 {
            text.push(b'&');
        }
        text.extend(name.as_bytes());
        text.push(b'=');
        text.extend(value.as_bytes());
    }
}
