"""A copy of the project whose clock is simulated: days of traffic, outcomes, monitor and loop pass in seconds."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import state as store
from pipeline.alerts.monitor_loop import run_monitor_once
from pipeline.config.config_loader import load_params, load_scenario
from pipeline.lifecycle.simulated_challenger import train_challenger
from pipeline.loop import run_loop_once
from pipeline.project import paths
from pipeline.registry import ModelRegistry
from pipeline.registry.candidate_registration import evaluate_workspace, submit_workspace
from pipeline.serving.engine import Engine
from pipeline.serving.log_options import LogOptions
from pipeline.simulation.server_client import ServedModel
from pipeline.simulation.traffic import fetch_row_pool, generate_requests
from pipeline.trials import TrialRequest, approve_trial, start_trial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.config.groups.scenario_config import PhaseConfig, ScenarioConfig
    from pipeline.config.root_config import Config
    from pipeline.state import LoopRun, State, Trial

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
PROJECT = Path(__file__).parents[1]

ROWS_PER_HOUR = 200
ROWS_PER_REQUEST = 20
N_CALLERS = 5  # the guards of the labels compare callers
OUTCOME_DELAY_US = 6 * HOUR_US
MONITOR_EVERY_US = 6 * HOUR_US
LOOP_EVERY_US = 2 * HOUR_US

# The copy has fewer rows, and steps of hours instead of days; everything else is as shipped.
EDITS = (
    ("conf/data/personality.yaml", "rows: 18524", "rows: 6000"),
    ("conf/alerts/default.yaml", "receivers: {log: {kind: log}}", "receivers: {}"),
    ("conf/monitoring/default.yaml", "mlflow_runs: all ", "mlflow_runs: none "),
    ("conf/monitoring/default.yaml", "label_delay_hours: 24.0", "label_delay_hours: 6.0"),
    ("conf/lifecycle/default.yaml", "mode: advise ", "mode: act "),
    ("conf/lifecycle/default.yaml", "interval_minutes: 60", "interval_minutes: 120"),
    ("conf/lifecycle/default.yaml", "cooldown_hours: 72 ", "cooldown_hours: 24 "),
    ("conf/lifecycle/default.yaml", "include_source: true ", "include_source: false "),
)
_GIT = ("git", "-c", "user.name=closed loop", "-c", "user.email=loop@example.org")


@dataclass
class SimulatedProject:
    """A project at `root` whose time is `now_us`, in microseconds since 1970, UTC."""

    root: Path
    now_us: int
    report: Callable[[int, str], None]
    has_person: bool = False
    _due_outcomes: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _next_monitor_us: int = 0
    _next_loop_us: int = 0
    _last_actions: set[tuple[str, str]] = field(default_factory=set)

    def clock(self) -> int:
        return self.now_us

    @property
    def config(self) -> Config:
        return load_params(self.root / paths.PARAMS)

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.root, clock=self.clock)

    def open_state(self) -> closing[State]:
        return closing(store.open_state(self.root, clock=self.clock))

    def say(self, line: str) -> None:
        self.report(self.now_us, line)

    def register_first_version(self) -> None:
        """Register the candidate of the last graph run; the first version goes to Production."""
        config, registry = self.config, self.registry
        gates = evaluate_workspace(registry, self.root, config)
        self.say(f"registry: {submit_workspace(registry, self.root, config, gates)}")

    def start_challenger(self, scenario: ScenarioConfig, **rule: object) -> Trial:
        """Train the challenger of a scenario, register it, and put it on trial; `rule` changes how it is compared."""
        assert scenario.challenger is not None
        config, registry = self.config, self.registry
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "package"
            train_challenger(scenario.challenger, config, self.root, folder=package)
            version = registry.register_model(package, config.name, f"challenger: {scenario.challenger.kind}")
        self.say(f"person: registers version {version.version}, a {scenario.challenger.kind} challenger")
        lifecycle = config.lifecycle
        lifecycle = lifecycle.model_copy(update={"trial": lifecycle.trial.model_copy(update=rule)})
        request = TrialRequest(config.name, version.version, "demo", "the demo")
        with self.open_state() as state:
            trial = start_trial(state, registry.packages, lifecycle, request)
        self.say(f"person: opens trial {trial.seq} of version {version.version}")
        return trial

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Engine]:
        """Run the engine of the HTTP server in this process, under the simulated clock."""
        config = self.config
        engine = Engine(self.root, config.name, config.serving.engine, config.serving.log)
        engine.clock = self.clock
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()

    async def run_phase(self, engine: Engine, scenario: ScenarioConfig, phase: PhaseConfig, *, hours: int) -> None:
        """Send the traffic of a phase for some hours; monitor and loop run at their times."""
        model = await engine.reload()
        served = ServedModel(model.name, model.version, model.digest, model.package.schema)
        pool = fetch_row_pool(scenario.rows, self.config.data, served, root=self.root, seed=scenario.seed)
        n_rows = hours * ROWS_PER_HOUR
        step_us = HOUR_US * ROWS_PER_REQUEST // ROWS_PER_HOUR
        seed = [scenario.seed, next(self._order)]
        outcomes = scenario.outcomes.model_copy(update={"n_callers": N_CALLERS})
        requests = generate_requests(pool, phase, outcomes, n_rows=n_rows, rows_per_request=ROWS_PER_REQUEST, seed=seed)
        for number, request in enumerate(requests):
            self.now_us += step_us
            subject = f"{phase.name} {number}"
            body = await engine.predict_batch(request.body, LogOptions(subject=subject))
            self._schedule(json.loads(body)["predictions"], request.delayed_outcomes, f"client-{request.caller + 1}")
            await self._send_due_outcomes(engine)
            if self.now_us >= self._next_monitor_us:
                await self._run_monitor()
            if self.now_us >= self._next_loop_us:
                await self._run_loop(engine)

    def _schedule(self, predictions: list[dict[str, str]], delayed: tuple[object, ...], caller: str) -> None:
        for prediction, outcomes in zip(predictions, delayed, strict=True):
            for position, outcome in enumerate(outcomes.outcomes):  # a correction comes an hour later
                due_us = self.now_us + OUTCOME_DELAY_US + position * HOUR_US
                entry = (due_us, next(self._order), caller, prediction["prediction_id"], outcome)
                heapq.heappush(self._due_outcomes, entry)

    async def _send_due_outcomes(self, engine: Engine) -> None:
        by_caller: dict[str, list[dict[str, str]]] = {}
        while self._due_outcomes and self._due_outcomes[0][0] <= self.now_us:
            _, _, caller, prediction_id, outcome = heapq.heappop(self._due_outcomes)
            by_caller.setdefault(caller, []).append({"prediction_id": prediction_id, "outcome": outcome})
        for caller, outcomes in by_caller.items():
            await engine.feedback(json.dumps({"outcomes": outcomes}).encode(), caller=caller)

    async def _run_monitor(self) -> None:
        self._next_monitor_us = self.now_us + MONITOR_EVERY_US
        result = await asyncio.to_thread(run_monitor_once, self.config, self.root, clock=self.clock)
        for incident in result.incidents:
            if incident.opened_at == self.now_us:
                self.say(f"monitor: {incident.severity} incident: {incident.title}")

    async def _run_loop(self, engine: Engine) -> None:
        self._next_loop_us = self.now_us + LOOP_EVERY_US
        await engine.reload()  # it writes what it counted about a canary
        run = await asyncio.to_thread(self.run_loop)
        for decision in run.decisions:
            if decision.is_action and (decision.subject, decision.action) not in self._last_actions:
                self.say(f"loop: {decision.subject}: {decision.action}: {decision.reason}")
        self._last_actions = {(decision.subject, decision.action) for decision in run.decisions}
        if self.has_person:
            self._approve_proposals()
        await engine.reload()

    def _approve_proposals(self) -> None:
        """Approve what the loop proposes about trials, as a person does who looked at it; one trial gets requests."""
        config = self.config
        with self.open_state() as state:
            with state.reading() as connection:
                trials = store.read_trials(connection, config.name, is_open=True)
                busy = store.traffic_trial(connection, config.name)
            for trial in trials:
                if trial.proposal is not None and (busy is None or busy.seq == trial.seq):
                    approve_trial(state, self.registry.packages, config.lifecycle, trial.seq, actor="demo")
                    self.say(f"person: approves trial {trial.seq}: {trial.proposal}")
                    return

    def run_loop(self) -> LoopRun:
        """Run the loop once, as `mlops loop --once` does."""
        with self.open_state() as state:
            return run_loop_once(self.config, self.root, state=state, holder="the demo")

    def scenario(self, name: str) -> ScenarioConfig:
        return load_scenario(name, conf=self.root / "conf")

    def copy(self, folder: Path) -> SimulatedProject:
        """Return a copy of this project with the same clock."""
        shutil.copytree(self.root, folder, symlinks=True)
        return SimulatedProject(folder, self.now_us, self.report, self.has_person)


def make_project(folder: Path) -> None:
    """Copy the project's files to a folder with a git repository of its own, and run the graph up to `evaluate`."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    for name in sorted(filter(None, listed.split("\0"))):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    for name, old, new in EDITS:
        text = (folder / name).read_text(encoding="utf-8")
        if old not in text:
            sys.exit(f"closed_loop: {name} does not have {old!r}")
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "repro", "-q", "evaluate")
    run(folder, "git", "add", "-A")
    run(folder, *_GIT, "commit", "-q", "-m", "The first version")


def run(folder: Path, *command: str) -> None:
    """Run a command in a project; show what it printed if it fails."""
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"closed_loop: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
