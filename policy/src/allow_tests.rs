use super::*;
use proptest::prelude::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/team-a-bedrock";

fn rule() -> Rule {
    Rule {
        namespaces: Namespaces {
            names: vec!["team-a".to_owned()],
            selector: None,
        },
        role_arns: vec!["arn:aws:iam::111122223333:role/team-a-*".to_owned()],
        max_duration_seconds: Some(3_600),
        tag_keys: vec!["cost-center".to_owned()],
        ..Rule::default()
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
struct Asked {
    namespace: &'static str,
    labels: BTreeMap<String, String>,
    role: Option<&'static str>,
    chain: Vec<String>,
    policy: bool,
    seconds: i32,
    tags: BTreeMap<String, String>,
    external_id: bool,
    session_name: bool,
    broker: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            namespace: "team-a",
            labels: BTreeMap::new(),
            role: Some(ROLE),
            chain: Vec::new(),
            policy: false,
            seconds: 3_600,
            tags: BTreeMap::new(),
            external_id: false,
            session_name: false,
            broker: false,
        }
    }
}

fn ask(rules: &[Rule], asked: &Asked) -> Result<usize, Denial> {
    ask_of(rules, &[], asked)
}

fn ask_of(rules: &[Rule], own_roles: &[&str], asked: &Asked) -> Result<usize, Denial> {
    decide(
        rules,
        own_roles,
        &Request {
            namespace: asked.namespace,
            namespace_labels: &asked.labels,
            role_chain: &asked.chain,
            role_arn: asked.role,
            has_policy: asked.policy,
            duration_seconds: asked.seconds,
            tags: &asked.tags,
            sets_external_id: asked.external_id,
            sets_session_name: asked.session_name,
            from_broker: asked.broker,
        },
    )
}

#[test]
fn nothing_is_allowed_without_a_rule() {
    assert!(matches!(
        ask(&[], &Asked::default()),
        Err(Denial::Namespace { .. })
    ));
    assert!(matches!(
        ask(&[Rule::default()], &Asked::default()),
        Err(Denial::Namespace { .. })
    ));
}

#[test]
fn a_rule_allows_what_it_names() {
    assert_eq!(ask(&[Rule::default(), rule()], &Asked::default()), Ok(1));
}

#[test]
fn every_choice_beyond_the_rule_is_denied_by_name() {
    let cases = [
        (
            Asked {
                namespace: "team-b",
                ..Asked::default()
            },
            "no allow rule of the identity names namespace \"team-b\"",
        ),
        (
            Asked {
                role: Some("arn:aws:iam::111122223333:role/admin"),
                ..Asked::default()
            },
            "roleArn: arn:aws:iam::111122223333:role/admin is not among the roles that spec.allow[0]",
        ),
        (
            Asked {
                role: Some("arn:aws:iam::444455556666:role/team-a-x"),
                ..Asked::default()
            },
            "is not among the roles",
        ),
        (
            Asked {
                role: Some("nonsense"),
                ..Asked::default()
            },
            "is no role ARN",
        ),
        (
            Asked {
                seconds: 3_601,
                ..Asked::default()
            },
            "durationSeconds: 3601 is more than the 3600 that spec.allow[0]",
        ),
        (
            Asked {
                tags: map(&[("cost-center", "1"), ("owner", "x")]),
                ..Asked::default()
            },
            "tags: \"owner\" is not among the tagKeys of spec.allow[0]",
        ),
        (
            Asked {
                external_id: true,
                ..Asked::default()
            },
            "externalId: spec.allow[0]",
        ),
        (
            Asked {
                session_name: true,
                ..Asked::default()
            },
            "sessionName: spec.allow[0]",
        ),
        (
            Asked {
                broker: true,
                ..Asked::default()
            },
            "store: spec.allow[0]",
        ),
    ];
    for (asked, expected) in cases {
        let message = ask(&[rule()], &asked).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_later_rule_may_allow_what_an_earlier_one_limits() {
    let generous = Rule {
        max_duration_seconds: None,
        external_id_from_grant: true,
        session_name_from_grant: true,
        broker: true,
        tag_keys: vec!["*".to_owned()],
        ..rule()
    };
    let asked = Asked {
        seconds: 43_200,
        external_id: true,
        session_name: true,
        broker: true,
        tags: map(&[("any", "")]),
        ..Asked::default()
    };
    assert_eq!(ask(&[rule(), generous], &asked), Ok(1));
}

const HOP: &str = "arn:aws:iam::444455556666:role/hub";

#[test]
fn every_hop_of_a_chain_is_inside_the_same_rule() {
    let through = |chain: &[&str]| Asked {
        chain: chain.iter().map(|&arn| arn.to_owned()).collect(),
        ..Asked::default()
    };
    let of = |role: &str| Rule {
        role_arns: vec![role.to_owned()],
        ..rule()
    };
    let both = Rule {
        role_arns: vec![HOP.to_owned(), ROLE.to_owned()],
        ..rule()
    };
    assert_eq!(ask(&[rule(), both], &through(&[HOP])), Ok(1));
    let message = |rules: &[Rule], chain: &[&str]| {
        let denial = ask(rules, &through(chain)).unwrap_err();
        denial.to_string()
    };
    let text = message(&[rule()], &[ROLE, HOP]);
    assert!(
        text.starts_with(&format!(
            "roleChain[1]: {HOP} is not among the roles that spec.allow[0]"
        )) && text.ends_with("in chainArns of a rule"),
        "{text}"
    );
    let text = message(&[of(HOP), of(ROLE)], &[HOP]);
    assert!(
        text.starts_with("roleChain: none of spec.allow[0], spec.allow[1] of the identity names"),
        "{text}"
    );
    let text = message(&[rule()], &["nonsense"]);
    assert!(
        text.starts_with("roleChain[0]: \"nonsense\" is no"),
        "{text}"
    );
}

/// Whoever holds a hub's session may assume every role behind it, as he likes.
#[test]
fn a_role_to_pass_through_is_given_to_nobody() {
    let hub = Rule {
        chain_arns: vec!["arn:aws:iam::444455556666:role/h*".to_owned()],
        ..rule()
    };
    let asked = |role, chain: &[&str]| Asked {
        role: Some(role),
        chain: chain.iter().map(|&arn| arn.to_owned()).collect(),
        ..Asked::default()
    };
    let ask = |role, chain: &[&str]| ask(std::slice::from_ref(&hub), &asked(role, chain));
    assert_eq!(ask(ROLE, &[HOP]), Ok(0));
    assert_eq!(ask(ROLE, &[ROLE, HOP]), Ok(0));
    for chain in [&[][..], &[HOP], &[ROLE]] {
        let denial = ask(HOP, chain).unwrap_err();
        assert!(matches!(denial, Denial::PassedThrough { .. }), "{denial}");
        let text = denial.to_string();
        assert!(
            text.starts_with(&format!("roleArn: {HOP} is a role that chainArns of")),
            "{text}"
        );
    }
    let other = "arn:aws:iam::444455556666:role/other";
    let text = ask(other, &[HOP]).unwrap_err().to_string();
    assert!(text.ends_with("in roleArns of a rule"), "{text}");
    let text = ask(ROLE, &[other]).unwrap_err().to_string();
    assert!(text.ends_with("in chainArns of a rule"), "{text}");
}

/// What Alter enters as itself is kept by no trust policy.
#[test]
fn a_role_of_alters_own_is_given_by_name_alone() {
    const OWN: &str = "arn:aws:iam::111122223333:role/alter";
    let of = |roles: &[&str], chain: &[&str]| Rule {
        role_arns: roles.iter().map(|&arn| arn.to_owned()).collect(),
        chain_arns: chain.iter().map(|&arn| arn.to_owned()).collect(),
        ..rule()
    };
    let any = "arn:aws:iam::111122223333:role/*";
    let role = |role| Asked {
        role: Some(role),
        ..Asked::default()
    };
    let through = || Asked {
        chain: vec![OWN.to_owned()],
        ..Asked::default()
    };
    let ask = |rule: Rule, asked: &Asked| ask_of(&[rule], &[OWN], asked);
    assert_eq!(ask(of(&[any], &[]), &role(ROLE)), Ok(0));
    for pattern in [any, "arn:aws:iam::*:role/alter", "arn:aws:iam::*:role/a*"] {
        for (rule, asked, field) in [
            (of(&[pattern], &[]), role(OWN), "roleArns"),
            (of(&[any], &[pattern]), through(), "chainArns"),
        ] {
            let denial = ask(rule, &asked).unwrap_err();
            assert!(matches!(denial, Denial::OwnRole { .. }), "{denial}");
            let mend = format!("written out in {field} of a rule");
            assert!(denial.to_string().ends_with(&mend), "{denial}");
        }
    }
    assert_eq!(ask(of(&[any, OWN], &[]), &role(OWN)), Ok(0));
    assert_eq!(ask(of(&[any, OWN], &[]), &through()), Ok(0));
    assert_eq!(ask(of(&[any], &[OWN]), &through()), Ok(0));
    assert!(ask(of(&[any], &[OWN]), &role(OWN)).is_err());
}

#[test]
fn a_session_without_a_role_is_denied_unless_a_rule_hands_it_over() {
    let own = |identity_session| Rule {
        role_arns: Vec::new(),
        identity_session: Some(identity_session),
        ..rule()
    };
    let (federated, full) = (own(IdentitySession::Federated), own(IdentitySession::Full));
    let asked = |policy| Asked {
        role: None,
        policy,
        ..Asked::default()
    };
    for policy in [false, true] {
        let denial = ask(&[rule()], &asked(policy)).unwrap_err();
        let text = denial.to_string();
        assert!(
            text.starts_with("roleArn: it is missing, and spec.allow[0]"),
            "{text}"
        );
    }
    let both = [rule(), federated.clone(), full.clone()];
    assert_eq!(ask(&both, &asked(true)), Ok(1));
    assert_eq!(ask(&both, &asked(false)), Ok(2));
    let bare = ask(&[rule(), federated.clone()], &asked(false));
    assert_eq!(bare, Err(Denial::PolicyMissing { rule: 1 }));
    let confined = ask(&[full], &asked(true));
    assert_eq!(confined, Err(Denial::PolicyRefused { rule: 0 }));
    // Nor does it give roles, or to other namespaces, or for longer.
    assert!(matches!(
        ask(std::slice::from_ref(&federated), &Asked::default()),
        Err(Denial::Role { .. })
    ));
    let elsewhere = Asked {
        namespace: "team-b",
        ..asked(true)
    };
    assert!(matches!(
        ask(std::slice::from_ref(&federated), &elsewhere),
        Err(Denial::Namespace { .. })
    ));
    let long = Asked {
        seconds: 7_200,
        ..asked(true)
    };
    assert!(matches!(
        ask(&[federated], &long),
        Err(Denial::Duration { .. })
    ));
}

#[test]
fn a_chain_without_a_role_is_no_way_around_one() {
    let asked = Asked {
        role: None,
        chain: vec![ROLE.to_owned()],
        ..Asked::default()
    };
    assert!(matches!(ask(&[rule()], &asked), Err(Denial::NoRole { .. })));
}

proptest! {
    #[test]
    fn another_namespace_never_gets_the_role(name in "[a-z]{1,8}") {
        prop_assume!(name != "team-a");
        let labels = BTreeMap::new();
        let tags = BTreeMap::new();
        let request = Request { namespace: &name, namespace_labels: &labels, role_chain: &[], role_arn: Some(ROLE), has_policy: false, duration_seconds: 900, tags: &tags, sets_external_id: false, sets_session_name: false, from_broker: false };
        prop_assert!(decide(&[rule()], &[], &request).is_err());
    }
}
