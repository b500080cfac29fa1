"""What is freed when: the collector, Ctrl-C, fork(), the end of the interpreter."""

import gc
import os
import signal
import sys
import time
import warnings

import support
import us3
from support import MIB


class Dropping(support.TestCase):
    def test_a_dropped_task_is_cancelled_without_waiting(self):
        client = self.client()
        support.rule(call="part", fault={"stall": {}})
        support.rule(call="abort", fault={"stall": {"ms": 700}})
        data = bytearray(5 * MIB)
        task = client.start("dropped", data=data, mode="mput")
        support.eventually("the part stalls", lambda: support.stalled() > 0)
        begin = time.monotonic()
        with self.assertWarns(ResourceWarning):
            del task
        self.assertLess(time.monotonic() - begin, 0.5)
        with self.assertRaises(BufferError):
            data.append(1)
        support.eventually("it is aborted", lambda: support.state()["uploads"] == [])

        def is_released():
            try:
                data.append(1)
            except BufferError:
                return False
            return True

        support.eventually("its memory is released", is_released)

    def test_everything_that_is_dropped_is_freed(self):
        def use():
            client = us3.Client(**support.config())
            for number in range(5):
                task = client.start(f"leak/{number}", data=b"x")
                task.fileno()
                task.result()
            client.start("dropped", data=bytes(MIB)).fileno()
            client.initiate_multipart_upload("leak").upload_part(0, b"x")

        def settled(descriptors, threads):
            def check():
                with us3.Client(**support.config()) as client:
                    client.upload("reap", data=b"x")
                gc.collect()
                return support.descriptors() <= descriptors and support.threads() <= threads

            support.eventually("what was used is freed", check)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            use()
            settled(30, 10)
            descriptors, threads = support.descriptors(), support.threads()
            for _ in range(20):
                use()
            settled(descriptors + 3, threads + 2)

    def test_tasks_keep_their_client(self):
        support.rule(call="put", fault={"stall": {}})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            begin = time.monotonic()
            with us3.Client(**support.config()).start("orphan", data=b"x") as task:
                gc.collect()
                # Freeing the client would have waited for the upload.
                self.assertLess(time.monotonic() - begin, 5)
                support.eventually("the request stalls", lambda: support.stalled() == 1)
                support.control("POST", "/release")
                task.result()
            gc.collect()

    def test_a_warning_that_is_an_error_does_not_keep_anything(self):
        support.rule(call="put", fault={"stall": {}})
        status, output = support.program("""
            import gc, warnings
            warnings.simplefilter("error", ResourceWarning)
            sys.unraisablehook = lambda failure: None

            def drop():
                client = us3.Client(**support.config())
                client.start("k", data=bytes(100)).fileno()

            drop()
            client = us3.Client(**support.config())

            def is_over():
                try:
                    client.start("k", file_path="/no/such/file").close()
                except us3.Error:
                    pass
                gc.collect()
                return not us3._uploads._running and not us3._uploads._dropped

            support.eventually("it ends", is_over)
            client.close()
        """)
        self.assertEqual((status, output), (0, ""))

    def test_a_client_that_is_not_closed_is_told_of(self):
        with self.assertWarns(ResourceWarning):
            us3.Client(**support.config())
            gc.collect()


class Interrupting(support.TestCase):
    def interrupt(self, body):
        support.rule(call="part", fault={"stall": {}})
        support.rule(call="put", fault={"stall": {}})
        process = support.program(body, wait=False)
        support.eventually("the request stalls", lambda: support.stalled() > 0)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual((process.returncode, output), (0, "interrupted\n"))
        self.assertEqual(support.state()["uploads"], [])
        self.assertEqual(support.state()["objects"], [])

    def test_ctrl_c_cancels_a_blocking_upload(self):
        self.interrupt("""
            with us3.Client(**support.config()) as client:
                try:
                    client.upload("k", data=bytes(9_000_000), mode="mput")
                except KeyboardInterrupt:
                    print("interrupted")
        """)

    def test_ctrl_c_while_a_client_is_closed(self):
        self.interrupt("""
            try:
                with us3.Client(**support.config()) as client:
                    tasks = [client.start(f"k{n}", data=bytes(9_000_000), mode="mput") for n in range(3)]
            except KeyboardInterrupt:
                print("interrupted")
            for task in tasks:
                task.close()
        """)

    def test_ctrl_c_in_asyncio(self):
        self.interrupt("""
            async def main():
                with us3.Client(**support.config()) as client:
                    await asyncio.gather(*(client.upload_async(f"k{n}", data=b"x") for n in range(50)))
            try:
                asyncio.run(main())
            except KeyboardInterrupt:
                print("interrupted")
        """)


    def test_ctrl_c_at_any_line_of_a_start_leaves_nothing_behind(self):
        names = ("start", "started", "new_handle", "__enter__", "__init__")
        files = tuple(f"/us3/{name}.py" for name in ("_client", "_handle", "_uploads", "_task"))
        # Nobody listens there, so that it runs until it is cancelled.
        client = self.client(endpoint="http://127.0.0.1:1", max_retries=100)

        def start(at):
            left, seen = [at], set()

            def line(frame, event, _):
                place = (frame, frame.f_lineno)
                # A `with` is told of once more where it ends, between its body and __exit__, where no signal is heard.
                if event == "line" and place not in seen:
                    seen.add(place)
                    left[0] -= 1
                    if left[0] == 0:
                        raise KeyboardInterrupt
                return line

            def call(frame, event, _):
                code = frame.f_code
                return line if code.co_name in names and code.co_filename.endswith(files) else None

            former = sys.gettrace()
            sys.settrace(call)
            try:
                client.start("k", data=b"x").close()
            except KeyboardInterrupt:
                return False
            finally:
                sys.settrace(former)
            return True

        def is_over():
            us3._uploads.reap()
            return not us3._uploads.running_of(client) and not us3._uploads._dropped

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            for at in range(1, 1000):
                finished = start(at)
                gc.collect()
                with self.subTest(at):
                    support.eventually("nothing runs", is_over, 5)
                    self.assertEqual(client._handle._users, 0)
                if finished:
                    break
        self.assertGreater(at, 30)
        self.assertTrue(finished)


class Ending(support.TestCase):
    def check(self, body):
        status, output = support.program(body)
        self.assertEqual((status, output), (7, ""))

    def test_the_interpreter_ends_while_uploads_run(self):
        # For all of them: functions of Python are called until the last moment.
        support.rule(call="put", fault={"stall": {}})
        support.rule(call="part", fault={"stall": {"ms": 5}})
        begin = time.monotonic()
        self.check("""
            import warnings
            warnings.simplefilter("ignore", ResourceWarning)
            us3.log_to(level=us3.LogLevel.TRACE)

            class Endless:
                def read(self, size):
                    time.sleep(0.001)
                    return bytes(min(size, 100_000))

            client = us3.Client(**support.config())
            tasks = [client.start(f"k{n}", data=bytes(100_000), on_progress=lambda progress: None) for n in range(20)]
            tasks += [client.start(f"s{n}", reader=Endless(), on_progress=lambda progress: None) for n in range(5)]
            client.start("dropped", reader=Endless())
            time.sleep(0.3)
            sys.exit(7)
        """)
        self.assertLess(time.monotonic() - begin, 15)

    def test_an_interrupted_end_ends_the_process(self):
        status, output = support.program("""
            import signal

            reading = threading.Event()

            class Blocking:
                def read(self, size):
                    reading.set()
                    while not us3._uploads._shutting_down:
                        time.sleep(0.001)
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(30)

            client = us3.Client(**support.config())
            task = client.start("k", reader=Blocking())
            reading.wait()
            print("printed")
            sys.exit(7)
        """)
        self.assertEqual(status, 130, output)
        self.assertIn("printed", output)
        self.assertIn("KeyboardInterrupt", output)
        self.assertIn("interrupted while uploads were cancelled at exit", output)

    def test_waiting_for_the_end_needs_no_processor(self):
        self.check("""
            import atexit

            reading = threading.Event()

            class Blocking:
                def read(self, size):
                    reading.set()
                    while not us3._uploads._shutting_down:
                        time.sleep(0.001)
                    time.sleep(1)
                    return b""

            client = us3.Client(**support.config())
            # Its handle is gone, as that of an upload whose start is still in progress is not there yet.
            import warnings
            warnings.simplefilter("ignore")
            task = client.start("k", reader=Blocking())
            reading.wait()
            us3._uploads._handles.clear()
            begin = time.process_time()

            def spent():
                if time.process_time() - begin > 0.5:
                    print(time.process_time() - begin)

            atexit._run_exitfuncs()
            spent()
            os._exit(7)
        """)

    def test_a_daemon_thread_uploads_until_the_end(self):
        for _ in range(3):
            self.check("""
                client = us3.Client(**support.config())

                def work():
                    while True:
                        try:
                            client.upload("k", data=bytes(1000), on_progress=lambda progress: None)
                        except (us3.CancelledError, RuntimeError):
                            pass

                for _ in range(4):
                    threading.Thread(target=work, daemon=True).start()
                time.sleep(0.2)
                import warnings
                warnings.simplefilter("ignore", ResourceWarning)
                sys.exit(7)
            """)


class Forking(support.TestCase):
    def test_a_forked_child_is_told_and_the_parent_notices_nothing(self):
        support.rule(call="put", fault={"stall": {"ms": 500}})
        client = self.client()
        task = client.start("forked", data=b"x")
        multipart = client.initiate_multipart_upload("forked")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.in_the_child(client, task, multipart)
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        task.result()
        task.close()
        multipart.upload_part(0, b"x")
        multipart.finish_with_policy()
        multipart.close()
        client.head_file("child")

    def in_the_child(self, client, task, multipart):
        calls = (
            lambda: client.upload("k", data=b"x"),
            lambda: client.head_file("k"),
            task.result,
            task.cancel,
            task.progress,
            lambda: asyncio_run(task),
            lambda: multipart.upload_part(0, b"x"),
        )
        for call in calls:
            with self.assertRaises(us3.ForkedError):
                call()
        task.close()
        multipart.close()
        client.close()
        with us3.Client(**support.config()) as fresh:
            fresh.upload("child", data=b"x")


def asyncio_run(task):
    import asyncio

    async def main():
        await task

    asyncio.run(main())
