"""What the Python tests share: clients, the emulator's control listener, callbacks, the process."""

import json
import os
import subprocess
import sys
import textwrap
import time
import unittest
import urllib.request
from pathlib import Path

import us3

MIB = 1024 * 1024
DIR = Path(os.environ["US3_TEST_DIR"])
ENDPOINT = os.environ["US3_TEST_ENDPOINT"]
CALLBACK = os.environ["US3_TEST_CALLBACK"]


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["US3_TEST_CONTROL"] + path, data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def state():
    return json.loads(control("GET", "/state"))


def rule(**members):
    control("POST", "/rules", members)


def stalled():
    return sum(one["stalled"] for one in state()["rules"])


def requests(call):
    return sum(one["call"] == call for one in state()["requests"])


def policy(name):
    """One whose callback arrives at /NAME."""
    return us3.build_policy(f"{CALLBACK}/{name}", json.dumps({"who": name}), "application/json")


def policy_down():
    """One whose callback service nobody runs."""
    return us3.build_policy("http://127.0.0.1:1/down", "{}", "application/json")


def callbacks(name):
    lines = Path(os.environ["US3_TEST_CALLBACKS"]).read_text(encoding="utf-8").splitlines()
    return sum(f'/{name}"' in line for line in lines)


def config(**more):
    return {
        "public_key": os.environ["US3_TEST_PUBLIC_KEY"],
        "private_key": os.environ["US3_TEST_PRIVATE_KEY"],
        "bucket_name": "demo",
        "endpoint": ENDPOINT,
        **more,
    }


def file(name, size):
    path = DIR / name
    path.write_bytes(bytes(range(256)) * (size // 256) + bytes(size % 256))
    return path


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def threads():
    return len(os.listdir("/proc/self/task"))


def eventually(what, condition, seconds=10):
    """Waits until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about within {seconds} s")
        time.sleep(0.01)


def program(body, *, wait=True, **environment):
    """A program in an interpreter of its own, with `us3` and `support` imported."""
    text = "import us3, support, sys, os, time, threading, asyncio\n" + textwrap.dedent(body)
    # All that -X dev does, without asyncio's remarks about a slow machine.
    command = [sys.executable, "-X", "faulthandler", "-W", "default", "-c", text]
    paths = os.pathsep.join([os.path.dirname(__file__)])
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": paths, "PYTHONMALLOC": "debug", **environment},
    )
    if not wait:
        return process
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


class TestCase(unittest.TestCase):
    def setUp(self):
        control("POST", "/reset")

    def client(self, **more):
        client = us3.Client(**config(**more))
        self.addCleanup(client.close, cancel=True)
        return client
