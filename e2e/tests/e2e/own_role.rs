//! Identities without an AWS key: a role that is entered by a token of a service account, or by a certificate.

use alter_crds::AwsIdentity;
use alter_e2e::{
    Failure, TestNamespace, anywhere,
    aws_role::{self, trusting_issuer, trusting_role},
    fixture::{AWS_ENDPOINT, grant_of},
    kubectl,
    system::SYSTEM_NAMESPACE,
    wait, with_temp_namespace,
};
use jiff::SignedDuration;
use kube::Api;
use serde_json::{Value, json};

/// An identity with those credentials, which allows every role; its own, which no `*` gives, it writes out. `region`
/// alone makes another generation of it.
fn identity(here: &TestNamespace, credentials: &Value, region: &str) -> String {
    let source = credentials.as_object().into_iter().flatten().next();
    let own_role = source.map(|(_, own)| &own["roleArn"]);
    json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity", "metadata": {"name": here.name},
        "spec": {
            "region": region,
            "endpoints": {"sts": AWS_ENDPOINT, "rolesanywhere": anywhere::endpoint(here)},
            "credentials": credentials,
            "allow": [{
                "namespaces": {"names": [here.name]},
                "roleArns": ["arn:aws:iam::000000000000:role/*", own_role],
            }],
        },
    })
    .to_string()
}

/// Waits until AWS knows the identity by an ARN with that in it.
async fn known_as(here: &TestNamespace, what: &str) -> Result<(), Failure> {
    let identities: Api<AwsIdentity> = Api::all(here.client.clone());
    let seen = |identity: Option<&AwsIdentity>| {
        let status = identity.and_then(|own| own.status.as_ref());
        status.is_some_and(|own| {
            own.since.is_some() && own.arn.as_ref().is_some_and(|arn| arn.contains(what))
        })
    };
    wait::until(&identities, &here.name, what, seen)
        .await
        .map(|_| ())
}

/// A grant of a role that trusts the identity's, and one of that itself for longer than sessions of sessions live.
async fn both_ways(here: &TestNamespace, own_role: &str) -> Result<(), Failure> {
    let target = format!("target-{}", here.name);
    let target = aws_role::make(&target, &trusting_role(own_role)).await?;
    here.apply(&grant_of(&here.name, "other", &target, ""))
        .await?;
    here.apply(&grant_of(
        &here.name,
        "own",
        own_role,
        "  durationSeconds: 7200",
    ))
    .await?;
    here.grant_ready("other").await?;
    let own = here.grant_ready("own").await?.status.unwrap_or_default();
    let (Some(end), Some(begin)) = (own.expiration, own.last_refresh) else {
        return Err("the status has no times".into());
    };
    let life = end.0.duration_since(begin.0);
    assert!(life > SignedDuration::from_mins(100), "{life:#}");
    here.apply(&grant_of(
        &here.name,
        "long",
        &target,
        "  durationSeconds: 7200",
    ))
    .await?;
    here.grant_is("long", false, "write 3600 or less").await?;
    Ok(())
}

/// The issuer of the cluster's tokens, as IAM names OIDC providers.
async fn issuer() -> Result<String, Failure> {
    let document = kubectl::run(&["get", "--raw", "/.well-known/openid-configuration"]).await?;
    let document: Value = serde_json::from_str(&document)?;
    let issuer = document["issuer"].as_str().unwrap_or_default();
    Ok(issuer.trim_start_matches("https://").to_owned())
}

/// As the trust policy of an OIDC provider asks. The emulator compares a list of audiences only so; AWS itself
/// takes the plain operator.
fn of_account(host: &str, account: &str) -> Value {
    let subject = format!("system:serviceaccount:{SYSTEM_NAMESPACE}:{account}");
    json!({
        "StringEquals": {format!("{host}:sub"): subject},
        "ForAnyValue:StringEquals": {format!("{host}:aud"): "sts.amazonaws.com"},
    })
}

async fn account(verb: &str, name: &str) -> Result<(), Failure> {
    let mut command = vec![verb, "serviceaccount", name, "-n", SYSTEM_NAMESPACE];
    if verb == "delete" {
        command.push("--ignore-not-found");
    }
    kubectl::run(&command).await.map(|_| ())
}

#[tokio::test]
async fn a_token_of_a_service_account_enters_a_role() -> Result<(), Failure> {
    // The chart of these tests names it.
    const ACCOUNT: &str = "e2e-web-identity";
    with_temp_namespace("web-identity", &[], async |here| {
        let (host, name) = (issuer().await?, format!("web-{}", here.name));
        let of = |account: &str| trusting_issuer(&host, &of_account(&host, account));
        let role = aws_role::make(&name, &of("another")).await?;
        let token = |account: &str, audience: &str| {
            json!({"webIdentity": {
                "roleArn": role, "audience": audience, "serviceAccountRef": {"name": account},
            }})
        };
        let ours = token(ACCOUNT, "sts.amazonaws.com");

        // What the chart does not name, and what no account is.
        account("delete", ACCOUNT).await?;
        let foreign = token("alter-operator", "sts.amazonaws.com");
        here.apply(&identity(&here, &foreign, "us-east-1")).await?;
        here.identity_is(false, "cannot create resource").await?;
        here.apply(&identity(&here, &ours, "us-east-1")).await?;
        here.identity_is(false, "there is no service account")
            .await?;

        // An audience that the policy does not let through, and a role that trusts another account.
        account("create", ACCOUNT).await?;
        let internal = token(ACCOUNT, "https://kubernetes.default.svc.cluster.local");
        here.apply(&identity(&here, &internal, "us-east-1")).await?;
        here.identity_is(false, "Alter's operator asks for tokens of")
            .await?;
        here.apply(&identity(&here, &ours, "us-east-1")).await?;
        here.identity_is(false, "sts:AssumeRoleWithWebIdentity")
            .await?;

        aws_role::make(&name, &of(ACCOUNT)).await?;
        here.apply(&identity(&here, &ours, "us-east-2")).await?;
        here.identity_is(true, "").await?;
        known_as(&here, &format!("assumed-role/{name}/alter.")).await?;
        both_ways(&here, &role).await?;

        // Gone: the next look says so.
        account("delete", ACCOUNT).await?;
        here.apply(&identity(&here, &ours, "us-east-1")).await?;
        here.identity_is(false, "SourceNotFound").await
    })
    .await
}

#[tokio::test]
async fn a_certificate_enters_a_role_and_is_renewed() -> Result<(), Failure> {
    with_temp_namespace("anywhere", &[], async |here| {
        anywhere::start(&here).await?;
        let (name, host) = (format!("anywhere-{}", here.name), anywhere::issuer(&here));
        let audience = json!({"StringEquals": {format!("{host}:aud"): "e2e"}});
        let role = aws_role::make(&name, &trusting_issuer(&host, &audience)).await?;
        let secret = format!("certificate-{}", here.name);
        let credentials = json!({"rolesAnywhere": {
            "trustAnchorArn": "arn:aws:rolesanywhere:us-east-1:000000000000:trust-anchor/e2e",
            "profileArn": "arn:aws:rolesanywhere:us-east-1:000000000000:profile/e2e",
            "roleArn": role, "certificateSecretRef": {"name": secret},
        }});
        let write = async |serial, until| {
            let written = anywhere::certificate(&secret, serial, until)?;
            let output = kubectl::apply(SYSTEM_NAMESPACE, &written).await?;
            if output.success {
                Ok(())
            } else {
                Err(Failure::from(output.stderr))
            }
        };
        here.apply(&identity(&here, &credentials, "us-east-1"))
            .await?;
        here.identity_is(false, "tls.crt and tls.key").await?;
        write(1, 2021).await?;
        here.identity_is(false, "the certificate expired at 2021-01-01T00:00:00Z")
            .await?;
        write(65_535, 2096).await?;
        here.identity_is(true, "").await?;
        known_as(&here, &format!("assumed-role/{name}/65535")).await?;
        both_ways(&here, &role).await?;
        // Renewed, as cert-manager does long before the end.
        write(65_536, 2097).await?;
        known_as(&here, &format!("assumed-role/{name}/65536")).await?;
        kubectl::run(&["delete", "secret", &secret, "-n", SYSTEM_NAMESPACE]).await?;
        here.identity_is(false, "SourceNotFound").await
    })
    .await
}
