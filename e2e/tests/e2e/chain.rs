//! Roles behind roles, and sessions without a role.

use alter_e2e::{
    Failure, TestNamespace,
    app::WHO,
    fixture::{IDLE, grant_of, identity, python_pod},
    with_temp_namespace,
};

/// The user may assume `chain-hub` alone, that `chain-spoke` alone, and that `chain-end`.
fn role(name: &str) -> String {
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// The namespace's identity with a rule that gives the end alone, and lets through the two on the way there.
fn through_hubs(namespace: &str) -> String {
    let rule = format!(
        "roleArns: [\"{}\"]\n    chainArns: [\"{}\", \"{}\"]",
        role("chain-end"),
        role("chain-hub"),
        role("chain-spoke")
    );
    identity(namespace).replace(ANY_ROLE, &rule)
}

/// What the rule of a test's identity gives.
const ANY_ROLE: &str = "roleArns: [\"arn:aws:iam::000000000000:role/*\"]";

/// Who AWS says a pod with the grant is.
async fn who(here: &TestNamespace, grant: &str) -> Result<String, Failure> {
    here.ready_pod(
        grant,
        &python_pod(grant, &format!("alter.dev/grant: {grant}"), IDLE),
    )
    .await?;
    here.python(grant, WHO).await
}

#[tokio::test]
async fn a_role_behind_two_others_is_reached_through_them_alone() -> Result<(), Failure> {
    with_temp_namespace("chain", &[], async |here| {
        here.apply(&through_hubs(&here.name)).await?;
        here.identity_is(true, "").await?;
        let chain = format!(
            "  roleChain: [\"{}\", \"{}\"]",
            role("chain-hub"),
            role("chain-spoke")
        );
        here.apply(&grant_of(&here.name, "chained", &role("chain-end"), &chain))
            .await?;
        here.grant_ready("chained").await?;
        let arn = who(&here, "chained").await?;
        let expected = format!("assumed-role/chain-end/alter.{}.chained", here.name);
        assert!(arn.trim_end().ends_with(&expected), "{arn}");

        here.apply(&grant_of(&here.name, "direct", &role("chain-end"), ""))
            .await?;
        here.grant_is("direct", false, "AccessDenied").await?;
        let short = format!("  roleChain: [\"{}\"]", role("chain-hub"));
        here.apply(&grant_of(&here.name, "short", &role("chain-end"), &short))
            .await?;
        here.grant_is("short", false, "AccessDenied").await?;
        Ok(())
    })
    .await
}

/// AWS would give it: the user may assume it, and it the next.
#[tokio::test]
async fn a_role_on_the_way_is_nobodys() -> Result<(), Failure> {
    with_temp_namespace("chain-hub", &[], async |here| {
        here.apply(&through_hubs(&here.name)).await?;
        here.identity_is(true, "").await?;
        let chain = format!("  roleChain: [\"{}\"]", role("chain-hub"));
        for (held, chain) in [("chain-hub", ""), ("chain-spoke", &chain)] {
            let grant = grant_of(&here.name, "held", &role(held), chain);
            let said = here.refused(&grant).await?;
            let expected = format!("roleArn: {} is a role that chainArns of", role(held));
            assert!(said.contains(&expected), "{said}");
        }
        let elsewhere = format!("  roleChain: [\"{}\"]", role("team-a-app"));
        let grant = grant_of(&here.name, "elsewhere", &role("chain-end"), &elsewhere);
        let said = here.refused(&grant).await?;
        assert!(said.contains("in chainArns of a rule"), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_long_session_behind_a_role_is_refused() -> Result<(), Failure> {
    with_temp_namespace("chain-rule", &[], async |here| {
        here.identity().await?;
        let chain = format!("  roleChain: [\"{}\"]", role("chain-hub"));
        let chained = grant_of(&here.name, "chained", &role("chain-end"), &chain);
        let long = format!("{chained}  durationSeconds: 7200\n");
        let said = here.refused(&long).await?;
        assert!(
            said.contains("durationSeconds must be 3600 or less"),
            "{said}"
        );
        Ok(())
    })
    .await
}

/// The namespace's identity with a rule that hands out sessions of the user, and no role.
fn own_sessions(namespace: &str, kind: &str) -> String {
    identity(namespace).replace(ANY_ROLE, &format!("identitySession: {kind}"))
}

/// A grant without a role.
fn without_role(namespace: &str, name: &str, spec: &str) -> String {
    grant_of(namespace, name, "", spec).replace("  roleArn: \n", "")
}

const HAIKU: &str = "  bedrock: {models: [\"anthropic.claude-3-haiku-20240307-v1:0\"]}";

const INVOKE: &str = r"
import boto3
from botocore.exceptions import ClientError
for model in ['anthropic.claude-3-haiku-20240307-v1:0', 'anthropic.claude-3-sonnet-20240229-v1:0']:
    try:
        boto3.client('bedrock-runtime').invoke_model(modelId=model, body='{}')
        print('ok')
    except ClientError as error:
        print(error.response['Error']['Code'])
";

#[tokio::test]
async fn only_an_identity_with_a_users_key_gives_sessions_without_a_role() -> Result<(), Failure> {
    with_temp_namespace("no-role", &[], async |here| {
        let said = here
            .refused(&own_sessions(&here.name, "Full").replace(
                "accessKey: {secretRef: {name: aws-access-key}}",
                "ambient: {}",
            ))
            .await?;
        assert!(said.contains("identitySession"), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_federated_session_is_confined_and_named_after_its_grant() -> Result<(), Failure> {
    with_temp_namespace("federated", &[], async |here| {
        here.apply(&own_sessions(&here.name, "Federated")).await?;
        here.identity_is(true, "").await?;
        let said = here.refused(&without_role(&here.name, "own", "")).await?;
        assert!(said.contains("only with a session policy"), "{said}");
        here.apply(&without_role(&here.name, "own", HAIKU)).await?;
        here.grant_ready("own").await?;
        let arn = who(&here, "own").await?;
        assert!(
            arn.contains(&format!("federated-user/{}.own", here.name)),
            "{arn}"
        );
        let said = here.python("own", INVOKE).await?;
        assert_eq!(said.trim_end(), "ok\nAccessDeniedException");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_full_session_is_the_users_and_says_its_limits() -> Result<(), Failure> {
    with_temp_namespace("full", &[], async |here| {
        here.apply(&own_sessions(&here.name, "Full")).await?;
        here.identity_is(true, "").await?;
        let said = here
            .refused(&without_role(&here.name, "own", HAIKU))
            .await?;
        assert!(said.contains("identitySession: Full"), "{said}");
        here.apply(&without_role(&here.name, "own", "")).await?;
        here.grant_is("own", true, "nothing of the grant confines")
            .await?;
        let arn = who(&here, "own").await?;
        assert!(arn.trim_end().ends_with(":user/alter"), "{arn}");
        let said = here.python("own", INVOKE).await?;
        assert_eq!(said.trim_end(), "ok\nok");
        Ok(())
    })
    .await
}
