"""A handle of the library that no thread can free while another one uses it."""

from __future__ import annotations

import os
import threading
from typing import Any, Callable


class Handle:
    """`with handle as pointer:` lends the pointer; whoever is last frees it once it is closed."""

    def __init__(self, what: str, pointer: Any, free: Callable[[Any], None]) -> None:
        self._what = what
        self._pointer = pointer
        self._free = free
        self._lock = threading.Lock()
        self._users = 0
        self._pid = os.getpid()
        self.closed = False

    @property
    def forked(self) -> bool:
        """In a forked child the lock may be held for ever, and the library answers ForkedError by itself."""
        return self._pid != os.getpid()

    def __enter__(self) -> Any:
        if self.forked:
            return self._pointer
        with self._lock:
            if self.closed:
                raise ValueError(f"the {self._what} is closed")
            self._users += 1
        return self._pointer

    def __exit__(self, *_: object) -> None:
        if self.forked:
            return
        with self._lock:
            self._users -= 1
            last = self.closed and self._users == 0
        if last:
            self._free(self._pointer)

    def close(self) -> None:
        """Frees the handle, now or when the calls in progress have ended."""
        if self.forked:
            if not self.closed:
                self.closed = True
                self._free(self._pointer)
            return
        with self._lock:
            unused = self._users == 0 and not self.closed
            self.closed = True
        if unused:
            self._free(self._pointer)

    def __reduce__(self) -> Any:
        raise TypeError(f"a {self._what} cannot be pickled: it belongs to this process")
