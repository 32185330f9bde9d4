//! A grant between two looks. There may be ten thousand, so that each is kept as text, and read when it is
//! looked at; beside the text stands what passes over all of them ask for.

use crate::watch::{edited, strip};
use alter_crds::{
    AwsGrant, AwsGrantSpec, AwsGrantStatus,
    condition::{self, READY},
    grant,
    names::grant::REVOKE_BEFORE,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{
    Resource, ResourceExt,
    core::{DeserializeGuard, ObjectMeta},
    runtime::reflector::Store,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hasher},
    sync::Arc,
};

/// More of an annotation's text is not kept, whatever a tenant writes there.
const LONGEST_TIME: usize = 128;

/// All grants.
pub(crate) type Grants = Store<Kept>;

/// A grant, in a form that is small.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    metadata: ObjectMeta,
    /// The identity that it names; none where the grant cannot be read.
    pub(crate) identity: Option<Arc<str>>,
    /// Whether its sessions come from the broker.
    pub(crate) from_broker: bool,
    /// The status of its condition Ready.
    pub(crate) ready: Option<bool>,
    /// When its session expires, by its status.
    pub(crate) expiration: Option<Timestamp>,
    /// Digest of its status; none where it has none.
    told: Option<u64>,
    /// The one annotation that a look answers to.
    revoke_before: Option<Box<str>>,
    text: Result<Arc<str>, Arc<str>>,
}

/// What the text holds: the spec, and of a status what a decision needs.
#[derive(Serialize, Deserialize)]
struct Text {
    spec: AwsGrantSpec,
    /// The grant's own conditions: type, status, reason, and the second of the last transition. Each look writes
    /// the rest anew.
    own: Vec<(String, String, String, i64)>,
    /// Conditions of a version that knows more of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Condition>,
}

impl Kept {
    /// The grant. Of its status there are the conditions, without the messages of its own, and the expiration.
    pub(crate) fn read(&self) -> Result<AwsGrant, String> {
        let text = self.text.as_ref().map_err(ToString::to_string)?;
        let text: Text = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let own = text.own.into_iter().map(restored);
        let status = AwsGrantStatus {
            conditions: own.chain(text.others).collect(),
            expiration: self.expiration.map(Time),
            ..AwsGrantStatus::default()
        };
        let mut metadata = self.metadata.clone();
        if let Some(text) = &self.revoke_before {
            let annotation = (REVOKE_BEFORE.to_owned(), text.to_string());
            metadata.annotations = Some([annotation].into());
        }
        Ok(AwsGrant {
            metadata,
            spec: text.spec,
            status: self.told.map(|_| status),
        })
    }

    /// Whether it cannot be read; reading it says why.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.text.is_err()
    }

    /// Whether its status is the one of this digest.
    pub(crate) fn tells(&self, digest: u64) -> bool {
        self.told == Some(digest)
    }

    /// The digest of its status.
    pub(crate) fn told(&self) -> Option<u64> {
        self.told
    }

    /// Whether the other is another object, or differs in what a look answers to.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        self.metadata.uid != other.metadata.uid
            || edited(self) != edited(other)
            || self.revoke_before != other.revoke_before
    }

    /// As the cache keeps it, once the watch has read its version.
    pub(crate) fn without_version(mut self) -> Self {
        self.metadata.resource_version = None;
        self
    }

    /// The same, in the memory of the one that was kept before where that holds the same: a list that comes
    /// anew would else need all of it twice.
    pub(crate) fn sharing(mut self, before: &Self) -> Self {
        if self.text == before.text {
            self.text.clone_from(&before.text);
        }
        if self.identity == before.identity {
            self.identity.clone_from(&before.identity);
        }
        self
    }
}

impl From<DeserializeGuard<AwsGrant>> for Kept {
    fn from(guard: DeserializeGuard<AwsGrant>) -> Self {
        let mut grant = match guard.0 {
            Ok(grant) => grant,
            Err(mut invalid) => {
                strip_but_version(&mut invalid.metadata);
                return Self {
                    revoke_before: None,
                    metadata: invalid.metadata,
                    identity: None,
                    from_broker: false,
                    ready: None,
                    expiration: None,
                    told: None,
                    text: Err(invalid.error.into()),
                };
            }
        };
        let revoke_before = grant.annotations().get(REVOKE_BEFORE).map(|text| {
            // Longer ones are no times, also cut off.
            let end = text.floor_char_boundary(LONGEST_TIME);
            text[..end].into()
        });
        strip_but_version(&mut grant.metadata);
        let told = grant.status.as_ref().map(digest);
        let status = grant.status.unwrap_or_default();
        let ready = condition::status(&status.conditions, READY);
        let is_own = |condition: &Condition| condition::is_of_grants(&condition.type_);
        let (own, others) = status.conditions.into_iter().partition::<Vec<_>, _>(is_own);
        let identity = grant.spec.identity.as_str().into();
        let from_broker = grant.spec.store == grant::Store::Broker;
        let text = serde_json::to_string(&Text {
            spec: grant.spec,
            own: own.into_iter().map(needed).collect(),
            others,
        });
        Self {
            metadata: grant.metadata,
            identity: Some(identity),
            from_broker,
            ready,
            expiration: status.expiration.map(|own| own.0),
            told,
            revoke_before,
            text: text
                .map(Arc::from)
                .map_err(|error| error.to_string().into()),
        }
    }
}

/// The watch goes on from the version of the last object that it read.
fn strip_but_version(metadata: &mut ObjectMeta) {
    let version = metadata.resource_version.take();
    strip(metadata);
    metadata.resource_version = version;
}

fn needed(condition: Condition) -> (String, String, String, i64) {
    let since = condition.last_transition_time.0.as_second();
    (condition.type_, condition.status, condition.reason, since)
}

fn restored((type_, status, reason, since): (String, String, String, i64)) -> Condition {
    Condition {
        type_,
        status,
        reason,
        message: String::new(),
        observed_generation: None,
        // It was one of a timestamp.
        last_transition_time: Time(Timestamp::from_second(since).unwrap_or_default()),
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DeserializeGuard::<AwsGrant>::deserialize(deserializer).map(Self::from)
    }
}

impl Resource for Kept {
    type DynamicType = <AwsGrant as Resource>::DynamicType;
    type Scope = <AwsGrant as Resource>::Scope;

    fn kind(dyntype: &Self::DynamicType) -> Cow<'_, str> {
        AwsGrant::kind(dyntype)
    }

    fn group(dyntype: &Self::DynamicType) -> Cow<'_, str> {
        AwsGrant::group(dyntype)
    }

    fn version(dyntype: &Self::DynamicType) -> Cow<'_, str> {
        AwsGrant::version(dyntype)
    }

    fn plural(dyntype: &Self::DynamicType) -> Cow<'_, str> {
        AwsGrant::plural(dyntype)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Compared within this process alone.
pub(crate) fn digest(status: &AwsGrantStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    // A status of texts, numbers and times: writing it has no way to fail.
    hasher.write(&serde_json::to_vec(status).unwrap_or_default());
    hasher.finish()
}

#[cfg(test)]
mod tests {
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
        leaving.metadata.deletion_timestamp =
            serde_json::from_str("\"2026-11-22T04:00:00Z\"").unwrap();
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
}
