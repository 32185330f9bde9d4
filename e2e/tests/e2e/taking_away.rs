//! Every way of taking a session away from a running pod, and coming back.

use alter_e2e::{
    Failure, TestNamespace,
    app::{HELPER, with_served_app},
    away::Way,
    brokered::{STORE, with_brokered_app},
    fixture::{IDLE, grant, python_pod},
    kubectl, wait,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

/// What the endpoint answers to an SDK: status, content type, body.
const ASK: &str = r"
import os, urllib.error, urllib.request
token = open(os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']).read()
ask = urllib.request.Request(os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'], headers={'Authorization': token})
try:
    answer = urllib.request.urlopen(ask)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers['Content-Type'], answer.read().decode())
";

/// The helper refuses: nothing to standard output, exit code 1, and one line that says why.
fn one_clear_line(output: &kubectl::Output, parts: &[&str]) {
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_eq!(output.stdout, "");
    let lines: Vec<_> = output
        .stderr
        .lines()
        // kubectl's own.
        .filter(|line| !line.starts_with("command terminated"))
        .collect();
    assert_eq!(lines.len(), 1, "{output:?}");
    for part in [&["alter-credential-process: grant bedrock: "], parts].concat() {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
}

/// Takes the session of the pod `app` away; its helper refuses, says that much in one line, and serves again once it
/// is given back.
async fn goes_and_comes_back(
    here: &TestNamespace,
    way: Way,
    spec: &str,
    parts: &[&str],
    meanwhile: impl AsyncFnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    here.helper(true).await?;
    here.take_away(way, "bedrock").await?;
    let said = here.helper(false).await?;
    one_clear_line(&said, parts);
    meanwhile().await?;
    here.give_back(way, "bedrock", spec).await?;
    let output = here.helper(true).await?;
    assert!(
        output.stdout.contains("\"Version\":1"),
        "not what SDKs read"
    );
    here.is_served("app").await
}

#[tokio::test]
async fn suspending_takes_the_session_away_and_resuming_brings_one_back() -> Result<(), Failure> {
    with_served_app("suspend", "process", async |here| {
        let parts = ["taken away (Suspended): ", "set it to false"];
        goes_and_comes_back(here, Way::Suspended, "", &parts, async || {
            here.grant_is("bedrock", false, "Suspended").await?;
            here.taken_away("bedrock-aws").await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn deleting_takes_the_session_away_and_a_new_grant_brings_one_back() -> Result<(), Failure> {
    with_served_app("delete", "process", async |here| {
        let parts = ["taken away (Deleted): ", "create it again"];
        goes_and_comes_back(here, Way::Deleted, "", &parts, async || {
            here.taken_away("bedrock-aws").await
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_namespace_off_the_list_loses_its_sessions_and_says_so() -> Result<(), Failure> {
    with_served_app("disallow", "process", async |here| {
        let parts = ["taken away (NotAllowed): ", "ask the platform team for one"];
        goes_and_comes_back(here, Way::NamespaceOff, "", &parts, async || {
            here.grant_is("bedrock", false, "NotAllowed").await?;
            here.taken_away("bedrock-aws").await?;
            wait::until_found("an event that says so", async || {
                let reasons = ["-o", "jsonpath={.items[*].reason}"];
                let events = [&["get", "events", "-n", &here.name], &reasons[..]].concat();
                let events = kubectl::run(&events).await?;
                Ok(events.contains("NotAllowed").then_some(()))
            })
            .await
        })
        .await
    })
    .await
}

/// The grant goes on for the others: its session stays, and the agents of pods that run as another refuse.
#[tokio::test]
async fn a_service_account_off_the_list_is_refused_where_it_runs() -> Result<(), Failure> {
    with_served_app("account", "process", async |here| {
        let parts = ["it is for the service accounts job, and this pod runs as default"];
        goes_and_comes_back(here, Way::AccountOff, "", &parts, async || {
            here.grant_ready("bedrock").await?;
            let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
            let data = secrets.get("bedrock-aws").await?.data.unwrap_or_default();
            assert!(data.contains_key("credentials.json"));
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn the_broker_takes_away_in_every_way_and_gives_back() -> Result<(), Failure> {
    with_brokered_app("broker-away", async |here| {
        for way in Way::ALL {
            let parts = match way {
                Way::Suspended => ["taken away (Suspended): ", "set it to false"],
                Way::Deleted => ["taken away (GrantNotFound): ", "create it"],
                Way::NamespaceOff => ["taken away (NotAllowed): ", "ask the platform team for one"],
                Way::AccountOff => [
                    "taken away (ServiceAccountNotAllowed): ",
                    "spec.serviceAccounts allows job, and this pod runs as default",
                ],
            };
            goes_and_comes_back(here, way, STORE, &parts, async || Ok(())).await?;
        }
        Ok(())
    })
    .await
}

/// What the annotation asks for: the session that the pod has goes, and another comes.
#[tokio::test]
async fn revoking_replaces_the_session_of_a_running_pod() -> Result<(), Failure> {
    with_served_app("revoke", "process", async |here| {
        let key = async || {
            let output = kubectl::exec(&here.name, "app", "app", &HELPER).await?;
            let document: serde_json::Value =
                serde_json::from_str(&output.stdout).unwrap_or_default();
            Ok::<_, Failure>(document["AccessKeyId"].as_str().map(str::to_owned))
        };
        let before = key().await?;
        assert!(before.is_some(), "no session");
        let issued = here
            .grant_ready("bedrock")
            .await?
            .status
            .unwrap_or_default();
        let issued = issued.last_refresh.ok_or("it was never issued")?.0;
        let annotate = |text: String| async move {
            let annotation = format!("alter.dev/revoke-before={text}");
            let command = ["annotate", "awsgrant", "bedrock", "-n", &here.name];
            kubectl::try_run(&[&command[..], &["--overwrite", &annotation]].concat(), "").await
        };
        let refused = annotate("now".to_owned()).await?;
        assert!(
            !refused.success && refused.stderr.contains("no RFC 3339 time"),
            "{refused:?}"
        );
        assert!(annotate(issued.to_string()).await?.success);
        wait::until_found("the pod has another session", async || {
            Ok(key().await?.filter(|now| Some(now) != before.as_ref()))
        })
        .await?;
        let status = here
            .grant_ready("bedrock")
            .await?
            .status
            .unwrap_or_default();
        assert_eq!(status.revoked_before.map(|own| own.0), Some(issued));
        assert!(status.last_refresh.is_some_and(|own| own.0 > issued));
        here.is_served("app").await
    })
    .await
}

#[tokio::test]
async fn the_endpoint_refuses_while_a_grant_is_suspended() -> Result<(), Failure> {
    with_served_app("suspend-endpoint", "endpoint", async |here| {
        let answer = here.python("app", ASK).await?;
        assert!(answer.starts_with("200 application/json {"), "no session");
        here.apply(&grant(&here.name, "bedrock", "  suspend: true"))
            .await?;
        here.grant_is("bedrock", false, "Suspended").await?;
        let refusal = wait::until_found("the endpoint refuses", async || {
            let answer = here.python("app", ASK).await?;
            Ok((!answer.starts_with("200 ")).then_some(answer))
        })
        .await?;
        let body = refusal.strip_prefix("403 application/json ");
        let body: serde_json::Value = serde_json::from_str(body.ok_or_else(|| refusal.clone())?)?;
        for (code, message) in [("code", "message"), ("Code", "Message")] {
            assert_eq!(body[code], "AccessDenied");
            let message = body[message].as_str().unwrap_or_default();
            let expected = "grant bedrock: taken away (Suspended): spec.suspend is true";
            assert!(message.starts_with(expected), "{body}");
        }
        // An SDK gives up, and shows why.
        let sdk = ["python3", "-c", alter_e2e::app::WHO];
        let output = kubectl::exec(&here.name, "app", "app", &sdk).await?;
        assert!(
            !output.success && output.stderr.contains("taken away (Suspended)"),
            "{output:?}"
        );

        here.ready_grant("bedrock", "").await?;
        wait::until_found("the endpoint serves", async || {
            let answer = here.python("app", ASK).await?;
            Ok(answer.starts_with("200 ").then_some(()))
        })
        .await?;
        here.is_served("app").await
    })
    .await
}

/// A pod of a suspended grant is told so at admission, waits, and starts once the grant is resumed.
#[tokio::test]
async fn a_pod_of_a_suspended_grant_waits() -> Result<(), Failure> {
    alter_e2e::with_temp_namespace("suspended-first", &[], async |here| {
        here.identity().await?;
        here.apply(&grant(&here.name, "bedrock", "  suspend: true"))
            .await?;
        here.grant_is("bedrock", false, "Suspended").await?;
        let said = here
            .apply(&python_pod("app", "alter.dev/grant: bedrock", IDLE))
            .await?;
        assert!(
            said.contains("Warning") && said.contains("is suspended"),
            "{said}"
        );
        here.ready_grant("bedrock", "").await?;
        wait::pod_ready(&here.client, &here.name, "app").await?;
        here.is_served("app").await
    })
    .await
}
