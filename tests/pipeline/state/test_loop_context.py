"""A part of the loop acts by itself in mode `act` only, in the name of the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import state as store
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path


def test_only_mode_act_carries_decisions_out(state: store.State, tmp_path: Path) -> None:
    modes: tuple[store.LoopMode, ...] = ("off", "advise", "act")
    contexts = [store.LoopContext(state, settings(), tmp_path, now=1, mode=mode) for mode in modes]
    assert [context.may_act for context in contexts] == [False, False, True]
    assert {context.actor for context in contexts} == {store.LOOP_ACTOR}
    assert {context.model for context in contexts} == {settings().name}
    assert not contexts[0].should_stop()
