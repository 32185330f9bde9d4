//! Grants whose sessions come from the broker: what a pod has, and what is refused.

use alter_crds::AwsIdentity;
use alter_e2e::{
    Failure,
    app::WHO,
    brokered::{SHARED, STORE, ask, broker_identity, idle_pod, token, with_brokered_app},
    fixture::grant,
    kubectl, wait, with_temp_namespace,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ListParams};

#[tokio::test]
async fn a_pod_has_a_session_of_its_own_that_rests_in_no_secret() -> Result<(), Failure> {
    with_brokered_app("broker", async |here| {
        let arn = here.python("app", WHO).await?;
        let own = format!("assumed-role/team-a-app/{}.default.app", here.name);
        assert!(arn.trim_end().ends_with(&own), "{arn}");
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
        assert_eq!(secrets.list(&ListParams::default()).await?.items.len(), 0);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_identity_says_who_the_broker_is_beside_who_the_operator_is() -> Result<(), Failure> {
    with_temp_namespace("broker-arn", &[], async |here| {
        let identities: Api<AwsIdentity> = Api::all(here.client.clone());
        let both = |region: &'static str| {
            let seen = move |identity: Option<&AwsIdentity>| {
                let of_spec = identity.filter(|own| own.spec.region == region);
                let status = of_spec.and_then(|own| own.status.as_ref());
                status.is_some_and(|own| own.arn.is_some() && own.arn == own.broker_arn)
            };
            wait::until(&identities, &here.name, "one principal, twice", seen)
        };
        let identity = broker_identity(&here.name, SHARED);
        here.apply(&identity).await?;
        both("us-east-1").await?;
        // The operator writes the rest of the status anew.
        here.apply(&identity.replace("us-east-1", "us-east-2"))
            .await?;
        here.identity_is(true, "").await?;
        both("us-east-2").await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn a_token_gives_the_session_of_its_own_pod_and_nothing_else() -> Result<(), Failure> {
    with_brokered_app("broker-tokens", async |here| {
        here.ready_pod("other", &idle_pod("other", "bedrock"))
            .await?;
        // Stolen by the first, the second's token names the second.
        let stolen = token(here, Some("other"), "alter.dev").await?;
        let said = ask(here, "app", &stolen, "bedrock").await?;
        let other = format!("{}.default.other", here.name);
        assert!(
            said.starts_with("session ") && said.trim_end().ends_with(&other),
            "{said}"
        );

        let own = token(here, Some("app"), "alter.dev").await?;
        let said = ask(here, "app", &own, "not-there").await?;
        assert!(said.starts_with("refused GrantNotFound "), "{said}");
        let foreign = token(here, Some("app"), "sts.amazonaws.com").await?;
        let said = ask(here, "app", &foreign, "bedrock").await?;
        assert!(
            said.starts_with("401 ") && said.contains("another audience"),
            "{said}"
        );
        let free = token(here, None, "alter.dev").await?;
        let said = ask(here, "app", &free, "bedrock").await?;
        assert!(
            said.starts_with("401 ") && said.contains("not of a pod"),
            "{said}"
        );
        let (signed, signature) = own.rsplit_once('.').ok_or("no token")?;
        let forged: String = signature.chars().rev().collect();
        let forged = format!("{signed}.{forged}");
        let said = ask(here, "app", &forged, "bedrock").await?;
        assert!(said.starts_with("401 "), "{said}");

        here.apply(&grant(
            &here.name,
            "bedrock",
            "  store: Broker\n  serviceAccounts: [job]",
        ))
        .await?;
        wait::until_found("another service account is refused", async || {
            let said = ask(here, "app", &own, "bedrock").await?;
            Ok(said
                .starts_with("refused ServiceAccountNotAllowed ")
                .then_some(()))
        })
        .await?;
        here.apply(&grant(
            &here.name,
            "bedrock",
            "  store: Broker\n  serviceAccounts: []",
        ))
        .await?;

        kubectl::run(&["delete", "pod", "other", "-n", &here.name]).await?;
        let said = ask(here, "app", &stolen, "bedrock").await?;
        let gone = said.starts_with("401 ") || said.starts_with("refused PodGone ");
        assert!(gone, "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_grant_that_goes_over_to_the_broker_leaves_its_secret_empty() -> Result<(), Failure> {
    with_temp_namespace("broker-change", &[], async |here| {
        here.apply(&broker_identity(&here.name, SHARED)).await?;
        here.identity_is(true, "").await?;
        here.ready_grant("bedrock", "").await?;
        here.ready_pod("app", &idle_pod("app", "bedrock")).await?;
        here.apply(&grant(&here.name, "bedrock", STORE)).await?;
        here.grant_is("bedrock", true, "Brokered").await?;
        here.taken_away("bedrock-aws").await?;
        let said = here.helper(false).await?;
        assert!(said.stderr.contains("restart the pod"), "{said:?}");
        here.ready_pod("next", &idle_pod("next", "bedrock")).await?;
        here.is_served("next").await
    })
    .await
}

#[tokio::test]
async fn a_grant_that_comes_after_its_pods_serves_them_from_either_store() -> Result<(), Failure> {
    with_temp_namespace("broker-late", &[], async |here| {
        here.apply(&broker_identity(&here.name, SHARED)).await?;
        here.identity_is(true, "").await?;
        for name in ["brokered", "kept"] {
            here.apply(&idle_pod(name, name)).await?;
        }
        here.apply(&grant(&here.name, "brokered", STORE)).await?;
        here.apply(&grant(&here.name, "kept", "")).await?;
        for name in ["brokered", "kept"] {
            wait::pod_ready(&here.client, &here.name, name).await?;
            here.is_served(name).await?;
        }
        Ok(())
    })
    .await
}
