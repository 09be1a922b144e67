"""The model registry: register, promote, roll back, load, compare and list versions."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.errors import UsageError
from pipeline.package.package_store import PackageStore
from pipeline.project import paths
from pipeline.project.actor import current_actor
from pipeline.project.root import find_project_root
from pipeline.registry import stage_transitions
from pipeline.registry.audit_verification import AuditVerification, restore_deployments, verify_audit
from pipeline.registry.deployment_history import PastDeployment, deployments_after
from pipeline.registry.descriptions import version_card
from pipeline.registry.lineage import Lineage, trace_lineage
from pipeline.registry.mlflow_mirror import MirrorResult, mirror_to_mlflow, overridden_aliases
from pipeline.registry.submission import Submission, evaluate_candidate, submit_candidate
from pipeline.tracking.run_search import require_store
from pipeline.tracking.run_store import RunStore
from pipeline.version_comparison import VersionDetails, VersionDiff, compare_evaluations, diff_versions, version_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.config.groups.promotion_config import PromotionConfig
    from pipeline.config.groups.tracking_config import TrackingConfig
    from pipeline.config.root_config import Config
    from pipeline.gates import GateInputs, GateReport
    from pipeline.package import Package
    from pipeline.registry.reproduction import ReproductionReport
    from pipeline.state import AuditEntry, Deployment, DeploymentChange, ModelVersion, State

__all__ = ["ModelRegistry", "open_model_registry"]

_MIRROR_WAIT_S = 1.5
_ESTIMATOR_ALONE = "{uri}: holds an estimator alone; use train_and_track_model(model, ..., register_model=True)"


@dataclass
class ModelRegistry:
    """Versions of models and their stages: None, Staging, Production, Archived.

    The state database holds the stages; MLflow mirrors them as soon as it is reachable.

    Parameters
    ----------
    root : Path, optional
        Folder of the project; found from the current folder when None.
    tracking_uri : str, optional
        Address of MLflow; the SQLite file of the project when None.
    actor : str, optional
        Who promotes and rolls back, for the audit trail; `MLOPS_ACTOR` or the user of this process when None.
    clock : callable
        Returns the moment of a decision in microseconds since 1970, UTC.

    Examples
    --------
    >>> registry = ModelRegistry()  # doctest: +SKIP
    >>> version = registry.register_model("models/candidate", "churn_model")  # doctest: +SKIP
    >>> registry.promote_model("churn_model", version.version, "Staging", reason="better recall")  # doctest: +SKIP
    >>> registry.load_model("churn_model", stage="Production").predict(rows)  # doctest: +SKIP
    """

    root: Path | None = None
    tracking_uri: str | None = None
    actor: str | None = None
    clock: Callable[[], int] = store.utc_now_us

    @property
    def _root(self) -> Path:
        return (self.root if self.root is not None else find_project_root()).resolve()

    @property
    def packages(self) -> PackageStore:
        """The store of registered packages."""
        return PackageStore(self._root / paths.PACKAGES)

    @property
    def _mlflow(self) -> RunStore:
        return RunStore(self._root, self.tracking_uri, _MIRROR_WAIT_S)

    @contextmanager
    def _open_state(self, *, starts_anew: bool = False) -> Iterator[State]:
        state = store.open_state(self._root, starts_anew=starts_anew, clock=self.clock)
        try:
            yield state
        finally:
            state.close()

    def register_model(
        self,
        model_uri: str | Path,
        name: str,
        description: str = "",
        *,
        tags: Mapping[str, Any] | None = None,
        gates: GateReport | None = None,
    ) -> ModelVersion:
        """Register a model package; the same package is the same version.

        Parameters
        ----------
        model_uri : str or Path
            Folder of a package, or `runs:/RUN/model` for a package of an MLflow run.
        name : str
        description : str
        tags : mapping, optional
            Plain values to store with it, such as `git.commit`.
        gates : GateReport, optional
            Results of its gates; a version without them can only be promoted by force.

        Raises
        ------
        DependencyUnavailable
            When MLflow or the state database is unavailable.
        IntegrityError
            When the package is damaged; none of its code was run.
        """
        with self._fetch_package(str(model_uri)) as (folder, run_id), self._open_state(starts_anew=True) as state:
            candidate = self.packages.add(folder)
            all_tags = {**({"run_id": run_id} if run_id else {}), **(tags or {})}
            gate_results = None if gates is None else gates.as_dict()
            registration = stage_transitions.register_package(
                state,
                self.packages,
                name,
                candidate=candidate,
                description=description,
                tags=all_tags,
                gates=gate_results,
            )
            self._mirror_best_effort(state)
            return registration.version

    def evaluate_candidate(
        self, name: str, candidate: Package, inputs: GateInputs, *, config: PromotionConfig
    ) -> GateReport:
        """Evaluate the gates of a candidate on the test rows, against the current Production version."""
        with self._open_state(starts_anew=True) as state:
            return evaluate_candidate(state, self.packages, name, candidate=candidate, inputs=inputs, config=config)

    def submit(
        self, name: str, source: Path, report: GateReport, *, config: PromotionConfig, tags: Mapping[str, Any]
    ) -> Submission:
        """Register the package at `source` and promote it as the policy allows; MLflow is updated later.

        Raises
        ------
        Conflict
            When another version was promoted to Production since the gates were evaluated.
        """
        with self._open_state(starts_anew=True) as state:
            return submit_candidate(state, self.packages, name, source=source, report=report, config=config, tags=tags)

    def promote_model(
        self,
        name: str,
        version: int | str,
        stage: str,
        *,
        reason: str = "",
        expected_generation: int | None = None,
        force: bool = False,
    ) -> DeploymentChange:
        """Move a version to a stage; a new Production archives the old one.

        Raises
        ------
        Conflict
            When the deployment changed since `expected_generation`.
        GateRefused
            When the version failed its gates, and `force` is not given.
        UsageError
            When the version or the stage does not exist.
        """
        with self._open_state() as state:
            change = stage_transitions.promote_version(
                state,
                name,
                _version_number(version),
                stage=stage,
                reason=reason,
                expected_generation=expected_generation,
                force=force,
                decided_by=self.actor,
            )
            self._mirror_best_effort(state)
            return change

    def rollback_model(
        self, name: str, *, to: int | str | None = None, reason: str = "", expected_generation: int | None = None
    ) -> DeploymentChange:
        """Return Production to the previous version, or to the earlier version `to`.

        Raises
        ------
        Conflict
            When the deployment changed since `expected_generation`.
        UsageError
            When no earlier version was in Production, or `to` never was.
        """
        with self._open_state() as state:
            target = None if to is None else _version_number(to)
            change = stage_transitions.roll_back_version(
                state, name, to=target, reason=reason, expected_generation=expected_generation, decided_by=self.actor
            )
            self._mirror_best_effort(state)
            return change

    def load_model(self, name: str, stage: str | None = None, *, version: int | str | None = None) -> Package:
        """Return the package of a stage or of a version; every checksum is verified and no pickle is read.

        Raises
        ------
        IntegrityError
            When the stored package differs from the registered one.
        UsageError
            When the stage is empty, or the version does not exist.
        """
        with self._open_state() as state, state.reading() as connection:
            if version is not None:
                return self.packages.load(store.find_version(connection, name, _version_number(version)).digest)
            wanted_stage = stage if stage is not None else "Production"
            deployment = store.current_deployment(connection, name)
            if wanted_stage not in deployment.digests:
                occupied = ", ".join(
                    f"{other_stage} has version {number}" for other_stage, number in deployment.versions.items()
                )
                hint = occupied or store.deployment_hint(connection, name)
                raise UsageError(f"{name}: no version is in {wanted_stage}; {hint}")
            return self.packages.load(deployment.digests[wanted_stage])

    def list_models(self, name: str | None = None) -> list[ModelVersion]:
        """Return every registered version, oldest first."""
        with self._open_state() as state, state.reading() as connection:
            return store.read_versions(connection, name)

    def get_latest_model_version(self, name: str) -> ModelVersion:
        """Return the newest version of a model.

        Raises
        ------
        UsageError
            When the model has no version.
        """
        versions = self.list_models(name)
        if not versions:
            raise UsageError(f"{name}: no version is registered; {store.register_hint()}")
        return versions[-1]

    def get_version(self, name: str, version: int | str) -> ModelVersion:
        """Return a version by its number.

        Raises
        ------
        UsageError
            When the version does not exist.
        """
        with self._open_state() as state, state.reading() as connection:
            return store.find_version(connection, name, _version_number(version))

    def current_deployment(self, name: str) -> Deployment:
        """Return the versions in Staging and Production, and the generation of the last decision."""
        with self._open_state() as state, state.reading() as connection:
            return store.current_deployment(connection, name)

    def model_card(self, name: str, version: int | str) -> str:
        """Return the model card of a version in Markdown, with the results of its gates."""
        registered = self.get_version(name, version)
        return version_card(registered, self.packages.load(registered.digest))

    def lineage(self, name: str, version: int | str) -> Lineage:
        """Return the commit, the dvc.lock and the data of a version."""
        registered = self.get_version(name, version)
        return self._lineage_of(registered, self.packages.load(registered.digest))

    def _lineage_of(self, version: ModelVersion, package: Package) -> Lineage:
        return trace_lineage(self._root, version, package, folder=self.packages.path(version.digest))

    def reproduce(self, name: str, version: int | str) -> ReproductionReport:
        """Train a version again from its commit in a temporary folder, and compare the result with it.

        Raises
        ------
        DependencyUnavailable
            When git, DVC or a stage fails there.
        UsageError
            When no commit names the package.
        """
        from pipeline.registry.reproduction import reproduce_version

        registered = self.get_version(name, version)
        package = self.packages.load(registered.digest)
        return reproduce_version(self._root, registered, package, lineage=self._lineage_of(registered, package))

    def compare(self, name: str, versions: Sequence[int | str] = ()) -> list[dict[str, Any]]:
        """Return one row of metrics for each version; for all of them when none is named."""
        if versions:
            return version_rows(self._get_versions(name, versions))
        return version_rows(self.list_models(name))

    def diff(self, name: str, old: int | str, new: int | str, *, config: Config) -> VersionDiff:
        """Return the differences between two versions: properties, settings, features, gates and test metrics.

        Metrics are compared on the test rows of the workspace when both versions were trained beside them, otherwise
        those of their registration.
        """
        versions = self._get_versions(name, (old, new))
        before, after = (VersionDetails(version, self.packages.load(version.digest)) for version in versions)
        return diff_versions(before, after, compare_evaluations(before, after, config, root=self._root))

    def _get_versions(self, name: str, versions: Sequence[int | str]) -> list[ModelVersion]:
        with self._open_state() as state, state.reading() as connection:
            return [store.find_version(connection, name, _version_number(version)) for version in versions]

    def deployments_at(self, moment: int, name: str | None = None) -> list[PastDeployment]:
        """Return the deployments at a time in microseconds since 1970 (UTC), with the decisions behind them."""
        return deployments_after(self.history(name, until=moment))

    def overridden_aliases(self) -> tuple[str, ...]:
        """Return the aliases that were changed in MLflow; they affect no server, and `mirror` sets them back.

        Raises
        ------
        DependencyUnavailable
            When MLflow is unreachable.
        """
        with self._open_state() as state:
            return overridden_aliases(state, self._mlflow)

    def history(self, name: str | None = None, *, until: int | None = None) -> list[AuditEntry]:
        """Return the audit trail, oldest first, up to a time in microseconds since 1970 (UTC)."""
        with self._open_state() as state, state.reading() as connection:
            return store.read_audit_entries(connection, model=name, until=until)

    def audit_head(self) -> store.AuditHead:
        """Return the number and hash of the last entry of the audit trail."""
        with self._open_state() as state, state.reading() as connection:
            return store.read_audit_head(connection)

    def verify_history(self, *, head: store.AuditHead | None = None) -> AuditVerification:
        """Verify the audit trail, also against an earlier `head`, and the deciding tables against the trail."""
        with self._open_state() as state:
            return verify_audit(state, head=head)

    def restore_deployments(self) -> list[AuditEntry]:
        """Set deployments that were changed by hand to what the audit trail holds, and return the new entries."""
        with self._open_state() as state:
            return restore_deployments(state, actor=self.actor or current_actor())

    def mirror(self) -> MirrorResult:
        """Bring MLflow up to date for every model, and set back aliases that were changed in MLflow."""
        with self._open_state() as state:
            return mirror_to_mlflow(state, self.packages, self._mlflow, all_models=True)

    def _mirror_best_effort(self, state: State) -> None:
        """Mirror the decision to MLflow; print one line when MLflow is unreachable."""
        result = mirror_to_mlflow(state, self.packages, self._mlflow, wait_s=_MIRROR_WAIT_S)
        if result.error is not None:
            sys.stderr.write(f"[registry] MLflow is unreachable; the next command mirrors the change: {result.error}\n")

    @contextmanager
    def _fetch_package(self, uri: str) -> Iterator[tuple[Path, str | None]]:
        """Yield the folder of a package, and the ID of its MLflow run."""
        if not uri.startswith("runs:/"):
            if ":/" in uri:
                raise UsageError(f"{uri}: expected runs:/RUN/model, or a package as train_and_track_model writes it")
            yield self._root / uri, None
            return
        run_id, _, path = uri.removeprefix("runs:/").partition("/")
        with tempfile.TemporaryDirectory() as folder:
            with require_store():
                download = self._mlflow.download(run_id, path, Path(folder))
            nested = download / "package"
            if (download / "MLmodel").is_file() and not nested.is_dir():
                raise UsageError(_ESTIMATOR_ALONE.format(uri=uri))
            yield nested if nested.is_dir() else download, run_id


def open_model_registry(config: TrackingConfig, root: Path | None = None, *, actor: str | None = None) -> ModelRegistry:
    """Return a registry with the MLflow address of the settings, read from the environment now."""
    return ModelRegistry(root, os.environ.get(config.uri_env) or None, actor)


def _version_number(version: int | str) -> int:
    try:
        return int(version)
    except ValueError as error:
        raise UsageError(f"version {version!r}: expected a whole number, such as 3") from error
