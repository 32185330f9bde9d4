//! Foreign Secrets, and identities and keys that go or change.

use alter_crds::{AwsGrant, condition};
use alter_e2e::{
    Failure,
    fixture::{ACCESS_KEY_SECRET, DENIED_ROLE, grant, grant_of, identity},
    kubectl,
    system::SYSTEM_NAMESPACE,
    wait, with_temp_namespace,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};

#[tokio::test]
async fn an_identity_that_goes_keeps_sessions_until_they_expire() -> Result<(), Failure> {
    with_temp_namespace("identity-gone", &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        kubectl::run(&["delete", "awsidentity", &here.name]).await?;
        let grants: Api<AwsGrant> = Api::namespaced(here.client.clone(), &here.name);
        let seen = |grant: Option<&AwsGrant>| {
            let conditions = grant
                .and_then(|grant| grant.status.as_ref())
                .map(|status| &status.conditions);
            conditions.is_some_and(|conditions| {
                conditions
                    .iter()
                    .any(|found| found.reason == condition::reason::IDENTITY_NOT_FOUND)
                    && condition::is_true(conditions, condition::READY)
            })
        };
        wait::until(
            &grants,
            "bedrock",
            "IdentityNotFound, but still Ready",
            seen,
        )
        .await?;
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
        let data = secrets.get("bedrock-aws").await?.data.unwrap_or_default();
        assert!(data.contains_key("credentials.json"));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_foreign_secret_is_left_alone() -> Result<(), Failure> {
    with_temp_namespace("foreign", &[], async |here| {
        here.identity().await?;
        let create = [
            "create",
            "secret",
            "generic",
            "bedrock-aws",
            "-n",
            &here.name,
            "--from-literal=own=value",
        ];
        kubectl::run(&create).await?;
        here.apply(&grant(&here.name, "bedrock", "")).await?;
        here.grant_is("bedrock", false, "SecretConflict").await?;
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
        let secret = secrets.get("bedrock-aws").await?;
        assert_eq!(secret.type_.as_deref(), Some("Opaque"));
        let data = secret.data.unwrap_or_default();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["own"]);
        kubectl::run(&["delete", "secret", "bedrock-aws", "-n", &here.name]).await?;
        here.grant_ready("bedrock").await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn a_role_that_does_not_trust_us_says_so_and_others_go_on() -> Result<(), Failure> {
    with_temp_namespace("denied", &[], async |here| {
        here.identity().await?;
        here.apply(&grant_of(&here.name, "denied", DENIED_ROLE, ""))
            .await?;
        here.grant_is("denied", false, "AccessDenied").await?;
        here.ready_grant("bedrock", "").await.map(|_| ())
    })
    .await
}

/// The key's Secret in the installation's namespace: missing, wrong, the root user's, right, gone.
#[tokio::test]
async fn a_rotated_access_key_is_picked_up() -> Result<(), Failure> {
    with_temp_namespace("rotation", &[], async |here| {
        let own = format!("key-{}", here.name);
        here.apply(&identity(&here.name).replace(ACCESS_KEY_SECRET, &own)).await?;
        here.identity_is(false, "SourceNotFound").await?;
        let create = |id: &'static str, secret: &'static str| {
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {own}, namespace: {SYSTEM_NAMESPACE}}}\nstringData: {{accessKeyId: {id}, secretAccessKey: {secret}}}\n")
        };
        kubectl::apply(SYSTEM_NAMESPACE, &create("AKIAIOSFODNN7EXAMPLE", "wrong")).await?;
        here.identity_is(false, "SourceRejected").await?;
        // The emulator's root keys, through which nothing is to be issued.
        kubectl::apply(SYSTEM_NAMESPACE, &create("test", "test")).await?;
        here.identity_is(false, "RootUser").await?;
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), SYSTEM_NAMESPACE);
        let mut right = secrets.get(ACCESS_KEY_SECRET).await?;
        right.metadata = ObjectMeta { name: Some(own.clone()), ..ObjectMeta::default() };
        let replace = PostParams::default();
        secrets.replace(&own, &replace, &right).await?;
        here.identity_is(true, "").await?;
        kubectl::run(&["delete", "secret", &own, "-n", SYSTEM_NAMESPACE]).await?;
        here.identity_is(false, "SourceNotFound").await
    })
    .await
}
