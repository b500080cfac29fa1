"""What became of a call, as values of Python."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Optional, Type

from . import _declarations as c
from ._library import struct


class Status(IntEnum):
    """How a call ended; Error has a subclass for each but OK."""

    OK = c.US3_OK
    INVALID_ARGUMENT = c.US3_INVALID_ARGUMENT
    INVALID_CONFIG = c.US3_INVALID_CONFIG
    INVALID_POLICY = c.US3_INVALID_POLICY
    FILE_ERROR = c.US3_FILE_ERROR
    FILE_CHANGED = c.US3_FILE_CHANGED
    NETWORK_ERROR = c.US3_NETWORK_ERROR
    TIMEOUT = c.US3_TIMEOUT
    CANCELLED = c.US3_CANCELLED
    SERVICE_ERROR = c.US3_SERVICE_ERROR
    CALLBACK_FAILED = c.US3_CALLBACK_FAILED
    INTEGRITY_ERROR = c.US3_INTEGRITY_ERROR
    PROTOCOL_ERROR = c.US3_PROTOCOL_ERROR
    PENDING = c.US3_PENDING
    WOULD_DEADLOCK = c.US3_WOULD_DEADLOCK
    FORKED = c.US3_FORKED
    INTERNAL_ERROR = c.US3_INTERNAL_ERROR


class ObjectState(IntEnum):
    """Whether the call left the object in the bucket."""

    NOT_STORED = c.US3_OBJECT_NOT_STORED
    STORED = c.US3_OBJECT_STORED
    UNKNOWN = c.US3_OBJECT_UNKNOWN


class CallbackState(IntEnum):
    """Whether the upload callback ran."""

    NOT_REQUESTED = c.US3_CALLBACK_NOT_REQUESTED
    DELIVERED = c.US3_CALLBACK_DELIVERED
    NOT_DELIVERED = c.US3_CALLBACK_NOT_DELIVERED
    UNKNOWN = c.US3_CALLBACK_UNKNOWN
    REPLY_REFUSED = c.US3_CALLBACK_REPLY_REFUSED


class LogLevel(IntEnum):
    """How much is logged."""

    OFF = c.US3_LOG_OFF
    ERROR = c.US3_LOG_ERROR
    WARN = c.US3_LOG_WARN
    INFO = c.US3_LOG_INFO
    DEBUG = c.US3_LOG_DEBUG
    TRACE = c.US3_LOG_TRACE


@dataclass(frozen=True)
class Result:
    """What became of a call; the members are those of us3_result.

    `status`, `object_state` and `callback_state` are a Status, an ObjectState and a CallbackState, or a plain
    number when the library is newer than this package.
    """

    status: int
    http_status: int
    ret_code: int
    os_error: int
    object_state: int
    callback_state: int
    attempts: int
    bytes_sent: int
    parts_resumed: int
    message: Optional[str]
    session_id: Optional[str]
    etag: Optional[str]
    upload_id: Optional[str]
    body: bytes
    note: Optional[str]

    def json(self) -> Any:
        """The body as JSON: after an upload with a policy, the reply of the callback service."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Progress:
    """How far an upload is; the members are those of us3_progress."""

    total: Optional[int]
    """Bytes in all; None while nobody knows."""
    sent: int
    acknowledged: int
    parts_done: int
    parts_total: int
    attempts: int
    elapsed_ms: int


def _member(kind: Type[IntEnum], number: int) -> int:
    try:
        return kind(number)
    except ValueError:
        return number


def text_of(pointer: Any) -> Optional[str]:
    return ctypes.string_at(pointer).decode("utf-8", "replace") if pointer else None


def result_of(raw: c.us3_result) -> Result:
    return Result(
        status=_member(Status, raw.status),
        http_status=raw.http_status,
        ret_code=raw.ret_code,
        os_error=raw.os_error,
        object_state=_member(ObjectState, raw.object_state),
        callback_state=_member(CallbackState, raw.callback_state),
        attempts=raw.attempts,
        bytes_sent=raw.bytes_sent,
        parts_resumed=raw.parts_resumed,
        message=text_of(raw.err_msg),
        session_id=text_of(raw.session_id),
        etag=text_of(raw.etag),
        upload_id=text_of(raw.upload_id),
        body=ctypes.string_at(raw.body, raw.body_len) if raw.body else b"",
        note=text_of(raw.note),
    )


def progress_of(raw: c.us3_progress) -> Progress:
    # US3_TOTAL_UNKNOWN is the greatest number there is.
    return Progress(
        total=None if raw.total == 2**64 - 1 else raw.total,
        sent=raw.sent,
        acknowledged=raw.acknowledged,
        parts_done=raw.parts_done,
        parts_total=raw.parts_total,
        attempts=raw.attempts,
        elapsed_ms=raw.elapsed_ms,
    )


def new_result() -> c.us3_result:
    return struct(c.us3_result)
