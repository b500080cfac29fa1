"""An upload on its way."""

from __future__ import annotations

import asyncio
import ctypes
import os
import warnings
from typing import TYPE_CHECKING, Any, Generator, Optional, Type

from . import _declarations as c
from . import _uploads as uploads
from ._library import lib, struct
from ._result import Progress, Result, Status, new_result, progress_of
from .errors import refusal, take

if TYPE_CHECKING:
    from types import TracebackType

    from ._handle import Handle


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Task:
    """A started upload. Any number of threads may use it at once.

    `result()` waits for the end; `await task` does the same in asyncio. Leaving a `with` block, and close(), cancel an
    upload that runs and wait for its end. One that is dropped is cancelled, with a ResourceWarning.
    """

    def __init__(self, handle: Handle, upload: uploads.Upload) -> None:
        self._is_dropped = False
        self._upload = upload
        # Last: with it, there is something to be dropped.
        self._handle = handle

    # ---- waiting -----------------------------------------------------------------------------------

    def done(self) -> bool:
        """Whether the upload has ended. Does not block."""
        with self._handle as pointer:
            return bool(lib.us3_task_wait(pointer, 0, None) != Status.PENDING)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits for the end, `timeout` seconds at most; returns whether it came."""
        if self._handle.forked or self.done():
            return True
        if timeout is not None and timeout <= 0:
            return False
        uploads.refuse_inside_callback("waiting for an upload")
        # Unlike the library's own waiting, this is interrupted by signals.
        return self._upload.ended.wait(timeout)

    def result(self, timeout: Optional[float] = None) -> Result:
        """What became of the upload: a Result, or the Error is raised. Waits for the end, `timeout` seconds at most;
        after that, PendingError. The upload goes on when the waiting is given up."""
        if not self.wait(timeout):
            raise refusal("the upload has not ended yet", Status.PENDING)
        raw = new_result()
        with self._handle as pointer:
            # The end was told, unless this is a moment between on_complete and that.
            lib.us3_task_wait(pointer, 0 if uploads.inside_callback() else -1, ctypes.byref(raw))
        return self._upload.conclude(raw)

    def fileno(self) -> int:
        """A descriptor that becomes readable at the end, for event loops. Only poll it, and take it out of the loop
        before close(). OSError when the process has no descriptor left."""
        with self._handle as pointer:
            return self._descriptor(pointer)

    @staticmethod
    def _descriptor(pointer: Any) -> int:
        descriptor: int = lib.us3_task_fd(pointer)
        if descriptor < 0:
            raise OSError("no descriptor is left for the task")
        return descriptor

    # ---- asyncio -----------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Result]:
        return self._awaited().__await__()

    async def _awaited(self) -> Result:
        cancelled: Optional[asyncio.CancelledError] = None
        while not self.done():
            try:
                await self._until_readable()
            except asyncio.CancelledError as error:
                # Nothing may run on in secret: the end is waited for, and it comes soon.
                self.cancel()
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return self.result()

    async def _until_readable(self) -> None:
        try:
            # One of our own, so that closing the task in between does no harm to the loop.
            with self._handle as pointer:
                descriptor = os.dup(self._descriptor(pointer))
        except OSError:
            await asyncio.sleep(0.02)
            return
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(descriptor, _set_result, readable)
            await readable
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    # ---- looking and cancelling ----------------------------------------------------------------------

    def progress(self) -> Progress:
        """How far the upload is. Does not block."""
        raw = struct(c.us3_progress)
        with self._handle as pointer:
            status = lib.us3_task_progress(pointer, ctypes.byref(raw))
        self._check(status)
        return progress_of(raw)

    def cancel(self) -> None:
        """Cancels the upload, and does not wait for its end, which comes soon."""
        with self._handle as pointer:
            status = lib.us3_task_cancel(pointer)
        self._check(status)

    def _check(self, status: int) -> None:
        if status != Status.OK:
            raw = new_result()
            with self._handle as pointer:
                lib.us3_task_wait(pointer, 0, ctypes.byref(raw))
            take(raw)

    # ---- the end -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Frees the task; an upload that runs is cancelled and waited for. In a reader or on_progress there is no
        waiting: the upload is cancelled, and ends soon."""
        if self._is_dropped:
            return
        if not self._handle.forked:
            self._upload.cancel()
            if uploads.inside_callback():
                return self._drop()
            try:
                self._upload.ended.wait()
            except BaseException:
                # Interrupted once more: it ends without us.
                self._drop()
                raise
        self._handle.close()

    def _drop(self) -> None:
        """Frees the task without waiting."""
        if self._handle.forked or self._upload.ended.is_set():
            self._handle.close()
        elif not self._handle.closed and not self._is_dropped:
            self._is_dropped = True
            uploads.drop(self._handle)

    def __enter__(self) -> Task:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not hasattr(self, "_handle"):
            return
        running = not (self._handle.closed or self._handle.forked or self._is_dropped or self._upload.ended.is_set())
        self._drop()
        if running:
            # Last, because a warning may be an error.
            warnings.warn("an upload was dropped while it ran, and is cancelled", ResourceWarning, source=self)

    def __reduce__(self) -> Any:
        raise TypeError("a Task cannot be pickled: it belongs to this process")
