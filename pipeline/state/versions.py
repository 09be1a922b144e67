"""Store registered versions: equal content is the same version, and numbers start at 1 for each model."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.project import paths
from pipeline.project.root import find_project_root
from pipeline.state.stored_json import parse_stored_object
from pipeline.state.tables import models, versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = [
    "ModelVersion",
    "add_version",
    "deployment_hint",
    "find_version",
    "read_versions",
    "register_hint",
    "version_by_digest",
]

# Its digest identifies a package.
_CANDIDATE_MANIFEST = paths.CANDIDATE_PACKAGE / "manifest.json"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered package.

    `stage` is the text None, Staging, Production or Archived; `registered_at` is in microseconds.
    """

    model: str
    version: int
    digest: str
    semver: str
    stage: str
    description: str
    tags: dict[str, Any]
    registered_at: int

    @property
    def name(self) -> str:
        """The name of the model, as in MLflow."""
        return self.model

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def add_version(
    connection: Connection,
    model: str,
    digest: str,
    *,
    at: int,
    semver: str,
    description: str,
    tags: Mapping[str, Any],
) -> ModelVersion:
    """Add the next version of a model, in stage None; the digest must be new to the model."""
    if connection.execute(select(models.c.name).where(models.c.name == model)).scalar() is None:
        connection.execute(insert(models).values(name=model, generation=0))
    last = connection.execute(select(func.max(versions.c.version)).where(versions.c.model == model)).scalar()
    added = ModelVersion(model, (last or 0) + 1, digest, semver, "None", description, dict(tags), at)
    row = {**added.as_dict(), "tags": canonical_json(added.tags)}
    connection.execute(insert(versions).values(**row))
    return added


def version_by_digest(connection: Connection, model: str, digest: str) -> ModelVersion | None:
    """Return the version of a model that has this content."""
    query = select(versions).where(versions.c.model == model, versions.c.digest == digest)
    row = connection.execute(query).one_or_none()
    return None if row is None else _version_from_row(row._asdict())


def find_version(connection: Connection, model: str, version: int) -> ModelVersion:
    """Return a version by its number.

    Raises
    ------
    UsageError
        When there is none.
    """
    query = select(versions).where(versions.c.model == model, versions.c.version == version)
    row = connection.execute(query).one_or_none()
    if row is None:
        known = [str(known_version.version) for known_version in read_versions(connection, model)]
        there = f"versions: {', '.join(known)}" if known else f"none is registered; {register_hint()}"
        raise UsageError(f"{model} has no version {version}; {there}")
    return _version_from_row(row._asdict())


def register_hint(root: Path | None = None) -> str:
    """Return the next command for an empty registry, by what the folder of the project has.

    A second clone has the candidate package after `dvc pull`, and DVC does not run the stage that registers it.

    Parameters
    ----------
    root : Path, optional
        Folder of the project; the one around the current folder when None.
    """
    folder = find_project_root() if root is None else root
    if (folder / _CANDIDATE_MANIFEST).is_file():
        return "run `mlops models register`"
    return "run `dvc pull` or `dvc repro`, then `mlops models register`"


def deployment_hint(connection: Connection, model: str, *, names_model: bool = True) -> str:
    """Return the next command for a model without a deployed version; `names_model` adds the option `--model`."""
    if read_versions(connection, model):
        option = f" --model {shlex.quote(model)}" if names_model else ""
        return f"promote one: `mlops promote VERSION{option}`"
    return f"none is registered; {register_hint()}"


def read_versions(connection: Connection, model: str | None = None) -> list[ModelVersion]:
    """Return the versions of a model, or of all models, oldest first."""
    query = select(versions).order_by(versions.c.model, versions.c.version)
    if model is not None:
        query = query.where(versions.c.model == model)
    return [_version_from_row(row._asdict()) for row in connection.execute(query)]


def _version_from_row(row: Mapping[str, Any]) -> ModelVersion:
    name = f"{row['model']}, {row['version']}"
    tags = parse_stored_object(row["tags"], table="versions", row=name, column="tags")
    return ModelVersion(**{**row, "tags": tags})
