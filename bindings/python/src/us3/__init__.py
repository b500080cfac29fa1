"""Uploads to UCloud US3 object storage, with upload callbacks: libus3 for Python.

    with us3.Client.from_file("config.json") as client:
        policy = us3.build_policy("https://example.com/uploaded", '{"key":"1.mp4"}', "application/json")
        result = client.put_file_with_policy("video.mp4", "1.mp4", None, policy)
        print(result.etag, result.json())

README.md beside this package is its manual; include/us3.h is that of the library.
"""

from ._client import Client, FileInfo
from ._library import version
from ._log import log_off, log_to
from ._multipart import Multipart
from ._policy import build_policy, check_policy
from ._request import UploadOptions
from ._result import CallbackState, LogLevel, ObjectState, Progress, Result, Status
from ._task import Task
from .errors import (
    CallbackFailedError,
    CancelledError,
    Error,
    FileChangedError,
    FileError,
    ForkedError,
    IntegrityError,
    InternalError,
    InvalidArgumentError,
    InvalidConfigError,
    InvalidPolicyError,
    NetworkError,
    PendingError,
    ProtocolError,
    ServiceError,
    TimeoutError,
    WouldDeadlockError,
)

__version__ = version()

__all__ = [
    "CallbackFailedError",
    "CallbackState",
    "CancelledError",
    "Client",
    "Error",
    "FileChangedError",
    "FileError",
    "FileInfo",
    "ForkedError",
    "IntegrityError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidConfigError",
    "InvalidPolicyError",
    "LogLevel",
    "Multipart",
    "NetworkError",
    "ObjectState",
    "PendingError",
    "Progress",
    "ProtocolError",
    "Result",
    "ServiceError",
    "Status",
    "Task",
    "TimeoutError",
    "UploadOptions",
    "WouldDeadlockError",
    "build_policy",
    "check_policy",
    "log_off",
    "log_to",
    "version",
]
