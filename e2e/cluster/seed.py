"""Makes what tests and the demo use in MiniStack: a user, roles, a bucket. Runs inside its pod.

Arguments: pairs of namespace and name, one for each Secret that shall hold the user's access key.
Standard input: the Secret of an earlier run as JSON, or nothing; its key is kept while MiniStack,
which holds everything in memory, knows it. Standard output: those Secrets as a Kubernetes List.
"""

import base64
import json
import sys

import boto3
from botocore.exceptions import ClientError

USER = "alter"
BUCKET = "alter-e2e"
ASSUME = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]

endpoint = {"endpoint_url": "http://127.0.0.1:4566", "region_name": "us-east-1"}
iam = boto3.client("iam", **endpoint)
s3 = boto3.client("s3", **endpoint)
account = boto3.client("sts", **endpoint).get_caller_identity()["Account"]


def policy(actions, **rest):
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, **rest}],
        }
    )


def unless_there(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("EntityAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise


def make_user():
    unless_there(iam.create_user, UserName=USER)
    iam.put_user_policy(
        UserName=USER, PolicyName="assume", PolicyDocument=policy(ASSUME, Resource="*")
    )
    # For sessions of the user's own, without a role.
    own = policy(["sts:GetFederationToken", "bedrock:*"], Resource="*")
    iam.put_user_policy(UserName=USER, PolicyName="own", PolicyDocument=own)


def make_role(name, principal, actions):
    trust = policy(ASSUME, Principal=principal)
    unless_there(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    iam.put_role_policy(
        RoleName=name, PolicyName="use", PolicyDocument=policy(actions, Resource="*")
    )


def access_key(earlier):
    data = json.loads(earlier)["data"] if earlier.strip() else {}
    known = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    for key in known:
        if base64.b64encode(key["AccessKeyId"].encode()).decode() == data.get("accessKeyId"):
            return data
    made = iam.create_access_key(UserName=USER)["AccessKey"]
    pair = {"accessKeyId": made["AccessKeyId"], "secretAccessKey": made["SecretAccessKey"]}
    return {name: base64.b64encode(value.encode()).decode() for name, value in pair.items()}


def secret(namespace, name, data):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": name},
        "data": data,
    }


def main():
    make_user()
    user = {"AWS": f"arn:aws:iam::{account}:user/{USER}"}
    # MiniStack authorizes Converse and ConverseStream as actions of their own, which AWS does not
    # have: the wildcard holds them.
    make_role("team-a-bedrock", user, ["bedrock:*"])
    make_role("team-b-bedrock", user, ["bedrock:*"])
    make_role("team-a-s3", user, ["s3:*"])
    make_role("team-a-app", user, ["bedrock:*", "s3:*"])
    # A chain: the user may assume the first alone, and each the next alone.
    before = user
    for name in ["chain-hub", "chain-spoke"]:
        make_role(name, before, ASSUME)
        before = {"AWS": f"arn:aws:iam::{account}:role/{name}"}
    make_role("chain-end", before, ["bedrock:*"])
    make_role("denied", {"Service": "ec2.amazonaws.com"}, ["bedrock:*"])
    unless_there(s3.create_bucket, Bucket=BUCKET)

    data = access_key(sys.stdin.read())
    pairs = zip(sys.argv[1::2], sys.argv[2::2])
    items = [secret(namespace, name, data) for namespace, name in pairs]
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout)


main()
