"""Writes src/us3/_declarations.py, what the package knows of the header: structs, numbers and prototypes.

    generate.py            writes it
    generate.py --check    fails when it is not what would be written

Needs pycparser and a C compiler; the package and its wheel need neither.
"""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path
from typing import List

from pycparser import c_ast, c_parser

HERE = Path(__file__).resolve().parent
DECLARATIONS = HERE.parent.parent / "scripts" / "declarations.sh"
OUTPUT = HERE / "src" / "us3" / "_declarations.py"

SCALARS = {
    "bool": "c_bool",
    "int": "c_int",
    "size_t": "c_size_t",
    "int32_t": "c_int32",
    "int64_t": "c_int64",
    "uint32_t": "c_uint32",
    "uint64_t": "c_uint64",
}
# For the parser; the names are all that it needs.
PRELUDE = "".join(f"typedef int {name};" for name in SCALARS if name != "int")


def declared(part: str) -> str:
    command = [str(DECLARATIONS), part]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


class Types:
    """C types as ctypes says them."""

    def __init__(self) -> None:
        self.known = dict(SCALARS)

    def of(self, node: c_ast.Node) -> str:
        if isinstance(node, c_ast.PtrDecl):
            return self.pointer_to(node.type)
        return self.known[self.name_of(node)]

    def pointer_to(self, node: c_ast.Node) -> str:
        if isinstance(node, c_ast.PtrDecl):
            return f"POINTER({self.of(node)})"
        if isinstance(node, c_ast.FuncDecl):
            return f"CFUNCTYPE({', '.join(self.signature(node))})"
        name = self.name_of(node)
        if name == "void":
            return "c_void_p"
        if name == "char":
            # ctypes turns a c_char_p into bytes at once. What is to be freed must stay a pointer.
            return "c_char_p" if "const" in node.quals else "POINTER(c_char)"
        return f"POINTER({self.known[name]})"

    def signature(self, function: c_ast.FuncDecl) -> List[str]:
        """The result's type, then the parameters'."""
        result = function.type
        is_void = isinstance(result, c_ast.TypeDecl) and self.name_of(result) == "void"
        parameters = function.args.params if function.args else []
        if len(parameters) == 1 and self.name_of(parameters[0].type) == "void":
            parameters = []
        return ["None" if is_void else self.of(result)] + [self.of(p.type) for p in parameters]

    def name_of(self, node: c_ast.Node) -> str:
        if not isinstance(node, c_ast.TypeDecl):
            return ""
        inner = node.type
        return " ".join(inner.names) if isinstance(inner, c_ast.IdentifierType) else str(inner.name)


def struct(types: Types, name: str, node: c_ast.Struct) -> List[str]:
    types.known[name] = name
    lines = ["", "", f"class {name}(Structure):"]
    if node.decls is None:
        return lines + ['    """Opaque."""']
    lines.append("    _fields_ = [")
    lines += [f'        ("{member.name}", {types.of(member.type)}),' for member in node.decls]
    return lines + ["    ]"]


def typedef(types: Types, node: c_ast.Typedef) -> List[str]:
    name = node.name
    if name in types.known:
        return []
    if isinstance(node.type, c_ast.TypeDecl) and isinstance(node.type.type, c_ast.Struct):
        return struct(types, name, node.type.type)
    line = f"{name} = {types.of(node.type)}"
    types.known[name] = name
    return ["", line]


def function(types: Types, node: c_ast.Decl) -> List[str]:
    result, *parameters = types.signature(node.type)
    return [f'    "{node.name}": ({result}, [{", ".join(parameters)}]),']


def module() -> str:
    types = Types()
    declarations: List[str] = []
    functions: List[str] = []
    for node in c_parser.CParser().parse(PRELUDE + declared("declarations")).ext:
        if isinstance(node, c_ast.Typedef):
            declarations += typedef(types, node)
        elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            functions += function(types, node)
    numbers = [" = ".join(line.split()) for line in declared("numbers").splitlines()]
    if not functions or not numbers:
        raise SystemExit("generate: include/us3.h declares nothing")
    return "\n".join(
        [
            '"""Generated from include/us3.h by generate.py: run make bindings."""',
            "",
            "from ctypes import (",
            "    CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32,",
            "    c_uint64, c_void_p,",
            ")",
            "from typing import Any, Dict, List, Tuple",
            "",
            *numbers,
            *declarations,
            "",
            "# Name: type of the result, types of the parameters.",
            "FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {",
            *functions,
            "}",
            "",
        ]
    )


def main() -> None:
    fresh = module()
    if sys.argv[1:] != ["--check"]:
        OUTPUT.write_text(fresh, encoding="utf-8")
        return
    committed = OUTPUT.read_text(encoding="utf-8")
    if committed != fresh:
        sys.stdout.writelines(difflib.unified_diff(committed.splitlines(True), fresh.splitlines(True)))
        raise SystemExit(f"generate: {OUTPUT.name} is not what include/us3.h says: run make bindings and commit it")


if __name__ == "__main__":
    main()
