"""Requests of `alter request`, which MiniStack believes or not, and what became of them."""

import functools
import json
import os
import unittest

import boto3

from command import alter, printed

KEYS = [
    "plain", "a key", "a+b", "a%20b", "a%2Fb", "ünïcödé", "日本語/鍵", "😀", "a//b", "a/./b", "a/../b", "dir/",
    "'quoted' (and) *more*!", "a:b@c;d,e=f&g$h", "~tilde-._", "?query=1&x", "#fragment", "<a>\"b\"|c^d`e{f}[g]\\h",
]
MODEL = "https://bedrock-runtime.us-west-2.amazonaws.com/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0"


def client(service, region="us-east-1"):
    config = boto3.session.Config(proxies={}, s3={"addressing_style": "path"})
    return boto3.client(service, region, endpoint_url=os.environ["MINISTACK"], config=config)


@functools.cache
def admin():
    """Keys of a user who may do everything. MiniStack checks no signature made with its own keys, and all others."""
    iam = client("iam")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="everything", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def request(method, url, *arguments, **more):
    return printed("request", method, url.replace("https://", "http://", 1), *arguments, environment=admin(), **more)


def encoded(key):
    """As a URL has it: all but what RFC 3986 keeps."""
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
    return "".join(chr(byte) if byte in plain else f"%{byte:02X}" for byte in key.encode())


class Answers(unittest.TestCase):
    def test_sts_knows_who_asks(self):
        url = "https://sts.us-east-1.amazonaws.com/"
        answer = request("POST", url, "--data", "Action=GetCallerIdentity&Version=2011-06-15")
        self.assertIn(b"<Arn>arn:aws:iam::000000000000:user/admin</Arn>", answer)

    def test_another_secret_is_refused_in_the_words_of_aws(self):
        another = {**admin(), "AWS_SECRET_ACCESS_KEY": "another"}
        secrets = ["--json", "{}", "--header", "X-Amz-Target: secretsmanager.ListSecrets"]
        for arguments, words in [
            (["GET", "http://s3.us-east-1.amazonaws.com/"], b"<Code>SignatureDoesNotMatch</Code>"),
            (["POST", "http://secretsmanager.us-east-1.amazonaws.com/", *secrets], b"InvalidSignatureException"),
            (["POST", f"{MODEL}/converse".replace("https", "http"), "--json", "{}"], b"signature"),
        ]:
            with self.subTest(arguments=arguments):
                refused = alter("request", *arguments, environment=another)
                self.assertEqual(refused.returncode, 22, refused)
                self.assertIn(words, refused.stdout)

    def test_a_session_is_believed_with_its_token_alone(self):
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
        role = client("iam").create_role(RoleName="team-a", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        session = client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
        environment = {"AWS_ACCESS_KEY_ID": session["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"]}
        arguments = ["POST", "http://sts.us-east-1.amazonaws.com/", "--data", "Action=GetCallerIdentity&Version=2011-06-15"]
        answer = printed("request", *arguments, environment={**environment, "AWS_SESSION_TOKEN": session["SessionToken"]})
        self.assertIn(b"assumed-role/team-a/me", answer)
        without = alter("request", *arguments, environment=environment)
        self.assertEqual(without.returncode, 22, without.stdout)

    def test_s3_takes_and_gives_every_key(self):
        s3 = client("s3")
        s3.create_bucket(Bucket="keys-of-every-kind")
        for host in ["https://keys-of-every-kind.s3.us-east-1.amazonaws.com/", "https://s3.us-east-1.amazonaws.com/keys-of-every-kind/"]:
            for key in KEYS:
                with self.subTest(host=host, key=key):
                    body = f"{host} {key}".encode()
                    request("PUT", host + encoded(key), "--data", "@-", input=body)
                    self.assertEqual(s3.get_object(Bucket="keys-of-every-kind", Key=key)["Body"].read(), body)
                    self.assertEqual(request("GET", host + encoded(key)), body)
        listed = request("GET", "https://keys-of-every-kind.s3.us-east-1.amazonaws.com/?list-type=2&prefix=a%2F&delimiter=%2F")
        self.assertIn(b"<Prefix>a/</Prefix>", listed)

    def test_secrets_manager_gives_what_was_written(self):
        def ask(operation, body):
            target = f"X-Amz-Target: secretsmanager.{operation}"
            url = "https://secretsmanager.eu-west-1.amazonaws.com/"
            kind = "Content-Type: application/x-amz-json-1.1"
            return json.loads(request("POST", url, "--json", json.dumps(body), "--header", target, "--header", kind))

        ask("CreateSecret", {"Name": "team-a/database", "SecretString": "ünsäglich"})
        self.assertEqual(ask("GetSecretValue", {"SecretId": "team-a/database"})["SecretString"], "ünsäglich")

    def test_bedrock_converses_at_once_and_in_a_stream(self):
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]})
        answer = json.loads(request("POST", f"{MODEL}/converse", "--json", body))
        self.assertEqual(answer["output"]["message"]["role"], "assistant")
        stream = request("POST", f"{MODEL}/converse-stream", "--json", body)
        for event in [b"messageStart", b"contentBlockDelta", b"messageStop"]:
            self.assertIn(event, stream)
