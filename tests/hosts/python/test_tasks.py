"""Uploads that are started: waiting, progress, cancelling, many at once."""

import select
import threading
import time
from unittest import mock

import support
import us3
from support import MIB


class Tasks(support.TestCase):
    def test_a_task_ends_and_its_descriptor_says_so(self):
        support.rule(call="put", fault={"stall": {}})
        with self.client().start("task", data=b"hello", policy_json=support.policy("task")) as task:
            poll = select.poll()
            poll.register(task.fileno(), select.POLLIN)
            self.assertFalse(task.done())
            self.assertFalse(task.wait(0))
            self.assertFalse(task.wait(0.05))
            self.assertEqual(poll.poll(0), [])
            with self.assertRaises(TimeoutError) as caught:
                task.result(timeout=0.01)
            self.assertIsInstance(caught.exception, us3.PendingError)
            support.eventually("the request stalls", lambda: support.stalled() == 1)
            support.control("POST", "/release")
            self.assertEqual(len(poll.poll(10000)), 1)
            self.assertTrue(task.done())
            self.assertTrue(task.wait(0))
            self.assertIs(task.result().callback_state, us3.CallbackState.DELIVERED)
            self.assertEqual(task.result().etag, task.result(5).etag)

    def test_progress(self):
        seen = []
        support.rule(call="part", part=1, fault={"stall": {}})
        with self.client().start("progress", data=bytes(9 * MIB), mode="mput", on_progress=seen.append) as task:
            support.eventually("two parts are confirmed", lambda: task.progress().parts_done == 2)
            progress = task.progress()
            self.assertEqual((progress.total, progress.acknowledged), (9 * MIB, 5 * MIB))
            self.assertEqual(progress.parts_total, 3)
            support.eventually("it is told", lambda: seen)
            support.control("POST", "/release")
            task.result()
        self.assertGreater(len(seen), 1)
        self.assertEqual(seen[-1].acknowledged, 9 * MIB)
        self.assertEqual([one.acknowledged for one in seen], sorted(one.acknowledged for one in seen))

    def test_what_on_progress_raises_cancels_the_upload_and_is_raised(self):
        def fail(progress):
            raise KeyError("enough")

        support.rule(call="part", fault={"stall": {}})
        with self.assertRaises(KeyError) as caught:
            self.client().upload("k", data=bytes(9 * MIB), mode="mput", on_progress=fail)
        self.assertIsInstance(caught.exception.__cause__, us3.CancelledError)
        self.assertEqual(support.state()["uploads"], [])

    def test_what_on_progress_raises_at_the_end_is_logged_and_the_upload_stands(self):
        def fail_at_the_end(progress):
            if progress.acknowledged == 5:
                raise KeyError("too late")

        with self.assertLogs("us3", "ERROR") as logs:
            result = self.client().upload("k", data=b"hello", on_progress=fail_at_the_end)
        self.assertIs(result.object_state, us3.ObjectState.STORED)
        self.assertIn("too late", logs.output[0])

    def test_cancelling_leaves_nothing_behind(self):
        client = self.client()
        support.rule(call="part", part=1, fault={"stall": {}})
        with client.start("cancelled", data=bytes(9 * MIB), mode="mput") as task:
            support.eventually("the part stalls", lambda: support.stalled() == 1)
            task.cancel()
            with self.assertRaises(us3.CancelledError) as caught:
                task.result(5)
        self.assertIs(caught.exception.object_state, us3.ObjectState.NOT_STORED)
        self.assertEqual(support.state()["uploads"], [])
        self.assertEqual(support.requests("abort"), 1)

    def test_close_cancels(self):
        support.rule(call="put", fault={"stall": {}})
        task = self.client().start("closed", data=b"x")
        task.close()
        task.close()
        for call in (task.done, task.fileno, task.progress, task.cancel, task.result):
            with self.assertRaisesRegex(ValueError, "the task is closed"):
                call()

    def test_closing_in_a_callback_cancels_and_does_not_wait(self):
        support.rule(call="put", key="closed", fault={"stall": {}})
        for what in ("task", "client"):
            client, other = self.client(), self.client()
            task = client.start("closed", data=b"x")

            class Closer:
                def read(self, size):
                    task.close() if what == "task" else client.close(cancel=True)
                    return b""

            other.upload("closer", reader=Closer(), mode="mput")
            with self.subTest(what):
                # Without anybody's help: the request stalls for ever.
                self.assertTrue(task._upload.ended.wait(5))
            support.control("POST", "/release")

    def test_closing_a_client_cancels_what_another_thread_is_just_starting(self):
        support.rule(call="put", fault={"stall": {}})
        client = self.client()
        cancelling = threading.Event()
        cancel = us3._uploads.Upload.cancel
        library = us3._client.lib

        class Slow:
            def __getattr__(self, name):
                return getattr(library, name)

            def us3_upload_start(self, *arguments):
                status = library.us3_upload_start(*arguments)
                closer.start()
                cancelling.wait(5)
                return status

        def cancel_and_tell(upload):
            cancel(upload)
            cancelling.set()

        closer = threading.Thread(target=client.close, args=(True,), daemon=True)
        with mock.patch.object(us3._client, "lib", Slow()), mock.patch.object(us3._uploads.Upload, "cancel", cancel_and_tell):
            task = client.start("late", data=b"x")
        try:
            closer.join(5)
            self.assertFalse(closer.is_alive())
            with self.assertRaises(us3.CancelledError):
                task.result(0)
        finally:
            support.control("POST", "/release")
            task.close()

    def test_150_uploads_at_once_need_no_thread_each(self):
        client = self.client(max_concurrent_uploads=8)
        client.upload("warm", data=b"x")
        before = support.threads()
        path = support.file("small", 10000)
        support.rule(call="put", fault={"stall": {"ms": 50}})
        tasks = [client.start(f"many/{n}", file_path=path, policy_json=support.policy("many")) for n in range(150)]
        most = 0
        poll = select.poll()
        waiting = {task.fileno(): task for task in tasks}
        for descriptor in waiting:
            poll.register(descriptor, select.POLLIN)
        while waiting:
            for descriptor, _ in poll.poll():
                poll.unregister(descriptor)
                with waiting.pop(descriptor) as task:
                    task.result()
            most = max(most, support.threads())
        self.assertEqual(support.callbacks("many"), 150)
        # Reading files takes a few for each upload that has its turn, and no more.
        self.assertLessEqual(most, before + 24)

    def test_a_client_is_used_by_many_threads(self):
        client = self.client()
        failures = []

        def work(number):
            try:
                for turn in range(5):
                    client.upload(f"threads/{number}/{turn}", data=bytes(1000))
            except BaseException as failure:
                failures.append(failure)

        workers = [threading.Thread(target=work, args=(n,)) for n in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(support.state()["objects"]), 100)

    def test_the_gil_is_given_up_while_waiting(self):
        support.rule(call="head", fault={"stall": {}})
        client = self.client()
        client.upload("k", data=b"x")
        waiter = threading.Thread(target=client.head_file, args=("k",))
        waiter.start()
        support.eventually("the request stalls", lambda: support.stalled() == 1)
        support.control("POST", "/release")
        waiter.join(10)
        self.assertFalse(waiter.is_alive())

    def test_closing_while_others_wait(self):
        client = self.client()
        support.rule(call="put", fault={"stall": {}})
        task = client.start("shared", data=b"x")
        told = []

        def wait():
            try:
                task.result()
            except (us3.CancelledError, ValueError) as error:
                told.append(error)

        waiters = [threading.Thread(target=wait) for _ in range(10)]
        for waiter in waiters:
            waiter.start()
        task.close()
        for waiter in waiters:
            waiter.join(10)
        self.assertEqual(len(told), 10)

    def test_a_client_waits_for_its_uploads_or_cancels_them(self):
        support.rule(call="put", fault={"stall": {"ms": 200}})
        with us3.Client(**support.config()) as client:
            task = client.start("waited", data=b"x")
        self.assertIs(task.result().object_state, us3.ObjectState.STORED)
        support.control("DELETE", "/rules")
        support.rule(call="put", fault={"stall": {}})
        begin = time.monotonic()
        with self.assertRaises(KeyError), us3.Client(**support.config()) as client:
            task = client.start("cancelled", data=b"x")
            raise KeyError
        self.assertLess(time.monotonic() - begin, 5)
        with self.assertRaises(us3.CancelledError):
            task.result()
        with self.assertRaisesRegex(ValueError, "the client is closed"):
            client.start("k", data=b"x")
