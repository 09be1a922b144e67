"""Find files of conf/ and data/external/ that the project does not declare, before DVC or Hydra reads them.

DVC runs the stages of every `dvc.yaml` below the project, follows `.dvc` files that import, and Hydra reads
through links. So both folders hold only settings, rows and plain pointers; anything else stops the graph.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.config.conf_sources import BASE_CONFIG, ROOT_CONFIG
from pipeline.config.file_formats import ROW_SUFFIXES, file_format
from pipeline.config.root_config import Config
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from pipeline.files import link_or_special_file, parse_yaml
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["UndeclaredFile", "check_conf_files", "check_declared_files", "find_undeclared_files"]

_MAX_LISTED = 10
_MAX_POINTER_BYTES = 10_000
# Groups that no section of the settings has: presets, searches, Hydra itself, traffic, synthetic rows.
_OTHER_GROUPS = ("experiment", "hparams_search", "hydra", "scenario", "data/profile")
_ROOT_FILES = (f"{ROOT_CONFIG}.yaml", f"{BASE_CONFIG}.yaml")
_OPTION_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\.yaml")
_DVC_NAMES = ("dvc.yaml", "dvc.lock", ".dvc", ".dvcignore")
# Files without content that anything reads: unfinished copies, folders in git, what editors and desktops leave.
_INERT_NAME = re.compile(r"\.gitkeep|\.DS_Store|\..+\.(tmp|swp)")
_POINTER_KEYS = {"outs", "desc", "meta"}
_POINTER_OUTPUT_KEYS = {"md5", "size", "hash", "path", "isexec"}
_FOLDER_HASH_SUFFIX = ".dir"
# DVC joins it to the folder of its cache, so any other text is the path of a file elsewhere.
_POINTER_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class UndeclaredFile:
    """One file or folder that is not declared, and why."""

    path: str
    reason: str


def check_declared_files(root: Path) -> None:
    """Raise if conf/ or data/external/ below `root` holds anything that is not declared.

    Raises
    ------
    ConfigError
        With one line for each path, at most ten, and the remedy.
    """
    _refuse(find_undeclared_files(root))


def check_conf_files(conf: Path, *, name: str | None = None) -> None:
    """Raise if a folder of settings holds anything but YAML files of known groups.

    Parameters
    ----------
    conf : Path
    name : str, optional
        What messages call the folder, such as `team/conf`; its last part when None.

    Raises
    ------
    ConfigError
        With one line for each path, at most ten, and the remedy.
    """
    _refuse(list(_undeclared_conf(conf, conf.name if name is None else name)))


def find_undeclared_files(root: Path) -> list[UndeclaredFile]:
    """Return what conf/ and data/external/ below `root` hold beyond settings, rows and plain pointers."""
    return [*_undeclared_conf(root / paths.CONF, paths.CONF.name), *_undeclared_external(root)]


def _refuse(undeclared: list[UndeclaredFile]) -> None:
    if not undeclared:
        return
    lines = [f"{file.path}: {file.reason}" for file in undeclared[:_MAX_LISTED]]
    if len(undeclared) > _MAX_LISTED:
        lines.append(f"... and {len(undeclared) - _MAX_LISTED} more")
    raise ConfigError(
        "\n".join(lines) + "\nconf/ holds only YAML files of its groups, and data/external/ only files of rows with"
        " their pointers. Review the change that added these paths, then move or remove them"
    )


def _undeclared_conf(conf: Path, name: str) -> Iterator[UndeclaredFile]:
    if not os.path.lexists(conf):
        return
    if (reason := link_or_special_file(conf, folder=True)) is not None:
        yield UndeclaredFile(name, reason)
        return
    groups = _known_groups(conf)

    def reason_against(path: Path, relative: str, *, is_folder: bool) -> str | None:
        if is_folder:
            is_known = any(group == relative or group.startswith(f"{relative}/") for group in groups)
            return None if is_known else f"is no group of settings; known: {', '.join(sorted(groups))}"
        if "/" not in relative:
            return (
                None if path.name in _ROOT_FILES else f"is not read; directly in conf/ are {' and '.join(_ROOT_FILES)}"
            )
        return None if _OPTION_FILE.fullmatch(path.name) else "is no YAML file of settings"

    yield from _walk(conf, name, reason_against)


def _known_groups(conf: Path) -> set[str]:
    """Return the groups of the settings, and those that the defaults list of config.yaml adds."""
    sections = {name for name, field in Config.model_fields.items() if isinstance(field.annotation, type)}
    return {name for name in sections if name not in ("name", "seed")} | {*_OTHER_GROUPS} | _listed_groups(conf)


def _listed_groups(conf: Path) -> set[str]:
    keys: list[str] = []
    for name in _ROOT_FILES:
        # Composing reports a damaged file, and a project has no base.yaml of its own.
        with suppress(ConfigError, KeyError, TypeError):
            defaults = read_yaml(conf / name)["defaults"]
            keys += [key for entry in defaults if isinstance(entry, dict) for key in entry]
    return {key.split()[-1].partition("@")[0].strip("/") for key in keys if key.strip()}


def _undeclared_external(root: Path) -> Iterator[UndeclaredFile]:
    for folder in (paths.EXTERNAL.parent, paths.EXTERNAL):
        if not os.path.lexists(root / folder):
            return
        if (reason := link_or_special_file(root / folder, folder=True)) is not None:
            yield UndeclaredFile(folder.as_posix(), reason)
            return

    def reason_against(path: Path, relative: str, *, is_folder: bool) -> str | None:
        if is_folder:
            is_plain = not path.name.startswith(".") and path.suffix != ".dvc" and file_format(path.name) is None
            return None if is_plain else "is a folder with the name of a file"
        if path.name == ".gitignore" or file_format(path.name) is not None:
            return None
        if path.suffix == ".dvc" and (reason := _reason_against_pointer(path)) is not None:
            return reason
        # The name of the file that DVC would put beside a pointer decides.
        rows = relative.removesuffix(".dvc")
        declared = f"{paths.EXTERNAL.as_posix()}/{rows}" in _declared_sources(root / paths.CONF)
        if declared or file_format(PurePosixPath(rows).name) is not None:
            return None
        subject = "points to" if path.suffix == ".dvc" else "is"
        return f"{subject} no file of rows ({', '.join(ROW_SUFFIXES)}) and no source of conf/data/"

    yield from _walk(root / paths.EXTERNAL, paths.EXTERNAL.as_posix(), reason_against)


def _walk(folder: Path, name: str, reason_against: Callable[..., str | None]) -> Iterator[UndeclaredFile]:
    """Yield each path that is not declared, sorted, without following a link or entering a refused folder."""
    pending = [folder]
    while pending:
        current = pending.pop()
        for path in sorted(current.iterdir()):
            is_folder = stat.S_ISDIR(path.lstat().st_mode)
            relative = path.relative_to(folder).as_posix()
            reason = link_or_special_file(path, folder=is_folder)
            if reason is None and path.name.lower() in _DVC_NAMES:
                reason = "is a file of DVC, which can run commands; stages are declared in dvc.yaml of the project"
            elif reason is None and (is_folder or not _INERT_NAME.fullmatch(path.name)):
                reason = reason_against(path, relative, is_folder=is_folder)
            if reason is not None:
                yield UndeclaredFile(f"{name}/{relative}", reason)
            elif is_folder:
                pending.append(path)


def _reason_against_pointer(path: Path) -> str | None:
    """Return what makes a `.dvc` file more than the pointer that `dvc add` writes; None for a plain pointer."""
    if path.stat().st_size > _MAX_POINTER_BYTES:
        return f"has more than {_MAX_POINTER_BYTES:,} bytes, and is no pointer of `dvc add`"
    try:
        pointer: Any = parse_yaml(path.read_text(encoding="utf-8"))
        (output,) = pointer["outs"]
        more = sorted(({*pointer} - _POINTER_KEYS) | ({*output} - _POINTER_OUTPUT_KEYS))
        target = output["path"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return "is no pointer of `dvc add`; restore it with git, or add the file again with `mlops data add FILE`"
    if more:
        return f"has the keys {', '.join(map(repr, more))}; a pointer of `dvc add` names one output and no more"
    digest = str(output.get("md5", ""))
    if _POINTER_HASH.fullmatch(digest) is None or output.get("hash", "md5") != "md5":
        subject = "a folder" if digest.endswith(_FOLDER_HASH_SUFFIX) else "no file of the cache"
        return f"points to {subject}, so it can bring anything; add its files one by one with `mlops data add FILE`"
    if target != path.name.removesuffix(".dvc"):
        return f"points to {str(target)[:80]!r}; expected {path.name.removesuffix('.dvc')!r}, the file beside it"
    return None


def _declared_sources(conf: Path) -> set[str]:
    """Return the `path` of each source of conf/data/ and of its history; files that cannot be read declare none."""
    sources = set()
    for file in sorted((conf / "data").glob("*.yaml")):
        try:
            source = read_yaml(file)["source"]
            declared = [part["path"] for part in (source, source.get("history") or {}) if "path" in part]
        except (ConfigError, KeyError, TypeError, AttributeError):
            continue
        sources |= {str(name) for path in declared for name in (path if isinstance(path, list) else [path])}
    return sources
