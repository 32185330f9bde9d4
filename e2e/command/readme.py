"""The examples of the README's section on the command, as they stand there."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from answers import admin, client

SECTION = "\n## The command `alter`\n"


def blocks():
    """Each example that runs `alter`, and the output that the README shows for it, if it does."""
    readme = pathlib.Path(os.environ["README"]).read_text()
    section = readme[readme.index(SECTION) + len(SECTION):].split("\n## ")[0]
    for example, output in re.findall(r"```sh\n(.*?)```\n(?:\n```\n(.*?)```\n)?", section, re.S):
        if re.search(r"\balter (token|request) |alter-cli -- ", example):
            yield example, output


class Readme(unittest.TestCase):
    def test_examples_work(self):
        client("s3", "eu-central-1").create_bucket(
            Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        client("secretsmanager").create_secret(Name="my-secret", SecretString="its value")
        tried = 0
        for example, output in blocks():
            with self.subTest(example=example), tempfile.TemporaryDirectory() as folder:
                pathlib.Path(folder, "file").write_text("what the file says")
                pathlib.Path(folder, "request.json").write_text(
                    '{"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}')
                # What Cargo would build is built, and stands on the path.
                script = example.replace("cargo run --quiet --package alter-cli --", "alter")
                script = script.replace("https://", "http://").replace("http://127.0.0.1:4566", os.environ["MINISTACK"])
                done = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, **admin()}, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT)
                self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace"))
                if output:
                    self.assertEqual(done.stdout.decode(), output)
            tried += 1
        self.assertEqual(tried, 3)
        written = client("s3", "eu-central-1").get_object(Bucket="my-bucket", Key="a key")
        self.assertEqual((written["Body"].read(), written["ContentType"]), (b"what the file says", "text/plain"))
