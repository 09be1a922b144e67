from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.config.groups.engine_config import LocalEngineConfig
from pipeline.engines import open_engine
from pipeline.errors import DataError
from pipeline.part_validation import ValidationJob, plan_validation
from pipeline.part_validation.checked_part import CheckSettings, open_part_rows
from pipeline.parts import run_part
from pipeline.storage import StoragePath
from tests.pipeline.part_validation.checked_files import declare

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.parts import PartPlan

COLUMNS = {"whole": {"dtype": "Int64"}}


def plan_rows(path: Path, *, unlabeled: str, address: StoragePath | None = None) -> PartPlan:
    frame = pd.DataFrame({"whole": range(6), "outcome": ["no", None, "yes", "other", "no", "yes"]})
    frame.to_parquet(path, row_group_size=2)
    source = StoragePath.parse(path) if address is None else address
    if address is not None:
        address.write_bytes(path.read_bytes())
    with open_engine(LocalEngineConfig(kind="local", workers=1, retries=0, part_rows=2)) as engine:
        config = declare(columns=COLUMNS, unlabeled=unlabeled)
        return plan_validation([source], config, engine, part_rows=2)


@pytest.mark.parametrize(
    ("unlabeled", "first_rows", "n_total"), [("refuse", [0, 2, 4], 6), ("set_aside", [0, 1, 2], 4)]
)
def test_rows_are_numbered_without_those_that_are_set_aside(
    unlabeled: str, first_rows: list[int], n_total: int, tmp_path: Path
) -> None:
    plan = plan_rows(tmp_path / "rows.parquet", unlabeled=unlabeled)
    settings = CheckSettings.from_plan(plan)
    assert [settings.first_row(part) for part in plan.parts] == first_rows
    assert settings.n_total(plan) == n_total


def test_a_file_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    plan = plan_rows(path, unlabeled="refuse")
    pd.DataFrame({"whole": range(600), "outcome": "no"}).to_parquet(path)
    with pytest.raises(DataError, match=r"rows\.parquet: changed since the job was planned"):
        run_part(ValidationJob(), plan, StoragePath.parse(tmp_path / "out"), 0)


def test_an_object_that_is_replaced_during_the_read_is_refused(tmp_path: Path, s3_bucket: str) -> None:
    address = StoragePath.parse(s3_bucket) / "rows.parquet"
    plan = plan_rows(tmp_path / "rows.parquet", unlabeled="refuse", address=address)
    data = CheckSettings.from_plan(plan).data
    message = "changed since the job was planned"
    with pytest.raises(DataError, match=message), open_part_rows(plan, plan.parts[0], data):
        address.write_bytes(b"another version")
