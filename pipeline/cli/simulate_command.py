"""`mlops simulate`: drive a running server with the traffic of a scenario."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, open_state
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from pipeline.config.groups.scenario_config import ChallengerConfig, ScenarioConfig
    from pipeline.config.root_config import Config
    from pipeline.simulation import ServerClient, SimulationResult

__all__ = ["simulate"]

# API keys of the callers who send outcomes, separated by commas.
_OUTCOME_KEYS_ENV = "MLOPS_OUTCOME_KEYS"
_EXIT_INTERRUPTED = 130  # the code that shells use for Ctrl-C


def simulate(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A file of conf/scenario/, or a path to one.")],
    *,
    url: Annotated[
        str | None, typer.Option("--url", help="URL of the server; that of conf/serving by default.")
    ] = None,
    rows_per_s: Annotated[
        float | None, typer.Option("--rows-per-s", min=0.01, help="Override the scenario's rate.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.01, help="Speed-up: 20 sends the same rows in a twentieth of the time.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Send realistic rows and delayed outcomes to a running server, with the scenario's drift and outages."""
    from pipeline.config.config_loader import load_params, load_scenario
    from pipeline.project.root import find_state_root
    from pipeline.simulation import ServerClient, fetch_row_pool, run_scenario

    root = find_state_root()
    config = load_params(root / "params.yaml")
    declared = load_scenario(scenario, conf=root / "conf")
    if rows_per_s is not None:
        declared = declared.model_copy(update={"rows_per_s": rows_per_s})
    address = url if url is not None else f"http://{config.serving.host}:{config.serving.port}"
    with ExitStack() as clients:
        server = clients.enter_context(closing(ServerClient(address.rstrip("/"), os.environ.get("MLOPS_API_KEY"))))
        callers = [clients.enter_context(closing(client)) for client in _outcome_clients(server, declared)]
        active = server.get_active_model()
        if declared.challenger is not None:
            _start_challenger(declared.challenger, config, root)
        pool = fetch_row_pool(declared.rows, config.data, active, root=root, seed=declared.seed)
        _print_progress(f"{active.name}, version {active.version}, at {server.url}; press Ctrl-C to stop early")
        result = run_scenario(declared, pool, server, callers=callers, speed=speed, on_progress=_print_progress)
    _print_result(result, active.name, as_json=as_json)
    if result.is_interrupted:
        sys.exit(_EXIT_INTERRUPTED)


def _start_challenger(challenger: ChallengerConfig, config: Config, root: Path) -> None:
    """Train the challenger of a scenario, register it, and open its trial; a registered package keeps its version."""
    from pipeline.lifecycle.simulated_challenger import train_challenger
    from pipeline.project.actor import current_actor
    from pipeline.registry import open_model_registry
    from pipeline.trials import TrialRequest, start_trial

    registry = open_model_registry(config.tracking, root)
    with tempfile.TemporaryDirectory() as folder:
        package_folder = Path(folder) / "package"
        train_challenger(challenger, config, root, folder=package_folder)
        version = registry.register_model(package_folder, config.name, f"challenger of a scenario: {challenger.kind}")
    request = TrialRequest(config.name, version.version, current_actor(), f"simulation of a {challenger.kind} version")
    with open_state(root) as state:
        trial = start_trial(state, registry.packages, config.lifecycle, request)
    _print_progress(f"version {version.version}, a {challenger.kind} challenger, is on trial {trial.seq}")


def _outcome_clients(server: ServerClient, scenario: ScenarioConfig) -> list[ServerClient]:
    """Return one client for each key of the callers; none without such keys."""
    from pipeline.simulation import ServerClient

    keys = [key.strip() for key in os.environ.get(_OUTCOME_KEYS_ENV, "").split(",") if key.strip()]
    n_callers = scenario.outcomes.n_callers
    if n_callers > max(len(keys), 1):
        _print_progress(
            f"outcomes.n_callers is {n_callers}, and {_OUTCOME_KEYS_ENV} has {pluralize(len(keys), 'key')}: callers"
            " share a key, so the server cannot distinguish them; create keys with `mlops keys create`"
        )
    return [ServerClient(server.url, key) for key in keys[:n_callers]]


def _print_progress(line: str) -> None:
    typer.echo(line, err=True)


def _print_result(result: SimulationResult, model: str, *, as_json: bool) -> None:
    commands = _next_commands(result, model)
    if as_json:
        typer.echo(canonical_json({**result.as_dict(), "model": model, "next": commands}), nl=False)
        return
    for line in result.text_lines():
        typer.echo(line)
    for command in commands:
        typer.echo(f"next: {command}")


def _next_commands(result: SimulationResult, model: str) -> list[str]:
    """Return the commands that report on the sent rows: on the last phase with predictions, then on all phases."""
    if result.last_phase is None:
        return []
    first, last = result.phases[0], result.last_phase
    until = last.as_dict()["until"]
    commands = [f"mlops monitor report --model {model} --hours {last.duration_hours:.6f} --until {until}"]
    if first is not last:
        hours = (last.ended_at - first.started_at) / 3600
        commands.append(f"mlops monitor report --model {model} --hours {hours:.6f} --until {until}")
    return commands
