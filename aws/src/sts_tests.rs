//! The real SDK against an STS on loopback.

use super::*;
use crate::{
    Class, FederationRequest,
    test_sts::{Answer, TestSts},
};
use alter_policy::session_policy::SessionPolicy;

fn key() -> Source {
    Source::AccessKey {
        access_key_id: "AKIAEXAMPLE".to_owned(),
        secret_access_key: "hunter2".to_owned().into(),
        session_token: None,
    }
}

async fn client(url: String) -> Sts {
    Sts::new(Settings {
        region: "us-east-1".to_owned(),
        endpoint: Some(url),
        source: key(),
    })
    .await
}

fn request() -> RoleRequest {
    RoleRequest {
        role_arn: "arn:aws:iam::111122223333:role/path/team-a".to_owned(),
        session_name: "alter.team-a.bedrock".to_owned(),
        duration_seconds: 900,
        external_id: None,
        source_identity: None,
        tags: [].into(),
        policy: SessionPolicy::default(),
    }
}

/// The failure of an AssumeRole that is answered so.
async fn failure(answer: Answer) -> StsError {
    let server = TestSts::start(move |_| answer.clone()).await.unwrap();
    let failed = client(server.url()).await.assume_role(&request()).await;
    assert_eq!(server.calls().len(), 1, "the SDK tries once");
    failed.unwrap_err()
}

#[tokio::test]
async fn a_session_comes_with_the_assumed_role() {
    let server = TestSts::start(|_| Answer::Success).await.unwrap();
    let assumed = client(server.url())
        .await
        .assume_role(&request())
        .await
        .unwrap();
    assert_eq!(assumed.session.access_key_id, "ASIATEST0");
    assert_eq!(*assumed.session.secret_access_key, "secret-0");
    assert_eq!(*assumed.session.session_token, "token-0");
    assert_eq!(
        assumed.session.expiration,
        "2099-01-01T00:00:00Z".parse().unwrap()
    );
    assert_eq!(
        assumed.assumed_role_arn,
        "arn:aws:sts::111122223333:assumed-role/team-a/alter.team-a.bedrock"
    );
}

#[tokio::test]
async fn what_is_not_set_is_not_sent() {
    let server = TestSts::start(|_| Answer::Success).await.unwrap();
    let sts = client(server.url()).await;
    sts.assume_role(&request()).await.unwrap();
    let full = RoleRequest {
        external_id: Some("org:a".to_owned()),
        source_identity: Some("team-a".to_owned()),
        tags: [("team".to_owned(), "ä b".to_owned())].into(),
        policy: SessionPolicy {
            document: Some("{}".to_owned()),
            arns: vec!["arn:aws:iam::aws:policy/x".to_owned()],
        },
        ..request()
    };
    sts.assume_role(&full).await.unwrap();
    let calls = server.calls();
    let names: Vec<_> = calls[0].parameters.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "Action",
            "DurationSeconds",
            "RoleArn",
            "RoleSessionName",
            "Version"
        ]
    );
    assert_eq!(calls[0].access_key_id, "AKIAEXAMPLE");
    assert_eq!(calls[1].parameter("ExternalId"), Some("org:a"));
    assert_eq!(calls[1].parameter("SourceIdentity"), Some("team-a"));
    assert_eq!(calls[1].parameter("Tags.member.1.Key"), Some("team"));
    assert_eq!(calls[1].parameter("Tags.member.1.Value"), Some("ä b"));
    assert_eq!(calls[1].parameter("Policy"), Some("{}"));
    let arn = calls[1].parameter("PolicyArns.member.1.arn");
    assert_eq!(arn, Some("arn:aws:iam::aws:policy/x"));
}

#[tokio::test]
async fn a_federated_session_is_asked_for_with_its_policy() {
    let server = TestSts::start(|_| Answer::Success).await.unwrap();
    let request = FederationRequest {
        name: "team-a.bedrock".to_owned(),
        duration_seconds: 900,
        tags: [("team".to_owned(), "a".to_owned())].into(),
        policy: SessionPolicy {
            document: Some("{}".to_owned()),
            arns: Vec::new(),
        },
    };
    let sts = client(server.url()).await;
    let issued = sts.federation_token(&request).await.unwrap();
    assert_eq!(*issued.session.session_token, "token-0");
    assert_eq!(
        issued.assumed_role_arn,
        "arn:aws:sts::111122223333:federated-user/team-a.bedrock"
    );
    let call = &server.calls()[0];
    assert_eq!(call.action, "GetFederationToken");
    for (name, value) in [
        ("Name", "team-a.bedrock"),
        ("DurationSeconds", "900"),
        ("Policy", "{}"),
        ("Tags.member.1.Key", "team"),
    ] {
        assert_eq!(call.parameter(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_full_session_is_the_users_own() {
    let server = TestSts::start(|_| Answer::Success).await.unwrap();
    let sts = client(server.url()).await;
    let user = "arn:aws:iam::111122223333:user/alter";
    let issued = sts.session_token(user, 900).await.unwrap();
    assert_eq!(issued.assumed_role_arn, user);
    let call = &server.calls()[0];
    let names: Vec<_> = call.parameters.keys().map(String::as_str).collect();
    assert_eq!(call.action, "GetSessionToken");
    assert_eq!(names, ["Action", "DurationSeconds", "Version"]);
}

#[tokio::test]
async fn a_denied_session_without_a_role_names_its_call() {
    let server = TestSts::start(|_| Answer::Error(403, "AccessDenied", "no")).await;
    let server = server.unwrap();
    let sts = client(server.url()).await;
    let error = sts.session_token("arn", 900).await.unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    let text = error.to_string();
    assert!(
        text.starts_with("sts:GetSessionToken failed: AccessDenied: no; find"),
        "{text}"
    );
}

#[tokio::test]
async fn aws_says_who_the_caller_is() {
    let server = TestSts::start(|_| Answer::Success).await.unwrap();
    let caller = client(server.url()).await.caller_identity().await.unwrap();
    assert_eq!(caller.account_id, "111122223333");
    assert_eq!(caller.arn, "arn:aws:iam::111122223333:user/alter");
}

#[tokio::test]
async fn errors_carry_their_class_and_aws_text() {
    for (status, code, class) in [
        (400, "Throttling", Class::Throttled),
        (500, "InternalFailure", Class::Transient),
        (400, "IDPCommunicationError", Class::Transient),
        (403, "AccessDenied", Class::Denied),
        (403, "ExpiredToken", Class::SourceRejected),
        (403, "InvalidClientTokenId", Class::SourceRejected),
        (400, "ValidationError", Class::InvalidInput),
        (400, "MalformedPolicyDocument", Class::InvalidInput),
        (400, "PackedPolicyTooLarge", Class::TooLarge),
        (403, "RegionDisabledException", Class::InvalidInput),
        // Modelled under names of their own.
        (400, "ExpiredTokenException", Class::SourceRejected),
        (400, "MalformedPolicyDocumentException", Class::InvalidInput),
    ] {
        let error = failure(Answer::Error(status, code, "as AWS says it")).await;
        assert_eq!(error.class(), class, "{error}");
        let said = format!(
            "sts:AssumeRole of arn:aws:iam::111122223333:role/path/team-a failed: {code}: as AWS says it; "
        );
        assert!(error.to_string().starts_with(&said), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_of_sts_says_so() {
    for answer in [
        Answer::Raw(403, "<html>Forbidden</html>"),
        Answer::Raw(404, "not found"),
        Answer::Raw(502, ""),
        Answer::Raw(200, "<html>Welcome</html>"),
        Answer::Raw(
            200,
            "<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>",
        ),
    ] {
        let error = failure(answer.clone()).await;
        assert_eq!(error.class(), Class::Transient, "{answer:?}: {error}");
        let text = error.to_string();
        assert!(text.contains("check that endpoints.sts"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let server = TestSts::start(|_| Answer::Hang).await.unwrap();
    let settings = Settings {
        region: "us-east-1".to_owned(),
        endpoint: Some(server.url()),
        source: key(),
    };
    let short = Duration::from_millis(100);
    for limits in [
        Limits {
            read: short,
            whole: Duration::from_hours(1),
            ..LIMITS
        },
        Limits {
            read: Duration::from_hours(1),
            whole: short,
            ..LIMITS
        },
    ] {
        let sts = Sts::with_limits(settings.clone(), limits).await;
        let limit = Duration::from_secs(30);
        let asked = tokio::time::timeout(limit, sts.caller_identity()).await;
        let error = asked.unwrap().unwrap_err();
        assert_eq!(error.class(), Class::Transient);
        let text = error.to_string();
        assert!(
            text.contains("did not answer in time; check that"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_closed_port_is_named() {
    let server = TestSts::start(|_| Answer::Success).await.unwrap();
    let url = server.url();
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", taken.local_addr().unwrap());
    drop(taken);
    let error = client(closed.clone())
        .await
        .assume_role(&request())
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Transient);
    let text = error.to_string();
    assert!(text.contains(&closed) && text.contains("refused"), "{text}");
    assert!(!text.contains(&url));
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_bad_input() {
    let sts = client("http://no url".to_owned()).await;
    let error = sts.caller_identity().await.unwrap_err();
    assert_eq!(error.class(), Class::InvalidInput, "{error}");
    assert!(error.to_string().contains("endpoints.sts"), "{error}");
}

#[tokio::test]
async fn secrets_stay_out_of_errors_and_debug() {
    let error = failure(Answer::Error(
        403,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match.\n\nThe Canonical String for this \
         request should have been\nx-amz-security-token:hunter3",
    ))
    .await;
    let sts = client("http://127.0.0.1:1".to_owned()).await;
    let shown = format!("{error} {error:?} {sts:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}
