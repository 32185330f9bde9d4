//! Apps that the tests put beside an agent, and what they are asked to do.

use crate::{
    Failure, TestNamespace,
    fixture::{IDLE, python_pod},
    kubectl, wait, with_temp_namespace,
};

/// Prints who AWS says the caller is.
pub const WHO: &str = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";

/// What SDKs run in a pod, with the name of a grant.
pub const HELPER_PROGRAM: &str = "/var/run/alter/bin/credential-process";

/// What an SDK runs in a pod with the grant `bedrock`.
pub const HELPER: [&str; 2] = [HELPER_PROGRAM, "bedrock"];

/// Takes credentials anew for each call to AWS, until its standard input ends; any failed call ends it.
const CALLS: &str = r"
import boto3, select, sys
calls = 0
while not select.select([sys.stdin], [], [], 0.2)[0]:
    boto3.Session().client('sts').get_caller_identity()
    calls += 1
print(calls)
";

/// Runs a test in a namespace with its identity and the grant `bedrock`, which is ready.
pub async fn with_grant(
    test: &str,
    labels: &[(&str, &str)],
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_temp_namespace(test, labels, async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        body(&here).await
    })
    .await
}

/// As [`with_grant`], with the pod `app`, which has the grant by `delivery` and waits to be asked.
pub async fn with_served_app(
    test: &str,
    delivery: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_grant(test, &[], async |here| {
        let annotations = format!("alter.dev/grant: bedrock, alter.dev/delivery: {delivery}");
        here.ready_pod("app", &python_pod("app", &annotations, IDLE))
            .await?;
        body(here).await
    })
    .await
}

/// Calls AWS from the pod `app` from now on.
pub fn start_calls(here: &TestNamespace) -> Result<kubectl::Running, Failure> {
    kubectl::Running::exec(&here.name, "app", "app", &["python3", "-c", CALLS])
}

/// Ends the calls; one that failed fails the test, and so does it if there were none.
pub async fn end_calls(calls: kubectl::Running) -> Result<(), Failure> {
    let output = calls.finish("").await?;
    let count: u32 = output.stdout.trim().parse().unwrap_or(0);
    if output.success && count > 0 {
        Ok(())
    } else {
        Err(format!("a call to AWS failed, or there was none: {output:?}").into())
    }
}

impl TestNamespace {
    /// Fails unless AWS knows a pod's app as the role's session.
    pub async fn is_served(&self, pod: &str) -> Result<(), Failure> {
        let arn = self.python(pod, WHO).await?;
        if arn.contains("assumed-role/team-a-app/") {
            Ok(())
        } else {
            Err(format!("{pod}: {arn}").into())
        }
    }

    /// Waits until the helper in the pod `app` exits as expected, and gives what it then said.
    pub async fn helper(&self, serves: bool) -> Result<kubectl::Output, Failure> {
        let what = format!("the helper exits with {}", i32::from(!serves));
        wait::until_found(&what, async || {
            let output = kubectl::exec(&self.name, "app", "app", &HELPER).await?;
            Ok((output.success == serves).then_some(output))
        })
        .await
    }

    /// Which pod this is, and how often each of its containers was restarted: what stays while it is left
    /// alone.
    pub async fn life_of(&self, pod: &str) -> Result<String, Failure> {
        let mut life = Vec::new();
        for path in [
            ".metadata.uid",
            ".status.initContainerStatuses[*].restartCount",
            ".status.containerStatuses[*].restartCount",
        ] {
            life.push(kubectl::field(&self.name, "pod", pod, path).await?);
        }
        Ok(life.join(" "))
    }
}
