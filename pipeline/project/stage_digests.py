"""Hash the code that each stage runs, and compare it with the hashes that a project records.

A project on an installed engine has no source files that DVC could watch. `engine/STAGE.digest` takes their place: one
line, in git, a dependency of the stage. A stage runs only with the code that its file names.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from pipeline.errors import Conflict, IntegrityError
from pipeline.files import parse_yaml, sha256_file
from pipeline.project import paths
from pipeline.project.engine_files import app_folder, engine_conf, engine_graph

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DISTRIBUTION",
    "EngineMismatch",
    "check_engine",
    "code_digests",
    "digest_path",
    "engine_mismatch",
    "engine_stages",
    "engine_version",
    "is_engine_source",
    "read_digest",
    "read_engine_record",
]

DISTRIBUTION = "declarative-mlops"
_LIBRARY = Path(__file__).resolve().parents[1]
_SOURCE_FOLDERS = ("conf", "pipeline", "stages")
# A project has its own, which its dependency `conf` covers.
_PROJECT_CONFIG = "conf/config.yaml"
_LEFTOVER_SUFFIXES = (".pyc", ".tmp", ".old")


@dataclass(frozen=True, slots=True)
class EngineMismatch:
    """The stages whose installed code differs from what a project records; `str()` is a message with the way out."""

    installed: str
    recorded: str
    stages: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Return the message."""
        return (
            f"the installed engine {self.installed} differs from the project's {self.recorded} in"
            f" {'stage' if len(self.stages) == 1 else 'stages'} {', '.join(self.stages)}; run `mlops upgrade`,"
            f" or install {DISTRIBUTION}=={self.recorded}"
        )


def engine_version() -> str:
    """Return the version of the engine that runs."""
    return version(DISTRIBUTION)


@cache
def engine_stages() -> dict[str, Any]:
    """Return the stages of the engine's graph, as its `dvc.yaml` declares them."""
    stages: dict[str, Any] = parse_yaml(engine_graph().read_text(encoding="utf-8"))["stages"]
    return stages


def is_engine_source(dependency: str) -> bool:
    """Whether a dependency of a stage is code or configuration of the engine, not a result or the project's own."""
    return dependency.partition("/")[0] in _SOURCE_FOLDERS


def digest_path(stage: str) -> Path:
    """Return the path of the file with the digest of a stage, below a project."""
    return paths.ENGINE / f"{stage}.digest"


@cache
def code_digests() -> dict[str, str]:
    """Return the digest of the engine's files that each stage depends on: equal in a checkout and in its wheel."""
    return {stage: _digest(block.get("deps", [])) for stage, block in engine_stages().items()}


def _digest(dependencies: list[str]) -> str:
    sources = {name: path for dep in dependencies if is_engine_source(dep) for name, path in _source_files(dep)}
    digest = hashlib.sha256()
    for name, path in sorted(sources.items()):
        digest.update(f"{name}\0{_file_digest(path)}\n".encode())
    return f"sha256:{digest.hexdigest()}"


@cache
def _file_digest(path: Path) -> str:
    return sha256_file(path)


def _source_files(dependency: str) -> Iterator[tuple[str, Path]]:
    """Yield each file of a dependency with its name in the checkout."""
    folder, _, rest = dependency.partition("/")
    path = _source_folder(folder) / rest
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        name = (PurePosixPath(dependency) / file.relative_to(path).as_posix()).as_posix()
        if file.is_file() and _is_source(file, name):
            yield name, file


def _source_folder(name: str) -> Path:
    if name == "conf":
        return engine_conf()
    return _LIBRARY if name == "pipeline" else app_folder().with_name(name)


def _is_source(file: Path, name: str) -> bool:
    """Whether a file is the engine's own and in its wheel."""
    if name.startswith("conf/"):
        return file.suffix == ".yaml" and name != _PROJECT_CONFIG
    is_leftover = file.suffix in _LEFTOVER_SUFFIXES or "__pycache__" in file.parts
    return not is_leftover and not file.name.startswith(".")


def read_engine_record(root: Path) -> dict[str, Any] | None:
    """Return what a project records of its engine: version, default settings and graph; None in a checkout.

    Raises
    ------
    IntegrityError
        When the file is damaged.
    """
    path = root / paths.ENGINE_RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = Version(record["version"]), record["defaults"]["options"], record["graph"]["stages"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise IntegrityError(
            f"{path}: cannot be read ({error}); restore it with `git checkout HEAD -- {paths.ENGINE_RECORD}`"
        ) from error
    return record


def engine_mismatch(root: Path) -> EngineMismatch | None:
    """Return how the installed engine differs from the one of the project at `root`; None if no stage differs."""
    record = read_engine_record(root)
    if record is None:
        return None
    differing = tuple(stage for stage, digest in code_digests().items() if read_digest(root, stage) != digest)
    return EngineMismatch(engine_version(), record["version"], differing) if differing else None


def read_digest(root: Path, stage: str) -> str | None:
    """Return the digest that a project records for a stage; None without one."""
    try:
        return (root / digest_path(stage)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def check_engine(root: Path) -> None:
    """Raise if a stage of the project at `root` would run other code than its digest names.

    Raises
    ------
    Conflict
        Naming both versions and the stages.
    """
    mismatch = engine_mismatch(root)
    if mismatch is not None:
        raise Conflict(str(mismatch))
