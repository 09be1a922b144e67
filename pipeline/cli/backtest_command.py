"""The command that replays the drift rules and proposes limits that keep a budget of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["backtest"]


def backtest(
    *,
    alert_budget: Annotated[
        str, typer.Option("--alert-budget", help="Alerts that you want at most: a number and day, week, month or year.")
    ] = "1/week",
    hours: Annotated[
        float | None,
        typer.Option(
            "--hours", min=0.001, max=1_000_000, help="Length of a window; monitoring.window_hours when left out."
        ),
    ] = None,
    windows: Annotated[
        int, typer.Option("--windows", min=0, max=10_000, help="How many to look back in the log.")
    ] = 28,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="Rows of a drawn window; as in the log when left out.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=100, max=100_000, help="Windows to draw.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draws.")] = 0,
    name: Annotated[str | None, typer.Option("--name", help="The model; that of params.yaml when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what the drift rules would have raised and missed, and propose limits that keep a budget of alerts."""
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import ModelMonitor
    from pipeline.monitoring.backtest.drift_backtest import WindowSampling
    from pipeline.monitoring.backtest.log_replay import parse_alert_budget, proposal_lines, replay_log, report_lines
    from pipeline.project.root import find_project_root

    root = find_project_root()
    config = load_params(root / "params.yaml")
    budget = parse_alert_budget(alert_budget, hours if hours is not None else config.monitoring.window_hours)
    monitor = ModelMonitor(name if name is not None else config.name, root=root, config=config)
    found = replay_log(monitor, budget, n_windows=windows, sampling=WindowSampling(draws, seed, rows))
    if as_json:
        typer.echo(canonical_json(found.as_dict()), nl=False)
        return
    for line in report_lines(found):
        typer.echo(line)
    for line in proposal_lines(found, _config_files(found.proposal or (), root)):
        typer.echo(line)


def _config_files(keys: Iterable[str], root: Path) -> dict[str, str]:
    """Return the file of conf/ that has each key or, where it is new, the section that it belongs to."""
    from pipeline.config.composition import compose

    keys = list(keys)
    if not keys or not (root / "conf").is_dir():
        return dict.fromkeys(keys, "conf/")
    origin = {one.key: one.file for one in compose(conf=root / "conf").origin() if one.file is not None}
    return {
        key: next((file for known, file in origin.items() if known.startswith(f"{key.rpartition('.')[0]}.")), "conf/")
        if key not in origin
        else origin[key]
        for key in keys
    }
