"""Open a version of a model with its package, for commands that read files of rows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.cli.shared_options import open_state
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.serving.files.file_log import FilePredictionLog
    from pipeline.state import State

__all__ = ["OpenedVersion", "open_version"]


@dataclass(frozen=True, slots=True)
class OpenedVersion:
    """A version of a model with its package, and the open state database that lists it."""

    root: Path
    state: State
    model: str
    version: int
    generation: int
    package: Package

    def prediction_log(self) -> FilePredictionLog:
        """Return the log that predictions of files of this version are written to."""
        from pipeline.serving.files.file_log import FilePredictionLog
        from pipeline.serving.log_hash_key import load_hash_key
        from pipeline.serving.scorer import RowScorer

        scorer = RowScorer(self.package, many_missing=1.0, hash_key=load_hash_key(self.root))
        return FilePredictionLog(self.state, self.model, self.version, self.generation, scorer)


@contextmanager
def open_version(model: str | None, version: int | None) -> Iterator[OpenedVersion]:
    """Yield a version of a model; the one in Production when `version` is None."""
    from pipeline import state as store
    from pipeline.config.config_loader import load_params
    from pipeline.package import PackageStore
    from pipeline.project import paths
    from pipeline.project.root import find_state_root

    root = find_state_root()
    name = load_params(root / "params.yaml").name if model is None else model
    with open_state(root) as state:
        with state.reading() as connection:
            deployment = store.current_deployment(connection, name)
            number = deployment.version("Production") if version is None else version
            if number is None:
                hint = store.deployment_hint(connection, name)
                raise UsageError(f"no version of {name} is in Production; {hint}")
            digest = store.find_version(connection, name, number).digest
        package = PackageStore(root / paths.PACKAGES).load(digest)
        yield OpenedVersion(
            root=root,
            state=state,
            model=name,
            version=number,
            generation=deployment.generation,
            package=package,
        )
