"""The library's log in the logging module."""

import logging
import os
import threading

import support
import us3


class Log(support.TestCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(us3.log_off)

    def test_lines_come_to_the_logger_at_their_levels(self):
        with self.assertLogs("us3", logging.DEBUG) as logs:
            us3.log_to(level=us3.LogLevel.DEBUG)
            client = self.client()
            client.upload("logged", data=b"x")
            with self.assertRaises(us3.FileError):
                client.upload("failed", file_path="/no/such/file")
            us3.log_off()
        text = "\n".join(logs.output)
        self.assertIn('key="logged"', text)
        self.assertIn("DEBUG:us3:PutFile", text)
        self.assertIn("ERROR:us3:", text)
        self.assertNotIn(os.environ["US3_TEST_PRIVATE_KEY"], text)

    def test_the_level_is_honoured_and_off_is_off(self):
        logger = logging.getLogger("mine")
        with self.assertNoLogsOf(logger):
            us3.log_to(logger, us3.LogLevel.ERROR)
            client = self.client()
            client.upload("k", data=b"x")
            us3.log_to(logger, us3.LogLevel.TRACE)
            us3.log_off()
            us3.log_off()
            client.upload("k", data=b"x")

    def test_nothing_waits_on_the_thread_that_logs(self):
        us3.log_to(level=us3.LogLevel.TRACE)
        bridge, inside = us3._log._bridge, []

        class Lines:
            # What the collector may run in the library's log function, it may run here.
            def put(self, line):
                inside.append(us3._uploads.inside_callback())
                lines.put(line)

        lines, bridge._lines = bridge._lines, Lines()
        self.client().upload("k", data=b"x")
        bridge._lines = lines
        self.assertEqual(set(inside), {True})

    def test_a_line_that_is_logged_in_a_callback_does_not_end_it(self):
        us3.log_to(level=us3.LogLevel.TRACE)
        bridge = us3._log._bridge
        after = []

        class Reader:
            def read(self, size):
                bridge._on_line(us3.LogLevel.INFO, b"a line", None)
                after.append(us3._uploads.inside_callback())
                return b""

        self.client().upload("k", reader=Reader())
        self.assertEqual(after, [True])

    def assertNoLogsOf(self, logger):
        # assertNoLogs is of Python 3.10.
        test = self

        class Watch(logging.Handler):
            def emit(self, record):
                test.fail(record)

            def __enter__(self):
                logger.addHandler(self)
                logger.setLevel(logging.DEBUG)

            def __exit__(self, *_):
                logger.removeHandler(self)

        return Watch()

    def test_a_handler_that_uploads_or_blocks_stops_nothing(self):
        client = self.client()
        logger = logging.getLogger("slow")
        logger.setLevel(logging.DEBUG)
        go_on = threading.Event()

        class Slow(logging.Handler):
            def emit(self, record):
                go_on.wait(10)
                us3.log_off()
                client.upload("from the handler", data=b"x")

        handler = Slow()
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        us3.log_to(logger, us3.LogLevel.INFO)
        client.upload("k", data=b"x")
        go_on.set()
        support.eventually(
            "the handler's upload", lambda: any(one["key"] == "from the handler" for one in support.state()["objects"])
        )
