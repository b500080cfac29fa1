"""An upload described in Python, as the us3_upload_request that the library reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, TypedDict

from . import _declarations as c
from . import _uploads as uploads
from . import _values as values
from ._library import struct
from ._result import Progress
from .errors import refusal

if TYPE_CHECKING:
    from ._uploads import Reader
    from ._values import BytesLike, StrPath

_MODES = {"auto": c.US3_MODE_AUTO, "put": c.US3_MODE_PUT, "mput": c.US3_MODE_MPUT}


class UploadOptions(TypedDict, total=False):
    """What an upload can want besides its key; the members of us3_upload_request. One of file_path, data and reader
    is the source."""

    file_path: Optional[StrPath]
    """The source, if it is a file."""
    data: Optional[BytesLike]
    """The source, if it is memory: bytes-like, never copied, and not to be changed until the end."""
    reader: Optional[Reader]
    """The source, if it is a stream: an object whose read(size) returns bytes, b"" at the end. It is called on a
    thread of the library and may block. What it raises is the cause of the error that the upload ends with."""
    mode: str
    """"auto" (the default), "put" or "mput"."""
    mime_type: Optional[str]
    """None: detected."""
    policy_json: Optional[str]
    """The put policy. None is no callback; "" is an error."""
    jobs: int
    """Parts in flight at once."""
    storage_class: Optional[str]
    """"STANDARD", "IA" or "ARCHIVE"."""
    metadata: Optional[Mapping[str, str]]
    """Kept with the object."""
    resume_path: Optional[StrPath]
    """A checkpoint file: an upload that fails is kept, and the next one with it sends what is missing."""
    timeout_ms: int
    """Milliseconds for the whole upload; 0 is no limit."""
    on_progress: Optional[Callable[[Progress], object]]
    """Called on a thread of the library, at most every 100 ms and once at the end. What it raises cancels the
    upload, and is raised by whoever asks for the result."""


class Request:
    """The struct, and what the upload borrows of Python."""

    def __init__(self, owner: object, key: Optional[str], options: Mapping[str, Any]) -> None:
        unknown = set(options) - set(UploadOptions.__annotations__)
        if unknown:
            raise TypeError(f"an upload has no option {', '.join(sorted(unknown))}")
        self.struct = struct(c.us3_upload_request)
        self.struct.key = values.text("key", key)
        self._set_plain(options)
        data = options.get("data")
        borrowed = None if data is None else values.Borrowed("data", data)
        reader, on_progress = options.get("reader"), options.get("on_progress")
        self.upload = uploads.Upload(owner, borrowed, reader, on_progress)
        self._set_source(borrowed, reader)
        self._set_callbacks(on_progress)

    def _set_plain(self, options: Mapping[str, Any]) -> None:
        raw = self.struct
        mode = options.get("mode", "auto")
        if mode not in _MODES:
            raise refusal(f'mode is {mode!r}, and not "auto", "put" or "mput"')
        raw.mode = _MODES[mode]
        for name in ("mime_type", "policy_json", "storage_class"):
            setattr(raw, name, values.text(name, options.get(name)))
        for name in ("file_path", "resume_path"):
            setattr(raw, name, values.path(name, options.get(name)))
        raw.jobs = values.integer("jobs", options.get("jobs", raw.jobs), values.INT32)
        raw.timeout_ms = values.integer("timeout_ms", options.get("timeout_ms", 0), values.UINT64)
        raw.metadata, raw.metadata_len = values.headers("metadata", options.get("metadata"))

    def _set_source(self, data: Optional[values.Borrowed], reader: Optional[Reader]) -> None:
        if data is not None:
            self.struct.data, self.struct.data_len = data.address, data.size
        if reader is not None:
            if not callable(getattr(reader, "read", None)):
                raise TypeError(f"reader must have a read(size), which {type(reader).__name__} has not")
            self.struct.read, self.struct.read_user_data = uploads.READ, self.upload.number

    def _set_callbacks(self, on_progress: Optional[Callable[[Progress], object]]) -> None:
        if on_progress is not None:
            if not callable(on_progress):
                raise TypeError(f"on_progress must be callable, which {type(on_progress).__name__} is not")
            self.struct.on_progress = uploads.PROGRESS
        self.struct.on_complete, self.struct.user_data = uploads.COMPLETE, self.upload.number
