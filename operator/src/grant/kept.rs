//! A grant between two looks. There may be ten thousand, so that each is kept as text, and read when it is
//! looked at; beside the text stands what passes over all of them ask for.

use crate::watch::strip;
use alter_crds::{
    AwsGrant, AwsGrantStatus,
    condition::{IDENTITY_READY, READY, REFRESHED},
};
use jiff::Timestamp;
use kube::{
    Resource,
    core::{DeserializeGuard, ObjectMeta},
    runtime::reflector::Store,
};
use serde::{Deserialize, Deserializer};
use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hasher},
    sync::Arc,
};

/// All grants.
pub(crate) type Grants = Store<Kept>;

/// A grant, in a form that is small.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    metadata: ObjectMeta,
    /// The identity that it names; none where the grant cannot be read.
    pub(crate) identity: Option<Arc<str>>,
    /// The status of its condition Ready.
    pub(crate) ready: Option<bool>,
    /// When its session expires, by its status.
    pub(crate) expiration: Option<Timestamp>,
    told: u64,
    text: Result<Arc<str>, Arc<str>>,
}

impl Kept {
    /// The grant. Of the messages in its own conditions, which every look writes anew, nothing is kept.
    pub(crate) fn read(&self) -> Result<AwsGrant, String> {
        let text = self.text.as_ref().map_err(ToString::to_string)?;
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Why it cannot be read, if so.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.text.is_err()
    }

    /// Whether its status is this one.
    pub(crate) fn tells(&self, status: &AwsGrantStatus) -> bool {
        self.told == digest(Some(status))
    }

    /// Whether the other is another object, or has another spec, or is being deleted since: what a look answers
    /// to. A status is none of it, or two writers would drive each other on for ever.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        let of = |own: &Self| {
            let metadata = own.metadata.clone();
            let leaves = metadata.deletion_timestamp.is_some();
            (metadata.uid, metadata.generation, leaves)
        };
        of(self) != of(other)
    }
}

impl From<DeserializeGuard<AwsGrant>> for Kept {
    fn from(guard: DeserializeGuard<AwsGrant>) -> Self {
        let mut grant = match guard.0 {
            Ok(grant) => grant,
            Err(mut invalid) => {
                strip(&mut invalid.metadata);
                return Self {
                    metadata: invalid.metadata,
                    identity: None,
                    ready: None,
                    expiration: None,
                    told: 0,
                    text: Err(invalid.error.into()),
                };
            }
        };
        strip(&mut grant.metadata);
        let told = digest(grant.status.as_ref());
        let (mut ready, mut expiration) = (None, None);
        if let Some(status) = &mut grant.status {
            let found = status.conditions.iter().find(|own| own.type_ == READY);
            ready = found.and_then(|own| match own.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            });
            expiration = status.expiration.as_ref().map(|own| own.0);
            *status = needed(std::mem::take(status));
        }
        let text = serde_json::to_string(&grant);
        Self {
            identity: Some(grant.spec.identity.as_str().into()),
            ready,
            expiration,
            told,
            text: text
                .map(Arc::from)
                .map_err(|error| error.to_string().into()),
            metadata: grant.metadata,
        }
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

/// What a decision needs of a status.
fn needed(mut status: AwsGrantStatus) -> AwsGrantStatus {
    for condition in &mut status.conditions {
        if [READY, REFRESHED, IDENTITY_READY].contains(&condition.type_.as_str()) {
            condition.message = String::new();
            condition.observed_generation = None;
        }
    }
    AwsGrantStatus {
        conditions: status.conditions,
        expiration: status.expiration,
        ..AwsGrantStatus::default()
    }
}

/// Compared within this process alone.
fn digest(status: Option<&AwsGrantStatus>) -> u64 {
    let mut hasher = DefaultHasher::new();
    // A status of texts, numbers and times: writing it has no way to fail.
    hasher.write(&serde_json::to_vec(&status).unwrap_or_default());
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
    fn every_part_of_a_status_tells_it_from_another() {
        let mut grant = fixtures::grant();
        grant.status = Some(told());
        let kept = kept(grant);
        assert!(kept.tells(&told()));
        let mut other = told();
        other.conditions[0].message = "another".to_owned();
        assert!(!kept.tells(&other));
        let mut other = told();
        other.access_key_id = Some("ASIA2".to_owned());
        assert!(!kept.tells(&other));
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
        let first = kept(first);
        assert!(!kept(told_of).differs_from(&first));
        for other in [edited, leaving, anew] {
            assert!(kept(other).differs_from(&first));
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
