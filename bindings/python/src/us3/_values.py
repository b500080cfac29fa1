"""Values of Python on their way into C: checked, because C would cut a string at its first NUL."""

from __future__ import annotations

import ctypes
import operator
import os
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Tuple, Union

from . import _declarations as c
from .errors import refusal

if TYPE_CHECKING:
    from typing_extensions import Buffer

    BytesLike = Buffer

StrPath = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

INT32 = (-(2**31), 2**31 - 1)
UINT32 = (0, 2**32 - 1)
UINT64 = (0, 2**64 - 1)


def _without_nul(name: str, value: bytes) -> bytes:
    at = value.find(0)
    if at >= 0:
        raise refusal(f"{name} contains a NUL at offset {at}")
    return value


def text(name: str, value: Optional[str]) -> Optional[bytes]:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    try:
        return _without_nul(name, value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise refusal(f"{name} is not Unicode: there is a lone surrogate at offset {error.start}") from None


def path(name: str, value: Optional[StrPath]) -> Optional[bytes]:
    if value is None:
        return None
    try:
        return _without_nul(name, os.fsencode(value))
    except UnicodeEncodeError as error:
        what = f"U+{ord(error.object[error.start]):04X} at offset {error.start}"
        raise refusal(f"{name} is not a path: {error.encoding} has no bytes for {what}") from None


def integer(name: str, value: int, limits: Tuple[int, int]) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, not {type(value).__name__}") from None
    if not limits[0] <= number <= limits[1]:
        raise refusal(f"{name} is {number}, which is not between {limits[0]} and {limits[1]}")
    return number


def headers(what: str, pairs: Optional[Mapping[str, str]]) -> Tuple[Any, int]:
    """An array of us3_header, which keeps its strings, and its length."""
    if not pairs:
        return None, 0
    made: List[c.us3_header] = [
        c.us3_header(text(f"a name of {what}", name), text(f"{what}[{name!r}]", value)) for name, value in pairs.items()
    ]
    return (c.us3_header * len(made))(*made), len(made)


class _PyBuffer(ctypes.Structure):
    # As CPython declares Py_buffer.
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


_PyBUF_SIMPLE = 0
_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int]
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = [ctypes.POINTER(_PyBuffer)]
_release_buffer.restype = None

# Somewhere to point at when there is no byte to be read.
_NOTHING = ctypes.create_string_buffer(1)


class Borrowed:
    """The memory of a bytes-like object, uncopied. Until it is released the object can neither move it nor let it
    go: to resize a bytearray, or to close a mapped file, is a BufferError."""

    def __init__(self, name: str, value: BytesLike) -> None:
        self._view = _PyBuffer()
        self._held: List[bool] = []
        try:
            # Unlike ctypes' own from_buffer, this takes what is read-only too.
            _get_buffer(value, ctypes.byref(self._view), _PyBUF_SIMPLE)
        except (TypeError, BufferError) as error:
            raise TypeError(f"{name} must be bytes-like and contiguous: {error}") from None
        self._held.append(True)
        self.address: int = self._view.buf or ctypes.addressof(_NOTHING)
        self.size: int = self._view.len

    def release(self) -> None:
        try:
            self._held.pop()
        except IndexError:
            return
        _release_buffer(ctypes.byref(self._view))

    def __del__(self) -> None:
        self.release()
