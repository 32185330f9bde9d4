//! A grant that no pod uses. Its ten minutes at least are not waited for: its status is told that they are over.

use alter_crds::{AwsGrant, AwsGrantStatus, condition::reason};
use alter_e2e::{
    Failure, TestNamespace,
    fixture::{AWS_ENDPOINT, IDLE, identity, python_pod},
    kubectl, relay, wait, with_temp_namespace,
};
use kube::Api;

/// Shorter than AWS gives, so that the end of a session can be waited for.
const LIFE: u32 = 60;

/// Waits until the status is so.
async fn status_is(
    here: &TestNamespace,
    what: &str,
    is: impl Fn(&AwsGrantStatus) -> bool,
) -> Result<(), Failure> {
    let grants: Api<AwsGrant> = Api::namespaced(here.client.clone(), &here.name);
    let seen = move |grant: Option<&AwsGrant>| {
        let status = grant.and_then(|grant| grant.status.as_ref());
        status.is_some_and(&is)
    };
    wait::until(&grants, "bedrock", what, seen)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn a_grant_that_no_pod_uses_is_paused_and_wakes_with_the_first() -> Result<(), Failure> {
    with_temp_namespace("paused", &[], async |here| {
        relay::start(&here, &[], Some(LIFE)).await?;
        let identity = identity(&here.name).replace(AWS_ENDPOINT, &relay::endpoint(&here));
        here.apply(&identity).await?;
        here.ready_grant("bedrock", "  pauseAfter: 10m").await?;
        status_is(&here, "unusedSince", |own| own.unused_since.is_some()).await?;

        let long_ago = r#"{"status": {"unusedSince": "2026-01-01T00:00:00Z"}}"#;
        let patch = [
            "patch", "awsgrant", "bedrock", "-n", &here.name, "--type", "merge",
        ];
        let patch = [&patch[..], &["--subresource", "status", "-p", long_ago]].concat();
        // Such sessions are renewed every few seconds, and one that is may write what it read before.
        wait::until_found("Refreshed says Paused", async || {
            kubectl::run(&patch).await?;
            let reason = r".status.conditions[?(@.type=='Refreshed')].reason";
            let reason = kubectl::field(&here.name, "awsgrant", "bedrock", reason).await?;
            Ok((reason == reason::PAUSED).then_some(()))
        })
        .await?;
        here.grant_is("bedrock", false, "Paused").await?;
        here.taken_away("bedrock-aws").await?;

        let pod = python_pod("app", "alter.dev/grant: bedrock", IDLE);
        let said = here.apply(&pod).await?;
        assert!(said.contains("is paused"), "{said}");
        wait::pod_ready(&here.client, &here.name, "app").await?;
        here.grant_is("bedrock", true, "Issued").await?;
        here.is_served("app").await?;
        status_is(&here, "in use", |own| own.unused_since.is_none()).await?;
        kubectl::run(&["delete", "pod", "app", "-n", &here.name]).await?;
        status_is(&here, "unused again", |own| own.unused_since.is_some()).await
    })
    .await
}
