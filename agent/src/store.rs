//! Keeps the answers up to date with what the grants' sources say, and writes what depends on them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alter_protocol::grant::Delivery;
use alter_protocol::session::rfc3339;
use tokio::sync::{mpsc, watch};

use crate::answer::{Answer, Answers};
use crate::broker::Heard;
use crate::config_file::{self, Profile};
use crate::files::Changes;
use crate::layout::{self, Layout};
use crate::metrics::Metrics;
use crate::source::Source;
use crate::state::{self, Pod, State};

/// The answers as every listener sees them.
pub type Board = watch::Receiver<Arc<Answers>>;

/// One grant's state, and where it comes from.
struct Grant {
    name: String,
    source: Source,
    state: State,
    /// That of the last session, once one was served: it outlives the session in the config file.
    region: Option<String>,
}

/// The grants of the pod.
pub struct Store {
    pod: Pod,
    layout: Layout,
    grants: Vec<Grant>,
    ready: bool,
    config: String,
    metrics: Arc<Metrics>,
    board: watch::Sender<Arc<Answers>>,
}

impl Store {
    /// Reads everything once. `grants` are names in the order of the annotation, their Secrets mounted
    /// under `grants_dir`; sessions of those in `from_broker` come from the broker.
    #[must_use]
    pub fn open(
        pod: Pod,
        grants: &[String],
        from_broker: &[String],
        grants_dir: &Path,
        layout: Layout,
        metrics: Arc<Metrics>,
    ) -> Self {
        let mut store = Self {
            ready: layout.ready_file().exists(),
            pod,
            layout,
            grants: grants
                .iter()
                .map(|name| Grant {
                    name: name.clone(),
                    source: Source::new(grants_dir.join(name), from_broker.contains(name)),
                    state: State::START,
                    region: None,
                })
                .collect(),
            config: String::new(),
            metrics,
            board: watch::Sender::new(Arc::default()),
        };
        store.look();
        store.publish();
        store
    }

    /// The answers, now and after each change.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.subscribe()
    }

    /// Follows the files and the broker, for ever. `changes` must watch the folders of [`Store::folders`].
    pub async fn follow(mut self, mut changes: Changes, mut heard: Option<mpsc::Receiver<Heard>>) {
        loop {
            tokio::select! {
                () = changes.next() => {}
                news = next(&mut heard) => self.hear(news),
            }
            if self.look() {
                self.publish();
            }
        }
    }

    /// Where the grants' Secrets are mounted.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        let folders = self.grants.iter().filter_map(|own| own.source.folder());
        folders.map(Path::to_owned).collect()
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Unanswered(why) => {
                for grant in &mut self.grants {
                    grant.source.unanswered(&why);
                }
            }
            Heard::Told(mut told) => {
                for grant in &mut self.grants {
                    let own = told.iter().position(|told| told.grant == grant.name);
                    grant.source.told(own.map(|at| told.swap_remove(at).news));
                }
            }
        }
    }

    /// Asks the sources and decides anew; whether anything is different now.
    fn look(&mut self) -> bool {
        let now = crate::clock::now();
        let mut changed = false;
        for grant in &mut self.grants {
            let found = grant.source.find();
            let state = state::decide(&grant.name, &self.pod, &grant.state, &found, now);
            if state != grant.state {
                changed = true;
                report(&grant.name, &state);
                self.metrics.state_changed(&grant.name, &state);
                if let State::Serving { region, .. } = &state {
                    grant.region = Some(region.clone());
                }
                grant.state = state;
            }
        }
        self.write_config();
        self.write_ready() || changed
    }

    fn publish(&self) {
        let now = crate::clock::now();
        self.board.send_replace(Arc::new(Answers {
            grants: self
                .grants
                .iter()
                .map(|grant| Answer::new(&grant.name, grant.state.clone(), now))
                .collect(),
            ready: self.ready,
        }));
    }

    /// Written again at the next look where it fails.
    fn write_config(&mut self) {
        let profiles: Vec<_> = self
            .grants
            .iter()
            .map(|grant| Profile {
                grant: &grant.name,
                region: grant.region.as_deref(),
            })
            .collect();
        let helper = self.layout.helper();
        let helper = match self.pod.delivery {
            Delivery::Process => Some(&*helper),
            Delivery::Endpoint | Delivery::Imds => None,
        };
        let config = config_file::render(&profiles, helper);
        if config != self.config {
            match layout::write(&self.layout.config_file(), config.as_bytes(), 0o644) {
                Ok(()) => self.config = config,
                Err(error) => tracing::error!(%error, "cannot write the config file"),
            }
        }
    }

    /// Whether the app may start from now on.
    fn write_ready(&mut self) -> bool {
        if self.ready || !self.grants.iter().all(|grant| grant.region.is_some()) {
            return false;
        }
        if let Err(error) = layout::write(&self.layout.ready_file(), b"", 0o644) {
            tracing::error!(%error, "cannot mark the pod as ready");
            return false;
        }
        tracing::info!("every grant of the pod was served: the app may start");
        self.ready = true;
        true
    }
}

/// The next that is heard; never where nobody is asked.
async fn next(heard: &mut Option<mpsc::Receiver<Heard>>) -> Heard {
    match heard {
        Some(heard) => match heard.recv().await {
            Some(news) => news,
            // The task that asks has no end but the program's.
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn report(grant: &str, state: &State) {
    match state {
        State::Serving {
            session,
            kept: None,
            ..
        } => tracing::info!(
            grant,
            access_key_id = session.access_key_id,
            expiration = rfc3339(session.expiration),
            "serving"
        ),
        State::Serving {
            session,
            kept: Some(why),
            ..
        } => tracing::warn!(
            grant,
            %why,
            access_key_id = session.access_key_id,
            expiration = rfc3339(session.expiration),
            "serving the last good session until it expires"
        ),
        State::Waiting { .. } => {
            tracing::warn!(grant, why = state.explain(grant), "waiting");
        }
        State::Refused(refusal) => tracing::warn!(
            grant,
            reason = refusal.category(),
            why = state.explain(grant),
            "refused"
        ),
    }
}
