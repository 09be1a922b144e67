"""`mlops data` puts a file in place, declares it and says what is wrong with others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
HEADER = "customer_id,joined,plan,visits,churned\n"
BODY = "".join(
    f"C{row:03},2026-01-{row % 28 + 1:02},{'abc'[row % 3]},{row % 40},{'yes' if row % 4 else 'no'}\n"
    for row in range(60)
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "conf", tmp_path / "conf")
    (tmp_path / "customers.csv").write_text(HEADER + BODY, encoding="utf-8")
    return tmp_path


def mlops(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "mlops"), "data", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def declare_data(project: Path) -> None:
    mlops(project, "add", "customers.csv")
    mlops(project, "init", "customers.csv", "--target", "churned")


def test_three_commands_lead_from_a_file_to_a_checked_declaration(project: Path) -> None:
    added = mlops(project, "add", "customers.csv")
    assert (added.returncode, added.stdout.splitlines()[0]) == (0, "data/external/customers.csv: added")
    made = mlops(project, "init", "data/external/customers.csv", "--target", "churned")
    assert made.stdout.splitlines()[:3] == [
        "conf/data/customers.yaml: 60 rows, classes no, yes",
        "  features: plan, visits",
        "  ids, set aside: customer_id",
    ]
    checked = mlops(project, "check", "data/external/customers.csv", "--data", "customers")
    assert (checked.returncode, checked.stdout) == (0, "data/external/customers.csv: ok\n")


def test_every_step_speaks_json(project: Path) -> None:
    added = json.loads(mlops(project, "add", "customers.csv", "--json").stdout)
    made = json.loads(mlops(project, "init", "customers.csv", "--target", "churned", "--json").stdout)
    assert (added["done"], made["name"], made["classes"]) == ("added", "customers", ["no", "yes"])


def test_all_problems_of_all_files_are_told_with_exit_code_4(project: Path) -> None:
    declare_data(project)
    (project / "bad.csv").write_text(f"{HEADER}C900,2026-01-01,z,007,yes\nC901,2026-01-01,a,1\n", encoding="utf-8")
    done = mlops(project, "check", "customers.csv", "bad.csv", "--data", "customers")
    assert done.returncode == 4
    assert [line.partition(" (")[0] for line in done.stdout.splitlines()] == [
        "customers.csv: ok",
        "bad.csv:2:visits: integer: '007'",
        "bad.csv:2:plan: isin: 'z'",
        "bad.csv:3:4: fields: 'C901,2026-01-01,a,1'",
        "bad.csv: refused",
    ]
    assert done.stderr == "mlops: 1 of 2 file(s) are not as data=customers declares\n"


def test_problems_as_json_have_their_place(project: Path) -> None:
    declare_data(project)
    (project / "bad.csv").write_text(f"{HEADER}C900,2026-01-01,a,007,yes\n", encoding="utf-8")
    done = mlops(project, "check", "bad.csv", "--data", "customers", "--json")
    (result,) = json.loads(done.stdout)
    (problem,) = result["problems"]
    assert (result["ok"], result["is_cut"]) == (False, False)
    assert (problem["line"], problem["column"], problem["rule"], problem["value"]) == (2, "visits", "integer", "'007'")


def test_a_file_that_is_missing_does_not_keep_the_others_from_being_checked(project: Path) -> None:
    declare_data(project)
    done = mlops(project, "check", "nothing.csv", "customers.csv", "--data", "customers")
    assert (done.returncode, "customers.csv: ok" in done.stdout, "nothing.csv: cannot be read" in done.stdout) == (
        4,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["add", "nothing.csv"], 2, "there is no such file"),
        (["init", "nothing.csv", "--target", "x"], 4, "mlops data add"),
        (["init", "customers.csv", "--target", "churnd", "--name", "other"], 4, "did you mean 'churned'"),
        (["init", "customers.csv", "--target", "visits", "--name", "customers"], 6, "--replace"),
        (["check", "customers.csv", "--data", "custmers"], 3, "customers"),
        (["init", "customers.csv"], 2, "--target"),
        (["check", "rows.parquet"], 2, "has no lines"),
    ],
)
def test_what_cannot_be_done_ends_with_its_code_and_the_next_step(
    project: Path, words: list[str], code: int, said: str
) -> None:
    declare_data(project)
    done = mlops(project, *words)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False)
