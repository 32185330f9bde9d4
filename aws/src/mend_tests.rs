use super::*;

fn request() -> RoleRequest {
    RoleRequest {
        role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
        session_name: "alter.team-a.bedrock".to_owned(),
        duration_seconds: 3600,
        external_id: None,
        source_identity: None,
        tags: [].into(),
        policy: SessionPolicy::default(),
    }
}

fn asked(request: &RoleRequest) -> Asked<'_> {
    Asked {
        place: "STS in us-east-1",
        request: Some(Wanted::Role(request)),
        by: By::AccessKey,
    }
}

const ASSUME: &str = "User: arn:aws:iam::111122223333:user/alter is not authorized to perform: \
                      sts:AssumeRole on resource: arn:aws:iam::111122223333:role/team-a";

#[test]
fn a_denial_names_what_the_trust_policy_may_lack() {
    let plain = denied(ASSUME, &asked(&request()));
    assert!(plain.contains("sts:AssumeRole"), "{plain}");
    assert!(
        !plain.contains("TagSession") && !plain.contains("SetSource"),
        "{plain}"
    );

    let tagged = RoleRequest {
        tags: [("team".to_owned(), "a".to_owned())].into(),
        ..request()
    };
    let text = denied(ASSUME, &asked(&tagged));
    assert!(text.contains("must allow sts:TagSession too"), "{text}");
    assert!(!text.contains("SetSource"), "{text}");

    let named = RoleRequest {
        source_identity: Some("team-a".to_owned()),
        external_id: Some("org".to_owned()),
        ..request()
    };
    let text = denied(ASSUME, &asked(&named));
    assert!(
        text.contains("must allow sts:SetSourceIdentity too"),
        "{text}"
    );
    assert!(text.contains("sts:ExternalId must match"), "{text}");
}

#[test]
fn a_denial_of_the_extra_action_itself_names_it_alone() {
    let message = ASSUME.replace("sts:AssumeRole", "sts:TagSession");
    assert_eq!(
        denied(&message, &asked(&request())),
        "allow sts:TagSession in the role's trust policy, since the session has session tags"
    );
}

#[test]
fn each_refusal_has_its_own_mend() {
    let request = request();
    let mend = |class, code, message| answered(class, code, message, &asked(&request));
    for (class, code, message, word) in [
        (Class::SourceRejected, "RequestExpired", "", "clock"),
        (
            Class::SourceRejected,
            "SignatureDoesNotMatch",
            "Signature expired: x",
            "clock",
        ),
        (
            Class::SourceRejected,
            "SignatureDoesNotMatch",
            "",
            "one and the same key",
        ),
        (Class::SourceRejected, "InvalidClientTokenId", "", "active"),
        (
            Class::SourceRejected,
            "OptInRequired",
            "",
            "enable the region",
        ),
        (
            Class::InvalidInput,
            "ValidationError",
            "exceeds the MaxSessionDuration set for this role",
            "durationSeconds",
        ),
        (
            Class::InvalidInput,
            "ValidationError",
            "exceeds the 1 hour session limit for roles assumed by role chaining",
            "3600",
        ),
        (
            Class::InvalidInput,
            "ValidationError",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
            "remove the session tag",
        ),
        (
            Class::InvalidInput,
            "MalformedPolicyDocument",
            "",
            "spec.policy",
        ),
        (
            Class::InvalidInput,
            "RegionDisabledException",
            "",
            "activate STS",
        ),
        (
            Class::Throttled,
            "Throttling",
            "Rate exceeded",
            "--sts-rate",
        ),
    ] {
        let text = mend(class, code, message);
        assert!(text.contains(word), "{code}: {text}");
    }
}

#[test]
fn what_is_too_large_names_its_largest_part_first() {
    let tagged = RoleRequest {
        tags: [("team".to_owned(), "x".repeat(96))].into(),
        policy: SessionPolicy {
            document: Some("x".repeat(2_000)),
            arns: vec!["x".repeat(30)],
        },
        ..request()
    };
    let message = "Packed policy consumes 137% of allotted space, please use smaller policy.";
    let text = too_large(message, Some(Wanted::Role(&tagged)));
    assert_eq!(
        text,
        "packed they are 137% of what AWS takes: shorten the session policy (spec.bedrock or \
         spec.policy) first, which has 2000 characters; the set of session tags (spec.tags, and the \
         identity's) has 100; the list of spec.policyArns has 30"
    );
    let alone = RoleRequest {
        tags: tagged.tags.clone(),
        ..request()
    };
    let text = too_large("", Some(Wanted::Role(&alone)));
    assert!(
        text.starts_with("shorten the set of session tags"),
        "{text}"
    );
    assert_eq!(percentage("% of it"), None);
}

#[test]
fn a_denied_federation_names_the_users_own_policy() {
    let mut request = FederationRequest {
        name: "team-a.bedrock".to_owned(),
        duration_seconds: 3600,
        tags: [].into(),
        policy: SessionPolicy::default(),
    };
    let text = federation_denied("", &request);
    assert!(
        text.starts_with("allow sts:GetFederationToken in the policy"),
        "{text}"
    );
    request.tags = [("a".to_owned(), "b".to_owned())].into();
    let text = federation_denied("", &request);
    assert!(
        text.contains("sts:GetFederationToken and sts:TagSession"),
        "{text}"
    );
    let text = federation_denied("not authorized to perform: sts:TagSession", &request);
    assert!(
        text.starts_with("allow sts:TagSession in the policy"),
        "{text}"
    );
}

#[test]
fn each_way_in_has_its_own_mend() {
    for (by, class, word) in [
        (By::Token, Class::Denied, "sts:AssumeRoleWithWebIdentity"),
        (By::Token, Class::SourceRejected, "OIDC provider"),
        (By::Certificate, Class::Denied, "trust anchor"),
        (By::Certificate, Class::SourceRejected, "trust anchor"),
        (By::Certificate, Class::InvalidInput, "profileArn"),
        (By::Session, Class::SourceRejected, "by itself"),
    ] {
        let asked = Asked {
            place: "STS in us-east-1",
            request: None,
            by,
        };
        let text = answered(class, "Code", "", &asked);
        assert!(text.contains(word), "{by:?} {class:?}: {text}");
    }
    assert!(foreign(By::Certificate).contains("endpoints.rolesanywhere"));
    assert!(foreign(By::Session).contains("endpoints.sts"));
}
