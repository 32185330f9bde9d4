//! Pods that ask for a grant and run without their agent, here since they were annotated after they were created.

use alter_crds::AwsGrant;
use alter_e2e::{
    Failure, TestNamespace,
    app::with_grant,
    fixture::{IDLE, python_pod},
    kubectl,
    system::{metric, pods, working_leader},
    wait,
};
use kube::Api;
use serde_json::Value;

async fn annotate(here: &TestNamespace, pod: &str) -> Result<(), Failure> {
    let annotation = "alter.dev/grant=bedrock";
    kubectl::run(&["annotate", "pod", pod, "-n", &here.name, annotation])
        .await
        .map(|_| ())
}

/// Waits until the grant's status counts so many.
async fn counted(here: &TestNamespace, count: Option<i32>) -> Result<(), Failure> {
    let grants: Api<AwsGrant> = Api::namespaced(here.client.clone(), &here.name);
    let seen = move |grant: Option<&AwsGrant>| {
        let status = grant.and_then(|grant| grant.status.as_ref());
        status.is_some_and(|status| status.orphaned_pods == count)
    };
    let what = format!("status.orphanedPods is {count:?}");
    wait::until(&grants, "bedrock", &what, seen)
        .await
        .map(|_| ())
}

/// Waits for the events of a reason, and gives what they say and of whom.
async fn told(here: &TestNamespace, reason: &str) -> Result<String, Failure> {
    let selector = format!("reason={reason}");
    let form = "jsonpath={range .items[*]}{.involvedObject.name}: {.type} {.message}{\"\\n\"}{end}";
    let events = [
        "get",
        "events",
        "-n",
        &here.name,
        "--field-selector",
        &selector,
        "-o",
        form,
    ];
    wait::until_found(reason, async || {
        let said = kubectl::run(&events).await?;
        Ok((!said.is_empty()).then_some(said))
    })
    .await
}

#[tokio::test]
async fn a_pod_that_was_annotated_too_late_is_told_of_until_it_is_gone() -> Result<(), Failure> {
    with_grant("orphan", &[], async |here| {
        let injected = python_pod("injected", "alter.dev/grant: bedrock", IDLE);
        here.ready_pod("injected", &injected).await?;
        let label = r".metadata.labels.alter\.dev/injected";
        let label = kubectl::field(&here.name, "pod", "injected", label).await?;
        assert_eq!(label, "true");
        here.ready_pod("app", &python_pod("app", "", IDLE)).await?;
        let life = here.life_of("app").await?;
        annotate(here, "app").await?;
        counted(here, Some(1)).await?;
        let said = told(here, "AgentMissing").await?;
        assert_eq!(
            said.lines().count(),
            1,
            "once, and not of the other: {said}"
        );
        assert!(
            said.starts_with("app: Warning ") && said.contains("Delete the pod"),
            "{said}"
        );
        let leader = working_leader(&[]).await?;
        let found = metric(&leader, "alter_orphaned_pods ", "").await?;
        assert!(found >= 1, "{found}");
        // Nobody would make it again.
        assert_eq!(here.life_of("app").await?, life, "it was left alone");
        kubectl::run(&["delete", "pod", "app", "-n", &here.name]).await?;
        counted(here, None).await
    })
    .await
}

#[tokio::test]
async fn one_that_is_made_again_is_evicted_where_that_is_asked_for() -> Result<(), Failure> {
    with_grant("evicted", &[], async |here| {
        let pod = python_pod("web", "", IDLE)
            .replace("  name: web\n", "  labels: {app: web}\n")
            .replace("restartPolicy: Never", "restartPolicy: Always");
        let template: Vec<_> = pod.lines().skip_while(|line| !line.starts_with("metadata")).collect();
        let template = template.join("\n    ");
        here.apply(&format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 1\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n    {template}")).await?;
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let first = wait::until_found("the Deployment's pod", async || {
            Ok(pods(&here.name, "app=web").await?.first().map(name))
        })
        .await?;
        wait::pod_ready(&here.client, &here.name, &first).await?;
        annotate(here, &first).await?;
        let second = wait::until_found("another pod in its place", async || {
            let pods = pods(&here.name, "app=web").await?;
            Ok(pods.iter().map(name).find(|name| *name != first))
        })
        .await?;
        wait::pod_ready(&here.client, &here.name, &second).await?;
        let said = told(here, "OrphanEvicted").await?;
        assert!(said.starts_with(&format!("{first}: Normal ")), "{said}");
        counted(here, None).await
    })
    .await
}
