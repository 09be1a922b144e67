"""`mlops monitor backtest`: replay the drift rules and propose thresholds for a budget of alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson, ModelOption  # noqa: TC001 - typer reads it
from pipeline.files import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["backtest"]


def backtest(
    *,
    alert_budget: Annotated[
        str, typer.Option("--alert-budget", help="Most alerts wanted: a number per day, week, month or year.")
    ] = "1/week",
    hours: Annotated[
        float | None,
        typer.Option(
            "--hours", min=0.001, max=1_000_000, help="Length of a window; monitoring.window_hours by default."
        ),
    ] = None,
    windows: Annotated[
        int, typer.Option("--windows", min=0, max=10_000, help="Number of past windows to replay from the log.")
    ] = 28,
    rows: Annotated[
        int | None, typer.Option("--rows", min=1, help="Rows of a simulated window; as in the log by default.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=100, max=100_000, help="Number of windows to simulate.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated windows.")] = 0,
    model: ModelOption = None,
    as_json: AsJson = False,
) -> None:
    """Report what the drift rules would have raised and missed, and propose thresholds for a budget of alerts."""
    from pipeline.config.config_loader import load_params
    from pipeline.monitoring import ModelMonitor
    from pipeline.monitoring.backtest.drift_backtest import WindowSampling
    from pipeline.monitoring.backtest.log_replay import backtest_lines, parse_alert_budget, proposal_lines, replay_log
    from pipeline.project.root import find_project_root

    root = find_project_root()
    config = load_params(root / "params.yaml")
    budget = parse_alert_budget(alert_budget, hours if hours is not None else config.monitoring.window_hours)
    monitor = ModelMonitor(model if model is not None else config.name, root=root, config=config)
    report = replay_log(monitor, budget, n_windows=windows, sampling=WindowSampling(draws, seed, rows))
    if as_json:
        typer.echo(canonical_json(report.as_dict()), nl=False)
        return
    for line in backtest_lines(report):
        typer.echo(line)
    for line in proposal_lines(report, _config_files(report.proposal or (), root)):
        typer.echo(line)


def _config_files(keys: Iterable[str], root: Path) -> dict[str, str]:
    """Return the file of conf/ that sets each key, or the file of its section when no file sets it."""
    from pipeline.config.composition import compose

    keys = list(keys)
    if not keys or not (root / "conf").is_dir():
        return dict.fromkeys(keys, "conf/")
    files = {entry.key: entry.file for entry in compose(conf=root / "conf").origin() if entry.file is not None}
    return {key: files[key] if key in files else _section_file(key, files) for key in keys}


def _section_file(key: str, files: dict[str, str]) -> str:
    section = f"{key.rpartition('.')[0]}."
    return next((file for known, file in files.items() if known.startswith(section)), "conf/")
