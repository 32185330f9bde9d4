//! What he asks the broker for, and what he puts in its way.

use super::{beside_the_first, core, grants_of, own_grant};
use alter_crds::names;
use alter_e2e::{
    Failure, TestNamespace,
    brokered::ask,
    fixture::{AWS_ENDPOINT, IDLE, python_image, python_pod},
    kubectl,
    tenant::{create, patch},
    wait,
};
use serde_json::{Value, json};

/// A pod that nobody injected anything into: its author put on it what the broker looks for.
fn forged_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "forged", "labels": {names::pod::BROKER: names::pod::BROKER_ASKS}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "app", "image": python_image(), "imagePullPolicy": "Never",
                "command": ["python3", "-c", IDLE],
                "env": [
                    {"name": "AWS_ENDPOINT_URL", "value": AWS_ENDPOINT},
                    {"name": "AWS_DEFAULT_REGION", "value": "us-east-1"},
                ],
                "volumeMounts": [{"name": "token", "mountPath": "/token"}],
            }],
            "volumes": [{"name": "token", "projected": {"sources": [
                {"serviceAccountToken": {"audience": "alter.dev", "path": "token"}},
            ]}}],
        },
    })
}

#[tokio::test]
async fn another_teams_grant_and_its_broker_sessions_are_out_of_reach() -> Result<(), Failure> {
    beside_the_first("broker", async |first, tenant| {
        let here = &tenant.here;
        let pods = core(&here.name, "pods");
        // A name leads nowhere but to a grant of the pod's own namespace.
        for name in [
            format!("{}/brokered", first.name),
            format!("{}.brokered", first.name),
            format!("../{}/brokered", first.name),
            "../../var/run/alter-broker".to_owned(),
            "%2e%2e".to_owned(),
            "..".to_owned(),
        ] {
            let annotated = json!({"name": "app", "annotations": {names::pod::GRANT: name}});
            let mut pod = forged_pod();
            pod["metadata"] = annotated;
            tenant
                .refused(create(&pods, &pod)?, &[names::pod::GRANT])
                .await?;
        }
        // Label and token by hand: the broker gives what the pod's own namespace has, and nothing else.
        let own = own_grant(tenant, "own", &json!({"store": "Broker"}));
        tenant
            .granted(create(&grants_of(&here.name), &own)?)
            .await?;
        here.grant_is("own", true, "Brokered").await?;
        // Of the first's name, and admitted, as a grant may come later: it waits for one of its own.
        let waits = python_pod("waits", "alter.dev/grant: brokered", IDLE);
        here.apply(&waits).await?;
        here.ready_pod("forged", &forged_pod().to_string()).await?;
        let token = here
            .python("forged", "print(open('/token/token').read())")
            .await?;
        let token = token.trim();
        let said = wait::until_found("the CA, and a session of its own", async || {
            let said = ask(here, "forged", token, "own").await.ok();
            Ok(said.filter(|said| said.starts_with("session ")))
        })
        .await?;
        let expected = format!("assumed-role/team-b-bedrock/{}.own", here.name);
        assert!(said.trim_end().ends_with(&expected), "{said}");
        for name in [
            "brokered".to_owned(),
            "bedrock".to_owned(),
            format!("{}/brokered", first.name),
            format!("../{}/brokered", first.name),
        ] {
            let said = ask(here, "forged", token, &name).await?;
            assert!(said.starts_with("refused GrantNotFound "), "{name}: {said}");
        }

        let waiting = wait::until_found("an event that says what lacks", async || {
            let about = "involvedObject.name=waits,type=Warning";
            let events = ["get", "events", "-n", &here.name, "--field-selector", about];
            let events = kubectl::run(&events).await?;
            Ok(events.contains("grant brokered: ").then_some(events))
        })
        .await?;
        assert!(!waiting.contains(&first.name), "{waiting}");
        let state = ".status.containerStatuses[0].state.waiting.reason";
        let state = kubectl::field(&here.name, "pod", "waits", state).await?;
        assert_eq!(state, "PodInitializing");

        // Tokens that are not his pod's.
        let said = ask(here, "forged", &tenant.token, "own").await?;
        assert!(
            said.starts_with("401 ") && said.contains("another audience"),
            "{said}"
        );
        let uid = kubectl::field(&first.name, "pod", "app", ".metadata.uid").await?;
        let of_pod = |name: &str| {
            json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {
                    "audiences": ["alter.dev"],
                    "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid},
                },
            })
        };
        let theirs = core(&first.name, "serviceaccounts/default/token");
        tenant
            .refused(create(&theirs, &of_pod("app"))?, &["forbidden"])
            .await?;
        let own = core(&here.name, "serviceaccounts/default/token");
        tenant
            .refused(create(&own, &of_pod("app"))?, &["not found"])
            .await?;
        // The first's UID under a name of his own.
        tenant
            .refused(create(&own, &of_pod("forged"))?, &["UID"])
            .await
    })
    .await
}

#[tokio::test]
async fn a_forged_ca_of_the_broker_harms_its_own_namespace_alone() -> Result<(), Failure> {
    beside_the_first("ca", async |first, tenant| {
        let here = &tenant.here;
        let own = own_grant(tenant, "own", &json!({"store": "Broker"}));
        tenant.granted(create(&grants_of(&here.name), &own)?).await?;
        let name = names::broker::CA_CONFIG_MAP;
        let path = core(&here.name, &format!("configmaps/{name}"));
        let ca = async |of: &TestNamespace| {
            let get = ["get", "configmap", name, "-n", &of.name, "--ignore-not-found"];
            let get = [&get[..], &["-o", r"jsonpath={.data.ca\.crt}"]].concat();
            kubectl::run(&get).await
        };
        let right = ca(first).await?;
        let is_right = async || {
            wait::until_found("the broker's CA", async || {
                Ok((ca(here).await? == right).then_some(()))
            })
            .await
        };
        is_right().await?;
        let forged = json!({"data": {names::broker::CA: "forged"}});
        tenant.granted(patch(&path, &forged)?).await?;
        is_right().await?;
        // Without the label it is somebody else's, which Alter leaves alone.
        let foreign = json!({"metadata": {"labels": {names::label::MANAGED_BY: "tenant"}}, "data": {names::broker::CA: "forged"}});
        tenant.granted(patch(&path, &foreign)?).await?;
        // The first's agents go on, and so do new ones.
        let next = python_pod("next", "alter.dev/grant: brokered", IDLE);
        first.ready_pod("next", &next).await?;
        first.is_served("next").await?;
        assert_eq!(ca(here).await?, "forged");
        Ok(())
    })
    .await
}
