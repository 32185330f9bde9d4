//! `helm upgrade` and `helm uninstall` with running pods.

use alter_e2e::{
    Failure, TestNamespace,
    app::{end_calls, start_calls, with_grant, with_served_app},
    fixture::{IDLE, grant, identity, python_pod},
    kubectl,
    system::{OPERATOR, SYSTEM_NAMESPACE, WEBHOOK, name, pods, serving, working_leader},
    trail::Mark,
    wait::{self, DEADLINE},
};
use futures::FutureExt;
use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    process::Stdio,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::process::Command;

async fn helm(arguments: &[&str]) -> Result<(), Failure> {
    let run = Command::new("helm")
        .args(arguments)
        .args(["--namespace", SYSTEM_NAMESPACE, "--timeout", "3m"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, run)
        .await
        .map_err(|_| format!("helm {arguments:?} did not end within {DEADLINE:?}"))??;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("helm {arguments:?}: {said}").into())
    }
}

/// The values of `e2e/run`, and those of `more`.
async fn install(more: &[&str]) -> Result<(), Failure> {
    let (chart, values) = (
        concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/alter"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/values.yaml"),
    );
    let install = [
        "upgrade",
        "--install",
        "--wait",
        "alter",
        chart,
        "--values",
        values,
    ];
    helm(&[&install[..], more].concat()).await
}

/// Admits annotated pods, none of which is kept, until `done`; a refusal fails the test.
async fn admit_until<T>(
    here: &TestNamespace,
    done: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let pod = python_pod("tried", "alter.dev/grant: bedrock", IDLE);
    let dry = ["create", "--dry-run=server", "-n", &here.name, "-f", "-"];
    let admit = async {
        loop {
            let output = kubectl::try_run(&dry, &pod).await?;
            if !output.success {
                let refused = format!("an annotated pod was refused: {}", output.stderr);
                return Err::<T, Failure>(refused.into());
            }
        }
    };
    tokio::select! {
        done = done => done,
        refused = admit => refused,
    }
}

#[tokio::test]
async fn an_upgrade_replaces_both_deployments_and_leaves_apps_alone() -> Result<(), Failure> {
    with_served_app("upgrade", "process", async |here| {
        let configuration = "mutatingwebhookconfiguration";
        let ca = async || {
            let path = ".webhooks[0].clientConfig.caBundle";
            kubectl::field("default", configuration, WEBHOOK, path).await
        };
        let (bundle, life) = (ca().await?, here.life_of("app").await?);
        let before = [serving(OPERATOR).await?, serving(WEBHOOK).await?].concat();
        assert_eq!(before.len(), 4, "{before:?}");
        here.keep_logs().await?;
        let (since, calls) = (Mark::now()?, start_calls(here)?);

        // What an upgrade changes: the pods' templates.
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let annotate = |part: &str| format!("{part}.podAnnotations.e2e=at-{at}");
        let (operator, webhook) = (annotate("operator"), annotate("webhook"));
        let more = ["--set", operator.as_str(), "--set", webhook.as_str()];
        admit_until(here, install(&more)).await?;

        let after = [serving(OPERATOR).await?, serving(WEBHOOK).await?].concat();
        assert_eq!(after.len(), 4, "{after:?}");
        let kept: Vec<_> = after.iter().filter(|pod| before.contains(pod)).collect();
        assert!(kept.is_empty(), "not replaced: {kept:?}");
        working_leader(&before).await?;
        end_calls(calls).await?;
        assert_eq!(here.life_of("app").await?, life, "the app was left alone");
        assert_eq!(ca().await?, bundle, "the bundle survives an upgrade");
        assert_eq!(
            since.assumed(&here.name).await?,
            [""; 0],
            "and so do the sessions"
        );
        here.ready_pod("new", &python_pod("new", "alter.dev/grant: bedrock", IDLE))
            .await?;
        here.is_served("new").await
    })
    .await
}

/// The chart's own test: the agent's image starts, and with a grant a session reaches its pod.
#[tokio::test]
async fn helm_test_passes_with_and_without_a_grant() -> Result<(), Failure> {
    with_grant("helm-test", &[], async |here| {
        helm(&["test", "alter"]).await?;
        let namespace = format!("test.namespace={}", here.name);
        install(&["--set", "test.grant=bedrock", "--set", &namespace]).await?;
        let tested = helm(&["test", "alter"]).await;
        install(&[]).await?;
        tested
    })
    .await
}

#[tokio::test]
async fn uninstalling_keeps_grants_and_running_sessions() -> Result<(), Failure> {
    with_served_app("uninstall", "process", async |here| {
        let life = here.life_of("app").await?;
        here.keep_logs().await?;
        let calls = start_calls(here)?;
        helm(&["uninstall", "--wait", "alter"]).await?;
        let while_gone = async {
            for (kind, name) in [("awsgrant", "bedrock"), ("awsidentity", here.name.as_str())] {
                let found = kubectl::field(&here.name, kind, name, ".metadata.name").await?;
                assert_eq!(found, name, "{kind}");
            }
            let kinds = ["awsgrants.alter.dev", "awsidentities.alter.dev"];
            kubectl::run(&[&["get", "crd"], &kinds[..]].concat()).await?;
            here.helper(true).await?;
            here.ready_pod(
                "plain",
                &python_pod("plain", "alter.dev/grant: bedrock", IDLE),
            )
            .await?;
            let containers =
                kubectl::field(&here.name, "pod", "plain", ".spec.initContainers").await?;
            assert_eq!(
                containers, "",
                "nothing injects any more, and nothing stands in the way"
            );
            Ok::<(), Failure>(())
        }
        .await;
        install(&[]).await?;
        while_gone?;
        end_calls(calls).await?;
        assert_eq!(here.life_of("app").await?, life, "the app was left alone");
        here.grant_ready("bedrock").await?;
        here.apply(&grant(&here.name, "after", "")).await?;
        here.grant_ready("after").await.map(|_| ())
    })
    .await
}

/// The main job where Alter's rights end at one namespace.
#[tokio::test]
async fn an_installation_for_one_namespace_serves_it_and_touches_no_other() -> Result<(), Failure> {
    with_served_app("watched", "process", async |here| {
        let other = format!("{}-other", here.name);
        kubectl::run(&["create", "namespace", &other]).await?;
        here.keep_logs().await?;
        let calls = start_calls(here)?;
        let before = [serving(OPERATOR).await?, serving(WEBHOOK).await?].concat();
        install(&["--set", &format!("watchNamespaces={{{}}}", here.name)]).await?;
        let tried = async {
            // They see every namespace.
            ended(&before).await?;
            serves_one_namespace(here, &other).await
        };
        // Whatever comes of it, the tests after this one have the installation as it was.
        let outcome = AssertUnwindSafe(tried).catch_unwind().await;
        here.keep_logs().await?;
        let restored = install(&[]).await;
        kubectl::run(&["delete", "namespace", &other, "--wait=false"]).await?;
        outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
        restored?;
        end_calls(calls).await
    })
    .await
}

/// Waits until the pods of these names are gone: while they end they still answer.
async fn ended(names: &[String]) -> Result<(), Failure> {
    wait::until_found("the pods from before are gone", async || {
        let left = pods(SYSTEM_NAMESPACE, "app.kubernetes.io/name=alter").await?;
        let gone = !left.iter().filter_map(name).any(|pod| names.contains(&pod));
        Ok(gone.then_some(()))
    })
    .await
}

async fn serves_one_namespace(here: &TestNamespace, other: &str) -> Result<(), Failure> {
    let elsewhere = [
        grant(&here.name, "bedrock", ""),
        python_pod("plain", "alter.dev/grant: bedrock", IDLE),
    ];
    for object in elsewhere {
        let output = kubectl::try_run(&["apply", "-n", other, "-f", "-"], &object).await?;
        assert!(output.success, "{}", output.stderr);
    }
    let containers = kubectl::field(other, "pod", "plain", ".spec.initContainers").await?;
    assert_eq!(containers, "", "the webhook leaves it alone");

    here.apply(&grant(&here.name, "new", "")).await?;
    here.grant_ready("new").await?;
    here.ready_pod("new", &python_pod("new", "alter.dev/grant: new", IDLE))
        .await?;
    here.is_served("new").await?;
    let status = kubectl::field(other, "awsgrant", "bedrock", ".status").await?;
    assert_eq!(
        status, "",
        "nobody looked at it, while that of {} was",
        here.name
    );

    let by_label = identity(&here.name).replace(
        &format!("names: [{}]", here.name),
        "selector: {matchLabels: {team: a}}",
    );
    let refused = kubectl::try_run(&["apply", "-f", "-"], &by_label).await?;
    assert!(
        !refused.success && refused.stderr.contains("watchNamespaces"),
        "{refused:?}"
    );
    Ok(())
}
