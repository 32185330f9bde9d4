//! The objects that tests apply, as YAML that a person would write.

use crate::{Failure, TestNamespace, kubectl, wait};
use alter_crds::{AwsGrant, AwsIdentity, condition};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

/// Secret of the installation's namespace with the key of the emulator's user `alter`.
pub const ACCESS_KEY_SECRET: &str = "aws-access-key";
/// STS of the emulator, within the cluster.
pub const AWS_ENDPOINT: &str = "http://ministack.ministack.svc:4566";
/// A role that the user may assume, with Bedrock and S3 to use.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/team-a-app";
/// A role that exists and lets nobody assume it.
pub const DENIED_ROLE: &str = "arn:aws:iam::000000000000:role/denied";

/// The variable with the image of the pods that run Python, boto3 and the AWS CLI.
pub const PYTHON_IMAGE: &str = "ALTER_E2E_PYTHON_IMAGE";

/// Image of the pods that run Python, boto3 and the AWS CLI; empty where nobody said, which no test begins
/// with.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "a test has no arguments; e2e/run sets it"
)]
pub fn python_image() -> String {
    std::env::var(PYTHON_IMAGE).unwrap_or_default()
}

/// An identity of the namespace's name, which allows it every role of the emulator's account.
#[must_use]
pub fn identity(namespace: &str) -> String {
    format!(
        r#"
apiVersion: alter.dev/v1alpha1
kind: AwsIdentity
metadata: {{name: {namespace}}}
spec:
  region: us-east-1
  endpoints: {{sts: "{AWS_ENDPOINT}"}}
  credentials: {{accessKey: {{secretRef: {{name: {ACCESS_KEY_SECRET}}}}}}}
  allow:
  - namespaces: {{names: [{namespace}]}}
    roleArns: ["arn:aws:iam::000000000000:role/*"]
"#
    )
}

/// A grant with `spec` lines beside identity, role and region.
#[must_use]
pub fn grant(namespace: &str, name: &str, spec: &str) -> String {
    grant_of(namespace, name, ROLE, spec)
}

/// A grant of another role.
#[must_use]
pub fn grant_of(namespace: &str, name: &str, role_arn: &str, spec: &str) -> String {
    format!(
        r"
apiVersion: alter.dev/v1alpha1
kind: AwsGrant
metadata: {{name: {name}}}
spec:
  identity: {namespace}
  roleArn: {role_arn}
  region: us-east-1
{spec}
"
    )
}

/// A pod that is valid under the `restricted` standard and runs `script` in Python.
#[must_use]
pub fn python_pod(name: &str, annotations: &str, script: &str) -> String {
    let script = script.replace('\n', "\n      ");
    let image = python_image();
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations: {{{annotations}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  securityContext: {{runAsNonRoot: true, runAsUser: 777, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: app
    image: {image}
    imagePullPolicy: Never
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}, readOnlyRootFilesystem: true}}
    env:
    - {{name: AWS_ENDPOINT_URL, value: "{AWS_ENDPOINT}"}}
    command: [python3, -c]
    args:
    - |
      {script}
"#
    )
}

/// What an app does that waits to be asked.
pub const IDLE: &str = "import signal; signal.sigwait([signal.SIGTERM])";

impl TestNamespace {
    /// Applies YAML in the namespace; a refusal fails the test.
    pub async fn apply(&self, yaml: &str) -> Result<String, Failure> {
        let output = kubectl::apply(&self.name, yaml).await?;
        if output.success {
            Ok(output.stdout + &output.stderr)
        } else {
            Err(format!("kubectl apply: {}\n{yaml}", output.stderr).into())
        }
    }

    /// Applies YAML that must be refused, and gives the message.
    pub async fn refused(&self, yaml: &str) -> Result<String, Failure> {
        let output = kubectl::apply(&self.name, yaml).await?;
        if output.success {
            return Err(format!("was to be refused: {yaml}").into());
        }
        Ok(output.stderr)
    }

    /// Applies the namespace's identity and waits until AWS knows it.
    pub async fn identity(&self) -> Result<(), Failure> {
        self.apply(&identity(&self.name)).await?;
        self.identity_is(true, "").await
    }

    /// Waits until the namespace's identity is ready, or is not, with `why` in reason or message.
    pub async fn identity_is(&self, ready: bool, why: &'static str) -> Result<(), Failure> {
        let identities: Api<AwsIdentity> = Api::all(self.client.clone());
        let what = format!("Ready={ready} {why}");
        let seen = move |identity: Option<&AwsIdentity>| {
            let Some(identity) = identity else {
                return false;
            };
            let Some(status) = &identity.status else {
                return false;
            };
            status.observed_generation == identity.metadata.generation
                && says(&status.conditions, ready, why)
        };
        wait::until(&identities, &self.name, &what, seen)
            .await
            .map(|_| ())
    }

    /// Applies a grant and waits until it is ready.
    pub async fn ready_grant(&self, name: &str, spec: &str) -> Result<AwsGrant, Failure> {
        self.apply(&grant(&self.name, name, spec)).await?;
        self.grant_ready(name).await
    }

    /// Waits until the grant is ready.
    pub async fn grant_ready(&self, name: &str) -> Result<AwsGrant, Failure> {
        self.grant_is(name, true, "").await
    }

    /// Waits until the grant's condition `Ready` has the status, and `why` in reason or message.
    pub async fn grant_is(
        &self,
        name: &str,
        ready: bool,
        why: &'static str,
    ) -> Result<AwsGrant, Failure> {
        let grants: Api<AwsGrant> = Api::namespaced(self.client.clone(), &self.name);
        let what = format!("Ready={ready} {why}");
        let seen = move |grant: Option<&AwsGrant>| {
            let Some(grant) = grant else { return false };
            let Some(status) = &grant.status else {
                return false;
            };
            status.observed_generation == grant.metadata.generation
                && says(&status.conditions, ready, why)
        };
        let found = wait::until(&grants, name, &what, seen).await?;
        found.ok_or_else(|| format!("{name}: gone").into())
    }

    /// Waits until a session's Secret holds `grant.json` alone.
    pub async fn taken_away(&self, secret: &str) -> Result<(), Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.name);
        let seen = |secret: Option<&Secret>| {
            let data = secret.and_then(|secret| secret.data.as_ref());
            data.is_some_and(|data| data.keys().eq(["grant.json"]))
        };
        wait::until(&secrets, secret, "grant.json alone", seen)
            .await
            .map(|_| ())
    }

    /// Applies a pod and waits until it is ready.
    pub async fn ready_pod(&self, name: &str, yaml: &str) -> Result<(), Failure> {
        self.apply(yaml).await?;
        wait::pod_ready(&self.client, &self.name, name)
            .await
            .map(|_| ())
    }

    /// Runs a script in Python in the app's container of a pod; a failure fails the test.
    pub async fn python(&self, pod: &str, script: &str) -> Result<String, Failure> {
        let output = kubectl::exec(&self.name, pod, "app", &["python3", "-c", script]).await?;
        if output.success {
            Ok(output.stdout)
        } else {
            Err(format!("python in {pod}: {}{}", output.stdout, output.stderr).into())
        }
    }
}

fn says(
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    ready: bool,
    why: &str,
) -> bool {
    conditions.iter().any(|found| {
        found.type_ == condition::READY
            && (found.status == "True") == ready
            && (found.reason.contains(why) || found.message.contains(why))
    })
}
