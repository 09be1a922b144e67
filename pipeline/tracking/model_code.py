"""Collect the modules that predict, to ship them inside a model under a package name of their own."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ModelCode", "model_code"]

_ENGINE = __name__.partition(".")[0]
_ENGINE_FOLDER = Path(__file__).parents[1]
_ROOT_MODULE = f"{_ENGINE}.package.logged_classifier"
_OWN_IMPORT = re.compile(rf"^(\s*(?:from|import) ){_ENGINE}(?=[. ])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModelCode:
    """The shipped package: its name, and the text of its files by path.

    The name contains a digest of the content. So models of two versions of the engine load in one process, and none
    replaces the engine's own modules.
    """

    name: str
    files: dict[str, str]

    @property
    def module(self) -> str:
        """Full name of the module with the class `LoggedClassifier`."""
        return f"{self.name}{_ROOT_MODULE.removeprefix(_ENGINE)}"

    def write(self, folder: Path) -> None:
        """Write the package below `folder`."""
        for path, text in self.files.items():
            (folder / self.name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / self.name / path).write_text(text, encoding="utf-8")


@cache
def model_code() -> ModelCode:
    """Return the module of `LoggedClassifier` and all modules that it imports, directly or not."""
    modules: dict[str, Path] = {}
    pending = [_ROOT_MODULE]
    while pending:
        module = pending.pop()
        if module not in modules:
            modules[module] = _source_path(module)
            pending += _imported_modules(modules[module])
    texts = {_shipped_path(path): path.read_text(encoding="utf-8") for path in modules.values()}
    digest = hashlib.sha256("\0".join(f"{path}\0{texts[path]}" for path in sorted(texts)).encode()).hexdigest()
    name = f"mlops_model_{digest[:10]}"
    shipped = {path: _OWN_IMPORT.sub(rf"\g<1>{name}", text) for path, text in texts.items()}
    folders = {parent for path in shipped for parent in Path(path).parents}
    # The engine's own __init__ of a package imports modules that predictions do not need.
    empty = {(folder / "__init__.py").as_posix(): "" for folder in folders}
    return ModelCode(name, dict(sorted({**empty, **shipped}.items())))


def _source_path(module: str) -> Path:
    place = _ENGINE_FOLDER.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _shipped_path(path: Path) -> str:
    return path.relative_to(_ENGINE_FOLDER).as_posix()


def _imported_modules(path: Path) -> Iterator[str]:
    """Yield the own modules that a module imports at run time, also within functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in for_types and (node.module or "").startswith(_ENGINE):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from {name if _source_path(name).exists() else str(node.module) for name in names}
