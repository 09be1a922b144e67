"""`mlops data` adds a file, declares it and checks others."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.data.bad_lines import EMPTY_FIRST_LINES, MANY_BAD_LINES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

HEADER = "customer_id,joined,plan,visits,churned\n"
BODY = "".join(
    f"C{row:03},2026-01-{row % 28 + 1:02},{'abc'[row % 3]},{row % 40},{'yes' if row % 4 else 'no'}\n"
    for row in range(60)
)


class DataProject:
    """A folder with conf/ and a CSV file, in which `mlops data` runs."""

    def __init__(self, folder: Path, run_cli: CliRunner) -> None:
        self.folder = folder
        self._run_cli = run_cli

    def run(self, *words: str) -> CliRun:
        return self._run_cli("data", *words, cwd=self.folder)

    def declare_customers(self) -> None:
        self.run("add", "customers.csv")
        self.run("init", "customers.csv", "--target", "churned")


@pytest.fixture
def project(tmp_path: Path, run_cli: CliRunner) -> DataProject:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "customers.csv").write_text(HEADER + BODY, encoding="utf-8")
    return DataProject(tmp_path, run_cli)


def test_three_commands_lead_from_a_file_to_a_checked_declaration(project: DataProject) -> None:
    added = project.run("add", "customers.csv")
    assert (added.exit_code, added.out.splitlines()[0]) == (0, "data/external/customers.csv: added")
    declared = project.run("init", "data/external/customers.csv", "--target", "churned")
    assert declared.out.splitlines()[:3] == [
        "conf/data/customers.yaml: 60 rows, classes no, yes",
        "  features: joined, plan, visits",
        "  ids, not features: customer_id",
    ]
    checked = project.run("check", "data/external/customers.csv", "--data", "customers")
    assert (checked.exit_code, checked.out) == (0, "data/external/customers.csv: ok\n")


def test_every_command_prints_json(project: DataProject) -> None:
    (added,) = json.loads(project.run("add", "customers.csv", "--json").out)
    declared = json.loads(project.run("init", "customers.csv", "--target", "churned", "--json").out)
    assert (added["status"], declared["name"], declared["classes"]) == ("added", "customers", ["no", "yes"])


def test_all_problems_of_all_files_are_printed_with_exit_code_4(project: DataProject) -> None:
    project.declare_customers()
    (project.folder / "bad.csv").write_text(
        f"{HEADER}C900,2026-01-01,z,007,yes\nC901,2026-01-01,a,1\n", encoding="utf-8"
    )
    run = project.run("check", "customers.csv", "bad.csv", "--data", "customers")
    assert run.exit_code == 4
    assert [line.partition(" (")[0] for line in run.out.splitlines()] == [
        "customers.csv: ok",
        "bad.csv:2:visits: integer: '007'",
        "bad.csv:3:4: fields: 'C901,2026-01-01,a,1'",
        "bad.csv: invalid",
    ]
    assert run.err == "mlops: 1 of 2 files invalid; expected rows as in data=customers\n"


def test_problems_as_json_have_line_and_column(project: DataProject) -> None:
    project.declare_customers()
    (project.folder / "bad.csv").write_text(f"{HEADER}C900,2026-01-01,a,007,yes\n", encoding="utf-8")
    run = project.run("check", "bad.csv", "--data", "customers", "--json")
    (result,) = json.loads(run.out)
    (problem,) = result["problems"]
    assert (result["ok"], result["is_cut"]) == (False, False)
    assert (problem["line"], problem["column"], problem["rule"], problem["value"]) == (2, "visits", "integer", "'007'")


def test_a_missing_file_does_not_stop_the_check_of_the_others(project: DataProject) -> None:
    project.declare_customers()
    run = project.run("check", "nothing.csv", "customers.csv", "--data", "customers")
    assert (run.exit_code, "customers.csv: ok" in run.out, "nothing.csv: cannot be read" in run.out) == (
        4,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["add", "nothing.csv"], 2, "there is no such file"),
        (["init", "nothing.csv", "--target", "x"], 2, "there is no such file"),
        (["init", "customers.csv", "--target", "churnd", "--name", "other"], 4, "did you mean 'churned'"),
        (["init", "customers.csv", "--target", "visits", "--name", "customers"], 6, "--replace"),
        (["check", "customers.csv", "--data", "custmers"], 3, "customers"),
        (["init", "customers.csv"], 2, "--target"),
        (["check", "rows.parquet"], 4, "1 of 1 file invalid"),
    ],
)
def test_an_error_exits_with_its_code_and_names_the_next_step(
    project: DataProject, words: list[str], code: int, message: str
) -> None:
    project.declare_customers()
    run = project.run(*words)
    assert (run.exit_code, message in run.err) == (code, True)


@pytest.mark.parametrize("content", ["stray quotes", "open quotes", "lone carriage returns"])
def test_more_bad_lines_than_are_listed_are_refused(project: DataProject, content: str) -> None:
    project.declare_customers()
    (project.folder / "bad.csv").write_bytes(MANY_BAD_LINES[content])
    (project.folder / "short.csv").write_text(HEADER + "C1,2026-01-01\n" * 101, encoding="utf-8")
    check = project.run("check", "short.csv", "--data", "customers")
    assert (check.exit_code, check.out.count(": fields: "), "short.csv: invalid" in check.out) == (4, 100, True)
    project.run("add", "bad.csv")
    init = project.run("init", "bad.csv", "--target", "answer")
    assert (init.exit_code, "bad.csv:2:" in init.err, "first 100 problems" in init.err) == (4, True, True)


@pytest.mark.parametrize("content", EMPTY_FIRST_LINES)
def test_an_empty_first_line_is_named_by_check_and_left_out_by_init(project: DataProject, content: str) -> None:
    project.declare_customers()
    (project.folder / "empty.csv").write_bytes(EMPTY_FIRST_LINES[content])
    check = project.run("check", "empty.csv", "--data", "customers")
    assert (check.exit_code, "empty.csv:1:" in check.out) == (4, True)
    project.run("add", "empty.csv")
    init = project.run("init", "empty.csv", "--target", "answer")
    assert init.exit_code in (0, 4)
    assert ("data.source.skip_lines" in init.out) is (init.exit_code == 0), init.out + init.err
