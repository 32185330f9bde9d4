//! Whoever may delete Secrets can ask for sessions without end: not at the cost of others.

use alter_e2e::{Failure, app::with_served_app, wait};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::DeleteParams};
use std::convert::Infallible;

/// Deletes the Secret as often as it comes back.
async fn delete_for_ever(secrets: &Api<Secret>) -> Result<Infallible, Failure> {
    let there = |secret: Option<&Secret>| secret.is_some();
    loop {
        wait::until(secrets, "bedrock-aws", "there again", there).await?;
        // Gone already, or not: both are right.
        let _ = secrets
            .delete("bedrock-aws", &DeleteParams::default())
            .await;
    }
}

#[tokio::test]
async fn a_secret_that_keeps_going_does_not_use_the_identity_up() -> Result<(), Failure> {
    with_served_app("allowance", "process", async |here| {
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
        tokio::select! {
            held = here.grant_is("bedrock", false, "TooManyIssues") => { held?; }
            failed = delete_for_ever(&secrets) => { failed?; }
        }
        // What others ask for comes at once, and it comes back by itself once it is left alone.
        here.ready_grant("other", "").await?;
        here.grant_ready("bedrock").await?;
        // The app had its session all the while: the kubelet keeps the files of a Secret that is gone.
        here.is_served("app").await
    })
    .await
}
