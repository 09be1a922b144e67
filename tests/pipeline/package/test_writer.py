"""A written package predicts like its classifier, and equal inputs give equal bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import package
from pipeline.errors import DataError
from tests.fixtures.proof import is_long
from tests.fixtures.small_packages import parts, train_small_model, unseen_rows, write_small_package
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

N_ROWS = 400
DIGEST = """
import sys
from pathlib import Path
from tests.fixtures.small_packages import write_small_package
for model in sys.argv[2:]:
    print(model, write_small_package(Path(sys.argv[1]) / model, "personality", f"model={model}", n_rows=400).digest)
"""
MODELS = ("hist_gradient_boosting", "logistic_regression", "mlp")
MODELS += ("knn", "naive_bayes", "stacking", "svm") if is_long() else ()


def test_a_loaded_package_predicts_like_the_classifier(folder: Path) -> None:
    _, result = train_small_model("personality", "training.calibration=sigmoid", n_rows=N_ROWS)
    rows, loaded = unseen_rows("personality", N_ROWS), package.load_package(folder)
    assert np.abs(loaded.predict_proba(rows) - result.classifier.predict_proba(rows)).max() < 1e-5
    assert (loaded.predict(rows) == result.classifier.predict(rows)).all()
    assert (loaded.classes, loaded.threshold) == (result.classifier.classes, result.classifier.threshold)
    assert np.array_equal(loaded.sklearn_classifier().predict_proba(rows), result.classifier.predict_proba(rows))


def test_plain_values_get_what_a_frame_gets(folder: Path) -> None:
    loaded, rows = package.load_package(folder), unseen_rows("personality", N_ROWS).head(20)
    plain = {name: rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in rows}
    assert np.array_equal(loaded.predict_proba(plain), loaded.predict_proba(rows))


@pytest.mark.usefixtures("starts_processes")
def test_the_digest_is_the_same_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    printed = []
    for seed, threads in (("1", "1"), ("77", "2")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }
        command = [sys.executable, "-c", DIGEST, str(tmp_path / seed), *MODELS]
        (tmp_path / seed).mkdir()
        completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        printed.append(completed.stdout)
    assert printed[0].split()[::2] == list(MODELS)
    assert printed[0] == printed[1]
    for path in (tmp_path / "1").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "77" / path.relative_to(tmp_path / "1")).read_bytes()


def test_a_package_replaces_the_one_before_whole(tmp_path: Path) -> None:
    first = write_small_package(tmp_path / "p", "personality", n_rows=N_ROWS)
    second = write_small_package(tmp_path / "p", "personality", "model=svm", n_rows=N_ROWS)
    assert package.load_package(tmp_path / "p").digest == second.digest != first.digest
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_scores_of_other_rows_are_refused(tmp_path: Path) -> None:
    config, result = train_small_model("personality", n_rows=N_ROWS)
    rows = parts("personality", N_ROWS)
    with pytest.raises(DataError, match="scores: shape"):
        package.write_package(
            tmp_path / "p",
            result.classifier,
            train=rows.test,
            test=rows.test,
            scores=result.out_of_fold,
            metrics={},
            lineage={},
            training=config.training,
            model="x",
        )
    assert not (tmp_path / "p").exists()


def test_a_package_contains_neither_paths_nor_times(folder: Path) -> None:
    for path in folder.iterdir():
        data = path.read_bytes()
        assert str(ROOT).encode() not in data
        assert str(folder.parent).encode() not in data
        assert b"\x80\x04" not in data[:2], f"{path.name} is a pickle"
