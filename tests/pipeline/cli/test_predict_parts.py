"""`mlops predict` writes parts to a folder, and says what needs a folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.state import STATE_URL_ENV
from tests.fixtures.registered_project import promote
from tests.pipeline.serving.files.scored_parts import manifest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Mlops = Callable[..., str]


def test_a_folder_of_files_is_scored_in_parts_once(rows_project: Path, run_in_rows: Mlops) -> None:
    words = ("predict", "in", "-o", "out/", "--part-rows", "20")
    report = json.loads(run_in_rows(*words, "--json"))
    assert (report["rows"], report["parts"], report["resumed"]) == (90, 5, 0)
    manifest = manifest_of(rows_project / "out")
    assert "90 rows scored in 5 parts (version 1, committed at" in run_in_rows(*words)
    assert manifest_of(rows_project / "out") == manifest
    run_in_rows("predict", "in/a.parquet", "in/b.parquet", "-o", "again/", "--part-rows", "20")
    assert [part["files"][0]["sha256"] for part in manifest_of(rows_project / "again")["parts"]] == [
        part["files"][0]["sha256"] for part in manifest["parts"]
    ]


def test_an_output_folder_is_an_input(rows_project: Path, run_in_rows: Mlops) -> None:
    run_in_rows("predict", "in", "-o", "out/", "--format", "csv")
    (rows_project / "out/part-000000-00000000.csv").write_text("of an attempt that died\n", encoding="utf-8")
    assert "prediction" in run_in_rows("predict", "out", "-o", "twice/", expect=4)
    assert "00000000" not in run_in_rows("predict", "out", "-o", "thrice/", expect=4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("in/a.parquet", "in/b.parquet", "-o", "out.csv"), "several inputs needs a folder of parts"),
        (("in", "-o", "out.csv"), "the input in needs a folder of parts"),
        (("in/*.parquet", "-o", "out.csv"), r"the input in/*.parquet needs a folder of parts"),
        (("s3://rows/x.csv?X-Amz-Signature=s", "-o", "out.csv"), "s3://...: has credentials"),
        (("in", "-o", "s3://key:s@rows/out.csv"), "s3://...: has credentials"),
        (("s3://rows/in", "-o", "out.csv"), "the input s3://rows/in needs a folder of parts"),
        (("in/a.parquet", "-o", "out.csv", "--workers", "2"), "an option of engines needs a folder of parts"),
        (("in/a.parquet", "-o", "out.csv", "--format", "parquet"), "--format needs a folder of parts"),
        (("in", "-o", "s3://rows/out.parquet"), "the input in needs a folder of parts"),
        (("in", "-o", "in/out/"), "another run would read its own output"),
        (("in", "-o", "out/", "--format", "xlsx"), "--format xlsx: expected parquet or csv"),
    ],
)
def test_what_cannot_be_is_refused_in_words(run_in_rows: Mlops, words: tuple[str, ...], message: str) -> None:
    assert message in run_in_rows("predict", *words, expect=2)


def test_several_workers_log_to_a_server_alone(
    rows_project: Path, run_in_rows: Mlops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(STATE_URL_ENV, raising=False)
    if not (rows_project / "state/state.db").exists():
        return  # this run has its databases on a server
    message = "several workers would write to it; set MLOPS_STATE_URL"
    assert message in run_in_rows("predict", "in", "-o", "out/", "--log", "--workers", "2", expect=2)
    assert message in run_in_rows("parts", "plan", "predict", "in", "-o", "out/", "--log", expect=2)


def test_a_promotion_between_plan_and_run_changes_nothing(rows_project: Path, run_in_rows: Mlops) -> None:
    words = ("in", "-o", "out/", "--part-rows", "20")
    assert "5 parts of 90 rows planned" in run_in_rows("parts", "plan", "predict", *words)
    run_in_rows("parts", "run", "out", "--index", "3")
    promote(rows_project, 2)
    assert json.loads(run_in_rows("predict", *words, "--json"))["resumed"] == 20
    assert manifest_of(rows_project / "out")["settings"]["version"] == 1
    assert "choose another output" in run_in_rows("predict", *words, expect=6)
