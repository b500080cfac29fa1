"""The five operations and what goes with them."""

import errno
import pickle
import time

import support
import us3
from support import MIB
from us3 import _library


class Operations(support.TestCase):
    def check_delivered(self, result, name):
        self.assertIs(result.status, us3.Status.OK)
        self.assertEqual(result.http_status, 200)
        self.assertIs(result.object_state, us3.ObjectState.STORED)
        self.assertIs(result.callback_state, us3.CallbackState.DELIVERED)
        self.assertEqual(result.json()["received"]["path"], f"/callback/{name}")
        self.assertTrue(result.etag and result.session_id)
        self.assertEqual(support.callbacks(name), 1)

    def test_put_file_with_policy(self):
        result = self.client().put_file_with_policy(support.file("a", 1000), "put", None, support.policy("put"))
        self.check_delivered(result, "put")
        self.assertEqual(support.requests("put"), 1)

    def test_mput_with_policy_sends_one_part_at_a_time(self):
        client = self.client()
        path = support.file("b", 9 * MIB)
        result = client.mput_with_policy(path, "mput", "video/mp4", support.policy("mput"))
        self.check_delivered(result, "mput")
        self.assertEqual(support.requests("part"), 3)
        self.assertEqual(support.state()["max_parts_in_flight"], 1)
        self.assertEqual(client.head_file("mput").mime_type, "video/mp4")

    def test_async_mput_with_policy_sends_ten_parts_at_a_time(self):
        support.rule(call="part", fault={"stall": {"ms": 300}})
        path = support.file("c", 44 * MIB)
        result = self.client().async_mput_with_policy(path, "amput", None, support.policy("amput"))
        self.check_delivered(result, "amput")
        self.assertEqual(support.state()["max_parts_in_flight"], 10)

    def test_async_upload_with_policy_honours_its_jobs(self):
        support.rule(call="part", fault={"stall": {"ms": 200}})
        path = support.file("d", 17 * MIB)
        result = self.client().async_upload_with_policy(path, "aupload", None, 2, support.policy("aupload"))
        self.check_delivered(result, "aupload")
        self.assertEqual(support.state()["max_parts_in_flight"], 2)

    def test_finish_with_policy_after_parts_in_any_order(self):
        client = self.client()
        with client.initiate_multipart_upload("finish", "text/plain") as multipart:
            self.assertEqual(multipart.part_size, 4 * MIB)
            self.assertTrue(multipart.upload_id)
            multipart.upload_part(1, b"the end")
            part = multipart.upload_part(0, memoryview(bytes(multipart.part_size)))
            self.assertEqual(len(part.etag), 28)
            self.check_delivered(multipart.finish_with_policy(support.policy("finish")), "finish")
        self.assertEqual(client.head_file("finish").size, 4 * MIB + 7)

    def test_leaving_a_multipart_upload_before_its_finish_aborts_it(self):
        client = self.client()
        with self.assertRaises(KeyError), client.initiate_multipart_upload("left") as multipart:
            multipart.upload_part(0, b"x")
            raise KeyError
        with client.initiate_multipart_upload("left") as multipart:
            multipart.upload_part(0, b"x")
        self.assertEqual(support.state()["uploads"], [])
        self.assertEqual(support.requests("abort"), 2)

    def test_abort_upload_aborts_an_upload_by_its_name(self):
        client = self.client()
        multipart = client.initiate_multipart_upload("left")
        upload_id = multipart.upload_id
        multipart.upload_part(0, b"x")
        multipart.close()
        self.assertEqual([upload["upload_id"] for upload in support.state()["uploads"]], [upload_id])
        with self.assertRaises(us3.ServiceError) as caught:
            client.abort_upload("left", upload_id + "x")
        self.assertEqual((caught.exception.http_status, caught.exception.upload_id), (404, None))
        self.assertEqual(len(support.state()["uploads"]), 1)
        self.assertEqual(client.abort_upload("left", upload_id).upload_id, upload_id)
        self.assertEqual(support.state()["uploads"], [])
        with self.assertRaises(us3.ServiceError) as caught:
            client.abort_upload("left", upload_id)
        self.assertEqual(caught.exception.http_status, 404)
        for bad in ("", "a b"):
            with self.assertRaisesRegex(us3.InvalidArgumentError, "upload_id"):
                client.abort_upload("left", bad)
        self.assertEqual(support.requests("abort"), 3)

    def test_every_state_of_the_library_is_a_member(self):
        lib = _library.lib
        named = (
            (us3.ObjectState, lib.us3_object_state_name, "US3_OBJECT_", b"US3_UNKNOWN_OBJECT_STATE"),
            (us3.CallbackState, lib.us3_callback_state_name, "US3_CALLBACK_", b"US3_UNKNOWN_CALLBACK_STATE"),
        )
        for kind, name_of, prefix, unknown in named:
            for number in range(len(kind)):
                self.assertEqual(name_of(number).decode(), prefix + kind(number).name)
            self.assertEqual(name_of(len(kind)), unknown)
        self.assertEqual(us3.CallbackState.REPLY_REFUSED, 4)

    def test_the_settle_timeout_arrives(self):
        with self.assertRaisesRegex(us3.InvalidConfigError, "settle_timeout_ms"):
            us3.Client(**support.config(settle_timeout_ms=86400001))
        self.client(settle_timeout_ms=86400000)

    def test_a_callback_service_that_is_down(self):
        client = self.client()
        with self.assertRaises(us3.CallbackFailedError) as caught:
            client.put_file_with_policy(support.file("e", 100), "down", None, support.policy_down())
        error = caught.exception
        self.assertIs(error.status, us3.Status.CALLBACK_FAILED)
        self.assertEqual(error.name, "US3_CALLBACK_FAILED")
        self.assertEqual((error.http_status, error.ret_code), (599, 20003))
        self.assertIs(error.object_state, us3.ObjectState.STORED)
        self.assertIs(error.callback_state, us3.CallbackState.NOT_DELIVERED)
        self.assertIn("send request error", error.message)
        self.assertIn(b'"RetCode":20003', error.body)
        self.assertIn("US3_CALLBACK_FAILED", str(error))
        self.assertTrue(error.session_id)
        client.head_file("down")

    def test_a_failed_finish_can_be_repeated(self):
        client = self.client()
        refusal = {"status": 403, "body": '{"RetCode":-148643,"ErrMsg":"invalid signature"}'}
        support.rule(call="finish", nth=1, fault={"answer": refusal})
        with client.initiate_multipart_upload("again") as multipart:
            multipart.upload_part(0, b"all of it")
            with self.assertRaises(us3.ServiceError) as caught:
                multipart.finish_with_policy(support.policy("again"))
            self.assertEqual(caught.exception.upload_id, multipart.upload_id)
            self.assertEqual(caught.exception.ret_code, -148643)
            self.check_delivered(multipart.finish_with_policy(support.policy("again")), "again")

    def test_head_and_delete(self):
        client = self.client()
        client.upload("h", data=b"hello", mime_type="text/plain")
        info = client.head_file("h")
        self.assertEqual((info.size, info.mime_type), (5, "text/plain"))
        self.assertTrue(info.etag)
        self.assertLess(abs(info.last_modified - time.time()), 100)
        client.delete_file("h")
        for call in (client.head_file, client.delete_file):
            with self.assertRaises(us3.ServiceError) as caught:
                call("h")
            self.assertEqual(caught.exception.http_status, 404)

    def test_metadata_and_storage_class(self):
        metadata = {f"name-{number}": f"value {number}" for number in range(20)}
        self.client().upload("m", data=b"x", metadata=metadata, storage_class="IA", mode="put")
        stored = support.state()["objects"][0]
        self.assertEqual((stored["metadata"], stored["storage_class"]), (metadata, "IA"))

    def test_an_upload_is_resumed(self):
        client = self.client(max_retries=0)
        path = support.file("resumed", 9 * MIB)
        options = {"file_path": path, "mode": "mput", "jobs": 1, "resume_path": support.DIR / "checkpoint"}
        support.rule(call="part", part=2, times=1, fault={"answer": {"status": 500}})
        with self.assertRaises(us3.ServiceError) as caught:
            client.upload("resumed", **options)
        self.assertTrue(caught.exception.upload_id)
        self.assertEqual(client.upload("resumed", **options).parts_resumed, 2)

    def test_timeout(self):
        support.rule(call="put", fault={"stall": {}})
        with self.assertRaises(TimeoutError) as caught:
            self.client().upload("slow", data=b"x", timeout_ms=200)
        self.assertIsInstance(caught.exception, us3.TimeoutError)

    def test_policies(self):
        text = us3.build_policy("http://127.0.0.1/x", "Name=$(x:name)", vars={"x:name": 'A"B'})
        self.assertIn('"callbackVar":{"x:name":"A\\"B"}', text)
        us3.check_policy(text)
        with self.assertRaises(us3.InvalidPolicyError):
            us3.check_policy("{}")
        with self.assertRaises(us3.InvalidPolicyError):
            us3.build_policy("http://127.0.0.1/x", "$(x:missing)")

    def test_no_policy_is_no_callback_and_an_empty_one_an_error(self):
        client = self.client()
        path = support.file("f", 10)
        result = client.put_file_with_policy(path, "none")
        self.assertIs(result.callback_state, us3.CallbackState.NOT_REQUESTED)
        with self.assertRaises(us3.InvalidPolicyError):
            client.put_file_with_policy(path, "empty", None, "")
        with self.assertRaises(us3.InvalidPolicyError):
            client.start("empty", data=b"x", policy_json="")

    def test_a_client_from_a_file(self):
        with us3.Client.from_file(support.DIR / "config.json") as client:
            client.upload("k", data=b"x")
        with self.assertRaises(us3.FileError) as caught:
            us3.Client.from_file(b"/no/such/file")
        self.assertEqual(caught.exception.errno, errno.ENOENT)

    def test_errors_are_what_python_calls_them_and_can_be_pickled(self):
        with self.assertRaises(OSError) as caught:
            self.client().put_file_with_policy("/no/such/file", "k")
        copy = pickle.loads(pickle.dumps(caught.exception))
        self.assertIs(type(copy), us3.FileError)
        self.assertEqual((str(copy), copy.errno, copy.result), (str(caught.exception), 2, caught.exception.result))
        with us3.Client(**support.config(endpoint="http://127.0.0.1:1", max_retries=0)) as client:
            with self.assertRaises(ConnectionError):
                client.upload("k", data=b"x")
