//! Sees grants become ready, as `kubectl wait` would. It runs beside the operator and beside its floor.

use crate::Failure;
use alter_crds::{AwsGrant, condition};
use futures::StreamExt;
use kube::{
    Api, Client, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use std::{collections::HashSet, time::Duration};
use tokio::{sync::watch, task::AbortHandle};

/// A watch of all grants. Ends when dropped.
pub(super) struct Observer {
    counts: watch::Receiver<Counts>,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    seen: usize,
    ready: usize,
}

impl Observer {
    /// Begins to watch.
    pub(super) fn start(client: Client) -> Self {
        let (sender, counts) = watch::channel(Counts::default());
        let task = tokio::spawn(observe(client, sender)).abort_handle();
        Self { counts, task }
    }

    /// Waits until so many grants were seen.
    pub(super) async fn seen(&self, grants: u32, deadline: Duration) -> Result<(), Failure> {
        self.until(deadline, |counts| counts.seen >= grants as usize)
            .await
    }

    /// Waits until so many grants are ready.
    pub(super) async fn ready(&self, grants: u32, deadline: Duration) -> Result<(), Failure> {
        self.until(deadline, |counts| counts.ready >= grants as usize)
            .await
    }

    async fn until(
        &self,
        deadline: Duration,
        is_so: impl Fn(&Counts) -> bool,
    ) -> Result<(), Failure> {
        let mut counts = self.counts.clone();
        let waited = tokio::time::timeout(deadline, counts.wait_for(is_so)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("the watch of the grants ended".into()),
            Err(_) => Err(format!("after {deadline:?}: {:?}", *self.counts.borrow()).into()),
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn observe(client: Client, sender: watch::Sender<Counts>) {
    let (mut seen, mut ready) = (HashSet::new(), HashSet::new());
    let grants: Api<AwsGrant> = Api::all(client);
    let events = watcher(grants, watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        // A failed watch begins anew.
        let Ok(grant) = event else { continue };
        let conditions = grant.status.as_ref().map(|status| &*status.conditions);
        let Some(uid) = grant.uid() else { continue };
        if condition::is_true(conditions.unwrap_or_default(), condition::READY) {
            ready.insert(uid.clone());
        }
        seen.insert(uid);
        sender.send_replace(Counts {
            seen: seen.len(),
            ready: ready.len(),
        });
    }
}
