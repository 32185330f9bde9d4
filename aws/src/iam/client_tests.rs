//! The client against an IAM on loopback.

use super::*;
use crate::{
    classify::Class,
    test_sts::{Answer, TestSts},
};

const NAME: &str = "alter-revocations";

fn role() -> RoleArn<'static> {
    RoleArn::parse("arn:aws:iam::111122223333:role/teams/team-a").unwrap()
}

fn policy() -> RolePolicy<'static> {
    RolePolicy {
        role: role(),
        name: NAME,
    }
}

fn session() -> Session {
    Session {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: "hunter2".to_owned().into(),
        session_token: "hunter3".to_owned().into(),
        expiration: Timestamp::MAX,
    }
}

fn now() -> Timestamp {
    "2026-11-22T04:05:06.7Z".parse().unwrap()
}

async fn server(answer: Answer) -> TestSts {
    TestSts::start(move |_| answer.clone()).await.unwrap()
}

#[tokio::test]
async fn a_policy_is_written_read_and_removed() {
    let server = server(Answer::Success).await;
    let (iam, by) = (Iam::new(Some(server.url())), session());
    let read = async || iam.get_role_policy(&by, policy(), now()).await;
    assert_eq!(read().await, Ok(None));
    let document = r#"{"Statement":[{"Sid":"a+b & c/ä%20"}]}"#;
    iam.put_role_policy(&by, policy(), document, now())
        .await
        .unwrap();
    assert_eq!(
        server.role_policy("team-a", NAME).as_deref(),
        Some(document)
    );
    assert_eq!(read().await, Ok(Some(document.to_owned())));
    for _ in 0..2 {
        iam.delete_role_policy(&by, policy(), now()).await.unwrap();
        assert_eq!(read().await, Ok(None));
    }
    let call = &server.calls()[1];
    for (name, value) in [
        ("Action", "PutRolePolicy"),
        ("Version", "2010-05-08"),
        ("RoleName", "team-a"),
        ("PolicyName", NAME),
    ] {
        assert_eq!(call.parameter(name), Some(value), "{name}");
    }
    assert_eq!(
        (call.access_key_id.as_str(), call.session_token.as_str()),
        ("ASIAEXAMPLE", "hunter3")
    );
}

#[test]
fn a_call_is_signed_for_the_partitions_iam() {
    let signed = |partition: &str, url: Option<&str>| {
        let (host, region) = partition::iam(partition);
        let by = session();
        let call = Call {
            action: "GetRolePolicy",
            by: &by,
            policy: policy(),
            document: None,
            now: now(),
        };
        let own = format!("https://{host}/");
        let request = request(&call, url.unwrap_or(&own), region).unwrap();
        let header = |name| request.headers().get(name).unwrap_or_default().to_owned();
        assert_eq!(header("content-type"), FORM);
        assert_eq!(header("x-amz-date"), "20261122T040506Z");
        (header("host"), header("authorization"))
    };
    for (partition, host, region) in [
        ("aws", "iam.amazonaws.com", "us-east-1"),
        ("aws-cn", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("aws-us-gov", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
    ] {
        let (sent, authorization) = signed(partition, None);
        assert_eq!(sent, host);
        let start = format!(
            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261122/{region}/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="
        );
        assert!(authorization.starts_with(&start), "{authorization}");
    }
    let (sent, _) = signed("aws", Some("http://a.example:4566"));
    assert_eq!(sent, "a.example:4566");
}

#[tokio::test]
async fn errors_carry_their_class_and_what_to_do() {
    for (status, code, class, word) in [
        (
            403,
            "AccessDenied",
            Class::Denied,
            "allow iam:GetRolePolicy",
        ),
        (
            403,
            "ExpiredToken",
            Class::SourceRejected,
            "spec.revocation.roleArn anew",
        ),
        (409, "LimitExceeded", Class::TooLarge, "10,240 characters"),
        (
            409,
            "ConcurrentModification",
            Class::Transient,
            "asks again",
        ),
        (
            404,
            "NoSuchEntity",
            Class::InvalidInput,
            "see that the role exists",
        ),
        (
            400,
            "UnmodifiableEntity",
            Class::InvalidInput,
            "put the deny on it by hand",
        ),
        (400, "Throttling", Class::Throttled, "asks again"),
        (500, "ServiceFailure", Class::Transient, "asks again"),
    ] {
        let server = server(Answer::Error(status, code, "as AWS says it")).await;
        let iam = Iam::new(Some(server.url()));
        let put = iam.put_role_policy(&session(), policy(), "{}", now()).await;
        let error = put.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        let said = format!(
            "iam:PutRolePolicy of policy {NAME} on role teams/team-a failed: {code}: as AWS says it; "
        );
        let text = error.to_string();
        assert!(text.starts_with(&said) && text.contains(word), "{text}");
        assert!(!format!("{text}{error:?}").contains("hunter"), "{error:?}");
        assert_eq!(server.calls().len(), 1, "tried once");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_iam_is_no_success() {
    for answer in [
        Answer::Raw(200, "<html><body>Welcome</body></html>"),
        Answer::Raw(200, ""),
        Answer::Raw(403, "<html>Forbidden</html>"),
        Answer::Raw(502, ""),
    ] {
        let server = server(answer.clone()).await;
        let (iam, by) = (Iam::new(Some(server.url())), session());
        let errors = [
            iam.get_role_policy(&by, policy(), now()).await.unwrap_err(),
            iam.put_role_policy(&by, policy(), "{}", now())
                .await
                .unwrap_err(),
            iam.delete_role_policy(&by, policy(), now())
                .await
                .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.class(), Class::Transient, "{answer:?}: {error}");
            let text = error.to_string();
            assert!(text.contains("check that endpoints.iam"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_closed_port_and_a_url_that_is_none_are_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    for (url, class, word) in [
        (closed.as_str(), Class::Transient, closed.as_str()),
        ("http://no url", Class::InvalidInput, "endpoints.iam"),
    ] {
        let iam = Iam::new(Some(url.to_owned()));
        let read = iam.get_role_policy(&session(), policy(), now()).await;
        let error = read.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
