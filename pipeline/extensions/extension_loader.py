"""Resolve the extensions that conf/ declares, and import their modules, which register their parts.

An extension is a module in the project's folder `extensions/`, or an installed distribution with its exact version. A
distribution names its modules by entry points of the group `declarative_mlops.extensions`.
"""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, DependencyUnavailable
from pipeline.files import sha256_file
from pipeline.project.root import find_code_root

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "ENTRY_POINT_GROUP",
    "Extension",
    "estimator_packages",
    "load_extensions",
    "loaded_extensions",
    "resolve_extension",
]

ENTRY_POINT_GROUP = "declarative_mlops.extensions"

_KEY = "extensions"
_FOLDER = "extensions"
_MODULE = re.compile(rf"{_FOLDER}(\.[a-z_][a-z0-9_]*)+")
_DISTRIBUTION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)")

# Imported modules cannot be imported again, so what a process has loaded is a fact of the process.
_LOADED: dict[str, Extension] = {}


@dataclass(frozen=True, slots=True)
class Extension:
    """One declared extension.

    Parameters
    ----------
    declaration : str
        As conf/ has it: `extensions.cost`, or `acme-metrics==1.2.0`.
    modules : tuple of str
        Modules that register its parts.
    packages : tuple of str
        Packages whose estimators `_target_` of a model may name.
    sha256 : str or None
        Hash of the module in the project; None for a distribution, which its version identifies.
    """

    declaration: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    sha256: str | None = None


def resolve_extension(declaration: str, root: Path) -> Extension:
    """Return a declared extension without importing it.

    Raises
    ------
    ConfigError
        When the declaration has another form, or the project lacks the module.
    DependencyUnavailable
        When the distribution is missing, or installed in another version.
    """
    if _MODULE.fullmatch(declaration):
        path = root.joinpath(*declaration.split(".")).with_suffix(".py")
        if not path.is_file():
            raise ConfigError(
                f"{_KEY}: {declaration}: the project has no file {path.relative_to(root)}; add it, or remove the"
                f" entry from `{_KEY}` in conf/config.yaml"
            )
        return Extension(declaration, (declaration,), (_FOLDER,), sha256_file(path))
    parts = _DISTRIBUTION.fullmatch(declaration)
    if parts is None:
        raise ConfigError(
            f"{_KEY}: {declaration!r} is not valid; expected a module of the project, such as"
            f" {_FOLDER}.cost, or an installed distribution with its version, such as acme-metrics==1.2.0"
        )
    return _resolve_distribution(declaration, *parts.groups())


def _resolve_distribution(declaration: str, name: str, version: str) -> Extension:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise DependencyUnavailable(
            f"{_KEY}: {name} is not installed; run `pip install '{declaration}'`, or remove the entry"
        ) from error
    if distribution.version != version:
        raise DependencyUnavailable(
            f"{_KEY}: {name} is installed in version {distribution.version}, and {version} is declared; run"
            f" `pip install '{declaration}'`, or declare the installed version"
        )
    entry_points = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
    modules = sorted(point.value for point in entry_points)
    return Extension(declaration, tuple(modules), tuple(sorted(_top_level_packages(distribution))))


def _top_level_packages(distribution: metadata.Distribution) -> set[str]:
    """Return the import names of a distribution; one that is installed as editable lists no files of its own."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    files = {path.parts[0].removesuffix(".py") for path in distribution.files or () if path.suffix == ".py"}
    return {name for name in {*listed, *files} if not name.startswith("_")}


def load_extensions(declarations: Iterable[str], *, root: Path | None = None) -> tuple[Extension, ...]:
    """Import the modules of declared extensions; each registers its parts once in a process.

    Parameters
    ----------
    declarations : iterable of str
        As conf/ has them.
    root : Path, optional
        Folder of the project; found from the current folder when None.

    Raises
    ------
    ConfigError
        When a declaration is wrong, or a module raises an error while it is imported.
    DependencyUnavailable
        When a distribution is missing, or installed in another version.
    """
    declared = tuple(declarations)
    if not declared:
        return ()
    folder = find_code_root() if root is None else root.resolve()
    return tuple(_load(resolve_extension(declaration, folder), folder) for declaration in declared)


def _load(extension: Extension, root: Path) -> Extension:
    known = _LOADED.get(extension.declaration)
    if known is not None and known != extension:
        raise ConfigError(
            f"{_KEY}: {extension.declaration} has changed since this process imported it; start the process again"
        )
    if known is None:
        if extension.sha256 is not None and str(root) not in sys.path:
            sys.path.append(str(root))
        for module in extension.modules:
            _import_module(module, extension.declaration)
        _LOADED[extension.declaration] = extension
    return extension


def _import_module(module: str, declaration: str) -> None:
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{_KEY}: {declaration}: the import of {module} failed: {type(error).__name__}: {error}; correct it, or"
            f" remove the entry from `{_KEY}` in conf/config.yaml"
        ) from error


def loaded_extensions() -> tuple[Extension, ...]:
    """Return what this process has loaded, in the order of loading."""
    return tuple(_LOADED.values())


def estimator_packages() -> tuple[str, ...]:
    """Return the packages of loaded extensions, whose estimators a model file may name."""
    return tuple(dict.fromkeys(package for extension in _LOADED.values() for package in extension.packages))
