"""The library's log, in the logging module. Off until log_to is called.

The library logs on the threads that drive its sockets, where nothing may wait. So a line is only put into a queue
there, and a thread of ours hands it to the logger.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
from typing import Any, Optional, Tuple

from . import _declarations as c
from . import _uploads as uploads
from ._library import lib
from ._result import LogLevel
from .errors import refusal

_LEVELS = {
    c.US3_LOG_ERROR: logging.ERROR,
    c.US3_LOG_WARN: logging.WARNING,
    c.US3_LOG_INFO: logging.INFO,
    c.US3_LOG_DEBUG: logging.DEBUG,
    c.US3_LOG_TRACE: 5,
}


class _Bridge:
    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lines: queue.SimpleQueue[Optional[Tuple[int, bytes]]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._hand_on, name="us3-log", daemon=True)
        self._thread.start()
        # Kept while the library may call it.
        self.function: Any = c.us3_log_fn(self._on_line)

    def _on_line(self, level: int, line: bytes, _: Any) -> None:
        # The collector may run here, and with it a __del__ that closes a client: it must not wait on this thread.
        with uploads.inside():
            self._lines.put((level, line))

    def _hand_on(self) -> None:
        for level, line in iter(self._lines.get, None):
            self._logger.log(_LEVELS.get(level, logging.DEBUG), "%s", line.decode("utf-8", "replace"))

    def close(self) -> None:
        """Ends when the lines that are in the queue are handed on."""
        self._lines.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join()


_lock = threading.Lock()
_bridge: Optional[_Bridge] = None


def _set(level: int, bridge: Optional[_Bridge]) -> None:
    global _bridge
    function = bridge.function if bridge else c.us3_log_fn()
    with _lock:
        status = lib.us3_set_logger(level, function, None)
        if status == c.US3_OK:
            # Nothing calls the former one any more.
            _bridge, bridge = bridge, _bridge
    if bridge is not None:
        bridge.close()
    if status != c.US3_OK:
        raise refusal(f"the log cannot be set to level {level}: {lib.us3_status_name(status).decode()}")


def log_to(logger: Optional[logging.Logger] = None, level: LogLevel = LogLevel.INFO) -> None:
    """Hands the log of all clients to a logger, "us3" by default. Lines up to `level` are passed on; the logger's own
    level holds besides. A handler may take its time, but the lines wait in memory meanwhile."""
    if level == LogLevel.OFF:
        return log_off()
    _set(int(level), _Bridge(logger or logging.getLogger("us3")))


def log_off() -> None:
    """Switches the log off, when the lines so far are handed on."""
    _set(c.US3_LOG_OFF, None)


def _forget() -> None:
    """A forked child logs nothing until it says so, and has no thread for it."""
    global _bridge, _lock
    _bridge = None
    _lock = threading.Lock()


atexit.register(log_off)
os.register_at_fork(after_in_child=_forget)
