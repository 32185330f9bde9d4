//! Revoking at AWS: what somebody has copied is refused, and nothing else.

use alter_crds::{
    AwsGrant, AwsGrantStatus,
    condition::{self, REVOKED_AT_AWS},
};
use alter_e2e::{
    Failure, TestNamespace,
    aws_role::{self, trusting_user},
    fixture::{ACCESS_KEY_SECRET, AWS_ENDPOINT, IDLE, grant_of, python_pod},
    kubectl, wait, with_temp_namespace,
};
use jiff::Timestamp;
use kube::Api;
use serde_json::{Value, json};

/// What the tests' chart calls the cluster is in it.
const POLICY: &str = "alter-revocations-e2e";

/// Copies the sessions of both grants, as somebody would who means to use them elsewhere.
const COPY: &str = r"
import boto3, json
for grant in ['bedrock', 'other']:
    keys = boto3.Session(profile_name=grant).get_credentials().get_frozen_credentials()
    copied = dict(aws_access_key_id=keys.access_key, aws_secret_access_key=keys.secret_key, aws_session_token=keys.token)
    json.dump(copied, open(f'/dev/shm/{grant}.json', 'w'))
";

/// Uses both copies; prints what AWS says to each.
const USE: &str = r"
import boto3, botocore.exceptions, json
for grant in ['bedrock', 'other']:
    try:
        boto3.client('s3', **json.load(open(f'/dev/shm/{grant}.json'))).list_buckets()
        print(grant, 'served')
    except botocore.exceptions.ClientError as error:
        print(grant, error.response['Error']['Code'])
";

/// Uses the session that the pod has now.
const OWN: &str = r"
import boto3, botocore.exceptions
try:
    boto3.Session(profile_name='bedrock').client('s3').list_buckets()
    print('served')
except botocore.exceptions.ClientError as error:
    print(error.response['Error']['Code'])
";

/// An identity whose sessions carry tags or not, with what it says of revocations.
fn identity(here: &TestNamespace, tags: bool, revocation: Option<&Value>) -> String {
    let mut identity = json!({
        "apiVersion": "alter.dev/v1alpha1", "kind": "AwsIdentity", "metadata": {"name": here.name},
        "spec": {
            "region": "us-east-1",
            "endpoints": {"sts": AWS_ENDPOINT, "iam": AWS_ENDPOINT},
            "credentials": {"accessKey": {"secretRef": {"name": ACCESS_KEY_SECRET}}},
            "session": {"tags": {"enabled": tags}},
            "allow": [{
                "namespaces": {"names": [here.name]}, "roleArns": ["arn:aws:iam::000000000000:role/*"],
            }],
        },
    });
    if let Some(revocation) = revocation {
        identity["spec"]["revocation"] = revocation.clone();
    }
    identity.to_string()
}

/// The role of the grants and the one that revokes; two grants of the first; the pod `app`, which has both, and
/// copies of both sessions.
async fn with_copies(here: &TestNamespace, tags: bool) -> Result<(String, String), Failure> {
    let role = format!("revoked-{}", here.name);
    let role_arn = aws_role::make(&role, &trusting_user()).await?;
    let revoker = aws_role::make_with(
        &format!("revoker-{}", here.name),
        &trusting_user(),
        &[
            "iam:GetRolePolicy",
            "iam:PutRolePolicy",
            "iam:DeleteRolePolicy",
        ],
    )
    .await?;
    here.apply(&identity(here, tags, None)).await?;
    here.identity_is(true, "").await?;
    for grant in ["bedrock", "other"] {
        here.apply(&grant_of(&here.name, grant, &role_arn, ""))
            .await?;
        here.grant_ready(grant).await?;
    }
    let annotation = "alter.dev/grant: \"bedrock,other\"";
    here.ready_pod("app", &python_pod("app", annotation, IDLE))
        .await?;
    here.python("app", COPY).await?;
    let used = here.python("app", USE).await?;
    assert_eq!(used, "bedrock served\nother served\n");
    Ok((role, revoker))
}

/// Revokes the sessions of the grant `bedrock` from before now, which it gives.
async fn revoke(here: &TestNamespace) -> Result<Timestamp, Failure> {
    let issued = here.grant_ready("bedrock").await?.status;
    let issued = issued.and_then(|own| own.last_refresh);
    let issued = issued.ok_or("it was never issued")?.0;
    // Of this machine's clock, as the cluster's: later than what is out, and not ahead.
    let cut = wait::until_found("a second has passed since it was issued", async || {
        let now = kubectl::exec(&here.name, "app", "app", &["date", "-u", "+%s"]).await?;
        let now = Timestamp::from_second(now.stdout.trim().parse()?)?;
        Ok((now > issued).then_some(now))
    })
    .await?;
    let annotation = format!("alter.dev/revoke-before={cut}");
    let command = ["annotate", "awsgrant", "bedrock", "-n", &here.name];
    kubectl::run(&[&command[..], &["--overwrite", &annotation]].concat()).await?;
    Ok(cut)
}

/// Waits for what the grant's status says of AWS.
async fn at_aws(
    here: &TestNamespace,
    status: &'static str,
    why: &'static str,
) -> Result<AwsGrantStatus, Failure> {
    let grants: Api<AwsGrant> = Api::namespaced(here.client.clone(), &here.name);
    let seen = move |grant: Option<&AwsGrant>| {
        let conditions = grant.and_then(|own| own.status.as_ref());
        let found = conditions.and_then(|own| condition::find(&own.conditions, REVOKED_AT_AWS));
        found.is_some_and(|own| own.status == status && own.reason == why)
    };
    let what = format!("{REVOKED_AT_AWS}={status} {why}");
    let found = wait::until(&grants, "bedrock", &what, seen).await?;
    found
        .and_then(|own| own.status)
        .ok_or_else(|| "it is gone".into())
}

/// Waits until AWS says this to both copies.
async fn copies_are(here: &TestNamespace, expected: &str) -> Result<(), Failure> {
    wait::until_found(expected, async || {
        let used = here.python("app", USE).await?;
        Ok((used == expected).then_some(()))
    })
    .await
}

/// Waits until the session that the pod has is of use.
async fn is_served(here: &TestNamespace) -> Result<(), Failure> {
    wait::until_found("the pod has a new session", async || {
        let said = here.python("app", OWN).await?;
        Ok((said == "served\n").then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_copied_session_is_refused_and_no_other_of_the_role() -> Result<(), Failure> {
    with_temp_namespace("revoked", &[], async |here| {
        let (role, revoker) = with_copies(&here, true).await?;
        let cut = revoke(&here).await?;
        at_aws(&here, "False", "NoRevocationRole").await?;
        is_served(&here).await?;
        copies_are(&here, "bedrock served\nother served\n").await?;

        let revocation = json!({"roleArn": revoker});
        here.apply(&identity(&here, true, Some(&revocation)))
            .await?;
        let status = at_aws(&here, "True", "DeniedByPolicy").await?;
        assert_eq!(status.denied_before.map(|own| own.0), Some(cut));
        copies_are(&here, "bedrock AccessDenied\nother served\n").await?;
        is_served(&here).await?;

        // As it stands on the role; what was there before is there still.
        let policy = aws_role::inline_policy(&role, POLICY).await?;
        let condition = &policy["Statement"][0]["Condition"];
        assert_eq!(
            condition["DateLessThan"]["aws:TokenIssueTime"],
            cut.to_string()
        );
        let tags = json!({
            "aws:PrincipalTag/alter-namespace": here.name,
            "aws:PrincipalTag/alter-grant": "bedrock",
            "aws:PrincipalTag/alter-cluster": "e2e",
        });
        assert_eq!(condition["StringEquals"], tags, "{policy}");
        assert!(!aws_role::inline_policy(&role, "use").await?.is_null());

        // A later one moves the time on.
        let later = wait::until_found("a later second", async || {
            let later = revoke(&here).await?;
            Ok((later > cut).then_some(later))
        })
        .await?;
        wait::until_found("the later time is on the role", async || {
            let policy = aws_role::inline_policy(&role, POLICY).await?;
            let all = policy["Statement"].as_array().map_or(0, Vec::len);
            let time = &policy["Statement"][0]["Condition"]["DateLessThan"];
            Ok((all == 1 && time["aws:TokenIssueTime"] == later.to_string()).then_some(()))
        })
        .await?;
        is_served(&here).await
    })
    .await
}

#[tokio::test]
async fn without_tags_the_role_is_cut_off_only_where_the_identity_says_so() -> Result<(), Failure> {
    with_temp_namespace("revoked-whole", &[], async |here| {
        let (role, revoker) = with_copies(&here, false).await?;
        let revocation = json!({"roleArn": revoker});
        here.apply(&identity(&here, false, Some(&revocation)))
            .await?;
        here.identity_is(true, "").await?;
        revoke(&here).await?;
        at_aws(&here, "False", "NeedsWholeRole").await?;
        assert!(aws_role::inline_policy(&role, POLICY).await?.is_null());
        copies_are(&here, "bedrock served\nother served\n").await?;

        let whole = json!({"roleArn": revoker, "wholeRole": true});
        here.apply(&identity(&here, false, Some(&whole))).await?;
        at_aws(&here, "True", "DeniedByPolicy").await?;
        copies_are(&here, "bedrock AccessDenied\nother AccessDenied\n").await?;
        is_served(&here).await
    })
    .await
}
