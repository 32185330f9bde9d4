//! Pods of every shape.

use alter_e2e::{
    Failure, TestNamespace,
    app::{WHO, with_grant},
    fixture::{AWS_ENDPOINT, IDLE, grant, python_image, python_pod},
    kubectl, wait, with_temp_namespace,
};

async fn field(here: &TestNamespace, pod: &str, path: &str) -> Result<String, Failure> {
    kubectl::field(&here.name, "pod", pod, path).await
}

#[tokio::test]
async fn the_pod_may_come_before_the_grant() -> Result<(), Failure> {
    with_temp_namespace("pod-first", &[], async |here| {
        here.identity().await?;
        let pod = python_pod("app", "alter.dev/grant: bedrock", WHO);
        let said = here.apply(&pod).await?;
        assert!(
            said.contains("bedrock"),
            "a warning names the grant: {said}"
        );
        here.apply(&grant(&here.name, "bedrock", "")).await?;
        assert!(wait::pod_ended(&here.client, &here.name, "app").await?);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn two_grants_are_two_profiles() -> Result<(), Failure> {
    with_grant("two-grants", &[], async |here| {
        here.ready_grant("second", "").await?;
        here.ready_pod("app", &python_pod("app", "alter.dev/grant: \"bedrock,second\"", IDLE)).await?;
        here.is_served("app").await?;
        let script = "import boto3\nfor p in (None, 'bedrock', 'second'): print(boto3.Session(profile_name=p).client('sts').get_caller_identity()['Arn'])";
        let arns = here.python("app", script).await?;
        let ends: Vec<_> = arns.lines().filter_map(|arn| arn.rsplit('.').next()).collect();
        assert_eq!(ends, ["bedrock", "bedrock", "second"], "{arns}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn init_containers_have_credentials_too() -> Result<(), Failure> {
    with_grant("init", &[], async |here| {
        let image = python_image();
        let pod = python_pod("app", "alter.dev/grant: bedrock", WHO)
            + &format!(
                r#"
  initContainers:
  - name: first
    image: {image}
    imagePullPolicy: Never
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
    env: [{{name: AWS_ENDPOINT_URL, value: "{AWS_ENDPOINT}"}}]
    command: [python3, -c, "{WHO}"]
"#
            );
        here.apply(&pod).await?;
        assert!(wait::pod_ended(&here.client, &here.name, "app").await?);
        let said = kubectl::run(&["logs", "app", "-n", &here.name, "-c", "first"]).await?;
        assert!(said.contains("assumed-role/team-a-app/"), "{said}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_job_completes_beside_its_agent() -> Result<(), Failure> {
    with_grant("job", &[], async |here| {
        let pod = python_pod("job", "alter.dev/grant: bedrock", WHO);
        let template: Vec<_> = pod.lines().skip_while(|line| !line.starts_with("metadata")).collect();
        let template = template.join("\n    ");
        here.apply(&format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: job}}\nspec:\n  backoffLimit: 0\n  template:\n    {template}")).await?;
        let complete = ["wait", "job/job", "-n", &here.name, "--for=condition=Complete", "--timeout=240s"];
        kubectl::run(&complete).await.map(|_| ())
    })
    .await
}

#[tokio::test]
async fn own_keys_are_refused_unless_kept_on_purpose() -> Result<(), Failure> {
    with_grant("own-keys", &[], async |here| {
        let keys = "env:\n    - {name: AWS_ACCESS_KEY_ID, value: test}\n    - {name: AWS_SECRET_ACCESS_KEY, value: test}";
        let with_keys = |annotations: &str| python_pod("app", annotations, IDLE).replace("env:", keys);
        let said = here.refused(&with_keys("alter.dev/grant: bedrock")).await?;
        assert!(said.contains("AWS_ACCESS_KEY_ID") && said.contains("alter.dev/conflict"), "{said}");
        here.ready_pod("app", &with_keys("alter.dev/grant: bedrock, alter.dev/conflict: keep")).await?;
        let arn = here.python("app", WHO).await?;
        assert!(arn.contains(":root") || arn.contains(":user/"), "its own keys win: {arn}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_restricted_namespace_takes_the_injected_pod() -> Result<(), Failure> {
    let restricted = [("pod-security.kubernetes.io/enforce", "restricted")];
    with_grant("restricted", &restricted, async |here| {
        for delivery in ["process", "endpoint"] {
            let annotations = format!("alter.dev/grant: bedrock, alter.dev/delivery: {delivery}");
            here.ready_pod(delivery, &python_pod(delivery, &annotations, IDLE))
                .await?;
            here.is_served(delivery).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pod_that_runs_as_root_works() -> Result<(), Failure> {
    with_grant("root", &[], async |here| {
        let pod = python_pod("app", "alter.dev/grant: bedrock", IDLE)
            .replace("runAsNonRoot: true, runAsUser: 777", "runAsUser: 0");
        here.ready_pod("app", &pod).await?;
        assert_eq!(
            here.python("app", "import os; print(os.getuid())")
                .await?
                .trim_end(),
            "0"
        );
        here.is_served("app").await
    })
    .await
}

#[tokio::test]
async fn the_quality_of_service_stays() -> Result<(), Failure> {
    with_grant("qos", &[], async |here| {
        let resources = "resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {cpu: 50m, memory: 64Mi}}\n    env:";
        let guaranteed = python_pod("guaranteed", "alter.dev/grant: bedrock", IDLE).replace("env:", resources);
        here.ready_pod("guaranteed", &guaranteed).await?;
        assert_eq!(field(here, "guaranteed", ".status.qosClass").await?, "Guaranteed");
        here.ready_pod("besteffort", &python_pod("besteffort", "alter.dev/grant: bedrock", IDLE)).await?;
        assert_eq!(field(here, "besteffort", ".status.qosClass").await?, "BestEffort");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_limit_range_does_not_stand_in_the_way() -> Result<(), Failure> {
    with_grant("limit-range", &[], async |here| {
        here.apply("apiVersion: v1\nkind: LimitRange\nmetadata: {name: limits}\nspec: {limits: [{type: Container, default: {cpu: 100m, memory: 128Mi}, defaultRequest: {cpu: 10m, memory: 32Mi}, min: {memory: 8Mi}}]}").await?;
        here.ready_pod("app", &python_pod("app", "alter.dev/grant: bedrock", IDLE)).await?;
        here.is_served("app").await
    })
    .await
}

#[tokio::test]
async fn another_service_account_than_the_grants_is_refused() -> Result<(), Failure> {
    with_temp_namespace("service-account", &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "  serviceAccounts: [app]")
            .await?;
        let said = here
            .refused(&python_pod("app", "alter.dev/grant: bedrock", IDLE))
            .await?;
        assert!(
            said.contains("serviceAccounts") && said.contains("default"),
            "{said}"
        );
        Ok(())
    })
    .await
}

/// Where the grant comes after the pod, the webhook could not know: the agent refuses.
#[tokio::test]
async fn a_grant_that_comes_later_binds_the_service_account_too() -> Result<(), Failure> {
    with_temp_namespace("later-account", &[], async |here| {
        here.identity().await?;
        here.apply(&python_pod("app", "alter.dev/grant: bedrock", IDLE))
            .await?;
        here.ready_grant("bedrock", "  serviceAccounts: [app]")
            .await?;
        wait::until_found("the agent's refusal", async || {
            let logs = ["logs", "app", "-n", &here.name, "-c", "alter-agent"];
            let output = kubectl::try_run(&logs, "").await?;
            Ok(output.stdout.contains("serviceAccounts").then_some(()))
        })
        .await?;
        let waiting = field(
            &here,
            "app",
            ".status.containerStatuses[0].state.waiting.reason",
        )
        .await?;
        assert_eq!(waiting, "PodInitializing");
        Ok(())
    })
    .await
}
