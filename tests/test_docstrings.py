"""Docstrings name the parameters that the signature has."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECTION = re.compile(r"Parameters\n-+\n(.*?)(?:\n\n[A-Z][a-z]+\n-+|\Z)", re.DOTALL)

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _documented_names(node: Documented) -> set[str]:
    section = _SECTION.search(ast.get_docstring(node) or "")
    lines = section[1].split("\n") if section else []
    heads = [line.split(" : ")[0] for line in lines if line and not line.startswith(" ")]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def _signature_names(node: Documented) -> set[str]:
    if isinstance(node, ast.ClassDef):
        fields = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign) if _is_name(item.target)}
        return fields.union(*(_signature_names(item) for item in node.body if _is_init(item)))
    arguments = node.args
    variadic = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs, *variadic)}


def _is_name(target: ast.expr) -> bool:
    return isinstance(target, ast.Name)


def _is_init(item: ast.stmt) -> bool:
    return isinstance(item, ast.FunctionDef) and item.name == "__init__"


def _offenders() -> Iterator[str]:
    for folder in ("pipeline", "stages", "app"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, Documented):
                    unknown = _documented_names(node) - _signature_names(node)
                    yield from (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {name}" for name in unknown)


def test_each_documented_parameter_is_in_the_signature() -> None:
    assert list(_offenders()) == []
