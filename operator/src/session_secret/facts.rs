//! What the metadata of a session's Secret says.

use alter_crds::names::{label, secret};
use alter_policy::name::check_grant_name;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// No session lives longer: AWS gives at most 12 hours, and clocks differ. Annotations that say otherwise are
/// somebody else's.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(crate) const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(13);

/// Of what Alter writes no text is longer: ARNs have at most 2,048 characters. All of them are kept, and whoever
/// may write Secrets could else have a quarter of a MiB kept of each.
const LONGEST: usize = 2_048;

/// What is known of a Secret that Alter wrote, by its metadata alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The grant's name, by the Secret's label.
    pub grant: String,
    /// UID of the grant that the Secret belongs to.
    pub grant_uid: String,
    /// The session in it.
    pub served: Option<Served>,
    /// Set once the session was taken away.
    pub revoked: Option<Revoked>,
}

/// A session in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When AWS stops accepting it.
    pub expiration: Timestamp,
    /// Digest of what session and files were made from.
    pub digest: String,
    /// Not a secret.
    pub access_key_id: String,
    /// As STS answered.
    pub assumed_role_arn: String,
}

impl Served {
    /// Whether such a session can have been issued by now.
    pub(crate) fn is_of(&self, now: Timestamp) -> bool {
        self.expiration.duration_since(now) <= LONGEST_LIFE
    }
}

/// That a session was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revoked {
    /// Since when.
    pub at: Timestamp,
    /// A condition's reason.
    pub reason: String,
    /// When the session that was taken away expires, where that is why it was.
    pub expiration: Option<Timestamp>,
}

/// Why a Secret is not Alter's, in words for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOurs {
    #[error("it lacks the label app.kubernetes.io/managed-by: alter-operator")]
    ManagedBy,
    #[error("its label alter.dev/grant holds no name of an AwsGrant")]
    Grant,
    #[error("it lacks the annotation alter.dev/grant-uid")]
    GrantUid,
    #[error("its type is not alter.dev/aws-session")]
    Type,
}

impl Facts {
    /// Reads them. A Secret whose session's annotations someone broke serves nothing that is known of,
    /// so that the next plan issues anew.
    pub(crate) fn read(metadata: &ObjectMeta) -> Result<Self, NotOurs> {
        let of_label = |key| metadata.labels.as_ref().and_then(|labels| labels.get(key));
        if of_label(label::MANAGED_BY).map(String::as_str) != Some(label::OPERATOR) {
            return Err(NotOurs::ManagedBy);
        }
        let grant = of_label(secret::GRANT_LABEL)
            .filter(|name| check_grant_name(name).is_ok())
            .ok_or(NotOurs::Grant)?;
        let annotation = |key| {
            let found = metadata.annotations.as_ref().and_then(|own| own.get(key));
            found.filter(|text| text.len() <= LONGEST)
        };
        let grant_uid = annotation(secret::GRANT_UID).ok_or(NotOurs::GrantUid)?;
        let text = |key| annotation(key).cloned();
        let time = |key| annotation(key).and_then(|text| text.parse::<Timestamp>().ok());
        let served = || {
            let (issued_at, expiration) = (time(secret::ISSUED_AT)?, time(secret::EXPIRATION)?);
            let life = expiration.duration_since(issued_at);
            if life <= SignedDuration::ZERO || life > LONGEST_LIFE {
                return None;
            }
            Some(Served {
                issued_at,
                expiration,
                digest: text(secret::INPUT_DIGEST)?,
                access_key_id: text(secret::ACCESS_KEY_ID)?,
                assumed_role_arn: text(secret::ASSUMED_ROLE_ARN)?,
            })
        };
        let revoked = time(secret::REVOKED_AT).map(|at| Revoked {
            at,
            reason: text(secret::REVOKED_REASON).unwrap_or_default(),
            expiration: time(secret::EXPIRATION),
        });
        Ok(Self {
            grant: grant.clone(),
            grant_uid: grant_uid.clone(),
            served: served().filter(|_| revoked.is_none()),
            revoked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn metadata(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> ObjectMeta {
        let map = |pairs: &[(&str, &str)]| {
            let owned = pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            Some(owned.collect::<BTreeMap<_, _>>())
        };
        ObjectMeta {
            labels: map(labels),
            annotations: map(annotations),
            ..ObjectMeta::default()
        }
    }

    const LABELS: [(&str, &str); 2] = [
        (label::MANAGED_BY, label::OPERATOR),
        (secret::GRANT_LABEL, "bedrock"),
    ];
    const SERVED: [(&str, &str); 6] = [
        (secret::GRANT_UID, "u-1"),
        (secret::ISSUED_AT, "2026-11-22T04:00:00Z"),
        (secret::EXPIRATION, "2026-11-22T05:00:00Z"),
        (secret::INPUT_DIGEST, "d"),
        (secret::ACCESS_KEY_ID, "ASIA1"),
        (secret::ASSUMED_ROLE_ARN, "arn:r"),
    ];

    #[test]
    fn a_session_is_read_from_the_annotations() {
        let facts = Facts::read(&metadata(&LABELS, &SERVED)).unwrap();
        assert_eq!(
            (facts.grant.as_str(), facts.grant_uid.as_str()),
            ("bedrock", "u-1")
        );
        let served = facts.served.unwrap();
        assert_eq!(served.expiration, "2026-11-22T05:00:00Z".parse().unwrap());
        assert_eq!(facts.revoked, None);
    }

    #[test]
    fn a_revoked_secret_serves_nothing() {
        let mut annotations = SERVED.to_vec();
        annotations.push((secret::REVOKED_AT, "2026-11-22T04:30:00Z"));
        annotations.push((secret::REVOKED_REASON, "Suspended"));
        let facts = Facts::read(&metadata(&LABELS, &annotations)).unwrap();
        assert_eq!(facts.served, None);
        assert_eq!(facts.revoked.unwrap().reason, "Suspended");
    }

    #[test]
    fn broken_annotations_serve_nothing_that_is_known_of() {
        let mut annotations = SERVED;
        annotations[2].1 = "tomorrow";
        let facts = Facts::read(&metadata(&LABELS, &annotations)).unwrap();
        assert_eq!((facts.served, facts.revoked), (None, None));
    }

    #[test]
    fn a_life_that_aws_does_not_give_is_none() {
        let life = |issued: &'static str, expiration: &'static str| {
            let mut annotations = SERVED;
            annotations[1].1 = issued;
            annotations[2].1 = expiration;
            Facts::read(&metadata(&LABELS, &annotations))
                .unwrap()
                .served
        };
        let (issued, past) = ("2026-11-22T04:00:00Z", "-009999-01-02T01:59:59Z");
        assert!(life(issued, "2026-11-22T16:00:00Z").is_some());
        for (issued, expiration) in [
            (issued, "2026-11-22T18:00:00Z"),
            (issued, "9999-12-30T22:00:00Z"),
            (issued, issued),
            (issued, past),
            (past, issued),
            (past, "9999-12-30T22:00:00Z"),
        ] {
            assert_eq!(life(issued, expiration), None, "{issued} {expiration}");
        }
    }

    #[test]
    fn texts_that_alter_never_writes_are_not_kept() {
        let long = "x".repeat(LONGEST + 1);
        for changed in 0..SERVED.len() {
            let mut annotations = SERVED.to_vec();
            annotations[changed].1 = &long;
            match Facts::read(&metadata(&LABELS, &annotations)) {
                Ok(facts) => assert_eq!((changed > 0, facts.served), (true, None)),
                Err(error) => assert_eq!((changed, error), (0, NotOurs::GrantUid)),
            }
        }
        let mut annotations = SERVED.to_vec();
        annotations.push((secret::REVOKED_AT, "2026-11-22T04:30:00Z"));
        annotations.push((secret::REVOKED_REASON, &long));
        let facts = Facts::read(&metadata(&LABELS, &annotations)).unwrap();
        assert_eq!(facts.revoked.unwrap().reason, "");
    }

    #[test]
    fn a_session_from_a_time_to_come_is_nobodys() {
        let facts = Facts::read(&metadata(&LABELS, &SERVED)).unwrap();
        let served = facts.served.unwrap();
        let issued = served.issued_at;
        assert!(served.is_of(issued) && served.is_of(issued - SignedDuration::from_hours(11)));
        assert!(!served.is_of(issued - SignedDuration::from_hours(13)));
    }

    #[test]
    fn what_names_no_grant_is_not_ours() {
        for name in ["", "Bedrock", "a.b", "-a", "a/../b", &"a".repeat(51)] {
            let labels = [LABELS[0], (secret::GRANT_LABEL, name)];
            let read = Facts::read(&metadata(&labels, &SERVED));
            assert_eq!(read, Err(NotOurs::Grant), "{name}");
        }
    }

    #[test]
    fn what_lacks_a_mark_is_not_ours() {
        let read = |labels, annotations| Facts::read(&metadata(labels, annotations));
        assert_eq!(read(&LABELS[1..], &SERVED), Err(NotOurs::ManagedBy));
        assert_eq!(read(&LABELS[..1], &SERVED), Err(NotOurs::Grant));
        assert_eq!(read(&LABELS, &SERVED[1..]), Err(NotOurs::GrantUid));
        let other = [(label::MANAGED_BY, "Helm"), LABELS[1]];
        assert_eq!(read(&other, &SERVED), Err(NotOurs::ManagedBy));
    }
}
