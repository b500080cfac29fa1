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
        # Reentrant: a signal handler and the collector may close, or use, what this thread is about to use.
        self._lock = threading.RLock()
        self._unfreed = [pointer]
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
        entered = False
        try:
            with self._lock:
                # Counted before it is looked at, so that nobody frees it from here on; on one line, so that no
                # Ctrl-C comes between the two.
                self._users, entered = self._users + 1, True
                if self.closed:
                    raise ValueError(f"the {self._what} is closed")
            return self._pointer
        except BaseException:
            # Ctrl-C, too: there will be no __exit__.
            if entered:
                self._leave()
            raise

    def __exit__(self, *_: object) -> None:
        if not self.forked:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            last = self.closed and self._users == 0
        if last:
            self._free_once()

    def _free_once(self) -> None:
        try:
            pointer = self._unfreed.pop()
        except IndexError:
            return
        self._free(pointer)

    def close(self) -> None:
        """Frees the handle, now or when the calls in progress have ended."""
        if self.forked:
            self.closed = True
            self._free_once()
            return
        with self._lock:
            self.closed = True
            unused = self._users == 0
        if unused:
            self._free_once()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {self._what} cannot be pickled: it belongs to this process")
