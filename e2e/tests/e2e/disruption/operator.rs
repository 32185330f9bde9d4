//! The operator's pods are killed, replaced, and two at a time.

use alter_e2e::{
    Failure, TestNamespace,
    app::{end_calls, start_calls, with_served_app},
    fixture::grant,
    kubectl,
    system::{OPERATOR, SYSTEM_NAMESPACE, metric, rolled_out, serving, working_leader},
    trail::Mark,
    wait,
};
use std::process::Stdio;
use tokio::process::Command;

const GRANTS: [&str; 3] = ["bedrock", "second", "third"];

async fn access_keys(here: &TestNamespace) -> Result<Vec<String>, Failure> {
    let mut keys = Vec::new();
    for name in GRANTS {
        let secret = format!("{name}-aws");
        let path = r".metadata.annotations.alter\.dev/access-key-id";
        keys.push(kubectl::field(&here.name, "secret", &secret, path).await?);
    }
    assert!(keys.iter().all(|key| key.starts_with("ASIA")), "{keys:?}");
    Ok(keys)
}

/// What a new leader may not do: it finds fresh sessions, and issues none. That it looked at them is seen
/// by what it counts, and by its answer to an edit of each that asks for nothing new.
async fn goes_on(
    here: &TestNamespace,
    before: &[String],
    since: Mark,
    gone: &[String],
) -> Result<(), Failure> {
    working_leader(gone).await?;
    for name in GRANTS {
        here.apply(&grant(&here.name, name, "  refreshBefore: 29m"))
            .await?;
        here.grant_ready(name).await?;
    }
    assert_eq!(
        since.assumed(&here.name).await?,
        [""; 0],
        "AWS was asked for sessions"
    );
    assert_eq!(access_keys(here).await?, before);
    // And it works: what is new is issued once.
    here.ready_grant("later", "").await?;
    let issued = since.assumed(&here.name).await?;
    assert_eq!(issued, ["later"]);
    Ok(())
}

async fn with_three_grants(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_served_app(test, "process", async |here| {
        for name in &GRANTS[1..] {
            here.ready_grant(name, "").await?;
        }
        let life = here.life_of("app").await?;
        here.keep_logs().await?;
        let calls = start_calls(here)?;
        body(here).await?;
        end_calls(calls).await?;
        assert_eq!(here.life_of("app").await?, life, "the app was left alone");
        Ok(())
    })
    .await
}

/// The process gets no chance to say good-bye: the node's containerd kills it, by the container's id.
async fn kill(pod: &str) -> Result<(), Failure> {
    let of = async |path| kubectl::field(SYSTEM_NAMESPACE, "pod", pod, path).await;
    let node = of(".spec.nodeName").await?;
    let container = of(".status.containerStatuses[0].containerID").await?;
    let id = container.trim_start_matches("containerd://");
    let kill = [
        "--namespace",
        "k8s.io",
        "tasks",
        "kill",
        "--signal",
        "SIGKILL",
        id,
    ];
    let output = Command::new("docker")
        .args(["exec", &node, "ctr"])
        .args(kill)
        .stdin(Stdio::null())
        .output()
        .await?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("kill of {pod}: {said}").into())
    }
}

async fn restarts(pod: &str) -> Result<u32, Failure> {
    let path = ".status.containerStatuses[0].restartCount";
    let count = kubectl::field(SYSTEM_NAMESPACE, "pod", pod, path).await?;
    Ok(count.parse()?)
}

#[tokio::test]
async fn operators_that_are_killed_issue_nothing_anew() -> Result<(), Failure> {
    with_three_grants("killed", async |here| {
        let before = access_keys(here).await?;
        let pods = serving(OPERATOR).await?;
        assert_eq!(pods.len(), 2, "{pods:?}");
        let since = Mark::now()?;
        for pod in &pods {
            let lives = restarts(pod).await?;
            kill(pod).await?;
            wait::until_found("the container is another one", async || {
                Ok((restarts(pod).await? > lives).then_some(()))
            })
            .await?;
        }
        goes_on(here, &before, since, &[]).await
    })
    .await
}

#[tokio::test]
async fn a_standby_takes_over_from_a_leader_that_vanishes() -> Result<(), Failure> {
    with_three_grants("vanished", async |here| {
        let before = access_keys(here).await?;
        let leader = working_leader(&[]).await?;
        let since = Mark::now()?;
        let delete = ["delete", "pod", &leader, "-n", SYSTEM_NAMESPACE];
        let at_once = ["--grace-period=0", "--force"];
        kubectl::run(&[&delete[..], &at_once].concat()).await?;
        goes_on(here, &before, since, &[leader]).await?;
        rolled_out(OPERATOR).await
    })
    .await
}

#[tokio::test]
async fn operators_that_are_replaced_issue_nothing_anew() -> Result<(), Failure> {
    with_three_grants("replaced", async |here| {
        let before = access_keys(here).await?;
        let old = serving(OPERATOR).await?;
        let since = Mark::now()?;
        let deployment = format!("deployment/{OPERATOR}");
        kubectl::run(&["rollout", "restart", "-n", SYSTEM_NAMESPACE, &deployment]).await?;
        rolled_out(OPERATOR).await?;
        goes_on(here, &before, since, &old).await
    })
    .await
}

/// Counted at AWS, at both replicas, and by who reported each issue.
#[tokio::test]
async fn of_two_operators_one_writes() -> Result<(), Failure> {
    with_served_app("two-replicas", "process", async |here| {
        let operators = serving(OPERATOR).await?;
        assert_eq!(operators.len(), 2, "{operators:?}");
        let leader = working_leader(&[]).await?;
        let counts = async || {
            let mut counts = Vec::new();
            for pod in &operators {
                let asked = metric(pod, "alter_sts_calls_total", "AssumeRole").await?;
                let written = metric(pod, "alter_sessions_issued_total", "").await?;
                let leads = metric(pod, "alter_leader", "").await?;
                counts.push([asked, written, leads]);
            }
            Ok::<_, Failure>(counts)
        };
        let (before, since) = (counts().await?, Mark::now()?);
        let names = ["one", "two", "three", "four", "five"];
        for name in names {
            here.apply(&grant(&here.name, name, "")).await?;
        }
        for name in names {
            here.grant_ready(name).await?;
        }
        let mut issued = since.assumed(&here.name).await?;
        issued.sort();
        let mut expected = names;
        expected.sort_unstable();
        assert_eq!(issued, expected, "one call for each grant");
        let after = counts().await?;
        for (at, pod) in operators.iter().enumerate() {
            let grew = [0, 1].map(|count| after[at][count] - before[at][count]);
            let (grows, leads) = if *pod == leader { (5, 1) } else { (0, 0) };
            assert_eq!(grew, [grows; 2], "{pod}: {before:?} {after:?}");
            assert_eq!(after[at][2], leads, "{pod}: {after:?}");
        }
        let events = [
            "get",
            "events",
            "-n",
            &here.name,
            "-o",
            "jsonpath={range .items[?(@.reason==\"Issued\")]}{.reportingInstance}{\"\\n\"}{end}",
        ];
        let reporters = kubectl::run(&events).await?;
        assert!(reporters.lines().count() >= 5, "{reporters}");
        assert!(reporters.lines().all(|pod| pod == leader), "{reporters}");
        Ok(())
    })
    .await
}
