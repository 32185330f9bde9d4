//! What he writes into his own grants.

use super::{HUB, OWN_ROLE, beside_the_first, grants_of, own_grant};
use alter_e2e::{
    Failure,
    app::WHO,
    fixture::{IDLE, ROLE, python_pod},
    tenant::{Tenant, create, delete, patch},
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;

#[tokio::test]
async fn another_teams_role_is_out_of_reach() -> Result<(), Failure> {
    beside_the_first("role", async |first, tenant| {
        let place = grants_of(&tenant.here.name);
        let not_among =
            |place: &str| format!("{place}: {ROLE} is not among the roles that spec.allow[0]");
        let no_rule = "no allow rule of the identity names namespace".to_owned();
        let chosen = |field: &str| {
            format!("{field}: spec.allow[0] of the identity does not let grants choose it")
        };
        let reserved = || "reserved".to_owned();
        let bedrock = json!({"models": ["anthropic.claude-3-haiku-20240307-v1:0"]});
        for (changes, part) in [
            // Each hop.
            (json!({"roleArn": ROLE}), not_among("roleArn")),
            (json!({"roleChain": [ROLE]}), not_among("roleChain[0]")),
            (
                json!({"roleChain": [OWN_ROLE, ROLE]}),
                not_among("roleChain[1]"),
            ),
            (
                json!({"roleChain": [OWN_ROLE], "roleArn": ROLE}),
                not_among("roleArn"),
            ),
            // What stands behind a role that he may pass through, and that role itself.
            (
                json!({"roleChain": [HUB], "roleArn": ROLE}),
                not_among("roleArn"),
            ),
            (
                json!({"roleArn": HUB}),
                format!("roleArn: {HUB} is a role that chainArns of spec.allow[0]"),
            ),
            // Through the first tenant's identity: neither the first's role nor his own.
            (
                json!({"identity": first.name, "roleArn": ROLE}),
                no_rule.clone(),
            ),
            (json!({"identity": first.name}), no_rule),
            // The user's own session.
            (
                json!({"roleArn": null}),
                "no session without a role".to_owned(),
            ),
            (
                json!({"roleArn": null, "bedrock": bedrock}),
                "no session without a role".to_owned(),
            ),
            // What AWS tells tenants apart by.
            (
                json!({"sessionName": format!("{}.bedrock", first.name)}),
                chosen("sessionName"),
            ),
            (json!({"externalId": first.name}), chosen("externalId")),
            (json!({"tags": {"alter-namespace": first.name}}), reserved()),
            (json!({"tags": {"Alter-Namespace": first.name}}), reserved()),
            (json!({"tags": {"ALTER-GRANT": "bedrock"}}), reserved()),
            (
                json!({"tags": {"Kubernetes-Namespace": first.name}}),
                reserved(),
            ),
            (json!({"tags": {"EKS-cluster-name": "x"}}), reserved()),
            (
                json!({"tags": {"aws:PrincipalTag/alter-namespace": first.name}}),
                reserved(),
            ),
            (
                json!({"tags": {"team": "first"}}),
                "is not among the tagKeys".to_owned(),
            ),
            (
                json!({"tags": {"Project": "x"}}),
                "is not among the tagKeys".to_owned(),
            ),
            (
                json!({"tags": {"project": "x", "PROJECT": "y"}}),
                "differ in case alone".to_owned(),
            ),
        ] {
            let asked = create(&place, &own_grant(tenant, "taken", &changes))?;
            tenant.refused(asked, &[&part]).await?;
        }

        // A suspended grant may name any role, has no session, and is not resumed.
        let suspended = own_grant(
            tenant,
            "suspended",
            &json!({"roleArn": ROLE, "suspend": true}),
        );
        tenant.granted(create(&place, &suspended)?).await?;
        tenant
            .here
            .grant_is("suspended", false, "Suspended")
            .await?;
        let resumed = json!({"spec": {"suspend": false}});
        let resumed = patch(&format!("{place}/suspended"), &resumed)?;
        tenant.refused(resumed, &[&not_among("roleArn")]).await?;
        let secrets: Api<Secret> = Api::namespaced(tenant.here.client.clone(), &tenant.here.name);
        let secret = secrets.get_opt("suspended-aws").await?;
        let keys = secret.and_then(|own| own.data).unwrap_or_default();
        assert!(
            keys.keys().all(|key| key == "grant.json"),
            "it has a session"
        );

        undead(tenant, &place).await
    })
    .await
}

/// A grant that is being deleted gets no other role, though its spec may change.
async fn undead(tenant: &Tenant, place: &str) -> Result<(), Failure> {
    tenant.here.apply(&grant_with_finalizer(tenant)).await?;
    tenant.here.grant_ready("undead").await?;
    let undead = format!("{place}/undead");
    tenant.granted(delete(&undead)?).await?;
    // Taken or refused: both are right.
    let _ = tenant
        .send(patch(&undead, &json!({"spec": {"roleArn": ROLE}}))?)
        .await?;
    tenant.here.taken_away("undead-aws").await?;
    let free = json!({"metadata": {"finalizers": null}});
    tenant.granted(patch(&undead, &free)?).await.map(|_| ())
}

fn grant_with_finalizer(tenant: &Tenant) -> String {
    let mut grant = own_grant(tenant, "undead", &json!({}));
    grant["metadata"]["finalizers"] = json!(["example.com/never"]);
    grant.to_string()
}

/// What the kind has no field for is dropped, and so is a status: the session is named as the admin says.
#[tokio::test]
async fn what_a_tenant_may_not_say_does_not_count() -> Result<(), Failure> {
    beside_the_first("say", async |first, tenant| {
        let forged = json!({
            "sourceIdentity": first.name,
            "endpoints": {"sts": "http://sts.example.com"},
            "tags": {"project": "x"},
        });
        let mut forged = own_grant(tenant, "own", &forged);
        forged["status"] = json!({"assumedRoleArn": ROLE, "accessKeyId": "ASIAFORGED"});
        let place = grants_of(&tenant.here.name);
        let made = tenant.granted(create(&place, &forged)?).await?;
        for dropped in ["/spec/sourceIdentity", "/spec/endpoints", "/status"] {
            assert_eq!(made.pointer(dropped), None, "{dropped}");
        }
        let status = json!({"status": {"assumedRoleArn": ROLE}});
        let own_status = patch(&format!("{place}/own/status"), &status)?;
        tenant.refused(own_status, &["forbidden"]).await?;
        tenant.here.grant_ready("own").await?;
        let pod = python_pod("app", "alter.dev/grant: own", IDLE);
        tenant.here.ready_pod("app", &pod).await?;
        let arn = tenant.here.python("app", WHO).await?;
        let expected = format!("assumed-role/team-b-bedrock/{}.own", tenant.here.name);
        assert!(arn.trim_end().ends_with(&expected), "{arn}");
        Ok(())
    })
    .await
}
