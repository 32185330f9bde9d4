use super::*;
use proptest::prelude::*;

const VALUES: Values<'_> = Values {
    namespace: "team-a",
    grant: "bedrock",
    cluster: "prod",
    service_account: Some("app"),
    pod: Some("app-7d9f.x"),
};

#[test]
fn an_identity_has_a_session_name_of_its_own() {
    assert_eq!(own_session_name("default"), "alter.default");
    let long = own_session_name(&"x".repeat(253));
    assert_eq!(name::check_session_name(&long), Ok(()));
    assert_ne!(long, own_session_name(&"x".repeat(252)));
    let named_so = own_session_name("revocation");
    assert_eq!(name::check_session_name(&named_so), Ok(()));
}

#[test]
fn placeholders_stand_for_what_they_name() {
    assert_eq!(
        session_name(DEFAULT_SESSION_NAME, VALUES).unwrap(),
        "alter.team-a.bedrock"
    );
    assert_eq!(
        external_id("{cluster}/{namespace}:{grant}", VALUES).unwrap(),
        "prod/team-a:bedrock"
    );
    assert_eq!(source_identity("{namespace}", VALUES).unwrap(), "team-a");
    let name = session_name("{serviceAccount}@{pod}", VALUES).unwrap();
    assert_eq!(name, "app@app-7d9f.x");
    let value = tag_value("owner", "{namespace} of {cluster}", VALUES).unwrap();
    assert_eq!(value, "team-a of prod");
}

#[test]
fn mistakes_are_named() {
    assert_eq!(
        session_name("{node}", VALUES),
        Err(TemplateError::Unknown("node".to_owned()))
    );
    assert!(matches!(
        session_name("{grant", VALUES),
        Err(TemplateError::Unclosed(_))
    ));
    assert!(matches!(
        session_name("a b", VALUES),
        Err(TemplateError::Name(_))
    ));
    assert_eq!(
        session_name(
            "{cluster}",
            Values {
                cluster: "",
                ..VALUES
            }
        ),
        Err(TemplateError::NoCluster)
    );
    assert_eq!(
        TemplateError::Unknown("node".to_owned()).to_string(),
        "{node} stands for nothing: write {namespace}, {grant}, {serviceAccount}, {pod} or {cluster}"
    );
}

#[test]
fn what_separates_namespace_and_grant() {
    for good in [
        DEFAULT_SESSION_NAME,
        "org-1",
        "{grant}",
        "{namespace}-{cluster}",
        "{namespace}{namespace}",
        "{cluster}-{namespace}-a/b-{grant}-x",
        "{namespace}:{grant}",
        "{grant}X{namespace}",
        "{namespace}.{grant}.{namespace}",
        "{namespace}.{pod}",
        "{namespace}.{pod}.{grant}",
        "{namespace}:{serviceAccount}:{pod}",
        "{namespace}.{serviceAccount}@{pod}",
        "{pod}.{pod}-{cluster}",
    ] {
        assert_eq!(check_distinct(good), Ok(()), "{good}");
    }
    for bad in [
        "{namespace}{grant}",
        "{namespace}-{grant}",
        "a.{namespace}-{cluster}-{grant}.b",
        "{grant}0{namespace}",
        "{namespace}.{grant}-{namespace}",
        "{serviceAccount}.{pod}",
        "{serviceAccount}.{namespace}.{pod}",
        "{namespace}-{pod}",
    ] {
        let found = check_distinct(bad);
        assert!(
            matches!(&found, Err(TemplateError::Ambiguous { template, .. }) if template == bad),
            "{bad}: {found:?}"
        );
    }
    assert!(matches!(
        check_distinct("{node}"),
        Err(TemplateError::Unknown(_))
    ));
}

#[test]
fn a_session_that_pods_share_is_called_after_none_of_them() {
    let shared = Values {
        service_account: None,
        pod: None,
        ..VALUES
    };
    for (template, placeholder) in [
        ("{namespace}.{serviceAccount}", "serviceAccount"),
        ("{pod}", "pod"),
    ] {
        let expected = Err(TemplateError::Shared(placeholder));
        assert_eq!(session_name(template, shared), expected);
        assert_eq!(external_id(template, shared), expected);
        assert_eq!(tag_value("k", template, shared), expected);
    }
    let text = TemplateError::Shared("pod").to_string();
    assert!(text.contains("set store: Broker"), "{text}");
}

#[test]
fn the_limits_are_those_of_sts() {
    let long = "x".repeat(60);
    let values = Values {
        namespace: &long,
        grant: &long,
        ..VALUES
    };
    let name = session_name("{namespace}.{grant}", values).unwrap();
    assert_eq!(name.len(), 64);
    // Trust policies and conditions compare these whole.
    assert!(matches!(
        source_identity("{namespace}.{grant}", values),
        Err(TemplateError::Name(_))
    ));
    assert!(source_identity("{namespace}.eu", values).is_ok());
    let twenty = "{namespace}".repeat(21);
    assert!(matches!(
        external_id(&twenty, values),
        Err(TemplateError::Name(_))
    ));
    let five = "{namespace}".repeat(5);
    assert_eq!(
        tag_value("team", &five, values),
        Err(TemplateError::Tag(TagError::Value("team".to_owned())))
    );
    assert!(tag_value("team", "{namespace}{namespace}", values).is_ok());
    assert!(tag_value("team", "{namespace};", values).is_err());
}

#[test]
fn a_federated_name_that_is_cut_is_nobody_elses() {
    assert_eq!(federated_name("team-a", "bedrock"), "team-a.bedrock");
    let whole = federated_name("team-a", "x".repeat(25).as_str());
    assert_eq!((whole.len(), whole.contains('=')), (32, false));
    let cut = federated_name("team-a", "x".repeat(26).as_str());
    assert_eq!(cut.len(), 32);
    assert!(cut.starts_with("team-a.xxxxxxxx="), "{cut}");
}

/// Else a tenant would only have to call a grant so.
#[test]
fn what_a_name_was_cut_to_is_no_other_name() {
    let (namespace, grant) = ("n".repeat(63), "g".repeat(50));
    let values = Values {
        namespace: &namespace,
        grant: &grant,
        ..VALUES
    };
    for template in ["{namespace}.{grant}", "{cluster}-{namespace}.{grant}"] {
        let name = session_name(template, values).unwrap();
        let (_, digest) = name.split_once('=').unwrap();
        assert_eq!((name.len(), digest.len()), (64, 16), "{name}");
    }
}

#[test]
fn what_is_named_without_its_namespace_crosses_namespaces() {
    for (crossing, placeholder) in [
        ("{cluster}/{grant}", "{grant}"),
        ("sa-{serviceAccount}", "{serviceAccount}"),
        ("{pod}", "{pod}"),
    ] {
        assert_eq!(crosses_namespaces(crossing), Some(placeholder));
        let text = check_own(crossing).unwrap_err().to_string();
        assert!(
            text.contains(&format!("{placeholder} without {{namespace}}")),
            "{text}"
        );
        assert!(
            text.ends_with(&format!("{{namespace}}.{placeholder}")),
            "{text}"
        );
    }
    for own in [
        "{namespace}.{grant}",
        "{namespace}",
        "org-1",
        "{namespace}:{serviceAccount}",
    ] {
        assert_eq!(
            (crosses_namespaces(own), check_own(own)),
            (None, Ok(())),
            "{own}"
        );
    }
    assert!(matches!(
        check_own("{grant"),
        Err(TemplateError::Unclosed(_))
    ));
}

/// Pieces of templates, those with and those without a separator.
fn piece() -> impl Strategy<Value = &'static str> {
    let text = prop::sample::select(vec!["{cluster}", "-", "a", "0", "a-", ".", "/", "X", "_a"]);
    let dotted = prop::sample::select(vec!["{serviceAccount}", "{pod}"]);
    prop_oneof![2 => Just("{namespace}"), 2 => Just("{grant}"), 2 => dotted, 4 => text]
}

/// Short and of few characters, so that texts meet.
fn label() -> impl Strategy<Value = String> {
    prop_oneof!["[ab0]{1,2}", "[ab0][ab0-]{0,3}[ab0]"]
}

fn subdomain() -> impl Strategy<Value = String> {
    prop_oneof![3 => label(), 2 => (label(), label()).prop_map(|(a, b)| format!("{a}.{b}"))]
}

/// Namespace, grant, service account, pod.
type Made = (String, String, String, String);

fn made() -> impl Strategy<Value = Made> {
    (label(), label(), subdomain(), subdomain())
}

fn made_into(template: &str, made: &Made, cluster: &str) -> String {
    let values = Values {
        namespace: &made.0,
        grant: &made.1,
        cluster,
        service_account: Some(&made.2),
        pod: Some(&made.3),
    };
    expand(template, values).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_accepted_template_says_what_it_was_made_of(
        pieces in prop::collection::vec(piece(), 1..7),
        a in made(),
        b in made(),
        cluster in "[ab0.-]{1,3}",
    ) {
        let template = pieces.concat();
        if check_distinct(&template).is_err() {
            return Ok(());
        }
        let mentioned = |(namespace, grant, account, pod): &Made| {
            let of = |placeholder, own: &String| pieces.contains(&placeholder).then(|| own.clone());
            (of("{namespace}", namespace), of("{grant}", grant), of("{serviceAccount}", account), of("{pod}", pod))
        };
        let same = made_into(&template, &a, &cluster) == made_into(&template, &b, &cluster);
        prop_assert_eq!(same, mentioned(&a) == mentioned(&b), "{}", template);
    }

    /// Cut at another place, the same characters are two other values.
    #[test]
    fn no_cut_through_one_text_gives_the_same_value(
        pieces in prop::collection::vec(piece(), 1..7),
        joined in "[ab]([ab.-][ab]){2,5}",
    ) {
        let template = pieces.concat();
        if check_distinct(&template).is_err() {
            return Ok(());
        }
        let cuts: Vec<_> = joined.match_indices(['-', '.']).map(|(at, _)| (&joined[..at], &joined[at + 1..])).collect();
        for (first, second) in [(0, 1), (0, 3), (2, 3), (3, 1)] {
            let names = ["{namespace}", "{grant}", "{serviceAccount}", "{pod}"];
            if !pieces.contains(&names[first]) || !pieces.contains(&names[second]) {
                continue;
            }
            let texts: Vec<_> = cuts
                .iter()
                .map(|(before, after)| {
                    let mut values = [VALUES.namespace, VALUES.grant, "x", "y"];
                    // What is no label is none that Kubernetes would give.
                    let fits = |at: usize, text: &str| at > 1 || !text.contains('.');
                    if !fits(first, before) || !fits(second, after) {
                        return None;
                    }
                    (values[first], values[second]) = (*before, *after);
                    let [namespace, grant, account, pod] = values.map(str::to_owned);
                    Some(made_into(&template, &(namespace, grant, account, pod), "c"))
                })
                .collect();
            let texts: Vec<_> = texts.into_iter().flatten().collect();
            let mut distinct = texts.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), texts.len(), "{}: {:?}", template, texts);
        }
    }
}

proptest! {
    #[test]
    fn session_names_are_always_valid_and_never_shared(
        a in ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"),
        b in ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"),
    ) {
        let name = |(namespace, grant): &(String, String)| {
            session_name(DEFAULT_SESSION_NAME, Values { namespace, grant, ..VALUES }).unwrap()
        };
        prop_assert!(name(&a).len() <= 64);
        prop_assert_eq!(name(&a) == name(&b), a == b);
    }

    #[test]
    fn federated_names_are_always_valid_and_never_shared(
        a in ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"),
        b in ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"),
    ) {
        let names = [&a, &b].map(|(namespace, grant)| federated_name(namespace, grant));
        for name in &names {
            prop_assert!((2..=32).contains(&name.len()), "{name}");
            prop_assert!(name.chars().all(name::is_session_char), "{name}");
        }
        prop_assert_eq!(names[0] == names[1], a == b);
    }

    #[test]
    fn expanding_never_panics(template in ".{0,80}") {
        let _ = session_name(&template, VALUES);
    }
}
