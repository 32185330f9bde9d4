//! Which identities' access keys and certificates changed: the versions of the Secrets in the operator's own
//! namespace.

use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt, core::PartialObjectMeta, runtime::watcher::Event};
use std::collections::{HashMap, HashSet};

/// What a watch has told of the Secrets' versions.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    known: HashMap<String, String>,
    listed: HashSet<String>,
    synced: bool,
}

impl Versions {
    /// Names of the Secrets that changed by this event. What the first list brings is no change: the
    /// identity's status is of that key, and a restart asks AWS nothing.
    pub(crate) fn follow(&mut self, event: &Event<PartialObjectMeta<Secret>>) -> Vec<String> {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed.insert(object.name_any());
                let changed = self.note(object);
                changed.filter(|_| self.synced).into_iter().collect()
            }
            Event::InitDone => {
                self.synced = true;
                let listed = std::mem::take(&mut self.listed);
                let gone: Vec<_> = self
                    .known
                    .keys()
                    .filter(|name| !listed.contains(*name))
                    .cloned()
                    .collect();
                self.known.retain(|name, _| listed.contains(name));
                gone
            }
            Event::Apply(object) => self.note(object).into_iter().collect(),
            Event::Delete(object) => {
                self.known.remove(&object.name_any());
                vec![object.name_any()]
            }
        }
    }

    fn note(&mut self, object: &PartialObjectMeta<Secret>) -> Option<String> {
        let (name, version) = (
            object.name_any(),
            object.resource_version().unwrap_or_default(),
        );
        let old = self.known.insert(name.clone(), version.clone());
        (old.as_ref() != Some(&version)).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, version: &str) -> PartialObjectMeta<Secret> {
        PartialObjectMeta {
            metadata: kube::core::ObjectMeta {
                name: Some(name.to_owned()),
                resource_version: Some(version.to_owned()),
                ..kube::core::ObjectMeta::default()
            },
            ..PartialObjectMeta::default()
        }
    }

    fn synced() -> Versions {
        let mut versions = Versions::default();
        let events = [
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitApply(object("b", "1")),
            Event::InitDone,
        ];
        for event in events {
            assert_eq!(
                versions.follow(&event),
                [""; 0],
                "the first list is no change"
            );
        }
        versions
    }

    #[test]
    fn a_rotated_a_new_and_a_removed_key_are_changes() {
        let mut versions = synced();
        assert_eq!(versions.follow(&Event::Apply(object("a", "2"))), ["a"]);
        assert_eq!(versions.follow(&Event::Apply(object("a", "2"))), [""; 0]);
        assert_eq!(versions.follow(&Event::Apply(object("c", "1"))), ["c"]);
        assert_eq!(versions.follow(&Event::Delete(object("b", "1"))), ["b"]);
    }

    #[test]
    fn what_changed_while_the_watch_was_broken_is_found_by_the_next_list() {
        let mut versions = synced();
        assert_eq!(versions.follow(&Event::Init), [""; 0]);
        assert_eq!(versions.follow(&Event::InitApply(object("a", "2"))), ["a"]);
        assert_eq!(versions.follow(&Event::InitDone), ["b"], "b is gone");
    }
}
