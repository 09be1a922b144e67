"""Find the folders that settings come from: conf/ of the project, those of its search path, the engine's at the end.

`hydra.searchpath` of conf/config.yaml lists the folders behind conf/, because DVC composes by that file alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from pipeline.config.strict_yaml import read_yaml
from pipeline.config.target_guard import SEARCH_PATH_KEY
from pipeline.errors import ConfigError, TargetRefused
from pipeline.files import link_or_special_file, parse_yaml
from pipeline.project import paths
from pipeline.project.engine_files import engine_conf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = [
    "BASE_CONFIG",
    "ENGINE_ENTRY",
    "ROOT_CONFIG",
    "ConfFolder",
    "ConfSources",
    "check_graph_dependencies",
    "find_conf_sources",
]

# The file of a project's choices, and the one with what the engine chooses, which the first includes.
ROOT_CONFIG = "config"
BASE_CONFIG = "base"
ENGINE_ENTRY = "pkg://pipeline.conf"

_ENGINE_LABEL = "engine: conf"
_ENTRY = re.compile(r"[\w][\w.+ -]*(/[\w][\w.+ -]*)*")


@dataclass(frozen=True, slots=True)
class ConfFolder:
    """One folder of settings, and the name that messages and origins give to it, such as `engine: conf`."""

    path: Path
    label: str
    is_engine: bool = False

    def name_of(self, file: Path) -> str:
        """Return the name of a file of the folder, such as `conf/model/svm.yaml`."""
        return f"{self.label}/{file.relative_to(self.path).as_posix()}"


@dataclass(frozen=True, slots=True)
class ConfSources:
    """The folders of settings of a project; a file of an earlier one hides that of the same name in a later one."""

    folders: tuple[ConfFolder, ...]
    has_search_path: bool

    def find(self, relative: str) -> tuple[ConfFolder, Path] | None:
        """Return the first file with a path such as `model/svm.yaml`, with its folder; None where none has it."""
        candidates = ((folder, folder.path / relative) for folder in self.folders)
        return next(((folder, path) for folder, path in candidates if path.is_file()), None)

    def files(self) -> Iterator[tuple[ConfFolder, Path]]:
        """Yield every YAML file of every folder, sorted within a folder."""
        for folder in self.folders:
            yield from ((folder, path) for path in sorted(folder.path.rglob("*.yaml")))

    def options(self, group: str) -> tuple[str, ...]:
        """Return the options of a group in all folders, sorted."""
        return tuple(sorted({path.stem for folder in self.folders for path in (folder.path / group).glob("*.yaml")}))

    def locate(self, name: str) -> Path | None:
        """Return the file of a name that `ConfFolder.name_of` gave; None where it is of no folder."""
        folder = next((folder for folder in self.folders if name.startswith(f"{folder.label}/")), None)
        return None if folder is None else folder.path / name.removeprefix(f"{folder.label}/")

    def is_without_engine(self, relative: str) -> bool:
        """Whether the engine has a file that the folders lack, because its folder is none of them."""
        return self.find(relative) is None and (engine_conf() / relative).is_file()

    def search_path(self) -> list[str]:
        """Return the search path of Hydra behind the first folder, as absolute folders."""
        return [f"file://{folder.path.resolve()}" for folder in self.folders[1:]]

    def hydra_overrides(self, overrides: Sequence[str]) -> list[str]:
        """Return overrides for Hydra, in which the search path is that of the folders."""
        others = [word for word in overrides if not _is_search_path(word)]
        if not self.has_search_path:
            return others
        quoted = ",".join("'" + entry.replace("'", "\\'") + "'" for entry in self.search_path())
        return [*others, f"{SEARCH_PATH_KEY}=[{quoted}]"]


def find_conf_sources(conf: Path = paths.CONF, overrides: Sequence[str] = ()) -> ConfSources:
    """Return the folders that the settings of `conf` come from.

    Parameters
    ----------
    conf : Path
        Folder conf/ of a project.
    overrides : sequence of str
        Overrides of Hydra; `hydra.searchpath=[team/conf]` adds folders in front of those of conf/config.yaml.

    Raises
    ------
    TargetRefused
        When the search path names a folder outside of the project, or a package other than the engine.
    ConfigError
        When a folder is missing, or conf/config.yaml is not strict YAML.
    """
    declared = _declared_entries(conf)
    entries = dict.fromkeys([*(entry for word in overrides for entry in _override_entries(word)), *declared])
    folders = {conf.resolve(): ConfFolder(conf, paths.CONF.name)}
    for entry in entries:
        folder = _conf_folder(entry, conf)
        folders.setdefault(folder.path.resolve(), folder)
    has_search_path = bool(declared) or any(_is_search_path(word) for word in overrides)
    return ConfSources(tuple(folders.values()), has_search_path)


def check_graph_dependencies(root: Path) -> None:
    """Raise where the stage `compose` does not depend on a folder of the project's search path.

    `dvc repro` would not see an edit there.

    Raises
    ------
    ConfigError
        Naming the folder.
    """
    graph = root / paths.GRAPH
    if not graph.is_file():
        return
    stages: Any = (parse_yaml(graph.read_text(encoding="utf-8")) or {}).get("stages") or {}
    dependencies = (stages.get("compose") or {}).get("deps") or []
    for folder in find_conf_sources(root / paths.CONF).folders:
        above = {folder.label, *(parent.as_posix() for parent in PurePosixPath(folder.label).parents)}
        if not folder.is_engine and above.isdisjoint(dependencies):
            raise ConfigError(
                f"{paths.GRAPH}: the stage compose does not depend on {folder.label}, a folder of settings; add it to"
                " its deps, so that `dvc repro` sees an edit there"
            )


def _declared_entries(conf: Path) -> list[str]:
    """Return `hydra.searchpath` of conf/config.yaml; a missing file is reported by Hydra."""
    path = conf / f"{ROOT_CONFIG}.yaml"
    if not path.is_file() or link_or_special_file(path, folder=False) is not None:
        return []
    content = read_yaml(path)
    hydra: Any = content.get("hydra") if isinstance(content, dict) else None
    entries: Any = hydra.get("searchpath") if isinstance(hydra, dict) else None
    if entries is None:
        return []
    place = f"{paths.CONF}/{path.name}: {SEARCH_PATH_KEY}"
    if not isinstance(entries, list):
        raise ConfigError(f"{place}: found {str(entries)[:80]!r}; expected a list of folders, such as [{ENGINE_ENTRY}]")
    return [_accepted_entry(entry, place) for entry in entries]


def _is_search_path(override: str) -> bool:
    return override.partition("=")[0].strip() == SEARCH_PATH_KEY


def _override_entries(override: str) -> list[str]:
    if not _is_search_path(override):
        return []
    value = override.partition("=")[2].strip()
    if not (value.startswith("[") and value.endswith("]")):
        raise ConfigError(f"{override}: expected a list of folders, such as {SEARCH_PATH_KEY}=[team/conf]")
    words = [word.strip().strip("'\"") for word in value[1:-1].split(",")]
    return [_accepted_entry(word, SEARCH_PATH_KEY) for word in words if word]


def _accepted_entry(entry: Any, place: str) -> str:
    text = str(entry).removeprefix("file://").rstrip("/")
    if text == ENGINE_ENTRY or _ENTRY.fullmatch(text) is not None:
        return text
    raise TargetRefused(
        f"{place}: {str(entry)[:80]!r} is not accepted; expected {ENGINE_ENTRY} (the engine's settings), or the path"
        " of a folder inside of the project, such as team/conf"
    )


def _conf_folder(entry: str, conf: Path) -> ConfFolder:
    if entry == ENGINE_ENTRY:
        return ConfFolder(engine_conf(), _ENGINE_LABEL, is_engine=True)
    folder = conf.parent / entry
    if not folder.is_dir():
        raise ConfigError(
            f"{SEARCH_PATH_KEY}: {entry}: no such folder in the project; correct {conf}/{ROOT_CONFIG}.yaml"
        )
    if not folder.resolve().is_relative_to(conf.resolve().parent):
        raise TargetRefused(f"{SEARCH_PATH_KEY}: {entry}: is a link out of the project; expected a folder inside of it")
    return ConfFolder(folder, entry)
