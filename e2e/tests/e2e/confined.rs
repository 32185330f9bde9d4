//! What confines a session, whatever its role may: seen by what AWS then refuses.

use alter_e2e::{
    Failure, TestNamespace,
    fixture::{IDLE, grant, python_pod},
    with_temp_namespace,
};

/// Tries each thing that the role may do, and prints how it went. Refusals are tried by `InvokeModel`: the
/// emulator authorizes Converse as an action of its own, which AWS does not have and no policy here names.
const TRY: &str = r"
import boto3
from botocore.exceptions import ClientError
bedrock, s3 = boto3.client('bedrock-runtime'), boto3.client('s3')
invoke = lambda model: bedrock.invoke_model(modelId=model, body='{}')
stream = lambda model: list(bedrock.invoke_model_with_response_stream(modelId=model, body='{}')['body'])
haiku, sonnet = 'anthropic.claude-3-haiku-20240307-v1:0', 'anthropic.claude-3-sonnet-20240229-v1:0'
for name, call in {
    'haiku': lambda: invoke(haiku),
    'haiku-stream': lambda: stream(haiku),
    'sonnet': lambda: invoke(sonnet),
    'nova': lambda: invoke('amazon.nova-lite-v1:0'),
    'write': lambda: s3.put_object(Bucket='alter-e2e', Key='confined', Body=b'x'),
    'list': lambda: s3.list_objects_v2(Bucket='alter-e2e'),
}.items():
    try:
        call()
        print(name, 'ok')
    except ClientError as error:
        print(name, error.response['Error']['Code'].removesuffix('Exception'))
";

/// Runs [`TRY`] in a pod with the grant, and gives what could be done; the rest must have been denied.
async fn allowed(here: &TestNamespace, name: &str, spec: &str) -> Result<String, Failure> {
    here.ready_grant(name, spec).await?;
    here.ready_pod(
        name,
        &python_pod(name, &format!("alter.dev/grant: {name}"), IDLE),
    )
    .await?;
    let said = here.python(name, TRY).await?;
    let mut allowed = Vec::new();
    for line in said.lines() {
        match line.split_once(' ') {
            Some((thing, "ok")) => allowed.push(thing),
            Some((_, "AccessDenied")) => {}
            _ => return Err(format!("neither allowed nor denied: {said}").into()),
        }
    }
    Ok(allowed.join(" "))
}

#[tokio::test]
async fn a_model_outside_of_the_list_is_refused_and_one_inside_answers() -> Result<(), Failure> {
    with_temp_namespace("models", &[], async |here| {
        here.identity().await?;
        let all = allowed(&here, "all", "").await?;
        assert_eq!(all, "haiku haiku-stream sonnet nova write list");
        let one = "  bedrock: {models: [\"anthropic.claude-3-haiku-20240307-v1:0\"]}";
        assert_eq!(allowed(&here, "one", one).await?, "haiku haiku-stream");
        let family = "  bedrock: {models: [\"anthropic.claude-3*\"]}";
        let family = allowed(&here, "family", family).await?;
        assert_eq!(family, "haiku haiku-stream sonnet");
        Ok(())
    })
    .await
}

const READ: &str = r#"
  policy: |
    {
      "Version": "2012-10-17",
      "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}]
    }"#;

#[tokio::test]
async fn inline_and_managed_policies_confine_and_changing_them_is_a_new_session()
-> Result<(), Failure> {
    with_temp_namespace("policies", &[], async |here| {
        here.identity().await?;
        assert_eq!(allowed(&here, "inline", READ).await?, "list");
        let managed = "  policyArns: [\"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"]";
        assert_eq!(allowed(&here, "managed", managed).await?, "list");
        let before = here.grant_ready("inline").await?;
        let wider = READ.replace("s3:ListBucket", "s3:*");
        let after = here.ready_grant("inline", &wider).await?;
        let key = |grant: alter_crds::AwsGrant| grant.status.and_then(|own| own.access_key_id);
        assert_ne!(key(before), key(after));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_policy_that_cannot_be_is_refused_at_once() -> Result<(), Failure> {
    with_temp_namespace("no-policy", &[], async |here| {
        here.identity().await?;
        let models: Vec<_> = (0..20)
            .map(|i| format!("us.anthropic.claude-sonnet-4-2025{i:04}-v1:0"))
            .collect();
        let long = format!("  bedrock: {{models: [{}]}}", models.join(", "));
        for (spec, part) in [
            (
                long.as_str(),
                "the first 6 fit; write us.anthropic.claude-sonnet-4-2025",
            ),
            ("  bedrock: {models: [\"*\"]}", "spec.bedrock.models"),
            (
                "  bedrock: {models: [amazon.nova*]}\n  policy: \"{}\"",
                "bedrock excludes policy and policyArns",
            ),
            ("  policy: \"{}\"", "it is no IAM policy"),
            (
                "  policyArns: [\"arn:aws:iam::111122223333:policy/x\"]",
                "neither AWS's own nor of account 000000000000",
            ),
        ] {
            let said = here.refused(&grant(&here.name, "refused", spec)).await?;
            assert!(said.contains(part), "{part} is not in {said}");
        }
        Ok(())
    })
    .await
}
