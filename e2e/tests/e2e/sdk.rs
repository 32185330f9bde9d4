//! Unchanged SDKs in annotated pods.

use alter_e2e::{
    Failure,
    app::{WHO, with_grant, with_served_app},
    fixture::{AWS_ENDPOINT, python_pod},
    kubectl, wait,
};

const CONVERSE: &str = r"
import boto3
bedrock = boto3.client('bedrock-runtime')
ask = dict(modelId='anthropic.claude-3-haiku-20240307-v1:0', messages=[{'role': 'user', 'content': [{'text': 'hello'}]}])
print(bedrock.converse(**ask)['output']['message']['content'][0]['text'])
stream = bedrock.converse_stream(**ask)['stream']
print(''.join(e['contentBlockDelta']['delta']['text'] for e in stream if 'contentBlockDelta' in e))
";

const S3: &str = r"
import boto3
s3 = boto3.client('s3')
s3.put_object(Bucket='alter-e2e', Key='a/b c+d', Body=b'kept')
print(s3.get_object(Bucket='alter-e2e', Key='a/b c+d')['Body'].read().decode())
";

async fn boto3_works(delivery: &str) -> Result<(), Failure> {
    with_served_app(&format!("boto3-{delivery}"), delivery, async |here| {
        let arn = here.python("app", WHO).await?;
        let expected = format!("assumed-role/team-a-app/alter.{}.bedrock", here.name);
        assert!(arn.trim_end().ends_with(&expected), "{arn}");
        let answers = here.python("app", CONVERSE).await?;
        assert_eq!(
            answers.lines().filter(|line| !line.is_empty()).count(),
            2,
            "{answers}"
        );
        assert_eq!(here.python("app", S3).await?.trim_end(), "kept");
        let cli = [
            "aws",
            "sts",
            "get-caller-identity",
            "--query",
            "Arn",
            "--output",
            "text",
        ];
        let output = kubectl::exec(&here.name, "app", "app", &cli).await?;
        assert!(
            output.stdout.trim_end().ends_with(&expected),
            "{}{}",
            output.stdout,
            output.stderr
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn boto3_and_the_cli_work_with_process() -> Result<(), Failure> {
    boto3_works("process").await
}

#[tokio::test]
async fn boto3_and_the_cli_work_with_endpoint() -> Result<(), Failure> {
    boto3_works("endpoint").await
}

#[tokio::test]
async fn boto3_and_the_cli_work_with_imds() -> Result<(), Failure> {
    boto3_works("imds").await
}

#[tokio::test]
async fn a_program_without_a_shell_works_with_endpoint() -> Result<(), Failure> {
    a_program_without_a_shell_works("endpoint").await
}

#[tokio::test]
async fn a_program_without_a_shell_works_with_imds() -> Result<(), Failure> {
    a_program_without_a_shell_works("imds").await
}

/// A static program in an image without anything else, on the default chain of the AWS SDK for Rust.
async fn a_program_without_a_shell_works(delivery: &str) -> Result<(), Failure> {
    with_grant(&format!("scratch-{delivery}"), &[], async |here| {
        here.apply(&format!(
            r#"
apiVersion: v1
kind: Pod
metadata:
  name: probe
  annotations: {{alter.dev/grant: bedrock, alter.dev/delivery: {delivery}}}
spec:
  restartPolicy: Never
  containers:
  - name: probe
    image: alter-e2e/sdk-probe:e2e
    imagePullPolicy: Never
    env: [{{name: AWS_ENDPOINT_URL, value: "{AWS_ENDPOINT}"}}]
"#
        ))
        .await?;
        let succeeded = wait::pod_ended(&here.client, &here.name, "probe").await?;
        let said = kubectl::run(&["logs", "probe", "-n", &here.name, "-c", "probe"]).await?;
        assert!(
            succeeded && said.contains("assumed-role/team-a-app/"),
            "{said}"
        );
        Ok(())
    })
    .await
}

/// The pod's own first process, and eight more that it starts at once: each is an SDK of its own.
const PROCESSES: &str = r"
import boto3, subprocess, sys
who = 'import boto3; print(boto3.client(\'sts\').get_caller_identity()[\'Arn\'])'
exec(who)
more = [subprocess.Popen([sys.executable, '-c', who]) for _ in range(8)]
sys.exit(max(one.wait() for one in more))
";

#[tokio::test]
async fn every_process_of_a_pod_has_the_session() -> Result<(), Failure> {
    with_grant("processes", &[], async |here| {
        here.apply(&python_pod("app", "alter.dev/grant: bedrock", PROCESSES))
            .await?;
        let succeeded = wait::pod_ended(&here.client, &here.name, "app").await?;
        let said = kubectl::run(&["logs", "app", "-n", &here.name, "-c", "app"]).await?;
        assert!(succeeded, "{said}");
        let expected = format!("assumed-role/team-a-app/alter.{}.bedrock", here.name);
        // Their lines may run into each other.
        assert_eq!(said.matches(&expected).count(), 9, "{said}");
        Ok(())
    })
    .await
}
