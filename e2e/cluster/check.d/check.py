"""What a pod can do on the cluster: find Services, reach its sidecar, use AWS roles."""

import subprocess
import urllib.request

import boto3
from botocore.exceptions import ClientError

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]


def assume(role):
    sts = boto3.client("sts")
    account = sts.get_caller_identity()["Account"]
    credentials = sts.assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/{role}",
        RoleSessionName="check",
        SourceIdentity="check",
        Tags=[{"Key": "team", "Value": "a"}],
    )["Credentials"]
    return boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    )


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert "AccessDenied" in error.response["Error"]["Code"], error
        return
    raise AssertionError("not refused")


urllib.request.urlopen("http://127.0.0.1:8080/").read()
print("the sidecar was there first")

bedrock_session = assume("team-a-bedrock")
bedrock = bedrock_session.client("bedrock-runtime")
answer = bedrock.converse(modelId=MODEL, messages=HELLO)
assert answer["output"]["message"]["content"][0]["text"]
events = [*bedrock.converse_stream(modelId=MODEL, messages=HELLO)["stream"]]
assert any("contentBlockDelta" in event for event in events)
print("Converse and ConverseStream answer")

s3 = assume("team-a-s3").client("s3")
s3.put_object(Bucket="alter-e2e", Key="check", Body=b"content")
assert s3.get_object(Bucket="alter-e2e", Key="check")["Body"].read() == b"content"
print("S3 keeps an object")

refused(bedrock_session.client("s3").get_object, Bucket="alter-e2e", Key="check")
refused(boto3.client("s3").get_object, Bucket="alter-e2e", Key="check")
refused(assume, role="denied")
print("what is not allowed is refused")

subprocess.run(["aws", "sts", "get-caller-identity"], check=True)
