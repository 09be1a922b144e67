"""Poll the deployed version, load it, and keep the current model until the new one is verified."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard

from pipeline import state as store
from pipeline.errors import IntegrityError, MlopsError
from pipeline.serving.loaded_model import load_model
from pipeline.state import ServingEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.serving_config import EngineConfig
    from pipeline.package import PackageStore
    from pipeline.serving.loaded_model import LoadedModel, ServedBy
    from pipeline.state import Deployment, State

__all__ = ["ModelReloader", "PollResult"]

# A package that could not be loaded is tried again: its file system may have been unavailable for a moment.
_RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class PollResult:
    """The model to serve (None for none), and the reason when it is not the deployed one.

    Probes show the `reason` without credentials, so it has no path, address or digest; `detail` has.
    """

    loaded_model: LoadedModel | None
    reason: str = ""
    detail: str = ""

    @classmethod
    def load_failure(cls, loaded_model: LoadedModel | None, detail: str) -> PollResult:
        """Return the result when the deployed version could not be loaded."""
        return cls(loaded_model, "the deployed version cannot be loaded; the log of the server has the reason", detail)


@dataclass(frozen=True, slots=True)
class _FailedLoad:
    """A package that could not be loaded for a deployment, the reason, and the monotonic time in seconds."""

    generation: int
    digest: str
    reason: str
    failed_at: float

    @property
    def is_recent(self) -> bool:
        return time.monotonic() - self.failed_at < _RETRY_S

    def matches(self, deployment: Deployment, digest: str) -> bool:
        return (self.generation, self.digest) == (deployment.generation, digest)


def _is_active(current: LoadedModel | None, deployment: Deployment, stage: str) -> TypeGuard[LoadedModel]:
    """Whether the version in a stage is the one that is loaded; its generation may differ."""
    return (
        current is not None
        and current.served_by == "production"
        and (current.version, current.digest) == (deployment.versions[stage], deployment.digests[stage])
    )


@dataclass
class ModelReloader:
    """Loads the version that the state database declares for a stage; one thread at a time uses it.

    It falls back in this order: the deployed version, the current model, (at a start, with
    `engine.fallback_to_last_good`) the versions that were active before, (with `engine.fallback_to_rule`) the rule
    baseline of one of these packages, and no model. `verify` is called with each model before it is served, and raises
    an `MlopsError` to refuse it. `generation` is that of the last poll.
    """

    state: State
    packages: PackageStore
    model: str
    stage: str
    config: EngineConfig
    hash_key: bytes
    verify: Callable[[LoadedModel], None] | None = None
    generation: int = field(default=0, init=False)
    _failed_load: _FailedLoad | None = field(default=None, init=False)

    def poll(self, current: LoadedModel | None, *, is_forced: bool = False) -> PollResult:
        """Return the model to serve; with `is_forced` a load that failed a moment ago is tried again.

        Raises
        ------
        DependencyUnavailable
            When the state database is unavailable.
        """
        with self.state.reading() as connection:
            deployment = store.current_deployment(connection, self.model)
            version = deployment.version(self.stage)
            has_none = version is None
            hint = store.deployment_hint(connection, self.model) if has_none else ""
            public_hint = store.deployment_hint(connection, self.model, names_model=False) if has_none else ""
        self.generation = deployment.generation
        if version is None:
            message = f"no version of {self.model} is in {self.stage}"
            if current is not None:
                if undecided := self._find_undecided():
                    error = store.undecided_deployment_error(self.model, undecided)
                    return PollResult.load_failure(current, str(error))
                self._record_event("stopped", deployment, None, message)
            return PollResult(None, f"no version is in {self.stage}; {public_hint}", f"{message}; {hint}")
        digest = deployment.digests[self.stage]
        if _is_active(current, deployment, self.stage) and current.generation == deployment.generation:
            return PollResult(current)
        failed_load = self._failed_load
        is_known = failed_load is not None and failed_load.matches(deployment, digest)
        if failed_load is not None and is_known and failed_load.is_recent and not is_forced:
            return PollResult.load_failure(current, failed_load.reason)
        return self._load_new(current, deployment)

    def _load_new(self, current: LoadedModel | None, deployment: Deployment) -> PollResult:
        version, digest = deployment.versions[self.stage], deployment.digests[self.stage]
        undecided = self._find_undecided()  # an unavailable database says nothing about the version
        try:
            if undecided:
                raise store.undecided_deployment_error(self.model, undecided)
            if _is_active(current, deployment, self.stage):
                return PollResult(replace(current, generation=deployment.generation))
            model = self.load(version, digest, deployment.generation, "production")
        except MlopsError as error:
            is_new = self._failed_load is None or not self._failed_load.matches(deployment, digest)
            self._failed_load = _FailedLoad(deployment.generation, digest, str(error), time.monotonic())
            if is_new:
                self._record_event("refused", deployment, digest, str(error))
            return self._fall_back(current, deployment, str(error), is_new=is_new)
        self._failed_load = None
        self._record_event("activated", deployment, digest, f"version {version} is active")
        return PollResult(model)

    def _find_undecided(self) -> list[store.UndecidedChange]:
        """Return what was changed by hand in deployments and versions."""
        with self.state.reading() as connection:
            return store.find_undecided_deployments(connection, self.model)

    def _fall_back(
        self, current: LoadedModel | None, deployment: Deployment, reason: str, *, is_new: bool
    ) -> PollResult:
        if current is not None:
            return PollResult.load_failure(current, reason)
        for served_by, version, digest in self._fallbacks(deployment):
            try:
                model = self.load(version, digest, deployment.generation, served_by)
            except MlopsError:
                continue
            if is_new:
                source = "the rule baseline of version" if served_by == "rule" else "version"
                self._record_event("fell_back", deployment, digest, f"{source} {version} is active instead")
            return PollResult.load_failure(model, reason)
        return PollResult.load_failure(None, reason)

    def _fallbacks(self, deployment: Deployment) -> list[tuple[ServedBy, int, str]]:
        """Return source, version and digest of each fallback that the settings allow, the preferred one first."""
        earlier = self._previously_active(deployment)
        fallbacks: list[tuple[ServedBy, int, str]] = []
        if self.config.fallback_to_last_good:
            fallbacks += [("last_good", version, digest) for version, digest in earlier]
        if self.config.fallback_to_rule:
            deployed = (deployment.versions[self.stage], deployment.digests[self.stage])
            fallbacks += [("rule", version, digest) for version, digest in (deployed, *earlier)]
        return fallbacks

    def _previously_active(self, deployment: Deployment) -> list[tuple[int, str]]:
        """Return versions and digests that were active before the deployed one, the last one first."""
        with self.state.reading() as connection:
            events = store.read_serving_events(connection, self.model, kind="activated")
            entries = store.read_audit_entries(connection, model=self.model)
        decided = {deployed["digest"] for entry in entries if entry.generation for deployed in entry.after.values()}
        versions = [
            (event.version, event.digest)
            for event in events
            if event.version is not None and event.digest is not None and event.digest in decided
        ]
        deployed = deployment.digests[self.stage]
        return [(version, digest) for version, digest in dict.fromkeys(versions) if digest != deployed]

    def load(self, version: int, digest: str, generation: int, served_by: ServedBy) -> LoadedModel:
        """Load and verify a version.

        Raises
        ------
        IntegrityError
            When the package is damaged or missing, or predicts otherwise than when it was packaged.
        """
        try:
            model = load_model(
                self.packages,
                model=self.model,
                version=version,
                digest=digest,
                generation=generation,
                served_by=served_by,
                config=self.config,
                hash_key=self.hash_key,
            )
            if self.verify is not None:
                self.verify(model)
        except MlopsError:
            raise
        except Exception as error:  # a damaged file can break any reader
            raise IntegrityError(f"{self.packages.path(digest)}: cannot be loaded ({error})") from error
        return model

    def _record_event(self, kind: str, deployment: Deployment, digest: str | None, message: str) -> None:
        """Write an event; a failure to write it does not keep a valid model from being served."""
        versions = {deployment.digests[stage]: version for stage, version in deployment.versions.items()}
        event = ServingEvent(
            self.state.clock(), self.model, kind, versions.get(digest or ""), digest, deployment.generation, message
        )
        try:
            with self.state.writing() as connection:
                store.add_serving_event(connection, event)
        except MlopsError:
            return
