"""Puts libus3.so into the wheel, and says which systems it runs on.

US3_WHEEL_LIBRARY names the file; without it, it is what `make lib` leaves. `make wheel` does all of it.
"""

import os
import platform
import re
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent.parent


def _platform_tag(library: Path) -> str:
    """The library needs the C library alone, and of that the newest version that any of its symbols has."""
    versions = re.findall(rb"\bGLIBC_(\d+)\.(\d+)", library.read_bytes())
    if not versions:
        return f"linux_{platform.machine()}"
    major, minor = max((int(major), int(minor)) for major, minor in versions)
    return f"manylinux_{major}_{minor}_{platform.machine()}"


class LibraryHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict) -> None:
        # The major version is part of the name, and us3/_library.py looks for it.
        soname = f"libus3.so.{self.metadata.version.split('.')[0]}"
        library = Path(os.environ.get("US3_WHEEL_LIBRARY") or ROOT / "build" / "lib" / soname)
        if not library.exists():
            raise SystemExit(f"{library} is not there: run make wheel in {ROOT}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag(library)}"
        build_data["force_include"][str(library.resolve())] = f"us3/{soname}"
        for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
            build_data["force_include"][str(ROOT / licence)] = f"us3/{licence}"
