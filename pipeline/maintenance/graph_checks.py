"""Check the files that DVC reads before it runs a stage; a damaged one stops `dvc repro` in DVC's own words."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config, load_params
from pipeline.config.declared_files import find_undeclared_files
from pipeline.errors import ConfigError, MlopsError
from pipeline.files import atomic_file, parse_yaml, write_text
from pipeline.maintenance.diagnosis import Diagnosis
from pipeline.maintenance.dvc_schemas import is_dvc_lock
from pipeline.project import paths
from pipeline.project.dvc_messages import explain_dvc_error
from pipeline.project.dvc_outputs import cache_object_path, file_md5
from pipeline.project.engine_files import stage_command
from pipeline.project.stage_digests import engine_mismatch, engine_version, read_engine_record
from pipeline.settings_check import check_settings

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "check_cache",
    "check_declared",
    "check_dvc",
    "check_engine_code",
    "check_foreign_stages",
    "check_graph",
    "check_lock_file",
    "check_params",
    "check_sources",
]

_MERGE_MARKER = re.compile(r"(?m)^(<{7} |={7}$|>{7} )")
_GRAPH = Path("dvc.yaml")
_LOCK = Path("dvc.lock")


def check_declared(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Check that conf/ and data/external/ hold only what is declared."""
    undeclared = find_undeclared_files(root)
    if not undeclared:
        return Diagnosis("declared files", "ok", "conf/ and data/external/ hold only settings, rows and pointers")
    listed = "; ".join(f"{file.path} {file.reason}" for file in undeclared[:5])
    more = f"; and {len(undeclared) - 5} more" if len(undeclared) > 5 else ""
    return Diagnosis("declared files", "problem", f"{listed}{more}. Review who added them; move or remove them")


def check_graph(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Check that dvc.yaml declares stages."""
    if not (root / _GRAPH).exists() and not (root / ".dvc").exists():
        return Diagnosis("dvc.yaml", "ok", "this folder has no graph")
    problem = _graph_problem(root / _GRAPH)
    if problem is None:
        return Diagnosis("dvc.yaml", "ok", "declares the stages")
    return Diagnosis("dvc.yaml", "problem", f"{problem}; run `git checkout HEAD -- dvc.yaml`")


def _graph_problem(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "dvc.yaml is missing"
    except (OSError, UnicodeDecodeError) as error:
        return f"dvc.yaml cannot be read ({error})"
    return _yaml_problem("dvc.yaml", text, _has_stages)


def _has_stages(values: Any) -> bool:
    return (
        isinstance(values, dict)
        and isinstance(values.get("stages"), dict)
        and all(isinstance(stage, dict) for stage in values["stages"].values())
    )


def check_engine_code(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Check that the installed engine has the code with which the project was made or upgraded."""
    try:
        if read_engine_record(root) is None:
            return Diagnosis("engine", "ok", f"{engine_version()}, of this checkout")
        mismatch = engine_mismatch(root)
    except MlopsError as error:
        return Diagnosis("engine", "problem", str(error))
    if mismatch is None:
        return Diagnosis("engine", "ok", f"{engine_version()}, with the code that the project records")
    return Diagnosis("engine", "problem", str(mismatch))


def check_lock_file(root: Path, *, repair: bool) -> Diagnosis:
    """Check dvc.lock; an empty or cut one is replaced by that of the last commit, or removed."""
    path = root / _LOCK
    if not path.exists():
        return Diagnosis("dvc.lock", "ok", "none yet")
    try:
        problem = _yaml_problem("dvc.lock", path.read_text(encoding="utf-8"), is_dvc_lock)
    except (OSError, UnicodeDecodeError) as error:
        problem = f"dvc.lock cannot be read ({error})"
    if problem is None:
        return Diagnosis("dvc.lock", "ok", "can be read")
    if "merge markers" in problem:
        return Diagnosis(
            "dvc.lock", "problem", f"{problem}; run `git checkout HEAD -- dvc.lock`, then `dvc repro`, and commit"
        )
    if not repair:
        return Diagnosis("dvc.lock", "problem", f"{problem}; run `mlops doctor` without --dry-run to repair it")
    committed = _committed(root, "dvc.lock")
    if committed is not None and _yaml_problem("dvc.lock", committed, is_dvc_lock) is None:
        write_text(path, committed)
        return Diagnosis("dvc.lock", "repaired", f"{problem}; replaced by that of the last commit; run `dvc repro`")
    path.unlink()
    return Diagnosis("dvc.lock", "repaired", f"{problem}; removed; `dvc repro` writes it again")


def _yaml_problem(name: str, text: str, is_sound: Callable[[Any], bool]) -> str | None:
    if _MERGE_MARKER.search(text):
        return f"{name} holds merge markers"
    if not text.strip():
        return f"{name} is empty"
    try:
        return None if is_sound(parse_yaml(text)) else f"{name} is cut or has another structure"
    except yaml.YAMLError:
        return f"{name} is cut or damaged"


def _committed(root: Path, name: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(root), "show", f"HEAD:./{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    return done.stdout if done.returncode == 0 else None


def check_params(root: Path, *, repair: bool) -> Diagnosis:
    """Check conf/ and params.yaml; a params.yaml that cannot be read is composed again."""
    if not (root / paths.CONF).is_dir():
        return Diagnosis("settings", "ok", "there is no conf/")
    try:
        composition = compose(conf=root / paths.CONF)
        where = f"{paths.CONF}/config.yaml"
        check_settings(build_config(composition.values, where=where, origin=composition.origin), root=root)
    except MlopsError as error:
        return Diagnosis("settings", "problem", f"{error}; `mlops config check` checks again")
    path = root / paths.PARAMS
    if not path.exists():
        return Diagnosis("settings", "ok", "every stage accepts conf/; params.yaml is not written yet")
    try:
        load_params(path)
    except ConfigError as error:
        problem = f"params.yaml cannot be read ({str(error).splitlines()[0]})"
    else:
        return Diagnosis("settings", "ok", "every stage accepts conf/, and params.yaml can be read")
    if not repair:
        return Diagnosis("settings", "problem", f"{problem}; run `{stage_command('compose')}`")
    write_text(path, composition.text)
    return Diagnosis("settings", "repaired", f"{problem}; composed again from conf/")


def check_sources(root: Path, *, repair: bool) -> Diagnosis:
    """Check that each file of rows that has a pointer is there; bring it back from the cache."""
    missing, restored = [], []
    for pointer in sorted((root / paths.EXTERNAL).rglob("*.dvc")):
        path = pointer.with_suffix("")
        if path.exists() or pointer.is_symlink():
            continue
        md5 = _pointer_md5(pointer)
        name = path.relative_to(root).as_posix()
        if repair and md5 is not None and _restore(root, path, md5):
            restored.append(name)
        else:
            missing.append(name)
    if missing:
        return Diagnosis(
            "files of rows",
            "problem",
            f"missing: {', '.join(missing)}; run `dvc pull`, or `mlops data add FILE` with the same file",
        )
    if restored:
        return Diagnosis("files of rows", "repaired", f"restored from the cache: {', '.join(restored)}")
    return Diagnosis("files of rows", "ok", "all are there")


def _pointer_md5(pointer: Path) -> str | None:
    try:
        return str(parse_yaml(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, IndexError):
        return None


def _restore(root: Path, path: Path, md5: str) -> bool:
    cached = cache_object_path(root, md5)
    if not cached.is_file() or file_md5(cached) != md5:
        return False
    with atomic_file(path) as temporary:
        shutil.copyfile(cached, temporary)
    return True


def check_cache(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Check that DVC can write its cache and its temporary files."""
    if not (root / ".dvc").exists():
        return Diagnosis("dvc cache", "ok", "there is no .dvc")
    for folder in (_cache_folder(root), root / ".dvc/tmp"):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            return Diagnosis(
                "dvc cache",
                "problem",
                f"{folder.relative_to(root) if folder.is_relative_to(root) else folder} cannot be written"
                f" ({error.strerror}); correct owner and rights, or choose another with `dvc cache dir`",
            )
    return Diagnosis("dvc cache", "ok", "can be written")


def _cache_folder(root: Path) -> Path:
    """Return the folder of the cache as .dvc/config and .dvc/config.local name it; `check_dvc` reports damaged ones."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    for name in ("config", "config.local"):
        try:
            config.read_string(re.sub(r"(?m)^\s+", "", (root / ".dvc" / name).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
    return root / ".dvc" / config.get("cache", "dir", fallback="cache")


def check_foreign_stages(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Check that no file beside dvc.yaml and the pointers of data/external/ adds stages to the graph."""
    git = shutil.which("git")
    if git is None:
        return Diagnosis("stages", "ok", "not searched, because git is missing")
    command = [git, "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - fixed
    foreign = [
        name
        for name in sorted(set(listed.split("\0")))
        if (Path(name).name == "dvc.yaml" or name.endswith(".dvc"))
        and name != "dvc.yaml"
        and not name.startswith((f"{paths.EXTERNAL.as_posix()}/", f"{paths.CONF}/"))
        and (root / name).exists()
    ]
    if not foreign:
        return Diagnosis("stages", "ok", "only those of dvc.yaml")
    return Diagnosis(
        "stages", "problem", f"DVC also runs what these declare: {', '.join(foreign[:5])}; review and remove them"
    )


def check_dvc(root: Path, *, repair: bool) -> Diagnosis:  # noqa: ARG001 - all checks share one signature
    """Let DVC itself read its settings and the whole graph."""
    if not (root / ".dvc").is_dir() or not (root / _GRAPH).exists():
        return Diagnosis("dvc", "ok", "there is no graph to read")
    command = [sys.executable, "-m", "dvc", "dag", "--dot"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
    if done.returncode == 0:
        return Diagnosis("dvc", "ok", "reads the whole graph")
    return Diagnosis("dvc", "problem", explain_dvc_error(done.stderr))
