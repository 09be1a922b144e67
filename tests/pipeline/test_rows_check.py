"""`mlops data check` refuses the rows that the graph refuses, in its words, and names what helps."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipeline import files
from pipeline.config.config_loader import build_config
from pipeline.errors import DataError
from pipeline.project import paths
from pipeline.rows_check import check_file, check_rows
from stages import split, train, validate
from tests.fixtures.composed_config import composed
from tests.stages.split_project import call_as_dvc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.config.root_config import Config

N_ROWS = 240
DATA: dict[str, Any] = {
    "name": "visits",
    "source": {"kind": "csv", "path": "data/external/visits.csv"},
    "profile": None,
    "target": {"column": "bought", "classes": ["no", "yes"], "positive": "yes"},
    "columns": {
        "visits": {"dtype": "Int64", "checks": {"in_range": {"min_value": 0, "max_value": 99}}},
        "spent": {"dtype": "Float64", "nullable": True},
        "plan": {"dtype": "category", "nullable": True, "checks": {"isin": ["a", "b"]}},
    },
    "split": {"kind": "stratified", "test_share": 0.2},
}


# Levels that refuse what the default only warns of.
STRICT = {
    "missing": {"warning": 0.05, "error": 0.5, "critical": 0.9},
    "missing_rows": {"warning": 0.3, "error": 0.9, "critical": None},
    "duplicates": {"warning": 0.0, "error": 0.5, "critical": None},
    "class_balance": {"warning": 0.8, "error": 0.95, "critical": 0.99},
}


def config(**changes: Any) -> Config:
    """Return the settings of the problem with strict levels, and values by dotted path."""
    values = deepcopy(composed("model=logistic_regression").values)
    values["data"] = deepcopy(DATA)
    values["validation"]["rules"] |= deepcopy(STRICT)
    for path, value in changes.items():
        *keys, last = path.split(".")
        section: Any = values
        for key in keys:
            section = section[key]
        section[last] = value
    return build_config(values, where="conf")


def sound_rows() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    bought = generator.random(N_ROWS) < 0.4
    return pd.DataFrame(
        {
            "visits": pd.array(generator.integers(0, 99, N_ROWS), dtype="Int64"),
            "spent": pd.array((generator.random(N_ROWS) * 100).round(2), dtype="Float64"),
            "plan": pd.array(np.where(generator.random(N_ROWS) < 0.5, "a", "b"), dtype="string"),
            "bought": pd.array(np.where(bought, "yes", "no"), dtype="string"),
        }
    )


def missing(column: str, share: float) -> pd.DataFrame:
    frame = sound_rows()
    frame.loc[: round(N_ROWS * share) - 1, column] = None
    return frame


def beyond_range(n: int) -> pd.DataFrame:
    frame = sound_rows()
    frame.loc[: n - 1, "visits"] = 100
    return frame


def with_yes(n: int) -> pd.DataFrame:
    return sound_rows().assign(bought=pd.array(["yes"] * n + ["no"] * (N_ROWS - n), dtype="string"))


def equal_rows() -> pd.DataFrame:
    frame = sound_rows()
    return pd.concat([frame.head(80)] * 3, ignore_index=True)


def copied_target() -> pd.DataFrame:
    frame = sound_rows()
    return frame.assign(plan=frame["bought"].map({"yes": "a", "no": "b"}).astype("string"))


REFUSED: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "half missing": (
        lambda: missing("spent", 0.6),
        "error: missing of spent: 144 of 240 values are missing; in conf/data/visits.yaml",
    ),
    "nearly all missing": (lambda: missing("spent", 0.95), "critical: missing of spent"),
    "most rows incomplete": (lambda: missing("plan", 0.92), "critical: missing of plan"),
    "few rows beyond a bound": (lambda: beyond_range(5), "error: schema of visits: 5 of 240 rows break `in_range`"),
    "many rows beyond a bound": (lambda: beyond_range(60), "critical: schema of visits: 60 of 240 rows break"),
    "one class rare": (lambda: with_yes(10), "error: class_balance of bought: the most frequent class, no, has 230"),
    "copies": (equal_rows, "error: duplicates: 160 of 240 rows repeat an earlier row; remove the copies"),
    "a copy of the target": (copied_target, "error: leakage of plan"),
    "few rows without a class": (lambda: missing("bought", 0.05), "error: schema of bought: 12 of 240 rows break"),
    "most rows without a class": (lambda: missing("bought", 0.63), "set target to `unlabeled: set_aside`"),
}


def run_graph(frame: pd.DataFrame, settings: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stages validate, split and train on `frame` in the current folder, as DVC does."""
    files.write_text(paths.PARAMS, json.dumps(settings.model_dump(mode="json")))
    files.write_json(paths.SOURCE_FINGERPRINT, {"kind": "csv"})
    files.write_parquet(paths.RAW_ROWS, frame)
    for name, stage in (("validate", validate.main), ("split", split.main), ("train", train.main)):
        call_as_dvc(monkeypatch, name)
        stage()


def test_sound_rows_are_accepted() -> None:
    assert check_rows(sound_rows(), config()) == ()


@pytest.mark.parametrize("case", REFUSED)
def test_rows_that_the_graph_refuses_are_refused_before_in_its_words(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = REFUSED[case][0]()
    refusals = check_rows(frame, config())
    with pytest.raises(SystemExit):
        run_graph(frame, config(), monkeypatch)
    assert REFUSED[case][1] in "\n".join(refusals)
    assert "\n".join(refusals) in capsys.readouterr().err


@pytest.mark.parametrize("case", REFUSED)
def test_the_settings_that_a_refusal_names_make_the_rows_accepted(case: str) -> None:
    frame = REFUSED[case][0]()
    refusals = "\n".join(check_rows(frame, config()))
    named = dict(re.findall(r"(validation\.[\w.]+)=(\w+)", refusals))
    changes: dict[str, Any] = {path: {"null": None, "true": True}[value] for path, value in named.items()}
    keys = re.findall(r"set ([\w.]+) to `(\w+): (\w+)`", refusals)
    changes |= {f"data.{path}.{key}": value for path, key, value in keys}
    assert changes
    assert check_rows(frame, config(**changes)) == ()


@pytest.mark.parametrize("key", ["role: ignore", "leakage: accept"])
def test_each_line_that_a_refused_leak_names_is_accepted(key: str) -> None:
    (refusal,) = check_rows(copied_target(), config())
    assert f"`{key}`" in refusal
    name, value = key.split(": ")
    assert check_rows(copied_target(), config(**{f"data.columns.plan.{name}": value})) == ()


@pytest.mark.parametrize(
    "rows", ["half missing", "nearly all missing", "most rows incomplete", "one class rare", "copies"]
)
def test_the_default_levels_refuse_no_rows_that_give_a_model(rows: str) -> None:
    default_rules = composed().values["validation"]["rules"]  # noqa: PD011 - a composition, no frame
    levels = {f"validation.rules.{rule}": default_rules[rule] for rule in STRICT}
    assert check_rows(REFUSED[rows][0](), config(**levels)) == ()


@pytest.mark.parametrize(
    ("n_yes", "words"), [(1, "split: classes with fewer than 2 rows"), (4, "bought: yes has 3 rows in the train part")]
)
def test_a_class_with_too_few_rows_is_refused_in_the_words_of_its_stage(
    n_yes: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    levels = {"warning": None, "error": None, "critical": None}
    settings = config(**{"validation.rules.class_balance": levels, "training.folds": 5})
    (refusal,) = check_rows(with_yes(n_yes), settings)
    assert refusal.startswith(words)
    with pytest.raises(SystemExit):
        run_graph(with_yes(n_yes), settings, monkeypatch)
    assert refusal in capsys.readouterr().err


def test_rows_that_are_quarantined_are_problems_of_an_accepted_file(tmp_path: Path) -> None:
    beyond_range(5).to_csv(tmp_path / "rows.csv", index=False)
    checked = check_file(tmp_path / "rows.csv", config(**{"validation.quarantine": True}))
    assert (len(checked.problems), checked.refusals, checked.is_accepted) == (5, (), True)


def test_a_file_with_a_bad_line_is_not_checked_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("visits,spent,plan,bought\n007,1,a,yes\n", encoding="utf-8")
    checked = check_file(tmp_path / "rows.csv", config())
    assert ([problem.rule for problem in checked.problems], checked.refusals) == (["integer"], ())
    assert not checked.is_accepted


def test_a_file_without_the_target_is_checked_row_by_row(tmp_path: Path) -> None:
    missing("spent", 0.95).drop(columns="bought").to_csv(tmp_path / "rows.csv", index=False)
    assert check_file(tmp_path / "rows.csv", config(), with_target=False).is_accepted


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv: cannot be read"):
        check_file(tmp_path / "nothing.csv", config())


@pytest.mark.parametrize("case", ["half missing", "few rows beyond a bound", "one class rare"])
def test_a_parquet_file_is_refused_in_the_same_words(case: str, tmp_path: Path) -> None:
    frame = REFUSED[case][0]()
    files.write_parquet(tmp_path / "rows.parquet", frame)
    checked = check_file(tmp_path / "rows.parquet", config())
    assert (checked.refusals, checked.is_accepted) == (check_rows(frame, config()), False)


def test_a_sound_parquet_file_is_accepted(tmp_path: Path) -> None:
    files.write_parquet(tmp_path / "rows.parquet", sound_rows())
    assert check_file(tmp_path / "rows.parquet", config()).is_accepted


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("has_target", [True, False])
def test_words_that_an_open_column_does_not_list_are_a_warning_with_examples(
    suffix: str, has_target: bool, tmp_path: Path
) -> None:
    frame = sound_rows()
    frame.loc[:2, "plan"] = ["gold", "gold", "platinum"]
    frame = frame if has_target else frame.drop(columns="bought")
    path = tmp_path / f"rows{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else files.write_parquet(path, frame)
    opened = config(**{"data.columns.plan.unseen": "other"})
    checked = check_file(path, opened, with_target=has_target)
    message = 'have a word that checks.isin does not list; it is encoded as other: "gold" (2), "platinum" (1)'
    assert checked.warnings == (f"warning: unseen of plan: 3 of 240 rows {message}",)
    assert (checked.problems, checked.refusals, checked.is_accepted) == ((), (), True)
    assert not check_file(path, config(), with_target=has_target).is_accepted
