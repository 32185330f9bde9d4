//! The certificates as they stand in their Secret.

use super::{
    authority::{self, AuthorityError, Pair},
    plan::{State, Step},
};
use crate::encoded::Encoded;
use alter_crds::names::certificate::{
    CA_CERTIFICATE, CA_KEY, CERTIFICATE, KEY, NEXT_CA_CERTIFICATE, NEXT_CA_KEY, OLD_CA_CERTIFICATES,
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// All certificates and keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    current: Option<Pair>,
    next: Option<Pair>,
    old: Vec<String>,
    leaf: Option<Pair>,
}

impl Store {
    /// Reads what can be read: what cannot is as if it were not there, and so is made anew.
    pub(crate) fn read(data: &BTreeMap<String, ByteString>) -> Self {
        let text = |key: &str| {
            let bytes = data.get(key).map(|value| value.0.clone());
            bytes.and_then(|bytes| String::from_utf8(bytes).ok())
        };
        let pair =
            |certificate, key| authority::read(text(certificate)?, Zeroizing::new(text(key)?));
        let mut old = split(&text(OLD_CA_CERTIFICATES).unwrap_or_default());
        let current = pair(CA_CERTIFICATE, CA_KEY);
        let next = pair(NEXT_CA_CERTIFICATE, NEXT_CA_KEY);
        // A CA whose key is lost signs no more, but what it signed may be served still.
        for (pair, certificate) in [(&current, CA_CERTIFICATE), (&next, NEXT_CA_CERTIFICATE)] {
            if pair.is_none() {
                old.extend(split(&text(certificate).unwrap_or_default()));
            }
        }
        Self {
            current,
            next,
            old,
            leaf: pair(CERTIFICATE, KEY),
        }
    }

    /// What the plan is made from.
    pub(crate) fn state(&self, names: &[String], now: Timestamp) -> State {
        let fits = |leaf: &&Pair| {
            let trusted = self.current.as_ref().map(|own| own.certificate.as_str());
            authority::verifies(&leaf.certificate, trusted.unwrap_or_default(), names, now)
        };
        State {
            current: self.current.as_ref().map(|own| own.life),
            next: self.next.as_ref().map(|own| own.life),
            old: self
                .old
                .iter()
                .filter_map(|own| authority::life(own))
                .collect(),
            leaf: self.leaf.as_ref().filter(fits).map(|own| own.life),
        }
    }

    /// Does one step of the plan.
    pub(crate) fn advance(
        mut self,
        step: Step,
        names: &[String],
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        match step {
            Step::StartOver => {
                let lost = [self.current.take(), self.next.take()];
                let lost = lost.into_iter().flatten().map(|own| own.certificate);
                self.old.extend(lost);
                self.current = Some(authority::make_authority(now)?);
                self.leaf = self.issue(names, now)?;
            }
            Step::MakeNext => self.next = Some(authority::make_authority(now)?),
            Step::Promote => {
                self.old
                    .extend(self.current.take().map(|own| own.certificate));
                self.current = self.next.take();
                self.leaf = self.issue(names, now)?;
            }
            Step::IssueLeaf => self.leaf = self.issue(names, now)?,
            Step::DropOld => {
                let lives =
                    |own: &String| authority::life(own).is_some_and(|life| now < life.not_after);
                self.old.retain(lives);
            }
            Step::Keep { .. } => {}
        }
        Ok(self)
    }

    /// All CAs that are trusted, in PEM.
    pub(crate) fn bundle(&self) -> String {
        let pairs = [&self.current, &self.next].into_iter().flatten();
        let own = pairs.map(|own| own.certificate.as_str());
        own.chain(self.old.iter().map(String::as_str)).collect()
    }

    /// The Secret's data.
    pub(crate) fn data(&self) -> BTreeMap<&'static str, Encoded> {
        let mut data = BTreeMap::new();
        for (pair, certificate, key) in [
            (&self.current, CA_CERTIFICATE, CA_KEY),
            (&self.next, NEXT_CA_CERTIFICATE, NEXT_CA_KEY),
            (&self.leaf, CERTIFICATE, KEY),
        ] {
            if let Some(pair) = pair {
                data.insert(certificate, Encoded::from(pair.certificate.as_str()));
                data.insert(key, Encoded(pair.key.clone()));
            }
        }
        if !self.old.is_empty() {
            data.insert(
                OLD_CA_CERTIFICATES,
                Encoded::from(self.old.concat().as_str()),
            );
        }
        data
    }

    fn issue(&self, names: &[String], now: Timestamp) -> Result<Option<Pair>, AuthorityError> {
        let of = |current: &Pair| authority::make_leaf(current, names, now);
        self.current.as_ref().map(of).transpose()
    }
}

/// One PEM certificate each; what is none is left out.
fn split(bundle: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let parts = bundle.split_inclusive(END);
    let whole = parts.filter(|part| CertificateDer::from_pem_slice(part.as_bytes()).is_ok());
    whole.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::plan::{AUTHORITY_LIFE, LEAF_LIFE, plan},
        *,
    };
    use crate::fixtures::now;
    use jiff::SignedDuration;

    fn names() -> Vec<String> {
        vec!["alter-webhook.alter.svc".to_owned()]
    }

    /// Written to a Secret and read back, as every pass does.
    fn stored(store: &Store) -> Store {
        let json = serde_json::to_value(store.data()).unwrap();
        Store::read(&serde_json::from_value(json).unwrap())
    }

    /// Steps until nothing is to be done.
    fn settle(mut store: Store, at: Timestamp) -> Store {
        for _ in 0..5 {
            match plan(&stored(&store).state(&names(), at), at) {
                Step::Keep { .. } => return store,
                step => store = store.advance(step, &names(), at).unwrap(),
            }
        }
        panic!("it never settles");
    }

    fn leaf(store: &Store) -> String {
        store.leaf.clone().unwrap().certificate
    }

    #[test]
    fn every_leaf_is_taken_by_the_bundle_before_and_after_each_step_of_a_rotation() {
        let mut store = settle(Store::default(), now());
        let (mut at, mut cas) = (now(), std::collections::BTreeSet::new());
        while at < now() + AUTHORITY_LIFE * 2 {
            let before = stored(&store);
            store = settle(before.clone(), at);
            for (leaf_of, bundle_of) in [(&before, &store), (&store, &before), (&store, &store)] {
                let (leaf, bundle) = (leaf(leaf_of), bundle_of.bundle());
                assert!(authority::verifies(&leaf, &bundle, &names(), at), "at {at}");
            }
            cas.insert(store.current.clone().unwrap().certificate);
            at += LEAF_LIFE / 2;
        }
        assert!(cas.len() >= 3, "{} CAs", cas.len());
    }

    #[test]
    fn what_is_corrupted_is_made_anew() {
        let good = settle(Store::default(), now());
        let json = serde_json::to_value(good.data()).unwrap();
        let data: BTreeMap<String, ByteString> = serde_json::from_value(json).unwrap();
        for (key, expected) in [
            (CA_CERTIFICATE, Step::StartOver),
            (CA_KEY, Step::StartOver),
            (CERTIFICATE, Step::IssueLeaf),
            (KEY, Step::IssueLeaf),
        ] {
            let mut broken = data.clone();
            broken.insert(key.to_owned(), ByteString(b"garbage".to_vec()));
            let step = |data: &_| plan(&Store::read(data).state(&names(), now()), now());
            assert_eq!(step(&broken), expected, "{key} is garbage");
            broken.remove(key);
            assert_eq!(step(&broken), expected, "{key} is gone");
        }
        assert_eq!(
            plan(&Store::read(&BTreeMap::new()).state(&names(), now()), now()),
            Step::StartOver
        );
    }

    #[test]
    fn starting_over_goes_on_trusting_what_is_still_served() {
        let before = settle(Store::default(), now());
        let json = serde_json::to_value(before.data()).unwrap();
        let mut data: BTreeMap<String, ByteString> = serde_json::from_value(json).unwrap();
        data.insert(CA_KEY.to_owned(), ByteString(b"garbage".to_vec()));
        let after = settle(Store::read(&data), now());
        assert_ne!(leaf(&after), leaf(&before));
        for store in [&before, &after] {
            let trusted = authority::verifies(&leaf(store), &after.bundle(), &names(), now());
            assert!(
                trusted,
                "webhooks serve the old leaf until the kubelet brings the new one"
            );
        }
    }

    #[test]
    fn a_clock_that_was_set_back_breaks_no_trust() {
        let before = settle(Store::default(), now());
        let after = settle(stored(&before), now() - SignedDuration::from_hours(24));
        assert!(authority::verifies(
            &leaf(&before),
            &after.bundle(),
            &names(),
            now()
        ));
    }

    #[test]
    fn another_name_needs_another_leaf() {
        let store = settle(Store::default(), now());
        let other = vec!["renamed.alter.svc".to_owned()];
        assert_eq!(plan(&store.state(&other, now()), now()), Step::IssueLeaf);
    }

    #[test]
    fn an_old_ca_stays_trusted_until_it_expires() {
        let late = now() + AUTHORITY_LIFE - SignedDuration::from_hours(48);
        let store = settle(settle(Store::default(), now()), late);
        assert_eq!(store.old.len(), 1);
        assert_eq!(store.bundle().matches("BEGIN CERTIFICATE").count(), 2);
        let after = settle(
            store,
            now() + AUTHORITY_LIFE + SignedDuration::from_hours(1),
        );
        assert_eq!(after.old.len(), 0);
    }
}
