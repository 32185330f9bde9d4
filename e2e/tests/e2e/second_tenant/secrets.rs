//! Secrets of his own, by other names and in the form of Alter's.

use super::{OWN_ROLE, beside_the_first, core, grants_of, own_grant};
use alter_crds::names;
use alter_e2e::{
    Failure, TestNamespace,
    fixture::{ACCESS_KEY_SECRET, ROLE, grant},
    kubectl,
    tenant::create,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

/// A session as the operator would have written it, of a grant whose name and UID are the first tenant's.
fn forged_secret(uid: &str, now: jiff::Timestamp) -> Value {
    let end = now + jiff::SignedDuration::from_hours(1);
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": names::secret::SESSION_TYPE,
        "metadata": {
            "name": "bedrock-aws",
            "labels": {
                names::label::MANAGED_BY: names::label::OPERATOR,
                names::secret::GRANT_LABEL: "bedrock",
            },
            "annotations": {
                names::secret::GRANT_UID: uid,
                names::secret::ISSUED_AT: now.to_string(),
                names::secret::EXPIRATION: end.to_string(),
                names::secret::ACCESS_KEY_ID: "ASIAFORGED",
                names::secret::ASSUMED_ROLE_ARN: ROLE,
                names::secret::INPUT_DIGEST: "forged",
            },
        },
        "stringData": {"credentials": "forged", "grant.json": "{}"},
    })
}

async fn data(here: &TestNamespace, secret: &str) -> Result<Vec<String>, Failure> {
    let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
    let data = secrets.get(secret).await?.data.unwrap_or_default();
    Ok(data.into_keys().collect())
}

#[tokio::test]
async fn secrets_of_any_name_and_form_lead_nowhere_else() -> Result<(), Failure> {
    beside_the_first("secret", async |first, tenant| {
        let here = &tenant.here;
        let (grants, secrets) = (grants_of(&here.name), core(&here.name, "secrets"));
        // A Secret that is not the grant's is not taken, whatever the grant calls its own.
        let database = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": {"password": "own"},
        });
        tenant.granted(create(&secrets, &database)?).await?;
        let taker = own_grant(tenant, "taker", &json!({"secretName": "database"}));
        tenant.granted(create(&grants, &taker)?).await?;
        here.grant_is("taker", false, "SecretConflict").await?;
        assert_eq!(data(here, "database").await?, ["password"]);

        // The name of Alter's own key is any name here.
        let named = own_grant(tenant, "named", &json!({"secretName": ACCESS_KEY_SECRET}));
        tenant.granted(create(&grants, &named)?).await?;
        here.grant_ready("named").await?;
        let expected = ["credentials", "credentials.json", "grant.json"];
        assert_eq!(data(here, ACCESS_KEY_SECRET).await?, expected);

        // In the first's name it belongs to nobody here, and is emptied as what a grant left behind.
        let uid = kubectl::field(&first.name, "awsgrant", "bedrock", ".metadata.uid").await?;
        let now = jiff::Timestamp::try_from(std::time::SystemTime::now())?;
        tenant.granted(create(&secrets, &forged_secret(&uid, now))?).await?;
        here.taken_away("bedrock-aws").await?;
        here.apply(&grant(&here.name, "bedrock", "").replace(ROLE, OWN_ROLE)).await?;
        let own = here.grant_ready("bedrock").await?;
        let role = own.status.and_then(|own| own.assumed_role_arn).unwrap_or_default();
        assert!(role.contains("assumed-role/team-b-bedrock/"), "{role}");
        Ok(())
    })
    .await
}
