"""The generated structs lie in memory as a C compiler lays them out."""

import ctypes
import os
import subprocess
import unittest

import support
from us3 import _declarations as c


def structs():
    for name, kind in vars(c).items():
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and getattr(kind, "_fields_", None):
            yield name, kind


def of_python():
    for name, kind in structs():
        yield f"{name} {ctypes.sizeof(kind)}"
        for member, _ in kind._fields_:
            field = getattr(kind, member)
            yield f"{name}.{member} {field.offset} {field.size}"


def program():
    yield "#include <stddef.h>\n#include <stdio.h>\n#include <us3.h>\nint main(void) {"
    for name, kind in structs():
        yield f'printf("{name} %zu\\n", sizeof({name}));'
        for member, _ in kind._fields_:
            place = f"offsetof({name}, {member}), sizeof((({name} *)0)->{member})"
            yield f'printf("{name}.{member} %zu %zu\\n", {place});'
    yield "return 0; }"


class Layout(unittest.TestCase):
    def test_offsets_and_sizes(self):
        source, binary = support.DIR / "layout.c", support.DIR / "layout"
        source.write_text("\n".join(program()))
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, "-I", os.environ["US3_TEST_INCLUDE"], "-o", binary, source], check=True)
        output = subprocess.run([binary], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
        self.assertEqual(list(of_python()), output.splitlines())
        self.assertGreater(len(output.splitlines()), 60)
