"""Run the loop once or periodically, under a lease of the state database."""

from __future__ import annotations

import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.alerts.monitor_loop import stop_on_signal
from pipeline.errors import ConfigError, MlopsError
from pipeline.loop.loop_lease import held_lease, new_holder, pause_us
from pipeline.loop.loop_parts import LOOP_PARTS, run_parts
from pipeline.loop.loop_report import exit_code
from pipeline.state import LoopContext, LoopRun
from pipeline.tracing import root_span
from pipeline.trials import is_stop_due

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.config.root_config import Config
    from pipeline.loop.loop_parts import LoopPart
    from pipeline.state import State

__all__ = ["run_loop", "run_loop_once"]

_MINUTE_US = 60_000_000
_LOOK_AGAIN_US = 20_000_000


def run_loop(config: Config, root: Path, *, once: bool, report: Callable[[LoopRun], None]) -> int:
    """Run the loop once, or every `lifecycle.interval_minutes` until a signal; return the exit code.

    Parameters
    ----------
    config : Config
    root : Path
        The project's folder.
    once : bool
        Whether to run once and return the exit code that fits its decisions.
    report : callable
        Gets each run, to print it.

    Raises
    ------
    Conflict
        When `once` is set and another process has the lease.
    """
    holder = new_holder()
    with closing(store.open_state(root)) as state, stop_on_signal() as stop:
        run_now = partial(run_loop_once, config, root, state=state, holder=holder, should_stop=stop.is_set)
        if not once:
            return _run_periodically(state, config, stop, run_now=run_now, report=report)
        run = run_now()
    report(run)
    return exit_code(run)


def run_loop_once(
    config: Config,
    root: Path,
    *,
    state: State,
    holder: str,
    should_stop: Callable[[], bool] = lambda: False,
    parts: Sequence[LoopPart] = LOOP_PARTS,
) -> LoopRun:
    """Take the lease, run the parts, store their decisions and return the run.

    Raises
    ------
    Conflict
        When another process has the lease.
    """
    with root_span("loop run", "mlops-loop"), held_lease(state, store.loop_lease_name(config.name), holder) as lease:
        context = LoopContext(
            state,
            config,
            root,
            now=state.clock(),
            mode=config.lifecycle.mode,
            should_stop=lambda: should_stop() or lease.is_lost,
        )
        decisions = run_parts(context, parts)
        run = LoopRun(config.name, context.now, holder, decisions, context.now + _interval_us(config))
        with state.writing() as connection:
            store.add_loop_run(connection, run)
            stored = store.last_loop_run(connection, config.name)
    return run if stored is None else stored


def _run_periodically(
    state: State,
    config: Config,
    stop: threading.Event,
    *,
    run_now: Callable[[], LoopRun],
    report: Callable[[LoopRun], None],
) -> int:
    due_at = state.clock()
    while _wait_for_turn(state, config, stop, due_at=due_at):
        due_at = state.clock() + _interval_us(config)
        try:
            report(run_now())
        except ConfigError:
            raise
        except MlopsError as error:
            sys.stderr.write(f"[loop] {error}; the next run is in {config.lifecycle.interval_minutes:g} min\n")
    return 0


def _wait_for_turn(state: State, config: Config, stop: threading.Event, *, due_at: int) -> bool:
    """Wait until a run is due or there is a reason for one now; return False when `stop` is set."""
    earliest_at = min(state.clock() + _MINUTE_US, due_at)
    while not stop.is_set():
        pause = _LOOK_AGAIN_US
        try:
            pause = _pause_us(state, config, due_at=due_at, earliest_at=earliest_at)
        except MlopsError as error:
            sys.stderr.write(f"[loop] {error}\n")
        if pause == 0:
            return True
        stop.wait(pause / 1_000_000)
    return False


def _pause_us(state: State, config: Config, *, due_at: int, earliest_at: int) -> int:
    """Return how long to pause; 0 also when servers stopped a challenger, from `earliest_at` on."""
    with state.reading() as connection:
        lease = store.read_lease(connection, store.loop_lease_name(config.name))
    now = state.clock()
    may_hurry = now >= earliest_at and config.lifecycle.mode != "off"
    return pause_us(lease, now=now, due_at=due_at, is_urgent=may_hurry and is_stop_due(state, config.name, now=now))


def _interval_us(config: Config) -> int:
    return int(config.lifecycle.interval_minutes * _MINUTE_US)
