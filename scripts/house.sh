#!/bin/sh
# Draws the structure of the code from what its files use.
#
#   house.sh            the figures: rooms, floors, arrows and circles of src, and the largest circle of emulator/src
#   house.sh uses       a line for each room of src: its name, a colon, and the rooms that it uses
#   house.sh check      the figures; fails when one is beyond its limit
#
# A room is a module at the top of src. An arrow: code of one room names another. A room stands one floor above the highest
# room that it uses. A circle: files that use each other, directly or through others. That a file takes names from the
# mod.rs of its own folder is no arrow. Tests do not count.
set -eu

cd "$(dirname "$0")/.."
exec python3 - "${1:-figures}" <<'PYTHON'
import re
import sys
from pathlib import Path

LIMITS = {"rooms": 13, "floors": 9, "arrows": 50, "files in a circle of src": 0, "files in the largest circle of emulator/src": 3}


def code_of(path):
    """A file's text without its tests and comments."""
    text = path.read_text().split("\n#[cfg(test)]\nmod ")[0]
    return re.sub(r"//[^\n]*", "", text)


def expanded(path):
    """The paths of `a::{b, c::{d}}`, one by one."""
    depth, start, parts = 0, 0, []
    opening = path.find("{")
    if opening < 0:
        return [path.split(" as ")[0].strip()]
    head, inner = path[:opening], path[opening + 1 : path.rindex("}")]
    for at, character in enumerate(inner + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(inner[start:at])
            start = at + 1
    return [head + tail for part in parts if part.strip() for tail in expanded(part.strip())]


def names(text):
    """Every path that the code uses, and whether it stands in a `use`."""
    for use in re.findall(r"\buse\s+([^;]+);", text):
        yield from expanded(re.sub(r"\s+", " ", use))
    yield from re.findall(r"\b(?:crate|super)(?:::\w+)+", re.sub(r"\buse\s+[^;]+;", "", text))


class Tree:
    """The files of one crate, by their module path."""

    def __init__(self, root):
        self.files = {}
        for path in sorted(Path(root).rglob("*.rs")):
            module = path.relative_to(root).with_suffix("").parts
            if module[-1] == "tests":
                continue
            self.files[module[:-1] if module[-1] in ("mod", "lib", "main") else module] = path
        self.arrows = {module: self.used_by(module) for module in self.files}

    def used_by(self, module):
        used = set()
        for name in names(code_of(self.files[module])):
            target = self.file_of(module, name.split("::"))
            own_folder = target is not None and module[: len(target)] == target
            if target is not None and not own_folder:
                used.add(target)
        return used

    def file_of(self, module, parts):
        """The file in which a name is, or is handed on."""
        if parts[0] == "crate":
            base, rest = (), parts[1:]
        elif parts[0] == "super":
            base, rest = module, parts
            while rest and rest[0] == "super":
                base, rest = base[:-1], rest[1:]
        else:
            base, rest = module, parts[1:] if parts[0] == "self" else parts
            if base + tuple(rest[:1]) not in self.files:
                return None
        while rest and base + (rest[0],) in self.files:
            base, rest = base + (rest[0],), rest[1:]
        return base if base in self.files and base else None

    def circles(self):
        """Groups of files that reach each other."""

        def reached(module):
            seen, left = set(), [module]
            while left:
                new = self.arrows[left.pop()] - seen
                seen |= new
                left += new
            return seen

        reach = {module: reached(module) for module in self.files}
        groups = {}
        for module in self.files:
            circle = frozenset(other for other in reach[module] if module in reach[other])
            if circle:
                groups[circle] = circle
        return sorted(groups, key=len, reverse=True)


def main(wish):
    tree = Tree("src")
    rooms = {}
    for module, used in tree.arrows.items():
        if module:
            rooms.setdefault(module[0], set()).update(target[0] for target in used if target[0] != module[0])

    def floor(room, above=()):
        below = rooms[room] - {room} - set(above)
        return 1 + max((floor(other, (*above, room)) for other in below), default=0)

    if wish == "uses":
        for room in sorted(rooms):
            print(f"{room}:", *sorted(rooms[room]))
        return 0
    circles, emulator = tree.circles(), Tree("emulator/src").circles()
    figures = [len(rooms), max(map(floor, rooms)), sum(map(len, rooms.values())), sum(map(len, circles)), len(emulator[0]) if emulator else 0]
    for name, figure in zip(LIMITS, figures):
        print(f"{name}: {figure} (at most {LIMITS[name]})")
    for circle in circles + emulator:
        print("circle:", *sorted("::".join(module) for module in circle))
    return 1 if wish == "check" and any(figure > LIMITS[name] for name, figure in zip(LIMITS, figures)) else 0


sys.exit(main(sys.argv[1]))
PYTHON
