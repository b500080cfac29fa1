"""The errors: one class for each status, and all that is known in each."""

from __future__ import annotations

import builtins
import ctypes
from typing import Any, Dict, Optional, Tuple, Type

from . import _declarations as c
from ._library import lib, struct, taken_text
from ._result import Result, Status, result_of


class Error(Exception):
    """A call that failed. Its text says what failed, why, what is stored and what to do."""

    def __init__(self, result: Result, description: str) -> None:
        super().__init__(description)
        self.result = result
        self.description = description

    def __str__(self) -> str:
        return self.description

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.result, self.description)

    @property
    def status(self) -> int:
        """A Status."""
        return self.result.status

    @property
    def name(self) -> str:
        """The status as the header names it, such as "US3_TIMEOUT"."""
        name: bytes = lib.us3_status_name(self.status)
        return name.decode()

    @property
    def message(self) -> Optional[str]:
        """What failed, on what, why, and what to do, without the states."""
        return self.result.message

    @property
    def http_status(self) -> int:
        return self.result.http_status

    @property
    def ret_code(self) -> int:
        return self.result.ret_code

    @property
    def session_id(self) -> Optional[str]:
        """Quote it to support."""
        return self.result.session_id

    @property
    def object_state(self) -> int:
        """An ObjectState."""
        return self.result.object_state

    @property
    def callback_state(self) -> int:
        """A CallbackState."""
        return self.result.callback_state

    @property
    def upload_id(self) -> Optional[str]:
        """The multipart upload that still exists with the service."""
        return self.result.upload_id

    @property
    def etag(self) -> Optional[str]:
        return self.result.etag

    @property
    def body(self) -> bytes:
        """The service's last answer."""
        return self.result.body


class InvalidArgumentError(Error, ValueError):
    """A parameter has an invalid value. Nothing was sent."""


class InvalidConfigError(Error, ValueError):
    """The configuration is wrong. Nothing was sent."""


class InvalidPolicyError(Error, ValueError):
    """The put policy is not one that US3 would accept. Nothing was sent."""


class _SystemError(Error, OSError):
    def __init__(self, result: Result, description: str) -> None:
        super().__init__(result, description)
        self.errno = result.os_error or None
        self.strerror = result.message


class FileError(_SystemError):
    """A file cannot be opened or read, or a reader failed, which is the cause then."""


class FileChangedError(Error):
    """The file changed while it was uploaded."""


class NetworkError(_SystemError, ConnectionError):
    """The service could not be reached, or the connection broke."""


class TimeoutError(_SystemError, builtins.TimeoutError):
    """A time limit passed."""


class CancelledError(Error):
    """The upload was cancelled."""


class ServiceError(Error):
    """The service refused."""


class CallbackFailedError(Error):
    """The object is stored, but its callback failed. Do not upload again without thinking."""


class IntegrityError(Error):
    """The service stored something other than was sent."""


class ProtocolError(Error):
    """The service's answer makes no sense."""


class PendingError(Error, builtins.TimeoutError):
    """The upload has not ended yet."""


class WouldDeadlockError(Error, RuntimeError):
    """A blocking function was called within a reader, a progress or a log function."""


class ForkedError(Error, RuntimeError):
    """The client was made before fork(), in the parent: make one in this process."""


class InternalError(Error):
    """A mistake in the library."""


_CLASSES: Dict[int, Type[Error]] = {
    Status.INVALID_ARGUMENT: InvalidArgumentError,
    Status.INVALID_CONFIG: InvalidConfigError,
    Status.INVALID_POLICY: InvalidPolicyError,
    Status.FILE_ERROR: FileError,
    Status.FILE_CHANGED: FileChangedError,
    Status.NETWORK_ERROR: NetworkError,
    Status.TIMEOUT: TimeoutError,
    Status.CANCELLED: CancelledError,
    Status.SERVICE_ERROR: ServiceError,
    Status.CALLBACK_FAILED: CallbackFailedError,
    Status.INTEGRITY_ERROR: IntegrityError,
    Status.PROTOCOL_ERROR: ProtocolError,
    Status.PENDING: PendingError,
    Status.WOULD_DEADLOCK: WouldDeadlockError,
    Status.FORKED: ForkedError,
    Status.INTERNAL_ERROR: InternalError,
}


def _error_of(raw: c.us3_result) -> Error:
    description = taken_text(lib.us3_result_describe(ctypes.byref(raw)))
    return _CLASSES.get(raw.status, Error)(result_of(raw), description)


def take(raw: c.us3_result) -> Result:
    """The result of a call, whose struct is freed; raises the error that it tells."""
    try:
        if raw.status != Status.OK:
            raise _error_of(raw)
        return result_of(raw)
    finally:
        lib.us3_result_clear(ctypes.byref(raw))


def refusal(message: str, status: Status = Status.INVALID_ARGUMENT) -> Error:
    """An error that this package found before the library was asked."""
    raw = struct(c.us3_result)
    text = ctypes.create_string_buffer(message.encode("utf-8", "backslashreplace"))
    raw.status = status
    # Python's memory: this struct is not to be cleared.
    raw.err_msg = ctypes.cast(text, ctypes.POINTER(ctypes.c_char))
    return _error_of(raw)
