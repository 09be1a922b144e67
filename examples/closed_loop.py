"""Watch the closed loop: days of simulated traffic pass in seconds, in copies of the project.

make demo-loop                                  # the tour, with a timeline of every decision
python examples/closed_loop.py calm drift       # only these acts
python examples/closed_loop.py --keep FOLDER    # keep the copies, to open them in the app
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simulated_project import DAY_US, HOUR_US, SimulatedProject, make_project

from pipeline import state as store
from pipeline.errors import MlopsError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Result:
    """What the loop did in an act."""

    retrains: list[str]
    trials: list[str]
    production: int | None
    holds: list[str]  # why a guard of the labels held a retrain

    def __str__(self) -> str:
        retrains, trials = (", ".join(states) or "none" for states in (self.retrains, self.trials))
        return f"retrains: {retrains}; trials: {trials}; version in Production: {self.production}"


@dataclass(frozen=True)
class Act:
    """A scenario after a calm day, and what the loop must make of it."""

    title: str
    hours: int
    expected: str
    is_expected: Callable[[Result], bool]
    calm_hours: int = 30
    rule: dict[str, object] = field(default_factory=dict)
    has_person: bool = False  # who approves what the loop proposes about trials


ACTS = {
    "calm": Act(
        "Nothing changes", 72, "no retrain", lambda result: not result.retrains and result.production == 1
    ),
    "drift": Act(
        "Measurements of a feature shift, outcomes do not", 72, "nothing is promoted without a person",
        lambda result: result.production == 1,
    ),
    "concept": Act(
        "The relation of a feature to the outcome changes", 204,
        "a candidate wins its trial, a person approves, and after the canary it is in Production",
        lambda result: result.production != 1 and "won" in result.trials,
        has_person=True,
    ),
    "worse_challenger": Act(
        "A person puts a worse version on trial", 96, "the challenger loses, the champion stays",
        lambda result: result.trials == ["lost"] and result.production == 1,
    ),
    "broken_challenger": Act(
        "A person puts a version on trial that is as good, but refuses some rows", 72,
        "the canary stops the challenger, and every caller gets a prediction",
        lambda result: result.trials in (["harmful"], ["aborted"]) and result.production == 1,
        rule={"test": "non_inferiority", "margin": 0.02},
    ),
    "poison": Act(
        "One of five callers sends wrong outcomes", 96, "the retrain waits for a person and names the caller",
        lambda result: result.production == 1 and any("caller client-1 " in reason for reason in result.holds),
    ),
    "poison_all": Act(
        "All callers send a quarter of wrong outcomes", 96, "nothing is promoted without a person",
        lambda result: result.production == 1,
    ),
}  # fmt: skip
TOUR = ("concept", "worse_challenger", "broken_challenger", "poison")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("acts", nargs="*", metavar="ACT", help=f"{', '.join(ACTS)}; by default {', '.join(TOUR)}")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder for the copies of the project")
    given = parser.parse_args()
    if unknown := [name for name in given.acts if name not in ACTS]:
        parser.error(f"unknown act {unknown[0]}; known: {', '.join(ACTS)}")
    names = given.acts or list(TOUR)
    if given.keep is not None:
        if given.keep.exists():
            parser.error(f"--keep {given.keep}: exists already; expected a new folder")
        given.keep.mkdir(parents=True)
        return play(names, given.keep.resolve())
    with tempfile.TemporaryDirectory() as folder:
        return play(names, Path(folder))


def play(names: list[str], folder: Path) -> int:
    """Play the acts, print a line of result for each, and return 1 if one ended otherwise than expected."""
    started = time.monotonic()
    print("A copy of the project trains its first version ...", flush=True)
    make_project(folder / "first")
    results = {name: asyncio.run(play_act(name, folder)) for name in names}
    print(f"\nResults after {time.monotonic() - started:.0f} s")
    for name, result in results.items():
        act = ACTS[name]
        print(f"  {'ok      ' if act.is_expected(result) else 'NOT MET '} {name}: {act.expected}\n           {result}")
    return 0 if all(ACTS[name].is_expected(result) for name, result in results.items()) else 1


async def play_act(name: str, folder: Path) -> Result:
    """Play one act in a copy of its own; it ends now, so its days are in the past."""
    act = ACTS[name]
    print(f"\n== {name}: {act.title}", flush=True)
    start_us = time.time_ns() // 1000 - (act.calm_hours + act.hours + 1) * HOUR_US

    def report(at_us: int, line: str) -> None:
        day, rest = divmod(at_us - start_us, DAY_US)
        text = line if len(line) <= 400 else f"{line[:397]}..."
        print(f"day {day + 1:2} {rest // HOUR_US:02}:{rest % HOUR_US // 60_000_000:02}  {text}", flush=True)

    project = SimulatedProject(folder / "first", start_us, report, act.has_person).copy(folder / name)
    project.register_first_version()
    calm, scenario = project.scenario("calm"), project.scenario(name)
    async with project.serving() as engine:
        await project.run_phase(engine, calm, calm.phases[0], hours=act.calm_hours)
        if scenario.challenger is not None:
            project.start_challenger(scenario, **act.rule)
        else:
            project.say(f"world: {act.title[0].lower()}{act.title[1:]}")
        await project.run_phase(engine, scenario, scenario.phases[-1], hours=act.hours)
    for decision in project.run_loop().decisions:
        if not decision.is_action:
            project.say(f"loop: {decision.subject}: nothing: {decision.reason}")
    return result_of(project)


def result_of(project: SimulatedProject) -> Result:
    model = project.config.name
    with project.open_state() as state, state.reading() as connection:
        runs = store.read_loop_runs(connection, model, limit=1_000, acted=True)
        return Result(
            [retrain.state for retrain in store.read_retrains(connection, model)],
            [trial.state for trial in store.read_trials(connection, model) if trial.purpose == "promotion"],
            store.current_deployment(connection, model).version("Production"),
            [decision.reason for run in runs for decision in run.decisions if decision.action == "hold"],
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MlopsError as error:
        sys.exit(f"closed_loop: {error}")
