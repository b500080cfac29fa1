"""Put policies."""

from __future__ import annotations

import ctypes
from typing import Mapping, Optional

from . import _values as values
from ._library import lib, taken_text
from ._result import new_result
from .errors import take


def build_policy(
    url: str, body: str, body_type: Optional[str] = None, vars: Optional[Mapping[str, str]] = None
) -> str:
    """Builds a put policy: US3 POSTs `body` to `url` as `body_type`, or as the query without one. `vars` are
    {"x:name": "value"} for $(x:name) in `body`."""
    array, count = values.headers("vars", vars)
    raw = new_result()
    policy = lib.us3_policy_build(
        values.text("url", url),
        values.text("body", body),
        values.text("body_type", body_type),
        array,
        count,
        ctypes.byref(raw),
    )
    take(raw)
    return taken_text(policy)


def check_policy(policy_json: str) -> None:
    """Raises InvalidPolicyError unless the policy is one that the uploads accept."""
    raw = new_result()
    lib.us3_policy_check(values.text("policy_json", policy_json), ctypes.byref(raw))
    take(raw)
