"""Tokens of `alter token` and of the vendors' packages."""

import datetime
import itertools
import json
import unittest
from unittest import mock

import aws_bedrock_token_generator
import botocore.auth
import botocore.credentials
import token_generator_for_aws_external_anthropic as anthropic

from command import alter, printed

KEYS = [
    ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None),
    ("ASIAEXAMPLE", "s", "IQoJb3JpZ2luX2VjE//+==" + "x/y+z=" * 200),
    ("ASIAEXAMPLE", "~ !*'()%2F", "a token, ~with all 'sorts' (of) %41 &="),
]


def theirs(kind, credentials, region, seconds, now):
    """A token that the vendor's package makes at `now`."""
    expiry = datetime.timedelta(seconds=seconds)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: now):
        if kind == "anthropic":
            return anthropic.get_token(credentials=credentials, region=region, expiry=expiry)
        provider = mock.Mock(load=lambda: credentials)
        return aws_bedrock_token_generator.provide_token(region, provider, expiry)


class Tokens(unittest.TestCase):
    def test_are_those_of_the_vendors_packages(self):
        cases = itertools.product(
            ["anthropic", "bedrock"], KEYS, ["us-east-1", "cn-northwest-1", "us-gov-west-1"], [1, 3600, 43200]
        )
        for kind, (key, secret, session), region, seconds in cases:
            with self.subTest(kind=kind, key=key, region=region, seconds=seconds):
                environment = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": region}
                if session:
                    environment["AWS_SESSION_TOKEN"] = session
                ours = printed("token", kind, "--lifetime", f"{seconds}s", environment=environment).decode().strip()
                shown = json.loads(printed("token", "decode", "--output", "json", input=ours.encode()))
                # The clock is the command's own: theirs is set by it.
                now = datetime.datetime.fromisoformat(shown["issued"].replace("Z", "+00:00")).replace(tzinfo=None)
                credentials = botocore.credentials.Credentials(key, secret, session)
                self.assertEqual(ours, theirs(kind, credentials, region, seconds, now))

    def test_live_for_twelve_hours_unless_told(self):
        for kind in ["anthropic", "bedrock"]:
            token = printed("token", kind, "--region", "us-east-1")
            shown = json.loads(printed("token", "decode", "--output", "json", input=token))
            issued, expires = (datetime.datetime.fromisoformat(shown[at].replace("Z", "")) for at in ("issued", "expires"))
            self.assertEqual(expires - issued, datetime.timedelta(hours=12), kind)

    def test_of_lives_that_the_packages_refuse_are_refused(self):
        credentials = botocore.credentials.Credentials(*KEYS[0])
        for kind, seconds in itertools.product(["anthropic", "bedrock"], [0, 43201]):
            with self.assertRaises(ValueError):
                theirs(kind, credentials, "us-east-1", seconds, datetime.datetime(2026, 1, 1))
            refused = alter("token", kind, "--region", "us-east-1", "--lifetime", f"{seconds}s")
            self.assertEqual((refused.returncode, refused.stdout), (1, b""), (kind, seconds))
