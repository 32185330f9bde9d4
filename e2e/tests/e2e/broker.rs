//! Grants whose sessions come from the broker: what a pod has, and what is refused.

use alter_e2e::{
    Failure, TestNamespace,
    app::WHO,
    brokered::{NAMED, SHARED, STORE, broker_identity, idle_pod, with_brokered_app},
    fixture::{IDLE, grant, python_pod},
    kubectl, wait, with_temp_namespace,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ListParams};

/// Asks the broker with a token for a grant, and prints what it says: who AWS takes the session for, or why there
/// is none.
const ASK: &str = r"
import boto3, json, ssl, sys, urllib.error, urllib.request
token, grant, ca = sys.argv[1:]
ask = urllib.request.Request('https://alter-broker.alter-system.svc:9914/v1/sessions',
    json.dumps({'grants': [{'grant': grant}]}).encode(), {'Authorization': 'Bearer ' + token})
try:
    answer = urllib.request.urlopen(ask, context=ssl.create_default_context(cadata=ca))
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)['message'])
    sys.exit()
kind, news = next(iter(json.load(answer)['grants'][0]['news'].items()))
if kind == 'session':
    key = news['session']
    sts = boto3.client('sts', aws_access_key_id=key['AccessKeyId'],
        aws_secret_access_key=key['SecretAccessKey'], aws_session_token=key['SessionToken'])
    print(kind, sts.get_caller_identity()['Arn'])
else:
    print(kind, news['reason'], news['message'])
";

/// A token as the kubelet would have it for a pod.
async fn token(here: &TestNamespace, pod: Option<&str>, audience: &str) -> Result<String, Failure> {
    let audience = format!("--audience={audience}");
    let mut command = vec!["create", "token", "default", "-n", &here.name, &audience];
    if let Some(pod) = pod {
        command.extend(["--bound-object-kind=Pod", "--bound-object-name", pod]);
    }
    Ok(kubectl::run(&command).await?.trim().to_owned())
}

/// What the broker says in the pod `app` to a token, whoever it is of.
async fn ask(here: &TestNamespace, token: &str, grant: &str) -> Result<String, Failure> {
    let path = r".data.ca\.crt";
    let ca = kubectl::field(&here.name, "configmap", "alter-broker-ca", path).await?;
    let command = ["python3", "-c", ASK, token, grant, &ca];
    let output = kubectl::exec(&here.name, "app", "app", &command).await?;
    if output.success {
        Ok(output.stdout)
    } else {
        Err(format!("asking the broker: {output:?}").into())
    }
}

#[tokio::test]
async fn a_pod_has_a_session_of_its_own_that_rests_in_no_secret() -> Result<(), Failure> {
    with_brokered_app("broker", async |here| {
        let arn = here.python("app", WHO).await?;
        let own = format!("assumed-role/team-a-app/{}.default.app", here.name);
        assert!(arn.trim_end().ends_with(&own), "{arn}");
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
        assert_eq!(secrets.list(&ListParams::default()).await?.items.len(), 0);

        here.apply(&grant(
            &here.name,
            "bedrock",
            "  store: Broker\n  suspend: true",
        ))
        .await?;
        let said = here.helper(false).await?;
        assert!(said.stderr.contains("taken away (Suspended)"), "{said:?}");
        here.apply(&grant(&here.name, "bedrock", STORE)).await?;
        here.helper(true).await?;

        let narrowed = broker_identity(&here.name, NAMED).replace("role/*", "role/other");
        here.apply(&narrowed).await?;
        let said = here.helper(false).await?;
        assert!(said.stderr.contains("taken away (NotAllowed)"), "{said:?}");
        here.apply(&broker_identity(&here.name, NAMED)).await?;
        here.helper(true).await.map(|_| ())
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
        let said = ask(here, &stolen, "bedrock").await?;
        let other = format!("{}.default.other", here.name);
        assert!(
            said.starts_with("session ") && said.trim_end().ends_with(&other),
            "{said}"
        );

        let own = token(here, Some("app"), "alter.dev").await?;
        let said = ask(here, &own, "not-there").await?;
        assert!(said.starts_with("refused GrantNotFound "), "{said}");
        let foreign = token(here, Some("app"), "sts.amazonaws.com").await?;
        let said = ask(here, &foreign, "bedrock").await?;
        assert!(
            said.starts_with("401 ") && said.contains("another audience"),
            "{said}"
        );
        let free = token(here, None, "alter.dev").await?;
        let said = ask(here, &free, "bedrock").await?;
        assert!(
            said.starts_with("401 ") && said.contains("not of a pod"),
            "{said}"
        );
        let (signed, signature) = own.rsplit_once('.').ok_or("no token")?;
        let forged: String = signature.chars().rev().collect();
        let forged = format!("{signed}.{forged}");
        let said = ask(here, &forged, "bedrock").await?;
        assert!(said.starts_with("401 "), "{said}");

        here.apply(&grant(
            &here.name,
            "bedrock",
            "  store: Broker\n  serviceAccounts: [job]",
        ))
        .await?;
        wait::until_found("another service account is refused", async || {
            let said = ask(here, &own, "bedrock").await?;
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
        let said = ask(here, &stolen, "bedrock").await?;
        let gone = said.starts_with("401 ") || said.starts_with("refused PodGone ");
        assert!(gone, "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_grant_of_another_namespace_is_nobodys_to_name() -> Result<(), Failure> {
    with_brokered_app("broker-home", async |home| {
        with_temp_namespace("broker-away", &[], async |away| {
            // A pod of the same names, in a namespace without the grant.
            away.apply(&python_pod("app", "", IDLE)).await?;
            wait::pod_ready(&away.client, &away.name, "app").await?;
            let foreign = token(&away, Some("app"), "alter.dev").await?;
            let said = ask(home, &foreign, "bedrock").await?;
            assert!(said.starts_with("refused "), "{said}");
            assert!(!said.contains(&home.name), "{said}");
            Ok(())
        })
        .await
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
