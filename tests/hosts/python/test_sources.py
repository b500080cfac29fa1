"""Where content comes from: files, memory, streams."""

import array
import errno
import io
import mmap
import os
import threading

import support
import us3
from support import MIB


class Files(support.TestCase):
    def test_paths_of_every_kind(self):
        client = self.client()
        name = os.fsencode(support.DIR) + b"/caf\xe9 \xff"
        with open(name, "wb") as file:
            file.write(b"bytes")
        for number, path in enumerate([name, os.fsdecode(name), support.file("path", 5), str(support.file("str", 5))]):
            client.upload(f"path/{number}", file_path=path)
            self.assertEqual(client.head_file(f"path/{number}").size, 5)


class Memory(support.TestCase):
    def test_bytes_like_of_every_kind(self):
        client = self.client()
        content = b"a\0b" * 1000
        path = support.file("mapped", 3000)
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            kinds = [
                content,
                bytearray(content),
                memoryview(content),
                memoryview(bytearray(content))[:],
                memoryview(content).toreadonly(),
                array.array("b", content),
                mapped,
            ]
            for number, data in enumerate(kinds):
                client.upload(f"data/{number}", data=data)
                self.assertEqual(client.head_file(f"data/{number}").size, 3000)
        etags = {client.head_file(f"data/{number}").etag for number in range(6)}
        self.assertEqual(len(etags), 1)
        client.upload("empty", data=b"")
        self.assertEqual(client.head_file("empty").size, 0)

    def test_memory_is_held_until_the_end_and_no_longer(self):
        client = self.client()
        support.rule(call="put", fault={"stall": {}})
        data = bytearray(100000)
        task = client.start("held", data=data)
        with self.assertRaises(BufferError):
            data.append(1)
        support.eventually("the request stalls", lambda: support.stalled() == 1)
        support.control("POST", "/release")
        task.result()
        data.append(1)
        task.close()

    def test_memory_that_nobody_else_holds(self):
        client = self.client()
        support.rule(call="put", key="gone/0", fault={"stall": {"ms": 500}})
        tasks = [client.start(f"gone/{number}", data=str(number).encode() * 30000) for number in range(50)]
        garbage = [bytes(30000 * length) for length in (1, 2) for _ in range(100)]
        for number, task in enumerate(tasks):
            again = client.upload("again", data=str(number).encode() * 30000)
            # What was sent is what was given.
            self.assertEqual(task.result().etag, again.etag)
        del garbage

    def test_memory_that_is_not_contiguous_is_refused(self):
        for data in (memoryview(b"abcdef")[::2], "text", 5):
            with self.assertRaises(TypeError):
                self.client().upload("k", data=data)


class Streams(support.TestCase):
    def test_a_reader_of_short_pieces(self):
        client = self.client()
        content = os.urandom(9 * MIB + 5)
        source = io.BytesIO(content)
        names = set()

        class Short:
            def read(self, size):
                names.add(threading.get_ident())
                return source.read(min(size, 100_000))

        client.upload("stream", reader=Short(), policy_json=support.policy("stream"))
        self.assertEqual(support.callbacks("stream"), 1)
        self.assertNotIn(threading.get_ident(), names)
        # The same bytes from memory have the same ETag.
        client.upload("memory", data=content, mode="mput")
        self.assertEqual(client.head_file("stream").etag, client.head_file("memory").etag)

    def test_files_and_bytearrays_and_memoryviews_as_readers(self):
        client = self.client()

        class Views(io.BytesIO):
            def read(self, size=-1):
                return memoryview(bytearray(super().read(size)))

        with open(support.file("reader", 5 * MIB), "rb") as file:
            client.upload("file", reader=file)
        client.upload("views", reader=Views(bytes(5 * MIB)))
        for key in ("file", "views"):
            self.assertEqual(client.head_file(key).size, 5 * MIB)

    def test_what_a_reader_raises_is_the_cause(self):
        class Broken:
            def read(self, size):
                raise OSError(errno.ENOSPC, "the disk is on fire")

        with self.assertRaises(us3.FileError) as caught:
            self.client().upload("k", reader=Broken())
        self.assertIsInstance(caught.exception.__cause__, OSError)
        self.assertIn("on fire", str(caught.exception.__cause__))
        self.assertEqual(caught.exception.errno, errno.ENOSPC)

    def test_readers_that_are_none(self):
        class Reader:
            def __init__(self, answer):
                self.answer = answer

            def read(self, size):
                return self.answer(size)

        client = self.client()
        cases = [
            (lambda size: "text", TypeError),
            (lambda size: None, BlockingIOError),
            (lambda size: bytes(size + 1), ValueError),
            (lambda size: 0, TypeError),
            (lambda size: 1 / 0, ZeroDivisionError),
        ]
        for answer, cause in cases:
            with self.assertRaises(us3.FileError) as caught:
                client.upload("k", reader=Reader(answer))
            self.assertIsInstance(caught.exception.__cause__, cause)
        with self.assertRaises(TypeError):
            client.upload("k", reader=b"bytes")
        self.assertEqual(support.state()["objects"], [])

    def test_only_the_bytes_that_are_there_are_taken(self):
        class Liar(bytes):
            def __bytes__(self):
                return b"short"

            def __len__(self):
                return 5

        class Reader:
            pieces = [Liar(b"x" * 60_000), memoryview(Liar(b"x" * 40_000)), b""]

            def read(self, size):
                return self.pieces.pop(0)

        client = self.client()
        client.upload("liar", reader=Reader())
        client.upload("honest", data=b"x" * 100_000)
        self.assertEqual(client.head_file("liar").etag, client.head_file("honest").etag)

    def test_an_error_whose_errno_is_the_hosts_code(self):
        class Evil(Exception):
            @property
            def errno(self):
                raise SystemError("asked")

        class EvilOS(OSError):
            @property
            def errno(self):
                raise SystemError("asked")

        class NotOS(Exception):
            errno = 28

        for kind in (Evil, EvilOS, NotOS):
            class Broken:
                def read(self, size):
                    raise kind

            with self.subTest(kind), self.assertRaises(us3.FileError) as caught:
                self.client().upload("k", reader=Broken())
            self.assertIsInstance(caught.exception.__cause__, kind)
            self.assertEqual(caught.exception.errno, errno.EIO)

    def test_blocking_in_a_reader_is_refused(self):
        client = self.client()

        class Deadlock:
            def read(self, size):
                client.upload("inner", data=b"x")

        with self.assertRaises(us3.FileError) as caught:
            client.upload("outer", reader=Deadlock())
        self.assertIsInstance(caught.exception.__cause__, us3.WouldDeadlockError)
        self.assertEqual(support.requests("put"), 0)
