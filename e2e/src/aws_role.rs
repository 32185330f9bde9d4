//! Roles of the emulator that a test makes for itself.

use crate::{Failure, kubectl};
use serde_json::{Value, json};

/// Makes a role, or gives it another trust policy.
const MAKE: &str = r#"
import json, sys
import boto3
name, trust, actions = sys.argv[1:]
iam = boto3.client("iam", endpoint_url="http://127.0.0.1:4566", region_name="us-east-1")
try:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
except iam.exceptions.EntityAlreadyExistsException:
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
may = {"Effect": "Allow", "Action": json.loads(actions), "Resource": "*"}
iam.put_role_policy(
    RoleName=name, PolicyName="use",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]}))
"#;

/// Prints an inline policy of a role, or nothing.
const POLICY: &str = r#"
import json, sys
import boto3
name, policy = sys.argv[1:]
iam = boto3.client("iam", endpoint_url="http://127.0.0.1:4566", region_name="us-east-1")
try:
    print(json.dumps(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]))
except iam.exceptions.NoSuchEntityException:
    print("null")
"#;

/// The ARN of a role of the emulator's account.
#[must_use]
pub fn arn(name: &str) -> String {
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// Makes a role whose trust policy has one statement, and which may assume roles and use S3; gives its ARN.
pub async fn make(name: &str, statement: &Value) -> Result<String, Failure> {
    make_with(
        name,
        statement,
        &["sts:AssumeRole", "sts:TagSession", "s3:*"],
    )
    .await
}

/// As [`make`], of a role that may do these actions.
pub async fn make_with(name: &str, statement: &Value, actions: &[&str]) -> Result<String, Failure> {
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let actions = json!(actions).to_string();
    python(&[MAKE, name, &trust, &actions]).await?;
    Ok(arn(name))
}

/// An inline policy of a role; null where there is none.
pub async fn inline_policy(role: &str, policy: &str) -> Result<Value, Failure> {
    let text = python(&[POLICY, role, policy]).await?;
    Ok(serde_json::from_str(&text)?)
}

/// Runs a script in the emulator's pod, by its root keys.
async fn python(arguments: &[&str]) -> Result<String, Failure> {
    let pod = ["exec", "-n", "ministack", "deployment/ministack", "--"];
    kubectl::run(&[&pod[..], &["python3", "-c"], arguments].concat()).await
}

/// Lets the user in whose key the identities have.
#[must_use]
pub fn trusting_user() -> Value {
    json!({
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:user/alter"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    })
}

/// Lets sessions of a role in.
#[must_use]
pub fn trusting_role(arn: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": ["sts:AssumeRole", "sts:TagSession"]})
}

/// Lets tokens of an issuer in, on a condition.
#[must_use]
pub fn trusting_issuer(host: &str, condition: &Value) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": {"Federated": format!("arn:aws:iam::000000000000:oidc-provider/{host}")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    })
}
