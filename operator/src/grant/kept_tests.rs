//! What is kept of a grant.

use super::*;
use crate::fixtures;
use serde_json::json;

fn kept(grant: AwsGrant) -> Kept {
    DeserializeGuard(Ok(grant)).into()
}

fn told() -> AwsGrantStatus {
    serde_json::from_value(json!({
        "accessKeyId": "ASIA1",
        "expiration": "2026-11-22T05:00:00Z",
        "deniedBefore": "2026-11-22T03:00:00Z",
        "orphanedPods": 2,
        "unusedSince": "2026-11-22T03:00:00Z",
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Issued", "message": "m",
             "lastTransitionTime": "2026-11-22T04:00:00Z"},
            {"type": "Theirs", "status": "True", "reason": "R", "message": "theirs",
             "lastTransitionTime": "2026-11-22T04:00:00Z"},
        ],
    }))
    .unwrap()
}

#[test]
fn what_decisions_need_is_read_again() {
    let mut grant = fixtures::grant();
    grant.spec.tags.insert("team".to_owned(), "a".to_owned());
    grant.status = Some(told());
    let kept = kept(grant.clone());
    let read = kept.read().unwrap();
    assert_eq!(read.spec, grant.spec);
    assert_eq!(read.metadata, grant.metadata);
    let status = read.status.unwrap();
    assert_eq!(status.expiration, told().expiration);
    assert_eq!(status.denied_before, told().denied_before);
    assert_eq!(status.orphaned_pods, Some(2));
    assert_eq!(status.unused_since, told().unused_since);
    let of = |own: &AwsGrantStatus, at: usize| {
        let condition = own.conditions[at].clone();
        (
            condition.type_,
            condition.reason,
            condition.last_transition_time,
        )
    };
    assert_eq!(of(&status, 0), of(&told(), 0));
    assert_eq!(
        status.conditions[1],
        told().conditions[1],
        "not ours to change"
    );
    assert_eq!(
        (kept.identity.as_deref(), kept.ready),
        (Some("default"), Some(true))
    );
    assert_eq!(kept.expiration, told().expiration.map(|own| own.0));
}

#[test]
fn one_that_comes_again_as_it_was_shares_its_text() {
    let first = kept(fixtures::grant());
    let again = kept(fixtures::grant()).sharing(&first);
    let text = |own: &Kept| own.text.clone().unwrap();
    assert!(Arc::ptr_eq(&text(&again), &text(&first)));
    let mut edited = fixtures::grant();
    edited.spec.suspend = true;
    let edited = kept(edited).sharing(&first);
    assert!(edited.read().unwrap().spec.suspend);
}

#[test]
fn every_part_of_a_status_tells_it_from_another() {
    let mut grant = fixtures::grant();
    grant.status = Some(told());
    let kept = kept(grant);
    assert!(kept.tells(digest(&told())));
    let mut other = told();
    other.conditions[0].message = "another".to_owned();
    assert!(!kept.tells(digest(&other)));
    let mut other = told();
    other.access_key_id = Some("ASIA2".to_owned());
    assert!(!kept.tells(digest(&other)));
}

#[test]
fn an_edit_and_a_new_object_of_the_same_name_are_news_and_a_status_is_not() {
    let first = fixtures::grant();
    let mut told_of = first.clone();
    told_of.status = Some(told());
    let mut edited = first.clone();
    edited.metadata.generation = Some(2);
    let mut leaving = first.clone();
    leaving.metadata.deletion_timestamp = serde_json::from_str("\"2026-11-22T04:00:00Z\"").unwrap();
    let mut anew = first.clone();
    anew.metadata.uid = Some("g-2".to_owned());
    let mut revoking = first.clone();
    let cut = (REVOKE_BEFORE.to_owned(), "2026-11-22T04:00:00Z".to_owned());
    revoking.metadata.annotations = Some([cut].into());
    assert_eq!(
        kept(revoking.clone()).read().unwrap().annotations(),
        revoking.annotations()
    );
    let first = kept(first);
    assert!(!kept(told_of).differs_from(&first));
    for other in [edited, leaving, anew, revoking] {
        assert!(kept(other).differs_from(&first));
    }
}

#[test]
fn what_the_watch_reads_has_its_version() {
    for spec in [
        json!({"roleArn": 7}),
        json!({"roleArn": "r", "region": "us-east-1"}),
    ] {
        let metadata = json!({"name": "a", "resourceVersion": "7", "labels": {"a": "b"}});
        let object = json!({"metadata": metadata, "spec": spec});
        let kept: Kept = serde_json::from_value(object).unwrap();
        let version = |own: &Kept| own.meta().resource_version.clone();
        assert_eq!(version(&kept).as_deref(), Some("7"));
        assert_eq!(kept.meta().labels, None);
        assert_eq!(version(&kept.without_version()), None);
    }
}

#[test]
fn one_that_cannot_be_read_says_why() {
    let bad = json!({"metadata": {"name": "bad", "namespace": "n"}, "spec": {"roleArn": 7}});
    let kept: Kept = serde_json::from_value(bad).unwrap();
    assert!(kept.is_unreadable() && kept.identity.is_none());
    assert!(
        kept.read().unwrap_err().contains("Expected a string"),
        "{kept:?}"
    );
    assert_eq!(kept.meta().name.as_deref(), Some("bad"));
}

#[test]
fn what_pauses_is_seen_without_reading_it() {
    let mut grant = fixtures::grant();
    assert!(!kept(grant.clone()).pauses);
    grant.spec.pause_after = Some("1h".to_owned());
    grant.status = Some(told());
    let awake = kept(grant.clone());
    assert!(awake.pauses && !awake.is_paused);
    let refreshed = json!([{"type": "Refreshed", "status": "Unknown", "reason": "Paused",
        "message": "", "lastTransitionTime": "2026-11-22T04:00:00Z"}]);
    let status = json!({"conditions": refreshed});
    grant.status = Some(serde_json::from_value(status).unwrap());
    assert!(kept(grant).is_paused);
}
