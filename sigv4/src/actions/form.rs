//! `Action=` in a query or a form.

use super::{Untold, is_name};

/// The operation that query and form name, once between them.
pub(super) fn action<'a>(query: &'a str, form: &'a str) -> Result<Option<&'a str>, Untold> {
    let mut named = query
        .split('&')
        .chain(form.trim_end().split('&'))
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .filter(|(name, _)| is_action(name))
        .map(|(_, value)| value);
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some(name), None) if is_name(name) => Ok(Some(name)),
        (Some(_), None) => Err(Untold::Operation),
        (Some(_), Some(_)) => Err(Untold::Ambiguous),
    }
}

/// Whether a service reads a parameter's name as `Action`, encoded as it may be.
fn is_action(name: &str) -> bool {
    decode(name).eq_ignore_ascii_case(b"Action")
}

/// Percent-decoded, once. What is no encoding stays.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)));
        if let (b'%', Some((high, low))) = (byte, digits) {
            decoded.push(u8::try_from(16 * high + low).unwrap_or_default());
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_named_once() {
        assert_eq!(
            action("", "Action=AssumeRole&Version=1"),
            Ok(Some("AssumeRole"))
        );
        assert_eq!(
            action("Version=1&Action=ListUsers", ""),
            Ok(Some("ListUsers"))
        );
        assert_eq!(action("", "Version=1"), Ok(None));
        for twice in [
            "Action=A&Action=B",
            "Action=A&%41ction=B",
            "Action=A&action=B",
            "Action=A&Action",
        ] {
            assert_eq!(action("", twice), Err(Untold::Ambiguous), "{twice}");
        }
        assert_eq!(action("Action=A", "Action=A"), Err(Untold::Ambiguous));
        for bad in ["Action=", "Action=A%42", "Action=A+B", "Action"] {
            assert_eq!(action("", bad), Err(Untold::Operation), "{bad}");
        }
    }

    #[test]
    fn encodings_are_undone_once() {
        assert_eq!(decode("a%2Fb%253A%"), b"a/b%3A%");
        assert_eq!(decode("%zz%4"), b"%zz%4");
    }
}
