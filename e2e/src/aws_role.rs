//! Roles of the emulator that a test makes for itself.

use crate::{Failure, kubectl};
use serde_json::{Value, json};

/// Makes a role, or gives it another trust policy. It may assume roles and use S3.
const MAKE: &str = r#"
import json, sys
import boto3
name, trust = sys.argv[1:]
iam = boto3.client("iam", endpoint_url="http://127.0.0.1:4566", region_name="us-east-1")
try:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
except iam.exceptions.EntityAlreadyExistsException:
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
may = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession", "s3:*"], "Resource": "*"}
iam.put_role_policy(
    RoleName=name, PolicyName="use",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [may]}))
"#;

/// The ARN of a role of the emulator's account.
#[must_use]
pub fn arn(name: &str) -> String {
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// Makes a role whose trust policy has one statement; gives its ARN.
pub async fn make(name: &str, statement: &Value) -> Result<String, Failure> {
    let trust = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    kubectl::run(&[
        "exec",
        "-n",
        "ministack",
        "deployment/ministack",
        "--",
        "python3",
        "-c",
        MAKE,
        name,
        &trust,
    ])
    .await?;
    Ok(arn(name))
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
