//! What lies outside of his namespace: the API server itself refuses that.

use super::{beside_the_first, core, grants_of};
use alter_crds::names::broker::SERVICE_ACCOUNT_PREFIX;
use alter_e2e::{
    Failure,
    fixture::ACCESS_KEY_SECRET,
    system::{OPERATOR, SYSTEM_NAMESPACE},
    tenant::{create, delete, get, patch},
};
use serde_json::{Value, json};

const IDENTITIES: &str = "/apis/alter.dev/v1alpha1/awsidentities";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";

#[tokio::test]
async fn what_is_alters_or_the_first_tenants_is_forbidden() -> Result<(), Failure> {
    beside_the_first("rights", async |first, tenant| {
        let name = &tenant.here.name;
        let any = json!({"metadata": {"annotations": {"second": "was here"}}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}});
        let token = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["alter.dev"]},
        });
        let key = format!("secrets/{ACCESS_KEY_SECRET}");
        let grant = format!("{}/bedrock", grants_of(&first.name));
        let identities = format!("{IDENTITIES}/{}", first.name);
        for request in [
            // The identity's own key, and whoever holds it.
            get(&core(SYSTEM_NAMESPACE, &key))?,
            get(&core(SYSTEM_NAMESPACE, "secrets"))?,
            get("/api/v1/secrets")?,
            get(&core(SYSTEM_NAMESPACE, "configmaps"))?,
            create(&core(SYSTEM_NAMESPACE, "pods"), &pod)?,
            create(&core(SYSTEM_NAMESPACE, "pods/x/exec?command=sh"), &json!({}))?,
            create(&core(SYSTEM_NAMESPACE, &format!("serviceaccounts/{OPERATOR}/token")), &token)?,
            // Who may have what.
            get(IDENTITIES)?,
            create(IDENTITIES, &anything_goes())?,
            patch(&identities, &json!({"spec": {"allow": []}}))?,
            patch(&format!("{identities}/status"), &json!({"status": {"brokerArn": "x"}}))?,
            delete(&identities)?,
            patch(&format!("/api/v1/namespaces/{name}"), &json!({"metadata": {"labels": {"team": "first"}}}))?,
            // The first's grants, sessions and pods.
            get(&grants_of(&first.name))?,
            get("/apis/alter.dev/v1alpha1/awsgrants")?,
            create(&grants_of(&first.name), &any)?,
            patch(&grant, &any)?,
            patch(&format!("{grant}/status"), &any)?,
            delete(&grant)?,
            get(&core(&first.name, "secrets/bedrock-aws"))?,
            get(&core(&first.name, "pods"))?,
            create(&core(&first.name, "pods/app/exec?command=sh"), &json!({}))?,
            create(&core(&first.name, "serviceaccounts/default/token"), &token)?,
            // What keeps Alter in place.
            delete(&format!("{ADMISSION}/mutatingwebhookconfigurations/alter-webhook"))?,
            delete(&format!("{ADMISSION}/validatingadmissionpolicies/alter-operator-secrets"))?,
            create(&format!("{RBAC}/clusterrolebindings"), &any)?,
        ] {
            tenant.refused(request, &["forbidden"]).await?;
        }
        // More rights in his own namespace than his own.
        for role in ["alter-operator", "alter-broker"] {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": "tenant", "namespace": name}],
            });
            let place = format!("{RBAC}/namespaces/{name}/rolebindings");
            let held = "RBAC permissions not currently held";
            tenant.refused(create(&place, &binding)?, &[held]).await?;
        }
        // Somebody else's.
        for user in [
            format!("{SERVICE_ACCOUNT_PREFIX}{SYSTEM_NAMESPACE}:{OPERATOR}"),
            format!("{SERVICE_ACCOUNT_PREFIX}{}:default", first.name),
        ] {
            let mut request = get(&core(name, "secrets"))?;
            let headers = request.headers_mut();
            headers.insert("Impersonate-User", user.parse()?);
            tenant.refused(request, &["impersonate"]).await?;
        }
        Ok(())
    })
    .await
}

/// An identity with which every namespace could have every role.
fn anything_goes() -> Value {
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity", "metadata": {"name": "anything-goes"},
        "spec": {
            "region": "us-east-1",
            "credentials": {"accessKey": {"secretRef": {"name": ACCESS_KEY_SECRET}}},
            "allow": [{"namespaces": {"selector": {}}, "roleArns": ["arn:aws:iam::000000000000:role/*"]}],
        },
    })
}
