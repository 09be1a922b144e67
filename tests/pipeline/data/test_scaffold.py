import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.config.composition import compose
from pipeline.config.config_loader import build_config
from pipeline.config.groups.data_config import DataConfig
from pipeline.data.drafted_problem import DraftedProblem
from pipeline.data.file_import import import_file
from pipeline.data.scaffold import draft_problem, write_draft
from pipeline.data.sources import fetch_rows
from pipeline.errors import ConfigError, Conflict, DataError, UsageError
from tests.fixtures.toy_dataset import ROOT

N = 120


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "conf", tmp_path / "project/conf")
    return tmp_path / "project"


def declare(file: Path, *, target: str, root: Path, **options: Any) -> DraftedProblem:
    draft = draft_problem([file], target=target, root=root, **options)
    write_draft(draft, root=root)
    return draft


def make_people() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{number:05}" for number in range(N)],
            "joined": pd.date_range("2025-01-01", periods=N).strftime("%Y-%m-%d"),
            "visits": chance.integers(0, 40, N).astype(float),
            "spent (EUR)": chance.normal(400, 90, N).round(2),
            "plan": chance.choice(["basic", "no", "2"], N),
            "Active now": chance.choice(["Yes", "No"], N),
            "postcode": [f"{number:05}" for number in chance.integers(0, 9999, N)],
            "is_new": chance.choice(["true", "false"], N),
            "remark": [f'words, "quoted" {number}' for number in range(N)],
            "churned": chance.choice(["on", "off"], N),
        }
    )
    frame.loc[::7, ["visits", "plan"]] = None
    return frame


def load_data_config(root: Path, name: str) -> DataConfig:
    return build_config(compose([f"data={name}"], conf=root / "conf").values, where="conf").data


def write_and_import(root: Path, tmp_path: Path, frame: pd.DataFrame, file: str = "people.csv", **kinds: str) -> Path:
    path = tmp_path / file
    if file.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, **kinds)  # type: ignore[call-overload]
    import_file(path, root=root, replace=True)
    return path


@pytest.mark.parametrize(
    ("file", "kinds"), [("people.csv", {}), ("people.csv", {"sep": ";", "na_rep": "NA"}), ("people.parquet", {})]
)
def test_scaffolded_config_composes_and_reads_its_file(
    root: Path, tmp_path: Path, file: str, kinds: dict[str, str]
) -> None:
    frame = make_people().assign(joined=pd.date_range("2025-01-01", periods=N)) if "parquet" in file else make_people()
    declared = declare(write_and_import(root, tmp_path, frame, file, **kinds), target="churned", root=root)
    config = load_data_config(root, "people")
    rows = fetch_rows(config, root=root).frame
    assert (declared.path, len(rows)) == ("conf/data/people.yaml", N)
    assert (declared.names("id"), declared.names("ignore")) == (("customer_id",), ())
    assert declared.names("feature") == tuple(frame.columns[1:-1])
    assert rows["visits"].isna().sum() == frame["visits"].isna().sum()
    assert config.columns["visits"].dtype == "Int64"
    assert config.columns["plan"].checks == {"isin": ["2", "basic", "no"]}
    assert (config.columns["customer_id"].unique, config.columns["plan"].nullable) == (True, True)
    assert config.target.classes == ("off", "on")


def test_scaffolded_file_is_readable(root: Path, tmp_path: Path) -> None:
    declare(write_and_import(root, tmp_path, make_people()), target="churned", root=root)
    text = (root / "conf/data/people.yaml").read_text()
    assert text.startswith("# Which churned does a row of data/external/people.csv have?\n")
    assert (
        '  plan: {dtype: category, nullable: true, checks: {isin: ["2", basic, "no"]}, unseen: other, example:' in text
    )
    assert "column: joined}" in text.splitlines()[-1]
    assert len(text.splitlines()) <= 60


def test_existing_config_is_not_overwritten_without_replace(root: Path, tmp_path: Path) -> None:
    file = write_and_import(root, tmp_path, make_people())
    declare(file, target="churned", root=root)
    with pytest.raises(Conflict, match="--replace"):
        declare(file, target="churned", root=root)
    assert declare(file, target="plan", root=root, replace=True).target.classes == ("2", "basic", "no")


def test_config_name_defaults_to_the_file_name(root: Path, tmp_path: Path) -> None:
    file = write_and_import(root, tmp_path, make_people(), "My people (2).csv")
    assert declare(file, target="churned", root=root).name == "my_people_2"
    assert declare(file, target="churned", root=root, name="churn").path == "conf/data/churn.yaml"
    with pytest.raises(UsageError, match="starts with a letter"):
        declare(file, target="churned", root=root, name="2b")


def test_a_malformed_file_is_refused_with_its_places(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,4\n1,2,3\n")
    import_file(path, root=root)
    with pytest.raises(DataError, match=r"rows\.csv:4:3: fields: "):
        declare(path, target="b", root=root)


def test_names_invalid_in_settings_are_refused_and_no_file_is_written(root: Path, tmp_path: Path) -> None:
    file = write_and_import(root, tmp_path, make_people().rename(columns={"plan": "${oc.env:HOME}"}))
    with pytest.raises(ConfigError, match="rename it in the file"):
        declare(file, target="churned", root=root)
    assert not (root / "conf/data/people.yaml").exists()


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=10).filter(
    lambda name: name.strip() == name and name.isprintable() and "${" not in name
)


@pytest.mark.usefixtures("heavy_computation")
@hypothesis_settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(NAMES, min_size=2, max_size=5, unique=True), st.lists(NAMES, min_size=2, max_size=4, unique=True))
def test_any_column_names_and_categories_give_a_config_that_reads_its_file(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "conf", folder / "conf")
    columns = {name: [texts[(row * (i + 1)) % len(texts)] for row in range(30)] for i, name in enumerate(names[:-1])}
    frame = pd.DataFrame({"number": range(0, 60, 2), **columns, names[-1]: [texts[row % 2] for row in range(30)]})
    file = write_and_import(folder, folder, frame.loc[:, ~frame.columns.duplicated()], "rows.csv")
    try:
        declare(file, target=names[-1], root=folder)
    except DataError:
        return
    assert len(fetch_rows(load_data_config(folder, "rows"), root=folder).frame) == 30


def test_a_day_of_a_leap_year_survives(root: Path, tmp_path: Path) -> None:
    frame = make_people().assign(joined="2024-02-29")
    frame.loc[0, "joined"] = "2024-03-01"
    declare(write_and_import(root, tmp_path, frame), target="churned", root=root)
    joined = fetch_rows(load_data_config(root, "people"), root=root).frame["joined"]
    assert joined.max() == dt.datetime(2024, 3, 1)  # noqa: DTZ001 - rows have no zone


def test_rows_without_a_class_are_declared(root: Path, tmp_path: Path) -> None:
    frame = make_people()
    frame.loc[:4, "churned"] = None
    frame.loc[5, "churned"] = "paused"
    declare(write_and_import(root, tmp_path, frame), target="churned", root=root)
    assert "  unlabeled: set_aside    # rows: 5 without a label, 1 of labels with too few rows\n" in (
        root / "conf/data/people.yaml"
    ).read_text(encoding="utf-8")
    target = load_data_config(root, "people").target
    assert (target.classes, target.unlabeled) == (("off", "on"), "set_aside")


def test_a_file_without_a_feature_is_refused_with_the_reason_of_each_column(root: Path, tmp_path: Path) -> None:
    frame = make_people()[["customer_id", "churned"]].assign(always="x")
    with pytest.raises(DataError, match=r"no column besides churned is a feature \(customer_id: .*; always: has a "):
        declare(write_and_import(root, tmp_path, frame), target="churned", root=root)
