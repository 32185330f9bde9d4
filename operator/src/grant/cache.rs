//! The cache of grants, as a watch fills it, and what of each event is news.

use super::{Grants, kept::Kept};
use kube::{
    Resource,
    runtime::{
        reflector::{ObjectRef, store::Writer},
        watcher::Event,
    },
};
use std::sync::Arc;

/// A grant, by name.
pub(crate) type GrantRef = ObjectRef<Kept>;

/// A grant, by `namespace/name`: the form in which many of them wait.
pub(crate) type GrantName = Arc<str>;

/// The name of a grant.
pub(crate) fn name(namespace: Option<&str>, name: &str) -> GrantName {
    format!("{}/{name}", namespace.unwrap_or_default()).into()
}

/// The grant of a name.
pub(crate) fn named(text: &str) -> Option<GrantRef> {
    let (namespace, name) = text.split_once('/')?;
    Some(ObjectRef::new(name).within(namespace))
}

/// The name of one that is kept.
pub(crate) fn name_of(grant: &Kept) -> GrantName {
    let metadata = grant.meta();
    let own = metadata.name.as_deref().unwrap_or_default();
    name(metadata.namespace.as_deref(), own)
}

/// Fills the cache.
///
/// Not kube's `reflect` and `predicate_filter`: the one tells of a new grant of a second list before it is in the
/// cache, where its reconcile does not find it; the other keeps a table of its own of what the cache knows.
pub(crate) struct Filler {
    writer: Writer<Kept>,
    cache: Grants,
    listed: Vec<GrantName>,
}

impl Filler {
    /// Fills the writer's cache.
    pub(crate) fn new(writer: Writer<Kept>) -> Self {
        Self {
            cache: writer.as_reader(),
            writer,
            listed: Vec::new(),
        }
    }

    /// Follows a watch; gives the grants that are new or were edited.
    pub(crate) fn follow(&mut self, event: Event<Kept>) -> Vec<GrantName> {
        let (event, changed) = match event {
            Event::Init => {
                self.listed.clear();
                (Event::Init, Vec::new())
            }
            Event::InitApply(grant) => {
                let grant = grant.without_version();
                let before = self.cache.get(&ObjectRef::from_obj(&grant));
                self.listed.extend(news(&grant, before.as_deref()));
                let grant = match before {
                    Some(before) => grant.sharing(&before),
                    None => grant,
                };
                (Event::InitApply(grant), Vec::new())
            }
            Event::InitDone => (Event::InitDone, std::mem::take(&mut self.listed)),
            Event::Apply(grant) => {
                let grant = grant.without_version();
                let before = self.cache.get(&ObjectRef::from_obj(&grant));
                let changed = news(&grant, before.as_deref()).into_iter().collect();
                (Event::Apply(grant), changed)
            }
            Event::Delete(grant) => (Event::Delete(grant), Vec::new()),
        };
        self.writer.apply_watcher_event(&event);
        changed
    }
}

fn news(grant: &Kept, before: Option<&Kept>) -> Option<GrantName> {
    let is_news = before.is_none_or(|before| grant.differs_from(before));
    is_news.then(|| name_of(grant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use alter_crds::{AwsGrant, AwsGrantStatus};
    use kube::{core::DeserializeGuard, runtime::reflector};

    fn kept(name: &str, change: impl Fn(&mut AwsGrant)) -> Kept {
        let mut grant = fixtures::grant();
        grant.metadata.name = Some(name.to_owned());
        change(&mut grant);
        DeserializeGuard(Ok(grant)).into()
    }

    fn names(changed: &[GrantName]) -> Vec<&str> {
        let all = changed.iter();
        all.filter_map(|own| own.strip_prefix("team-a/")).collect()
    }

    #[test]
    fn an_edit_is_news_and_a_status_is_not() {
        let (cache, writer) = reflector::store();
        let mut filler = Filler::new(writer);
        let same = |_: &mut AwsGrant| {};
        assert_eq!(names(&filler.follow(Event::Apply(kept("a", same)))), ["a"]);
        let told = kept("a", |grant| grant.status = Some(AwsGrantStatus::default()));
        assert_eq!(filler.follow(Event::Apply(told)), []);
        let edited = kept("a", |grant| grant.metadata.generation = Some(2));
        assert_eq!(names(&filler.follow(Event::Apply(edited.clone()))), ["a"]);
        filler.follow(Event::Delete(edited));
        assert!(cache.is_empty());
    }

    #[test]
    fn what_is_new_in_a_list_is_told_once_the_cache_has_it() {
        let (cache, writer) = reflector::store();
        let mut filler = Filler::new(writer);
        let same = |_: &mut AwsGrant| {};
        for name in ["kept", "gone"] {
            filler.follow(Event::Apply(kept(name, same)));
        }
        filler.follow(Event::Init);
        assert_eq!(filler.follow(Event::InitApply(kept("kept", same))), []);
        assert_eq!(filler.follow(Event::InitApply(kept("new", same))), []);
        let told = filler.follow(Event::InitDone);
        assert_eq!(names(&told), ["new"]);
        assert!(cache.get(&named(&told[0]).unwrap()).is_some());
        assert_eq!(cache.len(), 2);
    }
}
