"""A file of the user's own, with an id, a date, gaps and text, runs the whole graph and a queued experiment."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace


ROWS = 300


def customers(*, visits: int = 0) -> str:
    lines = ["customer_id,joined,plan,visits,spent (EUR),Active now,remark,churned"]
    for row in range(ROWS):
        spent = "NA" if row % 9 == 0 else f"{row * 37 % 500 + 0.5}"
        gone = "yes" if row * 7 % 10 < 3 + 4 * (row % 3 == 0) else "no"
        remark = f'"well, {row} ""times"""'
        seen = visits + row * 13 % 40
        lines.append(
            f"C{row:05},2025-{row % 12 + 1:02}-{row % 28 + 1:02},{'abc'[row % 3]},{seen},{spent},Yes,{remark},{gone}"
        )
    return "\n".join(lines).replace(",Yes,", ",No,", ROWS // 2) + "\n"


@pytest.fixture
def own_data(small: Workspace) -> Workspace:
    (small.root / "customers.csv").write_text(customers(), encoding="utf-8")
    small.run("mlops", "data", "add", "customers.csv")
    small.run("mlops", "data", "init", "customers.csv", "--target", "churned")
    small.run("git", "add", "data/external", "conf/data")
    small.run("git", "commit", "-q", "-m", "Rows of our own")
    return small


def test_the_whole_graph_runs_on_them_and_learns(own_data: Workspace) -> None:
    own_data.run("dvc", "exp", "run", "-S", "data=customers", "-S", "model=logistic_regression")
    metrics = json.loads((own_data.root / "metrics/test.json").read_text(encoding="utf-8"))
    source = json.loads((own_data.root / "data/source.json").read_text(encoding="utf-8"))
    assert (list(source["files"]), source["rows"]) == (["data/external/customers.csv"], ROWS)
    assert 0 < metrics["log_loss"] < 0.8
    own_data.edit("conf/config.yaml", "- data: personality", "- data: customers")
    own_data.edit("conf/config.yaml", "- model: hist_gradient_boosting", "- model: logistic_regression")
    own_data.run("dvc", "repro")
    assert "customers_model" not in own_data.run("mlops", "models", "list").stdout
    registered = own_data.run("mlops", "models", "register", expect=5)
    listed = own_data.run("mlops", "models", "list", "--model", "customers_model").stdout
    assert re.search(r"^customers_model +1 +1\.0\.0 ", listed, re.MULTILINE), registered.stdout + registered.stderr


def test_a_queued_experiment_finds_them_in_its_own_folder(own_data: Workspace) -> None:
    own_data.run("dvc", "exp", "run", "--temp", "-S", "data=customers", "ingest")


def test_a_changed_file_is_ingested_again_and_an_unchanged_one_is_not(own_data: Workspace) -> None:
    own_data.edit("conf/config.yaml", "- data: personality", "- data: customers")
    assert "ingest" in stages(own_data)
    assert "ingest" not in stages(own_data)
    (own_data.root / "customers.csv").write_text(customers(visits=-1), encoding="utf-8")
    own_data.run("mlops", "data", "add", "customers.csv", "--replace")
    assert "ingest" in stages(own_data)


def stages(project: Workspace) -> str:
    return "".join(line for line in project.run("dvc", "repro", "ingest").stdout.splitlines(True) if "Running" in line)
