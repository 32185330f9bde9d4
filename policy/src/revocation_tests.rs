use super::*;
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn denial(grant: &str, before: Timestamp) -> Denial {
    let tags = [("alter-namespace", "team-a"), ("alter-grant", grant)];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Denial::new(tags.into(), before)
}

fn of_all(before: Timestamp) -> Denial {
    Denial::new(BTreeMap::new(), before)
}

fn put_of(edit: Edit) -> String {
    match edit {
        Edit::Put(text) => text,
        other => panic!("{other:?}"),
    }
}

fn statements(text: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(text).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

#[test]
fn a_grant_is_denied_by_its_tags_and_a_role_as_a_whole() {
    let text = put_of(edit(None, &[denial("bedrock", at(0))], at(1)).unwrap());
    let policy: Value = serde_json::from_str(&text).unwrap();
    let id = denial("bedrock", at(9)).id();
    assert!(
        id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
        "{id}"
    );
    let expected = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": id, "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {
            "DateLessThan": {"aws:TokenIssueTime": "2027-01-15T08:00:00Z"},
            "StringEquals": {
                "aws:PrincipalTag/alter-namespace": "team-a", "aws:PrincipalTag/alter-grant": "bedrock",
            },
        },
    }]});
    assert_eq!(policy, expected);
    let text = put_of(edit(None, &[of_all(at(0))], at(1)).unwrap());
    assert_eq!(
        statements(&text)[0]["Condition"],
        json!({"DateLessThan": {"aws:TokenIssueTime": "2027-01-15T08:00:00Z"}})
    );
}

#[test]
fn a_part_of_a_second_is_the_whole_of_it() {
    let cut = at(0) + SignedDuration::from_millis(1);
    assert_eq!(of_all(cut).before, at(1));
    assert_eq!(of_all(at(0)).before, at(0));
    assert_eq!(of_all(Timestamp::MAX).before, Timestamp::MAX);
}

#[test]
fn a_later_revocation_takes_the_place_of_an_earlier_and_never_the_other_way() {
    let first = put_of(edit(None, &[denial("a", at(0)), denial("b", at(0))], at(1)).unwrap());
    let second = put_of(edit(Some(&first), &[denial("a", at(60))], at(61)).unwrap());
    let all = statements(&second);
    let cuts: Vec<_> = all.iter().map(|own| cut_of(own).unwrap()).collect();
    assert_eq!(cuts, [at(60), at(0)]);
    for earlier in [at(0), at(60)] {
        let edit = edit(Some(&second), &[denial("a", earlier)], at(61));
        assert_eq!(edit, Ok(Edit::Same));
    }
}

#[test]
fn what_denies_nobody_any_more_goes() {
    let text = put_of(edit(None, &[denial("a", at(0))], at(0)).unwrap());
    let day = at(86_400);
    assert!(is_alive(at(0), at(13 * 3_600 - 1)) && !is_alive(at(0), at(13 * 3_600)));
    assert_eq!(edit(Some(&text), &[], day), Ok(Edit::Delete));
    assert_eq!(edit(None, &[denial("a", at(0))], day), Ok(Edit::Same));
    let after = put_of(edit(Some(&text), &[denial("b", day)], day).unwrap());
    assert_eq!(statements(&after).len(), 1);
}

#[test]
fn what_is_not_alters_own_stays_to_the_letter() {
    let theirs = r#"{"Id":"x","Statement":{"Sid":"Theirs","Effect":"Deny","Action":["s3:*"],"Resource":"*"},"Version":"2008-10-17"}"#;
    assert_eq!(edit(Some(theirs), &[], at(0)), Ok(Edit::Same));
    let text = put_of(edit(Some(theirs), &[denial("a", at(0))], at(0)).unwrap());
    let policy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Id"], "x");
    assert_eq!(policy["Version"], "2008-10-17");
    assert_eq!(policy["Statement"][0]["Action"], json!(["s3:*"]));
    let left = put_of(edit(Some(&text), &[], at(86_400)).unwrap());
    assert_eq!(statements(&left).len(), 1);
}

#[test]
fn a_statement_that_somebody_changed_is_neither_replaced_nor_pruned() {
    let text = put_of(edit(None, &[denial("a", at(0))], at(0)).unwrap());
    let changed = text.replace("\"Deny\"", "\"Allow\"");
    let error = edit(Some(&changed), &[denial("a", at(9))], at(9)).unwrap_err();
    assert_eq!(error, DocumentError::Changed(denial("a", at(0)).id()));
    assert_eq!(edit(Some(&changed), &[], at(86_400)), Ok(Edit::Same));
    // A statement of ours for others, under this one's id.
    let other = text.replace("team-a", "team-b");
    assert_eq!(edit(Some(&other), &[], at(86_400)), Ok(Edit::Same));
}

#[test]
fn what_cannot_be_read_is_left_alone_and_says_what_to_do() {
    for text in ["", "{", "[]", "7", "{}", r#"{"Statement": "x"}"#] {
        let error = edit(Some(text), &[denial("a", at(0))], at(0)).unwrap_err();
        assert!(
            error.to_string().contains("remove it, and Alter"),
            "{text}: {error}"
        );
    }
}

#[test]
fn more_than_a_role_takes_is_refused_before_aws_does() {
    let many: Vec<_> = (0..40)
        .map(|n| denial(&format!("grant-{n}"), at(0)))
        .collect();
    let error = edit(None, &many, at(0)).unwrap_err();
    assert!(matches!(error, DocumentError::TooLong { statements: 40, length } if length > LIMIT));
    assert!(matches!(edit(None, &many[..20], at(0)), Ok(Edit::Put(_))));
}

#[test]
fn the_policys_name_is_one_that_iam_takes() {
    assert_eq!(policy_name(""), "alter-revocations");
    assert_eq!(policy_name("prod-1"), "alter-revocations-prod-1");
    let names = ["a b", "a/b", "ä", &"x".repeat(200)].map(policy_name);
    for name in &names {
        assert!(
            name.len() <= 128 && name.chars().all(name::is_session_char),
            "{name}"
        );
    }
    assert_ne!(names[0], names[1]);
}

fn any_denial() -> impl Strategy<Value = Denial> {
    let tags = prop::collection::btree_map("[a-z-]{1,8}", "[a-zA-Z0-9 ./:-]{0,12}", 0..3);
    (tags, -100_000_i64..100_000).prop_map(|(tags, second)| Denial::new(tags, at(second)))
}

fn any_foreign() -> impl Strategy<Value = Value> {
    let sid = prop_oneof![
        Just(None),
        "[A-Za-z0-9]{1,12}".prop_map(Some),
        "AlterRevocation[0-9a-f]{24}".prop_map(Some),
    ];
    let effect = prop::sample::select(vec!["Allow", "Deny"]);
    let condition = prop::sample::select(vec![
        json!({}),
        json!({"DateLessThan": {"aws:TokenIssueTime": "2020-01-01T00:00:00Z"}}),
        json!({"DateLessThan": {"aws:TokenIssueTime": ["2020-01-01T00:00:00Z"]}}),
        json!({"StringEquals": {"aws:PrincipalTag/alter-grant": "a"}}),
    ]);
    (sid, effect, condition).prop_map(|(sid, effect, condition)| {
        let mut own =
            json!({"Effect": effect, "Action": "s3:*", "Resource": "*", "Condition": condition});
        if let Some(sid) = sid {
            own["Sid"] = json!(sid);
        }
        own
    })
}

proptest! {
    #[test]
    fn no_statement_of_others_is_dropped_and_no_time_goes_back(
        foreign in prop::collection::vec(any_foreign(), 0..6),
        first in prop::collection::vec(any_denial(), 0..6),
        second in prop::collection::vec(any_denial(), 0..6),
        later in 0_i64..200_000,
    ) {
        let (now, then) = (at(0), at(later));
        let theirs = json!({"Version": "2012-10-17", "Statement": foreign}).to_string();
        let mut text = theirs;
        for (denials, time) in [(&first, now), (&second, then)] {
            match edit(Some(&text), denials, time) {
                Ok(Edit::Put(put)) => text = put,
                Ok(Edit::Delete) => {
                    prop_assert!(foreign.is_empty());
                    text = r#"{"Statement":[]}"#.to_owned();
                }
                Ok(Edit::Same) => {}
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
        let all = statements(&text);
        let kept: Vec<_> = all.iter().filter(|own| cut_of(own).is_none()).cloned().collect();
        prop_assert_eq!(kept, foreign);
        for denial in first.iter().chain(&second) {
            let of_it: Vec<_> = all.iter().filter(|own| own["Sid"] == denial.id()).collect();
            prop_assert!(of_it.len() <= 1);
            match of_it.first().and_then(|own| cut_of(own)) {
                Some(cut) => prop_assert!(cut >= denial.before),
                None => prop_assert!(!is_alive(denial.before, then)),
            }
        }
        prop_assert_eq!(edit(Some(&text), &[], then), Ok(Edit::Same));
    }

    #[test]
    fn reading_never_panics_and_never_writes_over_what_is_no_policy(text in ".{0,80}") {
        let edit = edit(Some(&text), &[of_all(at(0))], at(0));
        prop_assert!(matches!(edit, Err(DocumentError::Json(_) | DocumentError::Shape)) || text.contains("Statement"));
    }

    #[test]
    fn no_policy_is_longer_than_a_role_takes(denials in prop::collection::vec(any_denial(), 0..60)) {
        if let Ok(Edit::Put(text)) = edit(None, &denials, at(0)) {
            prop_assert!(text.chars().filter(|c| !c.is_whitespace()).count() <= LIMIT);
        }
    }
}
