//! Suspending and deleting a grant, and coming back.

use alter_e2e::{
    Failure, TestNamespace,
    fixture::{IDLE, grant, python_pod},
    kubectl, wait, with_temp_namespace,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

const HELPER: [&str; 2] = ["/var/run/alter/bin/credential-process", "bedrock"];

/// Waits until the helper exits as expected, and gives what it then said.
async fn helper(here: &TestNamespace, serves: bool) -> Result<kubectl::Output, Failure> {
    let what = if serves {
        "the helper serves"
    } else {
        "the helper refuses"
    };
    wait::until_found(what, async || {
        let output = kubectl::exec(&here.name, "app", "app", &HELPER).await?;
        Ok((output.success == serves).then_some(output))
    })
    .await
}

fn keys(secret: Option<&Secret>) -> Vec<&str> {
    let data = secret.and_then(|secret| secret.data.as_ref());
    data.map(|data| data.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// Waits until the Secret holds `grant.json` alone.
async fn taken_away(here: &TestNamespace) -> Result<(), Failure> {
    let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
    let seen = |secret: Option<&Secret>| keys(secret) == ["grant.json"];
    wait::until(&secrets, "bedrock-aws", "grant.json alone", seen)
        .await
        .map(|_| ())
}

fn one_clear_line(output: &kubectl::Output, reason: &str) {
    let lines: Vec<_> = output
        .stderr
        .lines()
        .filter(|line| !line.contains("command terminated"))
        .collect();
    assert!(lines.len() == 1 && lines[0].contains(reason), "{output:?}");
    assert_eq!(output.stdout, "");
}

async fn with_served_app(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_temp_namespace(test, &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        here.ready_pod("app", &python_pod("app", "alter.dev/grant: bedrock", IDLE))
            .await?;
        assert!(helper(&here, true).await?.stdout.contains("\"Version\":1"));
        body(&here).await
    })
    .await
}

#[tokio::test]
async fn suspending_takes_the_session_away_and_resuming_brings_one_back() -> Result<(), Failure> {
    with_served_app("suspend", async |here| {
        here.apply(&grant(&here.name, "bedrock", "  suspend: true"))
            .await?;
        here.grant_is("bedrock", false, "Suspended").await?;
        taken_away(here).await?;
        one_clear_line(&helper(here, false).await?, "Suspended");
        here.ready_grant("bedrock", "").await?;
        helper(here, true).await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn deleting_takes_the_session_away_and_a_new_grant_brings_one_back() -> Result<(), Failure> {
    with_served_app("delete", async |here| {
        kubectl::run(&["delete", "awsgrant", "bedrock", "-n", &here.name]).await?;
        taken_away(here).await?;
        one_clear_line(&helper(here, false).await?, "Deleted");
        here.ready_grant("bedrock", "").await?;
        helper(here, true).await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn the_secret_of_a_deleted_grant_goes_later() -> Result<(), Failure> {
    with_temp_namespace("delete-later", &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        kubectl::run(&["delete", "awsgrant", "bedrock", "-n", &here.name]).await?;
        taken_away(&here).await?;
        // Five minutes after the deletion: more than any other state takes.
        let gone = [
            "wait",
            "secret/bedrock-aws",
            "-n",
            &here.name,
            "--for=delete",
            "--timeout=480s",
        ];
        kubectl::run(&gone).await.map(|_| ())
    })
    .await
}
