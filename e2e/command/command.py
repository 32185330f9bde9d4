"""Runs `alter`."""

import os
import subprocess


def alter(*arguments, input=b"", environment=None):
    """What it did: exit code, output and errors as bytes."""
    return subprocess.run(
        ["alter", *arguments],
        input=input,
        capture_output=True,
        env={**os.environ, **(environment or {})},
        timeout=60,
    )


def printed(*arguments, **more):
    """What it printed; it must have succeeded."""
    done = alter(*arguments, **more)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout
