//! The webhook is not there.

use alter_crds::AwsGrant;
use alter_e2e::{
    Failure, TestNamespace,
    app::{with_grant, with_served_app},
    fixture::{IDLE, python_pod},
    kubectl,
    system::{SYSTEM_NAMESPACE, WEBHOOK, scale},
    wait,
};
use kube::Api;

#[tokio::test]
async fn without_the_webhook_only_annotated_pods_are_refused() -> Result<(), Failure> {
    with_served_app("no-webhook", "process", async |here| {
        here.keep_logs().await?;
        scale(WEBHOOK, 0).await?;
        let refusals = async {
            here.ready_pod("plain", &python_pod("plain", "", IDLE))
                .await?;
            let annotated = python_pod("annotated", "alter.dev/grant: bedrock", IDLE);
            let said = here.refused(&annotated).await?;
            assert!(said.contains(WEBHOOK), "{said}");
            // The chart's own namespace is no exception.
            let own = kubectl::apply(SYSTEM_NAMESPACE, &annotated).await?;
            assert!(!own.success && own.stderr.contains(WEBHOOK), "{own:?}");
            let plain = kubectl::apply(SYSTEM_NAMESPACE, &python_pod("plain", "", IDLE)).await?;
            assert!(plain.success, "{plain:?}");
            let pod = ["pod", "plain", "-n", SYSTEM_NAMESPACE];
            let delete = [&["delete"], &pod[..], &["--wait=false"]].concat();
            kubectl::run(&delete).await?;
            // Pods that run go on.
            here.is_served("app").await
        }
        .await;
        scale(WEBHOOK, 2).await?;
        refusals?;
        answers_again(here).await
    })
    .await
}

/// Waits until the webhook injects the pod `again`.
async fn answers_again(here: &TestNamespace) -> Result<(), Failure> {
    // Ready pods take a moment to reach the node's service rules.
    let again = python_pod("again", "alter.dev/grant: bedrock", IDLE);
    wait::until_found("the webhook answers again", async || {
        let output = kubectl::apply(&here.name, &again).await?;
        Ok(output.success.then_some(()))
    })
    .await?;
    wait::pod_ready(&here.client, &here.name, "again").await?;
    here.is_served("again").await
}

/// What an admin may choose in place of the chart's `Fail`.
async fn failure_policy(policy: &str) -> Result<(), Failure> {
    let change = format!(
        r#"[{{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "{policy}"}}]"#
    );
    let configuration = ["mutatingwebhookconfiguration", WEBHOOK];
    let patch = [
        &["patch"],
        &configuration[..],
        &["--type", "json", "-p", &change],
    ]
    .concat();
    kubectl::run(&patch).await.map(|_| ())
}

#[tokio::test]
async fn a_pod_that_came_while_the_webhook_was_away_is_found() -> Result<(), Failure> {
    with_grant("webhook-away", &[], async |here| {
        here.keep_logs().await?;
        scale(WEBHOOK, 0).await?;
        let created = async {
            failure_policy("Ignore").await?;
            let pod = python_pod("app", "alter.dev/grant: bedrock", IDLE);
            // The API server takes a moment to follow.
            wait::until_found("the pod is admitted", async || {
                let output = kubectl::apply(&here.name, &pod).await?;
                Ok(output.success.then_some(()))
            })
            .await?;
            wait::pod_ready(&here.client, &here.name, "app").await
        }
        .await;
        let restored = failure_policy("Fail").await;
        scale(WEBHOOK, 2).await?;
        restored?;
        created?;
        let grants: Api<AwsGrant> = Api::namespaced(here.client.clone(), &here.name);
        let seen = |grant: Option<&AwsGrant>| {
            let status = grant.and_then(|grant| grant.status.as_ref());
            status.is_some_and(|status| status.orphaned_pods == Some(1))
        };
        wait::until(&grants, "bedrock", "one pod without an agent", seen).await?;
        answers_again(here).await
    })
    .await
}
