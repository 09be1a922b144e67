"""A part counts what its file has: features, predictions, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from pipeline.errors import DataError
from pipeline.monitoring import FrameWindowView
from tests.fixtures.toy_dataset import settings
from tests.pipeline.monitoring.counting.counted_files import Counted, scored_frame
from tests.pipeline.monitoring.log_fixtures import plain_counts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_that_the_package_predicts_get_the_counts_of_a_frame(
    counted: Counted, suffix: str, tmp_path: Path
) -> None:
    features = list(counted.package.schema.feature_names)
    frame = scored_frame(counted.package, 500)[features]
    source = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        frame.to_csv(source, index=False)
    else:
        frame.to_parquet(source, index=False)
    counts = counted.count(source, output=tmp_path / "out", predicts=True)
    view = FrameWindowView("m", counted.package, settings(), frame=frame)
    assert plain_counts(counts) == plain_counts(view.counts)


def test_a_feature_that_the_file_lacks_is_a_problem_and_predictions_alone_are_counted(
    counted: Counted, tmp_path: Path
) -> None:
    frame = scored_frame(counted.package, 100)
    first, *others = counted.package.schema.feature_names
    frame.drop(columns=[*others, "confidence"]).to_parquet(tmp_path / "in.parquet", index=False)
    counts = counted.count(tmp_path / "in.parquet", output=tmp_path / "out")
    assert counts.problems == dict.fromkeys(others, "the rows have no such column")
    assert (set(counts.features), set(counts.outputs)) == ({first}, {"score", "class"})


def test_the_largest_probability_of_many_classes_is_the_score(packages: dict[str, Path], tmp_path: Path) -> None:
    from tests.fixtures.small_packages import parts, write_small_package

    del packages
    write_small_package(tmp_path / "wine", "wine", "model=logistic_regression")
    counted = Counted.create(tmp_path, tmp_path / "wine")
    frame = parts("wine").test
    probabilities = counted.package.predict_proba(frame)
    names = [f"probability_{name}" for name in counted.package.classes]
    scored = pd.DataFrame(probabilities, columns=names)
    scored.to_parquet(tmp_path / "in.parquet", index=False)
    counts = counted.count(tmp_path / "in.parquet", output=tmp_path / "out")
    expected = counted.package.reference.score.finest.count(probabilities.max(axis=1))
    assert counts.outputs["score"].tolist() == expected.tolist()


def test_a_file_without_a_column_of_the_model_is_refused(counted: Counted, tmp_path: Path) -> None:
    pd.DataFrame({"other": [1.5]}).to_parquet(tmp_path / "in.parquet", index=False)
    with pytest.raises(DataError, match=r"in\.parquet: has no column of the model; expected some of "):
        counted.count(tmp_path / "in.parquet", output=tmp_path / "out")
