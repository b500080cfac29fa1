"""Uploads on their way: what the library borrows of Python until the end of each, and what it calls.

The library calls on threads of its own, which take the GIL. No such call may come once the interpreter is
gone: before it goes, every upload is cancelled and waited for.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import itertools
import logging
import os
import sys
import threading
import time
import traceback
import weakref
from typing import Any, Callable, Dict, List, Optional, Protocol

from . import _declarations as c
from ._handle import Handle
from ._library import lib
from ._result import Progress, Result, Status, progress_of
from ._values import Borrowed
from .errors import CancelledError, Error, refusal, take


class Reader(Protocol):
    """A source of bytes, such as a file opened in binary mode."""

    def read(self, size: int, /) -> bytes: ...


_running: Dict[int, Upload] = {}
_numbers = itertools.count(1)
# Handles of tasks that are not freed, and those that were dropped before the end of their uploads.
_handles: weakref.WeakSet[Handle] = weakref.WeakSet()
_dropped: List[Handle] = []
_thread = threading.local()
_shutting_down = False


class Upload:
    """What one upload borrows and calls."""

    def __init__(
        self,
        owner: object,
        data: Optional[Borrowed],
        reader: Optional[Reader],
        on_progress: Optional[Callable[[Progress], object]],
    ) -> None:
        # Keeps the client from being freed, which would wait.
        self.owner: Optional[object] = owner
        self.data = data
        self.reader = reader
        self.on_progress = on_progress
        self.handle: Optional[Handle] = None
        self._cancel_wanted = False
        self.ended = threading.Event()
        self.failure: Optional[BaseException] = None
        self._progress_failed = False
        self.number = next(_numbers)

    def begin(self) -> None:
        """To be called before the library is."""
        if _shutting_down:
            raise RuntimeError("the interpreter is shutting down: no upload can be started")
        _running[self.number] = self

    def end(self) -> None:
        _running.pop(self.number, None)
        try:
            self.owner = self.reader = self.on_progress = None
            if self.data is not None:
                self.data.release()
        finally:
            self.ended.set()

    def started(self, handle: Handle) -> None:
        self.handle = handle
        if self._cancel_wanted:
            _cancel(handle)

    def cancel(self) -> None:
        # First, for a thread that is just starting it and has no handle yet: it looks here when it has.
        self._cancel_wanted = True
        handle = self.handle
        if handle is not None:
            _cancel(handle)

    def read(self, buffer: int, capacity: int) -> int:
        assert self.reader is not None
        content = self.reader.read(capacity)
        if content is None:
            raise BlockingIOError(errno.EAGAIN, "the reader has nothing yet, and must wait until it has")
        if not isinstance(content, (bytes, bytearray, memoryview)):
            raise TypeError(f"the reader returned {type(content).__name__}, not bytes: open the file in binary mode")
        if type(content) is not bytes:
            # A copy that no other thread resizes, of the bytes themselves: a subclass may say anything of its length.
            content = memoryview(content).tobytes()
        size = len(content)
        if size > capacity:
            raise ValueError(f"the reader returned {size} bytes when it was asked for {capacity}")
        ctypes.memmove(buffer, content, size)
        return size

    def failed(self, failure: BaseException, in_progress: bool = False) -> None:
        if self.failure is None:
            self.failure = failure
            self._progress_failed = in_progress

    def conclude(self, raw: c.us3_result) -> Result:
        """The result, or the error, with what the host's own function raised."""
        try:
            result = take(raw)
        except CancelledError as error:
            if self.failure is not None and self._progress_failed:
                raise self.failure from error
            raise error from self.failure
        except Error as error:
            raise error from self.failure
        if self.failure is not None:
            failure, self.failure = self.failure, None
            text = "on_progress failed when the upload was over already, and is stored"
            logging.getLogger("us3").error(text, exc_info=failure)
        return result


class inside:
    """While the library calls a function of the host's, or one of ours in which the collector may run the host's."""

    def __enter__(self) -> None:
        # One may be within another: the library logs while a reader starts an upload.
        self._former = inside_callback()
        _thread.inside = True

    def __exit__(self, *_: object) -> None:
        _thread.inside = self._former


def inside_callback() -> bool:
    return getattr(_thread, "inside", False)


def refuse_inside_callback(what: str) -> None:
    if inside_callback():
        raise refusal(f"{what} blocks, and was called in a reader or on_progress", Status.WOULD_DEADLOCK)


# ---- what the library calls; nothing may be raised there --------------------------------------------


def _errno_of(failure: BaseException) -> int:
    try:
        # errno may be a property of the host's.
        code = failure.errno if isinstance(failure, OSError) else None
        if type(code) is int and 0 < code < 4096:
            return code
    except BaseException:
        pass
    return errno.EIO


def _on_read(number: int, buffer: int, capacity: int) -> int:
    # Never 0 by mistake: that is the end of the content.
    upload = _running.get(number)
    if upload is None:
        return -errno.EIO
    with inside():
        try:
            return upload.read(buffer, capacity)
        except BaseException as failure:
            upload.failed(failure)
            return -_errno_of(failure)


def _on_progress(progress: Any, number: int) -> int:
    upload = _running.get(number)
    if upload is None:
        return 1
    with inside():
        try:
            if upload.on_progress is not None:
                upload.on_progress(progress_of(progress.contents))
            return 0
        except BaseException as failure:
            upload.failed(failure, in_progress=True)
            return 1


def _on_complete(_task: Any, _result: Any, number: int) -> None:
    upload = _running.get(number)
    if upload is not None:
        with inside():
            upload.end()


# For as long as the process lives, because the library may be in one of them at any time.
READ: Any = c.us3_read_fn(_on_read)
PROGRESS: Any = c.us3_progress_fn(_on_progress)
COMPLETE: Any = c.us3_complete_fn(_on_complete)


# ---- handles ---------------------------------------------------------------------------------------


def new_handle(pointer: Any) -> Handle:
    handle = Handle("task", pointer, lib.us3_task_free)
    _handles.add(handle)
    return handle


def _cancel(handle: Handle) -> None:
    try:
        with handle as pointer:
            lib.us3_task_cancel(pointer)
    except ValueError:
        # It is closed, so the upload has ended.
        pass


def drop(handle: Handle) -> None:
    """Cancels an upload that nobody is interested in, without waiting for its end."""
    _cancel(handle)
    _dropped.append(handle)


def reap() -> None:
    """Frees the dropped handles whose uploads have ended."""
    for handle in list(_dropped):
        if _wait(handle, 0):
            handle.close()
            try:
                _dropped.remove(handle)
            except ValueError:
                # Another thread was quicker.
                pass


def running_of(owner: object) -> List[Upload]:
    return [upload for upload in list(_running.values()) if upload.owner is owner]


# ---- the end of the interpreter, and fork() --------------------------------------------------------


def _wait(handle: Handle, timeout_ms: int) -> bool:
    try:
        with handle as pointer:
            return bool(lib.us3_task_wait(pointer, timeout_ms, None) != Status.PENDING)
    except ValueError:
        return True


def _known_handles() -> List[Handle]:
    while True:
        try:
            return list(_handles)
        except RuntimeError:
            # A daemon thread has just made one.
            continue


def _end_process() -> None:
    """Instead of the interpreter's end, in which threads of the library that want the GIL would abort the process."""
    try:
        traceback.print_exc()
        print("us3: interrupted while uploads were cancelled at exit; the process ends at once", file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(130)


def _shut_down() -> None:
    global _shutting_down
    try:
        _shutting_down = True
        _end_uploads()
    except BaseException:
        _end_process()


def _end_uploads() -> None:
    over = False
    while not over:
        # Daemon threads may be in the midst of starting an upload; no other can begin.
        over = not _running
        handles = _known_handles()
        for handle in handles:
            _cancel(handle)
        for handle in handles:
            # In slices, so that Ctrl-C is heard.
            while not _wait(handle, 100):
                pass
        if not over:
            # What has no handle yet, or none any more, cannot be waited for.
            time.sleep(0.01)


def _forget() -> None:
    """In a forked child nothing runs that the parent has started."""
    global _handles
    _running.clear()
    _dropped.clear()
    _handles = weakref.WeakSet()
    _thread.inside = False


atexit.register(_shut_down)
os.register_at_fork(after_in_child=_forget)
