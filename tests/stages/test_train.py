from pathlib import Path

import pytest

from pipeline import files, package
from pipeline.metrics import METRICS
from pipeline.project import paths
from stages import train
from tests.stages.split_project import call_as_dvc, write_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    call_as_dvc(monkeypatch, "train")
    write_project()
    return tmp_path


def test_a_package_and_its_metrics_are_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.main()
    written = package.load_package(paths.CANDIDATE_PACKAGE)
    metrics = files.read_json(paths.TRAIN_METRICS)
    assert set(metrics) == {*METRICS, "threshold", "baselines"}
    assert written.metrics["log_loss"] == metrics["log_loss"]
    assert written.manifest.model == "logistic_regression"
    assert f"package {written.digest[:12]}" in capsys.readouterr().out


def test_the_package_records_its_inputs(project: Path) -> None:
    train.main()
    lineage = package.load_package(paths.CANDIDATE_PACKAGE).lineage
    assert lineage["data_sha256"] == {
        "train": files.sha256_file(paths.TRAIN_ROWS),
        "test": files.sha256_file(paths.TEST_ROWS),
    }
    assert lineage["source"] == files.read_json(paths.SOURCE_FINGERPRINT)
    assert str(project) not in files.canonical_json(lineage)


def test_the_same_rows_and_settings_give_the_same_bytes(project: Path) -> None:
    digests = set()
    for _ in range(2):
        train.main()
        digests.add((package.load_package(paths.CANDIDATE_PACKAGE).digest, files.sha256_file(paths.TRAIN_METRICS)))
    assert len(digests) == 1


def test_missing_rows_end_with_4_and_say_what_to_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths.TRAIN_ROWS.unlink()
    with pytest.raises(SystemExit, match="4"):
        train.main()
    assert "data/train.parquet: no such file; run `dvc repro`" in capsys.readouterr().err


def test_three_classes_of_real_rows_are_learned(project: Path) -> None:
    write_project("wine")
    train.main()
    assert package.load_package(paths.CANDIDATE_PACKAGE).threshold is None
    assert files.read_json(paths.TRAIN_METRICS)["accuracy"] > 0.9
