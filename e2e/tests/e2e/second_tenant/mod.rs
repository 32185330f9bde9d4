//! A second tenant, who may do anything in a namespace of his own, tries to cross every boundary: each attempt is
//! refused for its own reason, and the first tenant notices nothing.

mod broker;
mod grants;
mod rights;
mod secrets;

use alter_crds::names;
use alter_e2e::{
    Failure, TestNamespace,
    brokered::{SHARED, STORE, broker_identity},
    fixture::{ACCESS_KEY_SECRET, IDLE, python_pod},
    kubectl,
    system::SYSTEM_NAMESPACE,
    tenant::Tenant,
    with_temp_namespace,
};
use serde_json::{Value, json};

/// The second tenant's role: the only one that a rule gives him.
const OWN_ROLE: &str = "arn:aws:iam::000000000000:role/team-b-bedrock";
/// A role of the platform team's, which his rule lets him pass through, and AWS would let Alter assume for him.
const HUB: &str = "arn:aws:iam::000000000000:role/chain-hub";
/// Profiles of the first tenant's pod.
const WHO_TWICE: &str = "import boto3\nfor p in ('bedrock', 'brokered'): print(boto3.Session(profile_name=p).client('sts').get_caller_identity()['Arn'])";

/// A tenant with a role, a grant in each store, and a pod with both; and a second one, with an identity and a role
/// of his own. Whatever the second does, nothing of the first's changes.
async fn beside_the_first(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace, &Tenant) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_temp_namespace(&format!("{test}-first"), &[], async |first| {
        first.apply(&identity_of(&first, "team-a-app")).await?;
        first.identity_is(true, "").await?;
        first.ready_grant("bedrock", "").await?;
        first.ready_grant("brokered", STORE).await?;
        let both = python_pod("app", "alter.dev/grant: \"bedrock,brokered\"", IDLE);
        first.ready_pod("app", &both).await?;
        let served = first.python("app", WHO_TWICE).await?;
        let before = belongings(&first).await?;
        with_temp_namespace(&format!("{test}-second"), &[], async |second| {
            second.apply(&identity_of(&second, "team-b-*")).await?;
            second.identity_is(true, "").await?;
            let tenant = Tenant::of(&second).await?;
            // There are many attempts in one, and so much state.
            Box::pin(body(&first, &tenant)).await
        })
        .await?;
        assert_eq!(belongings(&first).await?, before);
        assert_eq!(first.python("app", WHO_TWICE).await?, served);
        Ok(())
    })
    .await
}

/// The namespace's identity, which allows it roles of that name alone, a hub on the way to them, and one tag.
fn identity_of(here: &TestNamespace, roles: &str) -> String {
    let identity = broker_identity(&here.name, SHARED).replace("role/*", &format!("role/{roles}"));
    let rule = format!("    chainArns: [\"{HUB}\"]\n    tagKeys: [project]");
    format!("{}\n{rule}\n", identity.trim_end())
}

/// What is the first tenant's or Alter's own, with what changes when it does.
async fn belongings(first: &TestNamespace) -> Result<Vec<String>, Failure> {
    let mut all = vec![first.life_of("app").await?];
    let version = "{.metadata.uid} {.metadata.resourceVersion}";
    let spec = "{.metadata.uid} {.metadata.generation} {.status.accessKeyId} {.status.conditions[*].reason}";
    for (kind, namespace, name, what) in [
        ("secret", first.name.as_str(), "bedrock-aws", version),
        (
            "configmap",
            &first.name,
            names::broker::CA_CONFIG_MAP,
            version,
        ),
        ("secret", SYSTEM_NAMESPACE, ACCESS_KEY_SECRET, version),
        ("awsgrant", &first.name, "bedrock", spec),
        ("awsgrant", &first.name, "brokered", spec),
        (
            "awsidentity",
            "",
            &first.name,
            "{.metadata.uid} {.metadata.generation} {.status.arn}",
        ),
    ] {
        let output = format!("jsonpath={what}");
        let found = kubectl::run(&["get", kind, name, "-n", namespace, "-o", &output]).await?;
        all.push(format!("{kind} {name}: {found}"));
    }
    Ok(all)
}

fn grants_of(namespace: &str) -> String {
    format!("/apis/alter.dev/v1alpha1/namespaces/{namespace}/awsgrants")
}

fn core(namespace: &str, what: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{what}")
}

/// A grant of the second tenant's own, with changes to its spec; null takes a field out.
fn own_grant(tenant: &Tenant, name: &str, changes: &Value) -> Value {
    let mut spec = json!({
        "identity": tenant.here.name, "roleArn": OWN_ROLE, "region": "us-east-1",
    });
    for (field, value) in changes.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsGrant", "metadata": {"name": name}, "spec": spec,
    })
}
