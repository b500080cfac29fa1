"""Mistakes of the program, and strings from hostile places."""

import copy
import os
import pickle
import subprocess
import sys

import support
import us3


class Misuse(support.TestCase):
    def test_a_nul_is_refused_and_nothing_is_cut_off(self):
        client = self.client()
        path = support.file("a", 1)
        calls = {
            "file_path": lambda: client.put_file_with_policy("a\0b", "k"),
            "key": lambda: client.put_file_with_policy(path, "k\0hidden"),
            "mime_type": lambda: client.mput_with_policy(path, "k", "text\0"),
            "policy_json": lambda: client.async_upload_with_policy(path, "k", None, 1, "{}\0"),
            "metadata['name']": lambda: client.start("k", data=b"", metadata={"name": "\0"}),
            "a name of metadata": lambda: client.start("k", data=b"", metadata={"\0": "x"}),
            "storage_class": lambda: client.upload("k", data=b"", storage_class="IA\0"),
            "upload_id": lambda: client.abort_upload("k", "id\0"),
            "resume_path": lambda: client.upload("k", file_path=path, resume_path=b"a\0"),
            "public_key": lambda: us3.Client(**support.config(public_key="a\0")),
            "ca_file": lambda: us3.Client(**support.config(ca_file="a\0")),
            "json_path": lambda: us3.Client.from_file("a\0"),
            "url": lambda: us3.build_policy("http://a\0", "x"),
            "vars['x:a']": lambda: us3.build_policy("http://a", "x", None, {"x:a": "\0"}),
        }
        for name, call in calls.items():
            with self.subTest(name), self.assertRaises(us3.InvalidArgumentError) as caught:
                call()
            self.assertTrue(caught.exception.message.startswith(f"{name} contains a NUL at offset"), caught.exception)
        self.assertEqual(support.state()["requests"], [])

    def test_a_key_that_is_no_text_is_refused(self):
        with self.assertRaisesRegex(us3.InvalidArgumentError, "key is not Unicode: there is a lone surrogate at offset 1"):
            self.client().upload(os.fsdecode(b"a\xff"), data=b"x")

    def test_a_path_that_has_no_bytes_is_refused(self):
        client = self.client()
        for options in ({"file_path": "a\ud800"}, {"data": b"x", "resume_path": "a\ud800"}):
            with self.subTest(options), self.assertRaisesRegex(us3.InvalidArgumentError, r"_path is not a path: .*U\+D800 at offset 1"):
                client.upload("k", **options)

    def test_what_the_library_refuses(self):
        client = self.client()
        for options in ({}, {"data": b"x", "file_path": "y"}, {"data": b"x", "mode": "fast"}, {"data": b"", "jobs": 2**40}):
            with self.subTest(options), self.assertRaises(us3.InvalidArgumentError):
                client.upload("k", **options)
        with self.assertRaisesRegex(us3.InvalidArgumentError, "segment"):
            client.upload("a/../b", data=b"x")
        with self.assertRaises(us3.InvalidConfigError):
            us3.Client(**support.config(bucket_name=""))
        with self.assertRaises(us3.InvalidArgumentError):
            us3.Client(**support.config(max_retries=-1))

    def test_wrong_types(self):
        client = self.client()
        for options in (
            {"data": b"x", "polcy_json": "{}"},
            {"data": b"x", "mime_type": b"text"},
            {"data": b"x", "jobs": 1.5},
            {"data": b"x", "timeout_ms": "1"},
            {"data": b"x", "on_progress": 5},
            {"file_path": 5},
            {"data": b"x", "metadata": {"a": 1}},
        ):
            with self.subTest(options), self.assertRaises(TypeError):
                client.upload("k", **options)
        with self.assertRaises(TypeError):
            client.upload(b"k", data=b"x")
        self.assertEqual(support.state()["requests"], [])

    def test_nothing_is_pickled_or_copied(self):
        client = self.client()
        with client.start("k", data=b"x") as task, client.initiate_multipart_upload("k") as multipart:
            for thing in (client, task, multipart):
                with self.assertRaisesRegex(TypeError, "cannot be pickled"):
                    pickle.dumps(thing)
                with self.assertRaises(TypeError):
                    copy.copy(thing)

    def test_no_secret_is_in_an_error(self):
        with self.assertRaises(us3.ServiceError) as caught:
            self.client(public_key="wrong").upload("k", data=b"x")
        self.assertEqual(caught.exception.http_status, 403)
        secret = os.environ["US3_TEST_PRIVATE_KEY"]
        self.assertNotIn(secret, repr(caught.exception) + repr(caught.exception.result))

    def test_every_status_has_a_name_and_a_class(self):
        from us3 import _declarations as c
        from us3 import errors

        statuses = {name[4:]: number for name, number in vars(c).items() if name.startswith("US3_")}
        for status in us3.Status:
            self.assertEqual(statuses[status.name], status)
        for prefix, kind in (("OBJECT", us3.ObjectState), ("LOG", us3.LogLevel)):
            expected = {name: n for name, n in statuses.items() if name.startswith(prefix + "_")}
            self.assertEqual({f"{prefix}_{one.name}": one.value for one in kind}, expected)
        highest = max(us3.Status)
        self.assertEqual(us3._library.lib.us3_status_name(highest + 1), b"US3_UNKNOWN_STATUS")
        self.assertEqual(set(errors._CLASSES), set(us3.Status) - {us3.Status.OK})

    def test_a_library_whose_version_does_not_fit_is_refused(self):
        for version, fits in (("1.0.0", False), ("0.0.9", False), ("0.1.7", True), ("0.9.0", True)):
            source, library = support.DIR / "fake.c", support.DIR / f"fake-{version}.so"
            source.write_text(f'const char *us3_version(void) {{ return "{version}"; }}\n')
            compiler = os.environ.get("CC", "cc").split()
            subprocess.run([*compiler, "-shared", "-fPIC", "-o", library, source], check=True)
            command = [sys.executable, "-c", "import us3"]
            environment = {**os.environ, "US3_LIBRARY": str(library)}
            answer = subprocess.run(command, env=environment, stderr=subprocess.PIPE, encoding="utf-8")
            # One that fits fails later, for what the fake does not have.
            self.assertEqual("install the two together" not in answer.stderr, fits, answer.stderr)
            self.assertEqual("undefined symbol" in answer.stderr, fits, answer.stderr)

    def test_a_library_that_is_not_there(self):
        status, output = support.program("", US3_LIBRARY="/no/such/libus3.so.0")
        self.assertEqual(status, 1)
        self.assertIn("name its file in US3_LIBRARY", output)
