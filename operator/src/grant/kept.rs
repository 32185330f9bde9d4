//! A grant between two looks. There may be ten thousand, so that each is kept as text, and read when it is
//! looked at; beside the text stands what passes over all of them ask for.

use crate::watch::{edited, strip};
use alter_crds::{
    AwsGrant, AwsGrantSpec, AwsGrantStatus,
    condition::{self, READY, REFRESHED, reason},
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
    /// Whether it pauses while no pod uses it.
    pub(crate) pauses: bool,
    /// Whether it does, by its status.
    pub(crate) is_paused: bool,
    /// How many pods ask for it without an agent, by its status.
    pub(crate) orphaned_pods: Option<i32>,
    /// Since when no pod uses it, by its status.
    unused_since: Option<Timestamp>,
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
    /// What AWS was told is told once, also after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    denied_before: Option<Time>,
}

impl Kept {
    /// The grant. Of its status there are the conditions, without the messages of its own, and what decisions ask for.
    pub(crate) fn read(&self) -> Result<AwsGrant, String> {
        let text = self.text.as_ref().map_err(ToString::to_string)?;
        let text: Text = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let own = text.own.into_iter().map(restored);
        let status = AwsGrantStatus {
            conditions: own.chain(text.others).collect(),
            expiration: self.expiration.map(Time),
            orphaned_pods: self.orphaned_pods,
            unused_since: self.unused_since.map(Time),
            denied_before: text.denied_before,
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
                    pauses: false,
                    is_paused: false,
                    orphaned_pods: None,
                    unused_since: None,
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
        let refreshed = condition::find(&status.conditions, REFRESHED);
        let is_paused = refreshed.is_some_and(|own| own.reason == reason::PAUSED);
        let is_own = |condition: &Condition| condition::is_written_at_each_look(&condition.type_);
        let (own, others) = status.conditions.into_iter().partition::<Vec<_>, _>(is_own);
        let identity = grant.spec.identity.as_str().into();
        let from_broker = grant.spec.store == grant::Store::Broker;
        let pauses = grant.spec.pause_after.is_some();
        let text = serde_json::to_string(&Text {
            spec: grant.spec,
            own: own.into_iter().map(needed).collect(),
            others,
            denied_before: status.denied_before,
        });
        Self {
            metadata: grant.metadata,
            identity: Some(identity),
            from_broker,
            ready,
            expiration: status.expiration.map(|own| own.0),
            pauses,
            is_paused,
            orphaned_pods: status.orphaned_pods,
            unused_since: status.unused_since.map(|own| own.0),
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
#[path = "kept_tests.rs"]
mod tests;
