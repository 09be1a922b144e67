"""A database with a version in Production, and runs of the loop in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.loop import LoopPart, run_loop_once
from pipeline.state import LoopContext, LoopDecision
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.root_config import Config

MODEL = settings().name
SECOND_US = 1_000_000


def with_mode(mode: str) -> Config:
    config = settings()
    return config.model_copy(update={"lifecycle": config.lifecycle.model_copy(update={"mode": mode})})


def put_in_production(state: store.State, version: int = 1, *, actor: str = "ada") -> None:
    """Register the version if it is new, and put it in Production."""
    with state.writing() as connection:
        if version > len(store.read_versions(connection, MODEL)):
            at = state.clock()
            store.add_version(
                connection, MODEL, f"{version:064}", at=at, semver=f"1.{version}.0", description="", tags={}
            )
        found = store.find_version(connection, MODEL, version)
        store.set_deployment(connection, found, "Production", store.AuditEvent(actor, "promote", state.clock()))


def at_moment(state: store.State, now: int) -> store.State:
    """Return the same database at another moment."""
    return replace(state, clock=lambda: now)


def deciding(*decisions: LoopDecision) -> LoopPart:
    return LoopPart("part", lambda _context: decisions)


def run_once(
    state: store.State,
    *parts: LoopPart,
    mode: str = "advise",
    holder: str = "one",
    should_stop: Callable[[], bool] = lambda: False,
) -> store.LoopRun:
    chosen: Sequence[LoopPart] = parts
    return run_loop_once(with_mode(mode), Path(), state=state, holder=holder, should_stop=should_stop, parts=chosen)


def context_of(state: store.State, mode: store.LoopMode = "advise", *, is_stopped: bool = False) -> LoopContext:
    return LoopContext(state, with_mode(mode), Path(), now=state.clock(), mode=mode, should_stop=lambda: is_stopped)
