"""Find what should serve, load it, and keep what serves now until the new one has shown that it is sound."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.errors import IntegrityError, MlopsError
from pipeline.serving.bundle import Bundle, ServedBy, load_bundle
from pipeline.state import ServingEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config.groups.serving import EngineConfig
    from pipeline.package import PackageStore
    from pipeline.state import Served, State

__all__ = ["Activation", "Found"]

# A package that could not be loaded is tried again: its file system may have been away for a moment.
_RETRY_S = 10.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the state database led to: the bundle that should serve (None: nothing), and why nothing new does."""

    bundle: Bundle | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A package that could not be taken up for a decision, why, and when (on the monotonic clock, in seconds)."""

    generation: int
    digest: str
    reason: str
    at_s: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at_s < _RETRY_S

    def is_of(self, served: Served, digest: str) -> bool:
        return (self.generation, self.digest) == (served.generation, digest)


@dataclass
class Activation:
    """Loads what the state database says should serve; used by one thread at a time.

    Steps down where it must: the version in its stage, or else the one that serves now, or else (at a start, where
    `engine.last_good` allows it) the one that was taken up before, or else (where `engine.rule_baseline` allows it) the
    rule baseline of one of these packages, or else nothing. `prove` sees each bundle before it serves and raises an
    `MlopsError` when it may not.
    """

    state: State
    packages: PackageStore
    model: str
    stage: str
    config: EngineConfig
    secret: bytes
    prove: Callable[[Bundle], None] | None = None
    _refused: _Refusal | None = field(default=None, init=False)

    def look(self, now: Bundle | None, *, is_asked: bool = False) -> Found:
        """Return what should serve now; `is_asked` tries again at once what was refused a moment ago.

        Raises
        ------
        DependencyUnavailable
            When the state database cannot be had.
        """
        with self.state.reading() as connection:
            served = store.served(connection, self.model)
        version = served.version(self.stage)
        if version is None:
            if now is not None:
                self._note("stopped", served, None, f"no version of {self.model} is in {self.stage}")
            return Found(None, f"no version of {self.model} is in {self.stage}; promote one: `mlops promote VERSION`")
        digest = served.digests[self.stage]
        if now is not None and now.served_by == "champion":
            if now.digest == digest and now.generation == served.generation:
                return Found(now)
            if now.digest == digest and now.version == version:
                return Found(self._renumbered(now, served))
        refusal = self._refused
        if not is_asked and refusal is not None and refusal.is_of(served, digest) and refusal.is_fresh:
            return Found(now, refusal.reason)
        return self._take_up(now, served)

    def _renumbered(self, now: Bundle, served: Served) -> Bundle:
        """Return the bundle under the newest generation: something else was decided, and it serves as before."""
        return Bundle(
            now.name, now.version, now.digest, served.generation, now.served_by, now.package, now.codec, now.scorer
        )

    def _take_up(self, now: Bundle | None, served: Served) -> Found:
        version, digest = served.versions[self.stage], served.digests[self.stage]
        try:
            bundle = self._load(version, digest, served.generation, "champion")
        except MlopsError as error:
            is_new = self._refused is None or not self._refused.is_of(served, digest)
            self._refused = _Refusal(served.generation, digest, str(error), time.monotonic())
            if is_new:
                self._note("refused", served, digest, str(error))
            return self._step_down(now, served, str(error), is_new=is_new)
        self._refused = None
        self._note("activated", served, digest, f"version {version} serves")
        return Found(bundle)

    def _step_down(self, now: Bundle | None, served: Served, reason: str, *, is_new: bool) -> Found:
        if now is not None:
            return Found(now, reason)
        earlier = self._taken_up_before(served)
        steps: list[tuple[ServedBy, int, str]] = []
        if self.config.last_good:
            steps += [("last_good", version, digest) for version, digest in earlier]
        if self.config.rule_baseline:
            decided = (served.versions[self.stage], served.digests[self.stage])
            steps += [("rule", version, digest) for version, digest in (decided, *earlier)]
        for served_by, version, digest in steps:
            try:
                bundle = self._load(version, digest, served.generation, served_by)
            except MlopsError:
                continue
            if is_new:
                what = "the rule baseline of version" if served_by == "rule" else "version"
                self._note("fell_back", served, digest, f"{what} {version} serves instead")
            return Found(bundle, reason)
        return Found(None, reason)

    def _taken_up_before(self, served: Served) -> list[tuple[int, str]]:
        """Return versions and digests that served before what is decided now, the last one first."""
        with self.state.reading() as connection:
            events = store.events(connection, self.model, kind="activated")
        found = [(one.version, one.digest) for one in events if one.version is not None and one.digest is not None]
        return [one for one in dict.fromkeys(found) if one[1] != served.digests[self.stage]]

    def _load(self, version: int, digest: str, generation: int, served_by: ServedBy) -> Bundle:
        try:
            bundle = load_bundle(
                self.packages,
                model=self.model,
                version=version,
                digest=digest,
                generation=generation,
                served_by=served_by,
                config=self.config,
                secret=self.secret,
            )
            if self.prove is not None:
                self.prove(bundle)
        except MlopsError:
            raise
        except Exception as error:  # a damaged file may break any reader in its own way
            raise IntegrityError(f"{self.packages.path(digest)}: cannot be loaded ({error})") from error
        return bundle

    def _note(self, kind: str, served: Served, digest: str | None, message: str) -> None:
        """Write an event; what cannot be written now must not keep a sound model from serving."""
        versions = {served.digests[stage]: number for stage, number in served.versions.items()}
        event = ServingEvent(
            self.state.clock(), self.model, kind, versions.get(digest or ""), digest, served.generation, message
        )
        try:
            with self.state.writing() as connection:
                store.add_event(connection, event)
        except MlopsError:
            return
