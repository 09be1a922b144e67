"""The N-th operation on a file or the database fails, for every N: nothing is half-made, and the next try succeeds."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from pipeline import state as store
from pipeline.errors import DependencyUnavailable, MlopsError
from pipeline.package.package_store import PackageStore
from pipeline.registry import stage_transitions
from tests.fixtures.proof import proof_rounds
from tests.pipeline.registry.test_model_registry import NAME, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.state import State

pytestmark = pytest.mark.usefixtures("heavy_computation")

# `--proof=long` fails every operation, one by one.
STRIDE = proof_rounds(7, long=1)

_FAULT_POINTS = [
    (builtins, "open"),
    (io, "open"),
    (os, "open"),
    (os, "fsync"),
    (os, "rename"),
    (os, "replace"),
    (os, "mkdir"),
    (os, "chmod"),
    (os, "sendfile"),
    (os, "write"),
]


@dataclass
class Fault:
    """Lets operation number `at` fail; `n` counts them all."""

    at: int
    n: int = 0

    def step(self, *_: object) -> None:
        self.n += 1
        if self.n == self.at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **more: Any) -> Any:
            self.step()
            return function(*args, **more)

        return counted


@contextmanager
def failing(at: int, state: State) -> Iterator[Fault]:
    fault = Fault(at)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in _FAULT_POINTS:
            patch.setattr(module, name, fault.wrap(getattr(module, name)))
        event.listen(state.engine, "commit", fault.step)
        event.listen(state.engine, "before_cursor_execute", fault.step)
        try:
            yield fault
        finally:
            event.remove(state.engine, "commit", fault.step)
            event.remove(state.engine, "before_cursor_execute", fault.step)


@dataclass
class RegistryUnderTest:
    """A registry with one version in Production, and the package of another beside it."""

    state: State
    packages: PackageStore
    source: Path

    def register_and_promote(self, **tags: str) -> None:
        """What the register stage does with a candidate that passed."""
        candidate = self.packages.add(self.source)
        registration = stage_transitions.register_package(
            self.state, self.packages, NAME, candidate=candidate, gates=report().as_dict(), tags=tags
        )
        stage_transitions.promote_version(self.state, NAME, registration.version.version, stage="Production")

    def is_intact(self) -> bool:
        """Whether each version loads, the deployed one is among them, and the audit chain is intact."""
        with self.state.reading() as connection:
            versions, now = store.read_versions(connection, NAME), store.current_deployment(connection, NAME)
            history = store.read_audit_entries(connection)
            assert store.verify_audit_chain(connection) == []
            assert len(store.read_pending_tasks(connection)) == len(history)
        for version in versions:
            assert self.packages.load(version.digest).digest == version.digest
        live = {
            stage: version.version
            for version in versions
            for stage in ("Staging", "Production")
            if version.stage == stage
        }
        assert live == now.versions
        assert now.generation == sum(entry.generation is not None for entry in history)
        return True


@contextmanager
def project(empty: Path, candidates: dict[str, Path]) -> Iterator[RegistryUnderTest]:
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(empty / "state", Path(name) / "state")
        opened = RegistryUnderTest(
            store.open_state(Path(name)), PackageStore(Path(name) / "state/packages"), candidates["first"]
        )
        opened.register_and_promote()
        opened.source = candidates["second"]
        yield opened
        opened.state.close()


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_STATE_URL", raising=False)


def test_whichever_operation_fails_nothing_is_half_made_and_the_next_try_succeeds(
    empty_stores: Path, candidates: dict[str, Path]
) -> None:
    at, happened = 1, True
    while happened:
        with project(empty_stores, candidates) as one:
            with failing(at, one.state) as fault, suppress(OSError, MlopsError):
                one.register_and_promote()
            assert one.is_intact()
            one.register_and_promote()
            assert one.is_intact()
            with one.state.reading() as connection:
                assert store.current_deployment(connection, NAME).versions == {"Production": 2}
        happened = fault.n >= at
        at += STRIDE
    assert at > 60


@pytest.mark.parametrize("room", [0, 1, 4, 16])
def test_a_full_database_refuses_and_keeps_what_it_had(
    empty_stores: Path, candidates: dict[str, Path], room: int
) -> None:
    with project(empty_stores, candidates) as one:
        with one.state.reading() as connection:
            limit = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + room

        def narrow(raw: Any, _record: object) -> None:
            raw.execute(f"PRAGMA max_page_count={limit}")

        one.state.engine.dispose()
        event.listen(one.state.engine, "connect", narrow)
        with pytest.raises(DependencyUnavailable, match="full"):
            one.register_and_promote(note="x" * 200_000)
        event.remove(one.state.engine, "connect", narrow)
        one.state.engine.dispose()
        assert one.is_intact()
        one.register_and_promote(note="x" * 200_000)
        assert one.is_intact()
