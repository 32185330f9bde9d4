//! How long a running pod still gets a session that was taken away: on a cluster with a kubelet, as that is what brings
//! a Secret's change to its pods.

use crate::{
    Failure, machine,
    report::{Figure, Row, Section},
};
use alter_e2e::{
    TestNamespace,
    away::Way,
    brokered::{STORE, broker_identity, idle_pod},
    fixture::grant,
    kubectl::{self, Running},
    wait, with_temp_namespace,
};
use futures::future::{join_all, try_join_all};
use std::{
    iter,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// So often in each way.
const RUNS: usize = 5;
const WAYS: [(Way, &str); 3] = [
    (Way::Deleted, "grant deleted"),
    (Way::NamespaceOff, "namespace off the allow list"),
    (Way::AccountOff, "service account off the grant's list"),
];

/// Asks as an SDK does, again and again; says that it is served, and then when it was first refused.
const WATCH: &str = r"
import subprocess, sys, time
ask, pause = ['/var/run/alter/bin/credential-process', sys.argv[1]], float(sys.argv[2])
served = lambda: subprocess.run(ask, capture_output=True).returncode == 0
assert served()
print('served', flush=True)
while served():
    time.sleep(pause)
print(time.time())
";

/// Where the grants' sessions are.
struct Store {
    name: &'static str,
    /// What the grants say of it.
    spec: &'static str,
    /// How many pods lose their sessions at once.
    pods: usize,
    /// Between two questions of a pod, in seconds.
    pause: &'static str,
}

/// The kubelet looks at each pod in its own time, so that pods which lose their sessions at once are runs of their own.
const SECRET: Store = Store {
    name: "Secret",
    spec: "",
    pods: RUNS,
    pause: "0.25",
};
/// One pod after the other: what is measured is shorter than the questions of several would take.
const BROKER: Store = Store {
    name: "Broker",
    spec: STORE,
    pods: 1,
    pause: "0.005",
};

/// Measures, on the cluster that the environment names.
pub(crate) async fn measure() -> Result<Section, Failure> {
    let load = machine::load().await?;
    let mut rows = Vec::new();
    for store in [BROKER, SECRET] {
        rows.extend(of_store(&store).await?);
    }
    Ok(Section {
        title: "Taking away, from the API write to the helper's refusal",
        method: format!(
            "The chart on a kind cluster of one node, the kubelet with its defaults. Pods ask their helper again and again \
             ({} s after an answer with `store: Broker`, {} s with `store: Secret`). Time runs from before the write is sent \
             until the first refusal; {RUNS} runs of each. With `store: Secret` the five runs are five pods at once, and the \
             time is mostly the kubelet's: it brings a changed Secret to its pods within 60 to 90 seconds.",
            BROKER.pause, SECRET.pause
        ),
        load,
        rows,
    })
}

async fn of_store(store: &Store) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let test = format!("away-{}", store.name.to_lowercase());
    let into = &mut rows;
    with_temp_namespace(&test, &[], async |here| {
        prepare(&here, store).await?;
        for (way, title) in WAYS {
            let mut times = Vec::new();
            while times.len() < RUNS {
                times.extend(run(&here, store, way).await?);
            }
            times.sort();
            let row = |which: &str, time: Option<&Duration>| {
                let time = time.copied().unwrap_or_default();
                Row::new(
                    format!("{}: {title}, {which}", store.name),
                    Figure::Time(time),
                )
            };
            into.push(row("median", times.get(times.len() / 2)));
            into.push(row("worst", times.last()));
        }
        Ok(())
    })
    .await?;
    Ok(rows)
}

fn names(store: &Store) -> impl Iterator<Item = String> {
    (0..store.pods).map(|number| format!("app-{number}"))
}

/// An identity, and pods that have a grant each, of their own name.
async fn prepare(here: &TestNamespace, store: &Store) -> Result<(), Failure> {
    let identity = broker_identity(&here.name, "{namespace}.{grant}");
    here.apply(&identity).await?;
    here.identity_is(true, "").await?;
    for name in names(store) {
        here.apply(&grant(&here.name, &name, store.spec)).await?;
        here.grant_ready(&name).await?;
        here.apply(&idle_pod(&name, &name)).await?;
    }
    for name in names(store) {
        wait::pod_ready(&here.client, &here.name, &name).await?;
    }
    Ok(())
}

/// Takes the sessions of all pods away, and gives them back: how long each was still served.
async fn run(here: &TestNamespace, store: &Store, way: Way) -> Result<Vec<Duration>, Failure> {
    let mut watches = Vec::new();
    for name in names(store) {
        let command = ["python3", "-c", WATCH, &name, store.pause];
        let mut watch = Running::exec(&here.name, &name, "app", &command)?;
        watch.line().await?;
        watches.push(watch);
    }
    // One write is enough where it is the identity's.
    let mut began = Vec::new();
    for name in names(store) {
        if way == Way::NamespaceOff && !began.is_empty() {
            break;
        }
        began.push(SystemTime::now());
        here.take_away(way, &name).await?;
    }
    let last = began.last().copied().unwrap_or(UNIX_EPOCH);
    let began = began.into_iter().chain(iter::repeat(last));
    let ended = join_all(watches.into_iter().map(refused)).await;
    let ended = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
    let took = ended.into_iter().zip(began);
    let took = took.map(|(end, begin)| Ok(end.duration_since(begin)?));
    let took = took.collect::<Result<_, Failure>>()?;

    for name in names(store) {
        here.give_back(way, &name, store.spec).await?;
    }
    try_join_all(names(store).map(async |name| is_served(here, &name).await)).await?;
    Ok(took)
}

/// When a pod was first refused. Cluster and load generator share a machine, and so a clock.
async fn refused(watch: Running) -> Result<SystemTime, Failure> {
    let output = watch.finish("").await?;
    let at = output.stdout.trim().parse::<f64>();
    let at = at.map_err(|error| format!("{error}: {}", output.stderr))?;
    Ok(UNIX_EPOCH + Duration::from_secs_f64(at))
}

async fn is_served(here: &TestNamespace, name: &str) -> Result<(), Failure> {
    let helper = [alter_e2e::app::HELPER_PROGRAM, name];
    wait::until_found("the pod is served again", async || {
        let output = kubectl::exec(&here.name, name, "app", &helper).await?;
        Ok(output.success.then_some(()))
    })
    .await
}
