#!/bin/sh
# Computes the structure of the code from the names that its files use.
#
#   house.sh            prints the figures: modules, layers, dependencies and cycles of src, and the largest cycle of emulator/src
#   house.sh uses       prints a line for each module of src: its name, a colon, and the modules that it uses
#   house.sh check      prints the figures; fails when one is above its limit
#
# A module is a folder or file directly in src. A module depends on another when its code names something of it. A module is
# one layer above the highest module that it depends on. A cycle is a group of files that use each other, directly or through
# others. Names that a file takes from the mod.rs of its own folder do not count, and neither do tests.
set -eu

cd "$(dirname "$0")/.."
exec python3 - "${1:-figures}" <<'PYTHON'
import re
import sys
from pathlib import Path

LIMITS = {"modules": 13, "layers": 9, "dependencies": 50, "files in a cycle of src": 0, "files in the largest cycle of emulator/src": 3}


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
    """Every path that the code uses, in a `use` or elsewhere."""
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
        self.used = {module: self.used_by(module) for module in self.files}

    def used_by(self, module):
        used = set()
        for name in names(code_of(self.files[module])):
            target = self.file_of(module, name.split("::"))
            own_folder = target is not None and module[: len(target)] == target
            if target is not None and not own_folder:
                used.add(target)
        return used

    def file_of(self, module, parts):
        """The file that defines or re-exports a name."""
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

    def cycles(self):
        """Groups of files that reach each other."""

        def reached(module):
            seen, left = set(), [module]
            while left:
                new = self.used[left.pop()] - seen
                seen |= new
                left += new
            return seen

        reach = {module: reached(module) for module in self.files}
        groups = {}
        for module in self.files:
            cycle = frozenset(other for other in reach[module] if module in reach[other])
            if cycle:
                groups[cycle] = cycle
        return sorted(groups, key=len, reverse=True)


def main(wish):
    tree = Tree("src")
    modules = {}
    for module, used in tree.used.items():
        if module:
            modules.setdefault(module[0], set()).update(target[0] for target in used if target[0] != module[0])

    def layer(name, above=()):
        below = modules[name] - {name} - set(above)
        return 1 + max((layer(other, (*above, name)) for other in below), default=0)

    if wish == "uses":
        for name in sorted(modules):
            print(f"{name}:", *sorted(modules[name]))
        return 0
    cycles, emulator = tree.cycles(), Tree("emulator/src").cycles()
    figures = [len(modules), max(map(layer, modules)), sum(map(len, modules.values())), sum(map(len, cycles)), len(emulator[0]) if emulator else 0]
    for name, figure in zip(LIMITS, figures):
        print(f"{name}: {figure} (at most {LIMITS[name]})")
    for cycle in cycles + emulator:
        print("cycle:", *sorted("::".join(module) for module in cycle))
    return 1 if wish == "check" and any(figure > LIMITS[name] for name, figure in zip(LIMITS, figures)) else 0


sys.exit(main(sys.argv[1]))
PYTHON
