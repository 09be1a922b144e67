"""The challenger of a scenario is worse, or refuses rows, as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config.groups.scenario_config import BrokenChallengerConfig, WorseChallengerConfig
from pipeline.errors import DataError
from pipeline.lifecycle.simulated_challenger import train_challenger
from pipeline.serving.rows.row_parser import RowParser
from tests.fixtures.small_packages import parts
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = settings(
    "data=personality", "model=logistic_regression", "training.folds=2", "training.golden_rows=8",
    "evaluation.importance_repeats=1",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    split = parts("personality", 1_200)
    (tmp_path / "data").mkdir()
    split.train.to_parquet(tmp_path / "data/train.parquet")
    split.test.to_parquet(tmp_path / "data/test.parquet")
    return tmp_path


def test_a_worse_challenger_is_less_sure_of_the_right_class(project: Path) -> None:
    losses = []
    for share in (0.0, 0.3):
        challenger = WorseChallengerConfig(kind="worse", flipped_share=share)
        package = train_challenger(challenger, CONFIG, project, folder=project / f"package {share}")
        losses.append(package.metrics["log_loss"])
    assert losses[1] > losses[0] + 0.2


def test_a_broken_challenger_refuses_a_part_of_the_rows(project: Path) -> None:
    challenger = BrokenChallengerConfig(kind="broken", refused_share=0.2)
    package = train_challenger(challenger, CONFIG, project, folder=project / "package")
    rows = parts("personality", 1_200).train[list(package.schema.feature_names)].head(400)
    parsed = RowParser(package.schema, max_rows=400).parse_columns(rows.astype(object).to_dict("list"), partial=True)
    assert {error.path.rpartition(".")[2] for error in parsed.errors} == {"Time_spent_Alone"}
    assert 0.15 < 1 - len(parsed.rows) / 400 < 0.35


def test_without_a_graph_run_the_command_is_named(tmp_path: Path) -> None:
    challenger = WorseChallengerConfig(kind="worse", flipped_share=0.3)
    with pytest.raises(DataError, match="a challenger is trained on it: run `dvc repro` first"):
        train_challenger(challenger, CONFIG, tmp_path, folder=tmp_path / "package")
