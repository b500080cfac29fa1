"""A client of one bucket."""

from __future__ import annotations

import asyncio
import ctypes
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Type

from . import _declarations as c
from . import _uploads as uploads
from . import _values as values
from ._handle import Handle
from ._library import lib, struct
from ._multipart import Multipart
from ._request import Request
from ._result import Result, new_result, text_of
from ._task import Task
from .errors import take

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

    from ._request import UploadOptions
    from ._values import StrPath


@dataclass(frozen=True)
class FileInfo:
    """What HeadFile tells of an object."""

    size: int
    last_modified: Optional[int]
    """Seconds since 1970-01-01 UTC; None if the service does not say."""
    etag: Optional[str]
    mime_type: Optional[str]


class Client:
    """A client of one bucket: configuration, connections and the threads that do the work. Any number of threads may
    use it at once, and should: it keeps connections for reuse. The parameters are the members of us3_config.

    Leaving a `with` or `async with` block waits for the uploads that were started, and cancels them when it is left by an exception.
    """

    def __init__(
        self,
        *,
        public_key: str,
        private_key: str,
        bucket_name: str,
        file_host: Optional[str] = None,
        endpoint: Optional[str] = None,
        security_token: Optional[str] = None,
        verify_upload_md5: bool = False,
        verify_etag: bool = True,
        connect_timeout_ms: int = 0,
        idle_timeout_ms: int = 0,
        response_timeout_ms: int = 0,
        settle_timeout_ms: int = 0,
        max_retries: int = 3,
        worker_threads: int = 0,
        max_concurrent_uploads: int = 0,
        proxy: Optional[str] = None,
        ca_file: Optional[StrPath] = None,
        use_env_proxy: bool = False,
        callback_at_least_once: bool = False,
    ) -> None:
        config = struct(c.us3_config)
        config.public_key = values.text("public_key", public_key)
        config.private_key = values.text("private_key", private_key)
        config.bucket_name = values.text("bucket_name", bucket_name)
        config.file_host = values.text("file_host", file_host)
        config.endpoint = values.text("endpoint", endpoint)
        config.security_token = values.text("security_token", security_token)
        config.verify_upload_md5 = bool(verify_upload_md5)
        config.verify_etag = bool(verify_etag)
        config.connect_timeout_ms = values.integer("connect_timeout_ms", connect_timeout_ms, values.UINT32)
        config.idle_timeout_ms = values.integer("idle_timeout_ms", idle_timeout_ms, values.UINT32)
        config.response_timeout_ms = values.integer("response_timeout_ms", response_timeout_ms, values.UINT32)
        config.settle_timeout_ms = values.integer("settle_timeout_ms", settle_timeout_ms, values.UINT32)
        config.max_retries = values.integer("max_retries", max_retries, values.UINT32)
        config.worker_threads = values.integer("worker_threads", worker_threads, values.UINT32)
        config.max_concurrent_uploads = values.integer("max_concurrent_uploads", max_concurrent_uploads, values.UINT32)
        config.proxy = values.text("proxy", proxy)
        config.ca_file = values.path("ca_file", ca_file)
        config.use_env_proxy = bool(use_env_proxy)
        config.callback_at_least_once = bool(callback_at_least_once)
        self._make(lib.us3_client_new, ctypes.byref(config))

    @classmethod
    def from_file(cls, json_path: StrPath) -> Client:
        """A client from the JSON file of the vendor's SDKs."""
        made = cls.__new__(cls)
        made._make(lib.us3_client_from_file, values.path("json_path", json_path))
        return made

    # Whether close() has cancelled everything.
    _cancels = False

    def _make(self, function: Any, source: Any) -> None:
        pointer = ctypes.POINTER(c.us3_client)()
        raw = new_result()
        try:
            function(source, ctypes.byref(pointer), ctypes.byref(raw))
            take(raw)
            self._handle = Handle("client", pointer, lib.us3_client_free)
        except BaseException:
            if pointer and not hasattr(self, "_handle"):
                # It was made, and interrupted before anybody knew.
                lib.us3_client_free(pointer)
            raise

    # ---- the operations of the vendor's page; each blocks until the callback has answered ------------

    def put_file_with_policy(
        self, file_path: StrPath, key: str, mime_type: Optional[str] = None, policy_json: Optional[str] = None
    ) -> Result:
        """PutFileWithPolicy: one request, at most 512 MiB."""
        return self.upload(key, file_path=file_path, mime_type=mime_type, policy_json=policy_json, mode="put")

    def mput_with_policy(
        self, file_path: StrPath, key: str, mime_type: Optional[str] = None, policy_json: Optional[str] = None
    ) -> Result:
        """MPutWithPolicy: in parts, one at a time."""
        return self.async_upload_with_policy(file_path, key, mime_type, 1, policy_json)

    def async_mput_with_policy(
        self, file_path: StrPath, key: str, mime_type: Optional[str] = None, policy_json: Optional[str] = None
    ) -> Result:
        """AsyncMPutWithPolicy: in parts, 10 at a time. "async" is what the parts are to each other: it blocks."""
        return self.async_upload_with_policy(file_path, key, mime_type, 10, policy_json)

    def async_upload_with_policy(
        self,
        file_path: StrPath,
        key: str,
        mime_type: Optional[str] = None,
        jobs: int = 10,
        policy_json: Optional[str] = None,
    ) -> Result:
        """AsyncUploadWithPolicy: in parts, `jobs` at a time. It blocks."""
        return self.upload(
            key, file_path=file_path, mime_type=mime_type, policy_json=policy_json, mode="mput", jobs=jobs
        )

    def initiate_multipart_upload(self, key: str, mime_type: Optional[str] = None) -> Multipart:
        """InitiateMultipartUpload: the parts are sent with upload_part; then finish_with_policy, the fifth
        operation, or abort."""
        pointer = ctypes.POINTER(c.us3_multipart)()
        raw = new_result()
        name, kind = values.text("key", key), values.text("mime_type", mime_type)
        with self._handle as client:
            lib.us3_initiate_multipart_upload(client, name, kind, ctypes.byref(pointer), ctypes.byref(raw))
        take(raw)
        return Multipart(pointer, self)

    def abort_upload(self, key: str, upload_id: str) -> Result:
        """Aborts an unfinished multipart upload by its name, the upload_id of the error or result that left it. Blocks.
        ServiceError with http_status 404 when the service knows no such upload. A finish that may still be running
        (object_state UNKNOWN) may complete all the same."""
        raw = new_result()
        name, upload = values.text("key", key), values.text("upload_id", upload_id)
        with self._handle as client:
            lib.us3_abort_upload(client, name, upload, ctypes.byref(raw))
        return take(raw)

    # ---- uploads of every kind -----------------------------------------------------------------------

    def upload(self, key: str, **options: Unpack[UploadOptions]) -> Result:
        """Uploads a file, memory or a stream, as UploadOptions ask. Blocks; Ctrl-C cancels the upload."""
        uploads.refuse_inside_callback("an upload")
        with self.start(key, **options) as task:
            return task.result()

    def start(self, key: str, **options: Unpack[UploadOptions]) -> Task:
        """Starts the same, and returns at once."""
        uploads.reap()
        request = Request(self, key, options)
        pointer = ctypes.POINTER(c.us3_task)()
        raw = new_result()
        upload = request.upload
        try:
            upload.begin()
            if self._cancels:
                upload.cancel()
            with self._handle as client:
                lib.us3_upload_start(client, ctypes.byref(request.struct), ctypes.byref(pointer), ctypes.byref(raw))
            take(raw)
            handle = uploads.new_handle(pointer)
            upload.started(handle)
            return Task(handle, upload)
        except BaseException:
            if pointer:
                # It was started, and interrupted before anybody knew.
                uploads.drop(upload.handle or uploads.new_handle(pointer))
            else:
                upload.end()
            raise

    async def upload_async(self, key: str, **options: Unpack[UploadOptions]) -> Result:
        """The same in asyncio. When it is cancelled, the upload is, and its end is waited for."""
        task = self.start(key, **options)
        try:
            return await task
        finally:
            task._drop()

    # ---- objects; each blocks ------------------------------------------------------------------------

    def head_file(self, key: str) -> FileInfo:
        """HeadFile: ServiceError with http_status 404 when there is no such object."""
        info = struct(c.us3_file_info)
        raw = new_result()
        name = values.text("key", key)
        try:
            with self._handle as client:
                lib.us3_head_file(client, name, ctypes.byref(info), ctypes.byref(raw))
            take(raw)
            return FileInfo(
                size=info.size,
                last_modified=info.last_modified if info.last_modified >= 0 else None,
                etag=text_of(info.etag),
                mime_type=text_of(info.mime_type),
            )
        finally:
            lib.us3_file_info_clear(ctypes.byref(info))

    def delete_file(self, key: str) -> Result:
        """DeleteFile: ServiceError with http_status 404 when there is no such object."""
        raw = new_result()
        name = values.text("key", key)
        with self._handle as client:
            lib.us3_delete_file(client, name, ctypes.byref(raw))
        return take(raw)

    # ---- the end -----------------------------------------------------------------------------------

    def close(self, cancel: bool = False) -> None:
        """Waits for the uploads that were started, or cancels them first, and frees the client. Ctrl-C cancels them.
        In a reader or on_progress there is no waiting."""
        if not self._handle.forked:
            try:
                if cancel:
                    self._cancel_uploads()
                self._wait_for_uploads()
            except BaseException:
                self._cancel_uploads()
                self._wait_for_uploads()
                self._handle.close()
                raise
        self._handle.close()

    def _cancel_uploads(self) -> None:
        # First, for a thread that is about to start one.
        self._cancels = True
        for upload in uploads.running_of(self):
            upload.cancel()

    def _wait_for_uploads(self) -> None:
        if not uploads.inside_callback():
            for upload in uploads.running_of(self):
                upload.ended.wait()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close(cancel=error is not None)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        # It may wait for uploads, and the event loop must not.
        await asyncio.get_running_loop().run_in_executor(None, self.close, error is not None)

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle is not None and not handle.closed:
            handle.close()
            if not handle.forked:
                # Last, because a warning may be an error.
                warnings.warn("a us3.Client was not closed", ResourceWarning, source=self)

    def __reduce__(self) -> Any:
        raise TypeError("a Client cannot be pickled: make one in each process")
