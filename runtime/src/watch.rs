//! What of the cluster a program watches: all of it, or some namespaces, where its rights end at those.

use futures::{Stream, StreamExt, stream};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt::Debug, str::FromStr};

/// Objects are listed in pages of so many. A page is read whole, and their authors may fill each to more than a
/// megabyte.
pub const PAGE: u32 = 20;

/// Which namespaces a program watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them, with their labels.
    #[default]
    Cluster,
    /// These; there is no right to see what labels they carry.
    Namespaces(Vec<String>),
}

impl Scope {
    /// Whether objects of the namespace are watched.
    #[must_use]
    pub fn holds(&self, namespace: &str) -> bool {
        match self {
            Self::Cluster => true,
            Self::Namespaces(names) => names.iter().any(|own| own == namespace),
        }
    }

    /// Where objects of a kind are listed: in all of the cluster at once, or in each namespace.
    #[must_use]
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match self {
            Self::Cluster => vec![Api::all(client.clone())],
            Self::Namespaces(names) => {
                let all = names.iter();
                all.map(|name| Api::namespaced(client.clone(), name))
                    .collect()
            }
        }
    }

    /// Whether the labels of namespaces are known.
    #[must_use]
    pub const fn knows_labels(&self) -> bool {
        matches!(self, Self::Cluster)
    }
}

/// The names of namespaces, separated by commas; none is the whole cluster.
impl FromStr for Scope {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(str::trim);
        let mut names: Vec<_> = names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        Ok(if names.is_empty() {
            Self::Cluster
        } else {
            Self::Namespaces(names)
        })
    }
}

/// The objects of a kind in the scope, as one watch; tried again, with pauses, where it breaks.
pub fn follow<K>(
    client: &Client,
    scope: &Scope,
    config: &watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
{
    match scope {
        Scope::Cluster => watcher(Api::<K>::all(client.clone()), config.clone())
            .default_backoff()
            .boxed(),
        Scope::Namespaces(names) => {
            let mut merged = Merged::new(names.len());
            let watches = names.iter().enumerate().map(|(part, name)| {
                let api = Api::<K>::namespaced(client.clone(), name);
                let events = watcher(api, config.clone()).default_backoff();
                events.map(move |event| (part, event)).boxed()
            });
            stream::select_all(watches)
                .flat_map(move |(part, event)| {
                    stream::iter(match event {
                        Ok(event) => merged.hear(part, event).into_iter().map(Ok).collect(),
                        Err(error) => vec![Err(error)],
                    })
                })
                .boxed()
        }
    }
}

/// Makes one watch of several.
///
/// Who follows a watch takes a list for all there is. So nothing is told before each part was listed once; and
/// where one is listed anew, the whole is told anew.
struct Merged<K> {
    parts: Vec<Part<K>>,
}

struct Part<K> {
    known: BTreeMap<String, K>,
    /// A list that is coming in.
    listed: BTreeMap<String, K>,
    is_listed: bool,
}

impl<K: Resource + Clone> Merged<K> {
    fn new(parts: usize) -> Self {
        let part = || Part {
            known: BTreeMap::new(),
            listed: BTreeMap::new(),
            is_listed: false,
        };
        Self {
            parts: (0..parts).map(|_| part()).collect(),
        }
    }

    /// What is told once this part has told that.
    fn hear(&mut self, part: usize, event: Event<K>) -> Vec<Event<K>> {
        let Some(part) = self.parts.get_mut(part) else {
            return Vec::new();
        };
        match event {
            Event::Init => {
                part.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                part.listed.insert(object.name_any(), object);
                Vec::new()
            }
            Event::InitDone => {
                part.known = std::mem::take(&mut part.listed);
                part.is_listed = true;
                self.whole()
            }
            Event::Apply(object) => {
                part.known.insert(object.name_any(), object.clone());
                self.told(Event::Apply(object))
            }
            Event::Delete(object) => {
                part.known.remove(&object.name_any());
                self.told(Event::Delete(object))
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| part.is_listed)
    }

    fn told(&self, event: Event<K>) -> Vec<Event<K>> {
        if self.is_whole() {
            vec![event]
        } else {
            Vec::new()
        }
    }

    fn whole(&self) -> Vec<Event<K>> {
        if !self.is_whole() {
            return Vec::new();
        }
        let all = self.parts.iter().flat_map(|part| part.known.values());
        let mut events = vec![Event::Init];
        events.extend(all.cloned().map(Event::InitApply));
        events.push(Event::InitDone);
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.namespace = Some(namespace.to_owned());
        object
    }

    fn words(events: &[Event<ConfigMap>]) -> Vec<String> {
        let named = |word: &str, object: &ConfigMap| {
            let namespace = object.namespace().unwrap_or_default();
            format!("{word} {namespace}/{}", object.name_any())
        };
        let word = |event: &Event<ConfigMap>| match event {
            Event::Init => "init".to_owned(),
            Event::InitDone => "done".to_owned(),
            Event::InitApply(object) => named("has", object),
            Event::Apply(object) => named("apply", object),
            Event::Delete(object) => named("delete", object),
        };
        events.iter().map(word).collect()
    }

    fn list(merged: &mut Merged<ConfigMap>, part: usize, objects: Vec<ConfigMap>) -> Vec<String> {
        let mut told = merged.hear(part, Event::Init);
        for object in objects {
            told.extend(merged.hear(part, Event::InitApply(object)));
        }
        told.extend(merged.hear(part, Event::InitDone));
        words(&told)
    }

    #[test]
    fn names_are_a_list_and_none_is_the_cluster() {
        for text in ["", " , "] {
            assert_eq!(text.parse(), Ok(Scope::Cluster));
        }
        let scope: Scope = "b, a,,b".parse().unwrap();
        assert_eq!(
            scope,
            Scope::Namespaces(vec!["a".to_owned(), "b".to_owned()])
        );
        assert!(scope.holds("a") && !scope.holds("c") && !scope.knows_labels());
        assert!(Scope::Cluster.holds("c") && Scope::Cluster.knows_labels());
    }

    #[test]
    fn nothing_is_told_before_every_part_was_listed() {
        let mut merged = Merged::new(2);
        assert_eq!(list(&mut merged, 0, vec![object("a", "x")]), [""; 0]);
        assert_eq!(
            words(&merged.hear(0, Event::Apply(object("a", "y")))),
            [""; 0]
        );
        assert_eq!(
            words(&merged.hear(0, Event::Delete(object("a", "x")))),
            [""; 0]
        );
        assert_eq!(
            list(&mut merged, 1, vec![object("b", "z")]),
            ["init", "has a/y", "has b/z", "done"]
        );
    }

    #[test]
    fn events_pass_once_all_is_known() {
        let mut merged = Merged::new(2);
        list(&mut merged, 0, vec![object("a", "x")]);
        list(&mut merged, 1, vec![]);
        let told = merged.hear(1, Event::Apply(object("b", "x")));
        assert_eq!(words(&told), ["apply b/x"]);
        let told = merged.hear(0, Event::Delete(object("a", "x")));
        assert_eq!(words(&told), ["delete a/x"]);
    }

    #[test]
    fn a_part_that_is_listed_anew_takes_nothing_from_the_others() {
        let mut merged = Merged::new(2);
        list(&mut merged, 0, vec![object("a", "x"), object("a", "y")]);
        list(&mut merged, 1, vec![object("b", "z")]);
        assert_eq!(
            list(&mut merged, 0, vec![object("a", "y")]),
            ["init", "has a/y", "has b/z", "done"]
        );
    }
}
