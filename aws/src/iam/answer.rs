//! What IAM answers. Pure.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};
use percent_encoding::percent_decode_str;

/// The policy in an answer of `GetRolePolicy`, or what that lacks.
pub(crate) fn document(body: &[u8]) -> Result<String, &'static str> {
    const LACKS: &str = "a PolicyDocument";
    let text = text_at(
        body,
        "GetRolePolicyResponse",
        &["GetRolePolicyResult", "PolicyDocument"],
    );
    // As RFC 3986 has it: a plus is one.
    let text = text.ok_or(LACKS)?;
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(Into::into).map_err(|_| LACKS)
}

/// Whether it is the answer of an action that answers with nothing.
pub(crate) fn is_of(action: &str, body: &[u8]) -> bool {
    let Ok(mut document) = Document::try_from(body) else {
        return false;
    };
    let root = document.root_element();
    root.is_ok_and(|root| root.start_el().local().strip_suffix("Response") == Some(action))
}

/// AWS's error code and its words about it.
pub(crate) fn error(body: &[u8]) -> (Option<String>, Option<String>) {
    let of = |name| text_at(body, "ErrorResponse", &["Error", name]);
    (of("Code"), of("Message"))
}

fn text_at(body: &[u8], root: &str, path: &[&str]) -> Option<String> {
    let mut document = Document::try_from(body).ok()?;
    let mut scope = document.root_element().ok()?;
    if scope.start_el().local() != root {
        return None;
    }
    find(&mut scope, path)
}

fn find(scope: &mut ScopedDecoder<'_, '_>, path: &[&str]) -> Option<String> {
    let Some((first, rest)) = path.split_first() else {
        return try_data(scope).ok().map(Into::into);
    };
    while let Some(mut tag) = scope.next_tag() {
        if tag.start_el().local() == *first {
            return find(&mut tag, rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_was_written() {
        let body = br#"<GetRolePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">
  <GetRolePolicyResult>
    <PolicyName>alter-revocations</PolicyName><RoleName>team-a</RoleName>
    <PolicyDocument>%7B%22Statement%22%3A%5B%5D%2C%22Id%22%3A%22a%2Bb+c%20%C3%A4%22%7D</PolicyDocument>
  </GetRolePolicyResult>
  <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
</GetRolePolicyResponse>"#;
        assert_eq!(
            document(body).as_deref(),
            Ok("{\"Statement\":[],\"Id\":\"a+b+c \u{e4}\"}")
        );
        assert!(is_of("GetRolePolicy", body) && !is_of("PutRolePolicy", body));
    }

    #[test]
    fn what_is_not_iams_is_no_answer() {
        for body in [
            "",
            "<html><body>Welcome</body></html>",
            "<GetRolePolicyResponse/>",
            "<GetRolePolicyResponse><GetRolePolicyResult></GetRolePolicyResult></GetRolePolicyResponse>",
            "<PutRolePolicyResponse><GetRolePolicyResult><PolicyDocument>x</PolicyDocument></GetRolePolicyResult></PutRolePolicyResponse>",
        ] {
            assert_eq!(document(body.as_bytes()), Err("a PolicyDocument"), "{body}");
            assert!(!is_of("DeleteRolePolicy", body.as_bytes()), "{body}");
            assert_eq!(error(body.as_bytes()), (None, None), "{body}");
        }
        assert_eq!(document(b"\xff"), Err("a PolicyDocument"));
    }

    #[test]
    fn refusals_are_read_as_aws_writes_them() {
        let body = b"<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
            <Code>NoSuchEntity</Code><Message>The role &quot;a&quot; cannot be found.</Message></Error>\
            <RequestId>r</RequestId></ErrorResponse>";
        let expected = "The role \"a\" cannot be found.";
        assert_eq!(
            error(body),
            (Some("NoSuchEntity".to_owned()), Some(expected.to_owned()))
        );
    }
}
