//! Follows the pods that have an agent.

use super::seen::Seen;
use crate::{
    context::Context,
    grant::{cache::named, controller::bring},
    watch::{heard, paged},
};
use alter_crds::names::pod::{INJECTED, LIVING};
use futures::{StreamExt, future, stream};
use kube::runtime::{
    WatchStreamExt,
    watcher::{Event, watcher},
};

/// Brings grants that can pause when their first pod comes and when their last one has gone. Begins once there is such
/// a grant, and never ends.
pub(crate) async fn follow<S>(context: &Context<S>) {
    context.users.wanted().await;
    // Pods that have ended leave the watch, as if they were deleted.
    let injected = paged().labels(INJECTED).fields(LIVING);
    let parts = context.scope.apis::<Seen>(&context.client).into_iter();
    let watches = parts.enumerate().map(|(part, api)| {
        let events = watcher(api, injected.clone()).default_backoff();
        events.map(move |event| (part, event)).boxed()
    });
    stream::select_all(watches)
        .for_each(|(part, event)| {
            let Some(event) = heard("pods", event) else {
                context.users.doubt(part);
                return future::ready(());
            };
            let changed = context.users.follow(part, &event);
            for name in changed {
                let grant = named(&name).and_then(|key| context.grants.get(&key));
                if grant.is_some_and(|own| own.pauses) {
                    context.due.now(name);
                }
            }
            if matches!(event, Event::InitDone) {
                bring(context, |grant| grant.pauses);
            }
            future::ready(())
        })
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{due::due, grant::world::World, scripted};
    use alter_crds::names::pod::GRANT;
    use serde_json::json;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    /// It takes no time.
    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_grant_that_can_pause_is_brought_by_the_list_and_by_its_first_pod() {
        let comes = Arc::new(AtomicBool::new(false));
        let has_come = comes.clone();
        let (client, log) = scripted::api(move |asked| {
            if !asked.query.contains("watch=true") {
                return scripted::list(&[]);
            }
            let metadata = json!({"name": "app", "namespace": "team-a", "uid": "p-1",
                "resourceVersion": "10", "annotations": {(GRANT): "bedrock"}});
            let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
            let type_ = if has_come.load(Ordering::Relaxed) {
                "ADDED"
            } else {
                "BOOKMARK"
            };
            (200, json!({"type": type_, "object": object}))
        });
        let mut world = World::new();
        world.grant.spec.pause_after = Some("1h".to_owned());
        let mut context = world.context(client, Arc::default());
        let (due, brought) = due();
        Arc::get_mut(&mut context).unwrap().due = due;
        let mut brought = std::pin::pin!(brought);
        context.users.want();
        let mut following = std::pin::pin!(follow(&context));
        for by_pod in [false, true] {
            comes.store(by_pod, Ordering::Relaxed);
            tokio::select! {
                () = &mut following => panic!("it never ends"),
                () = tokio::time::sleep(DEADLINE) => panic!("not brought, by a pod: {by_pod}"),
                name = brought.next() => assert_eq!(name.as_deref(), Some("team-a/bedrock")),
            }
            let in_use = context.users.use_of("team-a/bedrock");
            assert_eq!(in_use, by_pod.then_some(true));
        }
        let query = log.at(0).query;
        assert!(
            query.contains("labelSelector=alter.dev%2Finjected"),
            "{query}"
        );
    }
}
