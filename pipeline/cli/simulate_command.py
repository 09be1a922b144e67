"""The command that drives a running server with traffic of a scenario."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.files import canonical_json

if TYPE_CHECKING:
    from pipeline.simulation import SimulationResult

__all__ = ["simulate"]

_EXIT_INTERRUPTED = 130  # as a shell says of what Ctrl-C ended


def simulate(
    scenario: Annotated[str, typer.Argument(metavar="SCENARIO", help="A file of conf/scenario/, or a path to one.")],
    *,
    url: Annotated[
        str | None, typer.Option("--url", help="Address of the server; that of conf/serving when left out.")
    ] = None,
    rows_per_s: Annotated[
        float | None, typer.Option("--rows-per-s", min=0.01, help="Another rate than the scenario's.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.01, help="20: the same rows in a twentieth of the time.")
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Send real-looking rows and late outcomes to a running server, with drift or outages as the scenario declares."""
    from pipeline.config.config_loader import load_params, load_scenario
    from pipeline.project.root import find_state_root
    from pipeline.simulation import ServerClient, fetch_row_pool, simulate

    root = find_state_root()
    config = load_params(root / "params.yaml")
    declared = load_scenario(scenario, conf=root / "conf")
    if rows_per_s is not None:
        declared = declared.model_copy(update={"rows_per_s": rows_per_s})
    address = url if url is not None else f"http://{config.serving.host}:{config.serving.port}"
    with closing(ServerClient(address.rstrip("/"), os.environ.get("MLOPS_API_KEY"))) as server:
        served = server.get_active_model()
        pool = fetch_row_pool(declared.rows, config.data, served, root=root, seed=declared.seed)
        _print_line(f"{served.name}, version {served.version}, at {server.url}; Ctrl-C ends it early")
        totals = simulate(declared, pool, server, speed=speed, on_progress=_print_line)
    if as_json:
        typer.echo(
            canonical_json({**totals.as_dict(), "model": served.name, "next": _next_commands(totals, served.name)}),
            nl=False,
        )
    else:
        for line in totals.text_lines():
            typer.echo(line)
        for command in _next_commands(totals, served.name):
            typer.echo(f"next: {command}")
    if totals.is_interrupted:
        sys.exit(_EXIT_INTERRUPTED)


def _print_line(line: str) -> None:
    typer.echo(line, err=True)


def _next_commands(totals: SimulationResult, name: str) -> list[str]:
    """Return the commands that look at what was sent: exactly the last phase with answers, then everything."""
    if totals.last_phase is None:
        return []
    first, last = totals.phases[0], totals.last_phase
    until = last.as_dict()["until"]
    said = [f"mlops monitor report --name {name} --hours {last.duration_hours:.6f} --until {until}"]
    if first is not last:
        whole = (last.ended_at - first.started_at) / 3600
        said.append(f"mlops monitor report --name {name} --hours {whole:.6f} --until {until}")
    return said
