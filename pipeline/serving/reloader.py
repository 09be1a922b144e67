"""Find what should serve, load it, and keep what serves now until the new one has shown that it is sound."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import IntegrityError, MlopsError
from pipeline.serving.loaded_model import LoadedModel, ServedBy, load_model
from pipeline.state import ServingEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.serving_config import EngineConfig
    from pipeline.package import PackageStore
    from pipeline.state import Deployment, State

__all__ = ["ModelReloader", "PollResult"]

# A package that could not be loaded is tried again: its file system may have been away for a moment.
_RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a look at the state database led to: the bundle that should serve (None: nothing), and why nothing new does."""

    loaded_model: LoadedModel | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _FailedLoad:
    """A package that could not be taken up for a decision, why, and when (on the monotonic clock, in seconds)."""

    generation: int
    digest: str
    reason: str
    failed_at: float

    @property
    def is_recent(self) -> bool:
        return time.monotonic() - self.failed_at < _RETRY_S

    def matches(self, served: Deployment, digest: str) -> bool:
        return (self.generation, self.digest) == (served.generation, digest)


@dataclass
class ModelReloader:
    """Loads what the state database says should serve; used by one thread at a time.

    Steps down where it must: the version in its stage, or else the one that serves now, or else (at a start, where
    `engine.fallback_to_last_good` allows it) the one that was taken up before, or else (where `engine.fallback_to_rule` allows it) the
    rule baseline of one of these packages, or else nothing. `prove` sees each bundle before it serves and raises an
    `MlopsError` when it may not.
    """

    state: State
    packages: PackageStore
    model: str
    stage: str
    config: EngineConfig
    hash_key: bytes
    verify: Callable[[LoadedModel], None] | None = None
    _failed_load: _FailedLoad | None = field(default=None, init=False)

    def poll(self, current: LoadedModel | None, *, is_forced: bool = False) -> PollResult:
        """Return what should serve now; `is_asked` tries again at once what was refused a moment ago.

        Raises
        ------
        DependencyUnavailable
            When the state database cannot be had.
        """
        with self.state.reading() as connection:
            served = store.current_deployment(connection, self.model)
        version = served.version(self.stage)
        if version is None:
            if current is not None:
                self._record_event("stopped", served, None, f"no version of {self.model} is in {self.stage}")
            return PollResult(
                None, f"no version of {self.model} is in {self.stage}; promote one: `mlops promote VERSION`"
            )
        digest = served.digests[self.stage]
        if current is not None and current.served_by == "production":
            if current.digest == digest and current.generation == served.generation:
                return PollResult(current)
            if current.digest == digest and current.version == version:
                return PollResult(self._with_generation(current, served))
        refusal = self._failed_load
        if not is_forced and refusal is not None and refusal.matches(served, digest) and refusal.is_recent:
            return PollResult(current, refusal.reason)
        return self._load_new(current, served)

    def _with_generation(self, current: LoadedModel, served: Deployment) -> LoadedModel:
        """Return the bundle under the newest generation: something else was decided, and it serves as before."""
        return LoadedModel(
            current.name,
            current.version,
            current.digest,
            served.generation,
            current.served_by,
            current.package,
            current.parser,
            current.scorer,
        )

    def _load_new(self, current: LoadedModel | None, served: Deployment) -> PollResult:
        version, digest = served.versions[self.stage], served.digests[self.stage]
        try:
            bundle = self._load(version, digest, served.generation, "production")
        except MlopsError as error:
            is_new = self._failed_load is None or not self._failed_load.matches(served, digest)
            self._failed_load = _FailedLoad(served.generation, digest, str(error), time.monotonic())
            if is_new:
                self._record_event("refused", served, digest, str(error))
            return self._fall_back(current, served, str(error), is_new=is_new)
        self._failed_load = None
        self._record_event("activated", served, digest, f"version {version} serves")
        return PollResult(bundle)

    def _fall_back(self, current: LoadedModel | None, served: Deployment, reason: str, *, is_new: bool) -> PollResult:
        if current is not None:
            return PollResult(current, reason)
        earlier = self._previously_active(served)
        steps: list[tuple[ServedBy, int, str]] = []
        if self.config.fallback_to_last_good:
            steps += [("last_good", version, digest) for version, digest in earlier]
        if self.config.fallback_to_rule:
            decided = (served.versions[self.stage], served.digests[self.stage])
            steps += [("rule", version, digest) for version, digest in (decided, *earlier)]
        for served_by, version, digest in steps:
            try:
                bundle = self._load(version, digest, served.generation, served_by)
            except MlopsError:
                continue
            if is_new:
                what = "the rule baseline of version" if served_by == "rule" else "version"
                self._record_event("fell_back", served, digest, f"{what} {version} serves instead")
            return PollResult(bundle, reason)
        return PollResult(None, reason)

    def _previously_active(self, served: Deployment) -> list[tuple[int, str]]:
        """Return versions and digests that served before what is decided now, the last one first."""
        with self.state.reading() as connection:
            events = store.read_serving_events(connection, self.model, kind="activated")
        found = [(one.version, one.digest) for one in events if one.version is not None and one.digest is not None]
        return [one for one in dict.fromkeys(found) if one[1] != served.digests[self.stage]]

    def _load(self, version: int, digest: str, generation: int, served_by: ServedBy) -> LoadedModel:
        try:
            bundle = load_model(
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
                self.verify(bundle)
        except MlopsError:
            raise
        except Exception as error:  # a damaged file may break any reader in its own way
            raise IntegrityError(f"{self.packages.path(digest)}: cannot be loaded ({error})") from error
        return bundle

    def _record_event(self, kind: str, served: Deployment, digest: str | None, message: str) -> None:
        """Write an event; what cannot be written now must not keep a sound model from serving."""
        versions = {served.digests[stage]: number for stage, number in served.versions.items()}
        event = ServingEvent(
            self.state.clock(), self.model, kind, versions.get(digest or ""), digest, served.generation, message
        )
        try:
            with self.state.writing() as connection:
                store.add_serving_event(connection, event)
        except MlopsError:
            return
