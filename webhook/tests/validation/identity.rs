//! Identities.

use super::*;

#[test]
fn every_field_of_an_identity_is_denied_by_name() {
    assert_eq!(check_identity(&good_identity()), Ok(vec![]));
    let expression = |operator: &str, values: Value| {
        json!({"selector": {"matchExpressions": [
            {"key": "ok", "operator": "Exists"},
            {"key": "team", "operator": operator, "values": values},
        ]}})
    };
    for (pointer, value, expected) in [
        ("/spec/region", json!("mars"), "spec.region: "),
        (
            "/spec/endpoints",
            json!({"sts": "sts.example"}),
            "spec.endpoints.sts: \"sts.example\" is no http",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "ftp://sts.example"}),
            "is no http or https URL",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "https://"}),
            "spec.endpoints.sts: ",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "ftp://key:secret@sts.example"}),
            "remove what is before the @",
        ),
        (
            "/spec/endpoints",
            json!({"sts": "https://sts.example/?a=b"}),
            "has a query",
        ),
        (
            "/spec/session",
            json!({"name": "{node}"}),
            "spec.session.name: {node} stands for nothing",
        ),
        (
            "/spec/session",
            json!({"sourceIdentity": "aws:{grant}"}),
            "spec.session.sourceIdentity: ",
        ),
        (
            "/spec/session",
            json!({"externalId": "{grant"}),
            "spec.session.externalId: \"{grant\" has a { without its }",
        ),
        (
            "/spec/session",
            json!({"externalId": "{namespace}-{grant}"}),
            "spec.session.externalId: \"{namespace}-{grant}\" makes one text of",
        ),
        (
            "/spec/allow/0/roleArns",
            json!([
                "arn:aws:iam::111122223333:role/x",
                "arn:aws:iam::111122223333:user/x"
            ]),
            "spec.allow[0].roleArns[1]: ",
        ),
        (
            "/spec/allow/0/identitySession",
            json!("Full"),
            "spec.allow[0].identitySession: AWS gives sessions without a role by a user's own key",
        ),
        (
            "/spec/session",
            json!({"tags": {"values": {"eks-a": "b"}}}),
            "spec.session.tags.values: tag key \"eks-a\" is reserved",
        ),
        (
            "/spec/allow/0/tagKeys",
            json!(["team", "alter-x"]),
            "spec.allow[0].tagKeys[1]: tag key \"alter-x\" is reserved",
        ),
        (
            "/spec/allow/0/namespaces",
            expression("Like", json!(["a"])),
            "operator \"Like\" is unknown",
        ),
        (
            "/spec/allow/0/namespaces",
            expression("In", json!([])),
            "spec.allow[0].namespaces.selector.matchExpressions[1]: it has no values",
        ),
        (
            "/spec/allow/0/namespaces",
            expression("Exists", json!(["a"])),
            "matchExpressions[1]: it has values",
        ),
    ] {
        let identity = with(good_identity(), pointer, value.clone());
        let message = check_identity(&identity).unwrap_err();
        assert!(message.contains(expected), "{pointer}: {value}: {message}");
        assert!(!message.contains("secret@"), "{message}");
    }
}

#[test]
fn an_identity_that_is_open_on_the_way_or_of_use_to_nobody_is_warned_of() {
    let plain = json!({"sts": "http://ministack.ministack.svc:4566"});
    let warnings = check_identity(&with(good_identity(), "/spec/endpoints", plain)).unwrap();
    assert!(
        warnings[0].starts_with("spec.endpoints.sts: over http"),
        "{warnings:?}"
    );
    let plain = json!({"rolesanywhere": "HTTP://anywhere.example"});
    let warnings = check_identity(&with(good_identity(), "/spec/endpoints", plain)).unwrap();
    assert!(
        warnings[0].starts_with("spec.endpoints.rolesanywhere: over http"),
        "{warnings:?}"
    );
    let plain = json!({"iam": "http://iam.example"});
    let warnings = check_identity(&with(good_identity(), "/spec/endpoints", plain)).unwrap();
    assert!(
        warnings[0].starts_with("spec.endpoints.iam: over http"),
        "{warnings:?}"
    );
    let warnings = check_identity(&with(good_identity(), "/spec/allow", json!([]))).unwrap();
    assert!(
        warnings[0].starts_with("spec.allow is empty"),
        "{warnings:?}"
    );
}

#[test]
fn what_would_open_another_role_is_denied() {
    for (pointer, value, expected) in [
        (
            "/spec/session",
            json!({"externalId": "{cluster}/{grant}"}),
            "spec.session.externalId: \"{cluster}/{grant}\" has {grant} without {namespace}, ",
        ),
        (
            "/spec/session",
            json!({"sourceIdentity": "{grant}{namespace}"}),
            "spec.session.sourceIdentity: \"{grant}{namespace}\" makes one text of",
        ),
        (
            "/spec/session",
            json!({"tags": {"values": {"team": "{namespace}-{grant}"}}}),
            "spec.session.tags.values[team]: \"{namespace}-{grant}\" makes one text of",
        ),
        (
            "/spec/allow/0/chainArns",
            json!(["arn:aws:iam::111122223333:user/x"]),
            "spec.allow[0].chainArns[0]: ",
        ),
        (
            "/spec/allow",
            json!([{
                "namespaces": {"names": ["team-a"]},
                "chainArns": ["arn:aws:iam::111122223333:role/hub"],
            }]),
            "spec.allow[0].chainArns: it leads nowhere: write roleArns too",
        ),
    ] {
        let message = check_identity(&with(good_identity(), pointer, value)).unwrap_err();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn names_that_two_grants_can_share_are_warned_of() {
    for (session, expected) in [
        (
            json!({"name": "{namespace}-{grant}"}),
            "spec.session.name: \"{namespace}-{grant}\" makes one text of",
        ),
        (
            json!({"sourceIdentity": "{cluster}.{grant}"}),
            "spec.session.sourceIdentity: \"{cluster}.{grant}\" has {grant} without {namespace}, ",
        ),
        (
            json!({"tags": {"values": {"pod": "{pod}"}}}),
            "spec.session.tags.values[pod]: \"{pod}\" has {pod} without {namespace}, ",
        ),
    ] {
        let warnings = check_identity(&with(good_identity(), "/spec/session", session)).unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(expected), "{warnings:?}");
        assert!(warnings[0].len() <= 256, "kubectl cuts it: {warnings:?}");
    }
    let session = json!({
        "name": "{namespace}.{grant}", "externalId": "{cluster}/{namespace}",
        "tags": {"values": {"team": "{namespace}", "org": "a"}},
    });
    let identity = with(good_identity(), "/spec/session", session);
    assert_eq!(check_identity(&identity), Ok(vec![]));
}

#[test]
fn a_role_for_revocations_is_one_and_can_revoke() {
    let role = "arn:aws:iam::111122223333:role/alter-revocation";
    let with_role = |revocation: Value, tags: bool| {
        let identity = with(good_identity(), "/spec/revocation", revocation);
        with(
            identity,
            "/spec/session",
            json!({"tags": {"enabled": tags}}),
        )
    };
    let user = role.replace("role/", "user/");
    let message = check_identity(&with_role(json!({"roleArn": user}), true)).unwrap_err();
    assert!(message.contains("spec.revocation.roleArn: "), "{message}");
    for (whole, tags, warned) in [(false, true, 0), (true, false, 0), (false, false, 1)] {
        let revocation = json!({"roleArn": role, "wholeRole": whole});
        let warnings = check_identity(&with_role(revocation, tags)).unwrap();
        assert_eq!(warnings.len(), warned, "{warnings:?}");
        assert!(
            warnings.iter().all(|own| own.len() <= 256),
            "kubectl cuts it: {warnings:?}"
        );
    }
}

#[test]
fn patterns_that_mean_more_or_less_than_they_say_are_warned_of() {
    let arn = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let token =
        json!({"webIdentity": {"roleArn": arn("alter"), "serviceAccountRef": {"name": "a"}}});
    let warnings = |roles: &[String], chain: &[String]| {
        let rule = json!({
            "namespaces": {"names": ["a"]}, "roleArns": roles, "chainArns": chain,
        });
        let identity = with(good_identity(), "/spec/credentials", token.clone());
        check_identity(&with(identity, "/spec/allow", json!([rule]))).unwrap()
    };
    let (own, hub, any, team) = (arn("alter"), arn("hub"), arn("*"), arn("team-*"));
    for (roles, chain, expected) in [
        (vec![team.clone()], vec![hub.clone()], None),
        (vec![own.clone(), any.clone()], vec![], None),
        (vec![team.clone()], vec![own.clone()], None),
        (
            vec![any.clone()],
            vec![own.clone()],
            Some("roleArns[0]: it does not give "),
        ),
        (
            vec![team.clone(), arn("a*")],
            vec![],
            Some("roleArns[1]: it does not give "),
        ),
        (
            vec![team.clone()],
            vec![arn("a*")],
            Some("chainArns[0]: it does not give "),
        ),
        (
            vec![team, arn("h*")],
            vec![hub],
            Some("chainArns[0]: roleArns[1] names it too"),
        ),
    ] {
        let warnings = warnings(&roles, &chain);
        assert_eq!(
            warnings.len(),
            usize::from(expected.is_some()),
            "{warnings:?}"
        );
        if let Some((expected, warning)) = expected.zip(warnings.first()) {
            assert!(
                warning.starts_with(&format!("spec.allow[0].{expected}")),
                "{warning}"
            );
            assert!(warning.len() <= 256, "kubectl cuts it: {warning}");
        }
    }
}
