"""Simulated traffic reaches a real server over HTTP, and the monitor reports what the scenario declares."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import files
from pipeline.config.composition import compose
from pipeline.registry import ModelRegistry
from tests.fixtures.server_process import make_project, run_server
from tests.fixtures.small_packages import write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.cli import CliRunner
    from tests.fixtures.server_process import RunningServer

MLOPS = str(Path(sys.executable).with_name("mlops"))
OUTCOMES = "{share: 0.8, delay_s: 1, duplicate_share: 0.2, conflicting_share: 0.1}"
HEAD = f"seed: 7\nrows_per_s: 200\nrows_per_request: 5\noutcomes: {OUTCOMES}\nrows: "


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    root = tmp_path_factory.mktemp("simulated")
    write_small_package(root / "package", "personality", "model=logistic_regression", n_rows=4_000)
    make_project(root, [root / "package"])
    shutil.copytree(ROOT / "conf", root / "conf")
    with run_server(root) as running_server:
        yield running_server


def run_simulation(run_cli: CliRunner, server: RunningServer, scenario: str, *extra_args: str) -> dict[str, Any]:
    (server.root / "scenario.yaml").write_text(scenario, encoding="utf-8")
    run = run_cli("simulate", "scenario.yaml", "--url", server.address, "--json", *extra_args, cwd=server.root)
    assert run.exit_code == 0, run.err
    simulation: dict[str, Any] = json.loads(run.out)
    return simulation


def run_proposed_command(run_cli: CliRunner, server: RunningServer, command: str) -> dict[str, Any]:
    """Run a command that `mlops simulate` proposed, and return the report."""
    run = run_cli(*command.split()[1:], "--json", cwd=server.root)
    assert run.exit_code == 0, run.err
    report: dict[str, Any] = json.loads(run.out)
    return report


def test_monitor_ranks_the_injected_column_first_and_is_stable_without_drift(
    server: RunningServer, run_cli: CliRunner
) -> None:
    phases = (
        "phases:\n- {name: calm, seconds: 4}\n- {name: drifted, seconds: 4, changes: [{column: number 1, shift: 0.8}]}"
    )
    simulation = run_simulation(run_cli, server, f"{HEAD}{{kind: declared}}\n{phases}\n", "--speed", "4")
    drifted = run_proposed_command(run_cli, server, simulation["next"][0])
    assert drifted["drift"]["n_rows"] == simulation["phases"][1]["n_rows"]["succeeded"] == 800
    assert drifted["drift"]["findings"][0]["column"] == next(iter(columns_config("personality")))
    assert drifted["drift"]["findings"][0]["verdict"] == "drift"
    first = simulation["phases"][0]
    n_s = (datetime.fromisoformat(first["until"]) - datetime.fromisoformat(first["since"])).total_seconds()
    calm = run_proposed_command(run_cli, server, f"mlops monitor report --hours {n_s / 3600} --until {first['until']}")
    assert (calm["drift"]["verdict"], calm["drift"]["n_rows"]) == ("stable", 800)
    assert 0.7 < drifted["performance"]["coverage"] < 0.9
    assert simulation["outcomes"]["sent"] > simulation["outcomes"]["refused"] == 0


def test_invalid_requests_are_counted_separately_and_a_silent_phase_sends_nothing(
    server: RunningServer, run_cli: CliRunner
) -> None:
    phases = (
        "phases:\n- {name: silent, seconds: 1, rows_per_s: 0}\n- {name: broken, seconds: 3, bad_request_share: 0.5}\n"
        "- {name: flipped, seconds: 3, flipped_outcome_share: 1.0}\n"
    )
    simulation = run_simulation(run_cli, server, f"{HEAD}{{kind: declared}}\n{phases}", "--speed", "4")
    silent, broken, _ = (phase["n_rows"] for phase in simulation["phases"])
    assert (silent["sent"], broken["failed"]) == (0, 0)
    assert broken["succeeded"] + broken["refused"] == broken["sent"] == 600
    assert 200 < broken["refused"] < 400
    assert set(simulation["phases"][1]["statuses"]) <= {"200", "400", "422"}
    flipped = run_proposed_command(run_cli, server, simulation["next"][0])
    assert flipped["performance"]["accuracy"] < 0.5


def test_rows_of_the_reference_need_no_data_and_are_stable(server: RunningServer, run_cli: CliRunner) -> None:
    simulation = run_simulation(
        run_cli, server, f"{HEAD}{{kind: reference}}\nphases: [{{name: calm, seconds: 4}}]\n", "--speed", "4"
    )
    report = run_proposed_command(run_cli, server, simulation["next"][0])
    features = [finding for finding in report["drift"]["findings"] if finding["kind"] == "feature"]
    assert {feature["verdict"] for feature in features} == {"stable"}
    assert report["performance"]["coverage"] > 0.7


def test_ctrl_c_ends_it_with_the_totals(server: RunningServer) -> None:
    (server.root / "scenario.yaml").write_text(
        f"{HEAD}{{kind: declared}}\nphases: [{{name: long, seconds: 600}}]\n", encoding="utf-8"
    )
    with subprocess.Popen(
        ["env", "--default-signal=INT", MLOPS, "simulate", "scenario.yaml", "--url", server.address],
        cwd=server.root,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert "Ctrl-C" in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert output.splitlines()[1].startswith("long ")
    assert "next: mlops monitor report" in output


@pytest.mark.usefixtures("starts_processes")
def test_scenario_runs_on_a_schema_without_categories(tmp_path: Path, run_cli: CliRunner) -> None:
    write_small_package(tmp_path / "package", "wine", "model=logistic_regression")
    root = tmp_path / "project"
    root.mkdir()
    values = compose(["data=wine", "monitoring.min_rows=100"], conf=ROOT / "conf").values
    files.write_text(root / "params.yaml", json.dumps(values))
    (root / "dvc.yaml").touch()
    registry = ModelRegistry(root, tracking_uri="http://127.0.0.1:1")
    registry.register_model(str(tmp_path / "package"), "wine_model")
    registry.promote_model("wine_model", 1, "Production", force=True, reason="for a test")
    with run_server(root, "--model", "wine_model") as server:
        shifted = "{name: drifted, seconds: 2, changes: [{column: number 1, shift: 1.0}]}"
        simulation = run_simulation(
            run_cli, server, f"{HEAD}{{kind: declared}}\nphases:\n- {shifted}\n", "--speed", "2"
        )
        report = run_proposed_command(run_cli, server, simulation["next"][0])
        assert report["drift"]["findings"][0]["column"] == next(iter(columns_config("wine")))
        (server.root / "scenario.yaml").write_text(
            f"{HEAD}{{kind: declared}}\nphases:\n- name: a\n  seconds: 1\n"
            "  changes: [{column: words 1, word: word 1, share: 0.5}]\n",
            encoding="utf-8",
        )
        run = run_cli("simulate", "scenario.yaml", "--url", server.address, cwd=root)
        assert (run.exit_code, "wine has 0 categorical features" in run.err) == (3, True)


def columns_config(name: str) -> dict[str, Any]:
    columns: dict[str, Any] = compose([f"data={name}"], conf=ROOT / "conf").values["data"]["columns"]
    return {key: entry for key, entry in columns.items() if entry["dtype"] in ("Int64", "Float64")}
