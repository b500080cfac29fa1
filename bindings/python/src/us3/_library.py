"""The loaded library: found, refused when its version does not fit, its functions given their types."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, Type, TypeVar

from . import _declarations as c

# By its soname, so that a library with another binary interface is never found.
_SONAME = f"libus3.so.{c.US3_VERSION_MAJOR}"

_Struct = TypeVar("_Struct", bound=ctypes.Structure)


def _path() -> str:
    """What the user says, what the wheel carries, or what the system has."""
    bundled = Path(__file__).with_name(_SONAME)
    return os.environ.get("US3_LIBRARY") or (str(bundled) if bundled.exists() else _SONAME)


def _check_version(library: ctypes.CDLL, path: str) -> None:
    library.us3_version.restype = ctypes.c_char_p
    text: str = library.us3_version().decode()
    major, minor = (int(number) for number in text.split(".")[:2])
    # A newer minor version has everything that this one has.
    if major != c.US3_VERSION_MAJOR or minor < c.US3_VERSION_MINOR:
        raise ImportError(
            f"{path} is libus3 {text}, and this package needs {c.US3_VERSION_MAJOR}.{c.US3_VERSION_MINOR} "
            f"or a later {c.US3_VERSION_MAJOR}: install the two together"
        )


def _load() -> ctypes.CDLL:
    path = _path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"{error}: install libus3, or name its file in US3_LIBRARY") from None
    _check_version(library, path)
    for name, (result, parameters) in c.FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, parameters
    return library


# A call through it gives up the GIL while it runs.
lib: Any = _load()


def struct(kind: Type[_Struct]) -> _Struct:
    """A struct of the library, initialised."""
    made = kind()
    getattr(lib, f"{kind.__name__}_init")(ctypes.byref(made))
    # _init knows the members of the first release only; the others are zero, which is their default.
    made.struct_size = ctypes.sizeof(made)
    return made


def taken_text(pointer: Any) -> str:
    """A `char *` that a function of the library returned, as text; the original is freed."""
    try:
        return ctypes.string_at(pointer).decode("utf-8", "replace")
    finally:
        lib.us3_string_free(pointer)


def version() -> str:
    """The version of the library that is loaded."""
    text: bytes = lib.us3_version()
    return text.decode()
