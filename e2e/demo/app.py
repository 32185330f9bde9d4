"""An app that knows nothing of Alter: plain boto3, no keys, no configuration."""

import boto3

print("who am I:", boto3.client("sts").get_caller_identity()["Arn"], flush=True)

answer = boto3.client("bedrock-runtime").converse_stream(
    modelId="anthropic.claude-3-haiku-20240307-v1:0",
    messages=[{"role": "user", "content": [{"text": "Say hello to the platform team."}]}],
)
print("the model, streamed: ", end="", flush=True)
for event in answer["stream"]:
    if "contentBlockDelta" in event:
        print(event["contentBlockDelta"]["delta"]["text"], end="", flush=True)
print(flush=True)

session = boto3.Session().get_credentials()
print("access key:", session.access_key, "- until", session._expiry_time, flush=True)
