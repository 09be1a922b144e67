from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline import files
from pipeline.errors import DataError
from pipeline.schema import Column, Schema
from pipeline.validation import ValidationReport, select_training_rows, validate_rows
from pipeline.validation.validation_html import validation_report_html
from tests.fixtures.private_columns import PRIVATE_POLICIES, people, people_schema
from tests.fixtures.toy_dataset import ROOT, settings
from tests.fixtures.value_search import ValueSearch

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config.groups.validation_config import ValidationConfig

REAL = ROOT.parent / "shared/data"
needs_real_rows = pytest.mark.skipif(not REAL.is_dir(), reason="the real data files are not beside this checkout")
PERSONALITY = Schema.from_config(settings().data)


def validation_config(**keys: Any) -> ValidationConfig:
    return settings().validation.model_copy(update=keys)


def read_real_rows(name: str) -> pd.DataFrame:
    return pd.read_csv(REAL / f"{name}.csv")


def make_rows(n: int = 400) -> pd.DataFrame:
    """Return rows by the shipped declaration, all different, with two classes in turn."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({column.name: rng.integers(0, 7, n) for column in PERSONALITY.columns if column.is_numeric})
    for column in PERSONALITY.columns:
        if column.categories:
            frame[column.name] = rng.choice(column.categories, n)
    frame[PERSONALITY.target.column] = np.array(PERSONALITY.target.classes)[np.arange(n) % 2]
    return frame


def notable_levels(report: ValidationReport) -> dict[tuple[str, str | None], str]:
    return {(finding.rule, finding.column): finding.level for finding in report.notable_findings()}


@needs_real_rows
def test_the_real_competition_rows_pass_with_warnings_about_missing_values_only() -> None:
    report = validate_rows(read_real_rows("s5e7_train"), PERSONALITY, validation_config())
    assert not report.blocks_training
    assert {rule for rule, _ in notable_levels(report)} == {"missing", "missing_rows"}
    assert (report.n_duplicates, report.undeclared_columns) == (0, ("id",))
    assert report.as_dict()["missing_data"]["incomplete_rows"]["rows"] == 8335


@needs_real_rows
def test_the_original_rows_pass_with_a_warning_about_388_duplicates() -> None:
    report = validate_rows(read_real_rows("personality_2900"), PERSONALITY, validation_config())
    assert notable_levels(report) == {("duplicates", None): "warning"}
    assert report.as_dict()["duplicates"] == {"rows": 388, "share": 0.133793}


@needs_real_rows
def test_match_with_the_original_rows_is_leakage() -> None:
    """The competition's best-known leak: 126 of 18,524 rows equal an original row, always of the other class."""
    features = list(PERSONALITY.feature_names)
    original = read_real_rows("personality_2900").drop_duplicates(features)
    frame = read_real_rows("s5e7_train").merge(
        original.rename(columns={PERSONALITY.target.column: "match_p"}), on=features, how="left"
    )
    words = PERSONALITY.target.classes
    column = Column("match_p", "category", "category", nullable=True, categories=words, checks={"isin": list(words)})
    report = validate_rows(frame, replace(PERSONALITY, columns=(*PERSONALITY.columns, column)), validation_config())
    assert notable_levels(report)["leakage", "match_p"] == "error"


@needs_real_rows
def test_the_original_rows_have_drifted_from_the_competition_s_in_every_column() -> None:
    report = validate_rows(
        read_real_rows("personality_2900"), PERSONALITY, validation_config(), reference=read_real_rows("s5e7_train")
    )
    assert [result.column for result in report.drift if result.has_drifted] == [
        *PERSONALITY.feature_names,
        "Personality",
    ]


def test_an_integer_column_with_missing_values_is_read_from_frame_and_file(tmp_path: Path) -> None:
    frame = make_rows().assign(Time_spent_Alone=lambda f: f["Time_spent_Alone"].astype(float).mask(f.index < 9))
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    for source in (frame, path, frame.convert_dtypes()):
        report = validate_rows(source, PERSONALITY, validation_config())
        (profile,) = (profile for profile in report.profiles if profile.column == "Time_spent_Alone")
        assert (profile.kind, profile.n_missing, report.skipped_checks) == ("integer", 9, ())


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("x", "integer is declared"),
        (1.5, "some numbers are not whole"),
        (float("inf"), "some numbers are not whole"),
    ],
)
def test_unreadable_column_does_not_hide_other_findings(values: Any, reason: str, tmp_path: Path) -> None:
    frame = make_rows().assign(Time_spent_Alone=values)
    frame.loc[0, "Going_outside"] = 99
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    for source in (frame, path):
        report = validate_rows(source, PERSONALITY, validation_config())
        (left_out,) = report.skipped_checks
        assert (left_out.column, reason in left_out.reason) == ("Time_spent_Alone", True)
        assert notable_levels(report)["schema", "Time_spent_Alone"] == "critical"
        assert notable_levels(report)["schema", "Going_outside"] == "error"


def test_absent_column_is_reported_as_missing_from_the_rows() -> None:
    (left_out,) = validate_rows(make_rows().drop(columns="Stage_fear"), PERSONALITY, validation_config()).skipped_checks
    assert (left_out.column, left_out.reason) == ("Stage_fear", "is missing")


@pytest.mark.parametrize(
    ("n_failed", "level"), [(1, "error"), (40, "error"), (41, "critical")], ids=["one", "a tenth", "over a tenth"]
)
def test_the_level_follows_the_share_of_failing_rows(n_failed: int, level: str) -> None:
    frame = make_rows()
    frame.loc[: n_failed - 1, "Going_outside"] = 99
    report = validate_rows(frame, PERSONALITY, validation_config())
    (finding,) = (finding for finding in report.findings if finding.rule == "schema")
    assert (finding.level, finding.share, finding.check) == (level, n_failed / 400, "in_range")
    assert report.blocks_training


def test_pandera_and_arrow_give_the_same_report() -> None:
    frame = make_rows()
    frame.loc[3:7, "Going_outside"] = 99
    frame.loc[5:9, "Stage_fear"] = "perhaps"
    by_pandera, by_arrow = (
        validate_rows(frame, PERSONALITY, validation_config(pandera_max_rows=n)) for n in (1_000, 1)
    )
    assert by_pandera.as_dict() == by_arrow.as_dict()


def test_failing_rows_are_quarantined_with_their_reasons() -> None:
    frame = make_rows()
    frame.loc[3, "Going_outside"] = 99
    frame.loc[3, "Stage_fear"] = "perhaps"
    frame.loc[8, "Personality"] = None
    rows = select_training_rows(frame, PERSONALITY, validation_config(quarantine=True))
    report, valid, aside = rows.report, rows.valid, rows.quarantined
    assert (report.blocks_training, report.n_quarantined, len(valid)) == (False, 2, 398)
    assert aside["row"].tolist() == [3, 8]
    assert aside["reason"].tolist() == [
        "Going_outside: in_range: '99'; Stage_fear: isin: 'perhaps'",
        "Personality: missing: missing",
    ]
    assert validate_rows(valid, PERSONALITY, validation_config()).level in ("ok", "warning")


def test_quarantine_does_not_hide_that_most_rows_fail() -> None:
    frame = make_rows()
    frame.loc[:99, "Going_outside"] = 99
    rows = select_training_rows(frame, PERSONALITY, validation_config(quarantine=True))
    report = rows.report
    assert (report.blocks_training, report.n_quarantined) == (True, 0)
    assert (len(rows.valid), len(rows.quarantined)) == (400, 0)


def test_rows_without_a_class_are_set_aside_where_the_target_declares_it() -> None:
    frame = make_rows()
    frame.loc[2, "Going_outside"] = 99
    frame.loc[[0, 8], "Personality"] = [None, "Ambivert"]
    target = replace(PERSONALITY.target, unlabeled="set_aside")
    schema = replace(PERSONALITY, target=target)
    rows = select_training_rows(frame, schema, validation_config(quarantine=True))
    assert (rows.report.n_rows, rows.report.n_unlabeled, len(rows.valid)) == (398, 2, 397)
    assert rows.report.as_dict()["unlabeled"] == 2
    assert rows.quarantined[["row", "reason"]].to_numpy().tolist() == [
        [0, "Personality: no label"],
        [2, "Going_outside: in_range: '99'"],
        [8, "Personality: no class 'Ambivert'"],
    ]


@pytest.mark.parametrize("name", ["row", "reason"])
def test_a_column_of_the_rows_keeps_its_name_among_quarantined_rows(name) -> None:
    frame = make_rows().assign(**{name: "own"})
    frame.loc[[3, 8], "Personality"] = ["Ambivert", None]
    frame.loc[5, "Going_outside"] = 99
    schema = replace(PERSONALITY, target=replace(PERSONALITY.target, unlabeled="set_aside"))
    quarantined = select_training_rows(frame, schema, validation_config(quarantine=True)).quarantined
    assert quarantined[name].tolist() == ["own"] * 3
    row = "row_" if name == "row" else "row"
    assert quarantined[row].tolist() == [3, 5, 8]


def test_rows_without_any_class_are_refused() -> None:
    target = replace(PERSONALITY.target, unlabeled="set_aside")
    frame = make_rows().assign(Personality=None)
    with pytest.raises(DataError, match=r"no row has one of the classes Extrovert, Introvert in Personality"):
        select_training_rows(frame, replace(PERSONALITY, target=target), validation_config())


def test_empty_dataset_is_refused() -> None:
    with pytest.raises(DataError, match="rows: has no rows"):
        validate_rows(make_rows().head(0), PERSONALITY, validation_config(), name="rows")


def test_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    files.write_text(tmp_path / "rows.parquet", "a,b\n")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        validate_rows(tmp_path / "rows.parquet", PERSONALITY, validation_config())


@pytest.mark.parametrize("store", PRIVATE_POLICIES)
@pytest.mark.parametrize("pandera_max_rows", [0, 1_000])
def test_a_report_shows_no_single_persons_value_of_a_private_column(store: Any, pandera_max_rows: int) -> None:
    frame, schema = people(), people_schema(store)
    checks: dict[str, dict[str, Any]] = {"amount": {"le": 3_000}, "number": {"ge": 50_000_000}, "note": {"isin": ["a"]}}
    columns = tuple(replace(column, checks=checks.get(column.name, {})) for column in schema.columns)
    report = validate_rows(
        frame, replace(schema, columns=columns), validation_config(pandera_max_rows=pandera_max_rows)
    )
    shown = json.dumps(report.as_dict()) + validation_report_html(report) + report.as_text()
    assert ValueSearch(frame, round_from=8e9).in_bytes(shown.encode()) == set()
    (of_note,) = [finding.as_dict() for finding in report.findings if finding.check == "isin"]
    assert [example["value"] for example in of_note["examples"]] == [f"not shown (store: {store})"] * 194
