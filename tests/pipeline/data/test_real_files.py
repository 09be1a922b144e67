"""The real files, which lie beside the project and are not part of it."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import log_loss

from pipeline.config.groups.source_config import CsvDialect
from pipeline.data.csv_reader import read_csv
from pipeline.data.sources import fetch_rows
from pipeline.modeling.classifier_fit import fit_classifier
from pipeline.schema import Column, Schema
from tests.fixtures.toy_dataset import ROOT, settings

FOLDER = ROOT.parent / "shared/data"
DIALECT = CsvDialect()

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the real files are not beside the project")


def schema(*, with_id: bool) -> Schema:
    declared = Schema.from_config(settings().data)
    row_id = (Column("id", "integer", "Int64", unique=True, role="id"),)
    return replace(declared, columns=(*row_id, *declared.columns)) if with_id else declared


@pytest.mark.parametrize(
    ("name", "with_id", "with_target", "shape"),
    [
        ("personality_2900.csv", False, True, (2900, 8)),
        ("s5e7_train.csv", True, True, (18524, 9)),
        ("s5e7_test.csv", True, False, (6175, 8)),
    ],
)
def test_a_real_file_is_read_as_pandas_reads_it(
    name: str, with_id: bool, with_target: bool, shape: tuple[int, int]
) -> None:
    frame = read_csv(FOLDER / name, schema(with_id=with_id), DIALECT, with_target=with_target)
    expected = pd.read_csv(FOLDER / name)[list(frame.columns)]
    assert frame.shape == shape
    pd.testing.assert_frame_equal(frame, expected.astype(frame.dtypes.to_dict()))


def test_missing_cells_of_the_survey_are_as_published() -> None:
    """The counts are those of the description beside the file, which an independent write-up confirms."""
    frame = read_csv(Path(FOLDER / "personality_2900.csv"), schema(with_id=False), DIALECT)
    assert frame.isna().sum().tolist() == [63, 73, 62, 66, 52, 77, 65, 0]


@pytest.mark.parametrize(
    ("data", "name", "with_id", "limit"),
    [("personality", "s5e7_train.csv", True, 0.1315), ("personality_original", "personality_2900.csv", False, 0.2229)],
)
def test_model_of_synthetic_rows_scores_well_on_real_rows(data: str, name: str, with_id: bool, limit: float) -> None:
    """The thresholds are the results of the calibration."""
    config = settings(f"data={data}")
    declared = Schema.from_config(config.data)
    learned = fit_classifier(
        fetch_rows(config.data, root=Path()).frame,
        declared,
        config.features,
        model=config.model,
        seed=42,
        class_weight=None,
    )
    real = read_csv(FOLDER / name, schema(with_id=with_id), DIALECT)
    assert (
        log_loss(real[declared.target.column], learned.predict_proba(real), labels=list(declared.target.classes))
        <= limit
    )
