//! A session that is not renewed is served to its last second, and not beyond.

use alter_e2e::{
    Failure,
    fixture::{AWS_ENDPOINT, IDLE, identity, python_pod},
    kubectl, relay, with_temp_namespace,
};

/// Shorter than AWS gives, longer than the kubelet takes to show a Secret to a pod.
const LIFE: u32 = 60;

#[tokio::test]
async fn a_kept_session_ends_when_it_expires() -> Result<(), Failure> {
    with_temp_namespace("expiry", &[], async |here| {
        relay::start(&here, &[], Some(LIFE)).await?;
        let identity = identity(&here.name).replace(AWS_ENDPOINT, &relay::endpoint(&here));
        here.apply(&identity).await?;
        here.ready_grant("bedrock", "").await?;
        here.ready_pod("app", &python_pod("app", "alter.dev/grant: bedrock", IDLE))
            .await?;
        here.helper(true).await?;

        kubectl::run(&["delete", "awsidentity", &here.name]).await?;
        // Without its identity the grant keeps what it has…
        here.grant_is("bedrock", true, "there is no AwsIdentity")
            .await?;
        here.helper(true).await?;
        // … until that expires: in the status, in the Secret, and in the pod.
        let grant = here.grant_is("bedrock", false, "Expired").await?;
        assert_eq!(grant.status.and_then(|own| own.access_key_id), None);
        here.taken_away("bedrock-aws").await?;
        let said = here.helper(false).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(
            said.stdout.is_empty() && said.stderr.contains("session expired"),
            "{said:?}"
        );
        // The app is not restarted for it, and comes back with the identity.
        here.apply(&identity).await?;
        here.grant_ready("bedrock").await?;
        here.helper(true).await?;
        here.is_served("app").await
    })
    .await
}
