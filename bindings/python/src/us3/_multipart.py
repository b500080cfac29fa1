"""A multipart upload that the program drives part by part."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Optional, Type

from . import _uploads as uploads
from . import _values as values
from ._handle import Handle
from ._library import lib
from ._result import Result, new_result
from .errors import Error, take

if TYPE_CHECKING:
    from types import TracebackType

    from ._values import BytesLike


class Multipart:
    """Any number of threads may send parts of one upload at once. Leaving a `with` block before finish_with_policy
    was called aborts the upload. close() alone leaves the parts with the service."""

    def __init__(self, pointer: Any, owner: object) -> None:
        self._handle = Handle("multipart upload", pointer, lib.us3_multipart_free)
        # Keeps the client.
        self._owner = owner
        self._settled = False

    @property
    def upload_id(self) -> str:
        """The service's name for the upload."""
        with self._handle as pointer:
            name: bytes = lib.us3_multipart_upload_id(pointer)
        return name.decode()

    @property
    def part_size(self) -> int:
        """Bytes of each part but the last."""
        with self._handle as pointer:
            size: int = lib.us3_multipart_part_size(pointer)
        return size

    def upload_part(self, part_number: int, data: BytesLike) -> Result:
        """Sends a part; numbers begin with 0. Blocks."""
        number = values.integer("part_number", part_number, values.UINT32)
        borrowed = values.Borrowed("data", data)
        raw = new_result()
        try:
            with self._handle as pointer:
                lib.us3_upload_part(pointer, number, borrowed.address, borrowed.size, ctypes.byref(raw))
        finally:
            borrowed.release()
        return take(raw)

    def finish_with_policy(self, policy_json: Optional[str] = None) -> Result:
        """FinishMultipartUploadWithPolicy. Blocks until the callback has answered. After a failure that left the
        upload in existence it can be called again."""
        policy = values.text("policy_json", policy_json)
        raw = new_result()
        with self._handle as pointer:
            self._settled = True
            lib.us3_finish_multipart_upload_with_policy(pointer, policy, ctypes.byref(raw))
        return take(raw)

    def abort(self) -> Result:
        """Gives the upload up, so that the service forgets its parts. Blocks."""
        raw = new_result()
        with self._handle as pointer:
            self._settled = True
            lib.us3_abort_multipart_upload(pointer, ctypes.byref(raw))
        return take(raw)

    def close(self) -> None:
        """Frees the handle, when the calls in progress have ended."""
        self._handle.close()

    def __enter__(self) -> Multipart:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            if not self._settled and not self._handle.closed and not uploads.inside_callback():
                self.abort()
        except Error:
            # What went wrong first is what counts.
            if error is None:
                raise
        finally:
            self.close()

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle is not None:
            handle.close()

    def __reduce__(self) -> Any:
        raise TypeError("a Multipart cannot be pickled: it belongs to this process")
