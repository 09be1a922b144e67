from pathlib import Path

import pytest

from pipeline import files, package
from pipeline.project import paths
from stages import evaluate, train
from tests.stages.split_project import call_as_dvc, write_project

# MLflow warns about a type hint of its own while it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*type hint is inferred as AnyType:UserWarning")

OUTPUTS = (paths.EVALUATION_REPORT, paths.MODEL_CARD, paths.TEST_METRICS)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    call_as_dvc(monkeypatch, "train")
    write_project()
    train.main()
    call_as_dvc(monkeypatch, "evaluate")
    return tmp_path


def output_digests() -> dict[str, str]:
    outputs = [*OUTPUTS, *sorted(paths.PLOTS.iterdir())]
    return {str(path): files.sha256_file(path) for path in outputs}


def test_everything_that_the_graph_promises_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main()
    report = files.read_json(paths.EVALUATION_REPORT)
    assert report["package"] == package.load_package(paths.CANDIDATE_PACKAGE).digest
    assert report["rows"] == {"train": 330, "test": 70}
    assert files.read_json(paths.TEST_METRICS)["log_loss"] == report["metrics"]["log_loss"]["value"]
    assert paths.MODEL_CARD.read_text(encoding="utf-8").startswith("# personality_model: Personality\n")
    assert {path.stem for path in paths.PLOTS.iterdir()} >= {"confusion", "roc", "pr", "calibration", "lift"}
    assert "on 70 rows (majority" in capsys.readouterr().out


def test_the_same_package_and_rows_give_the_same_bytes(project: Path) -> None:
    evaluate.main()
    before = output_digests()
    evaluate.main()
    assert output_digests() == before


def test_no_output_contains_a_path(project: Path) -> None:
    evaluate.main()
    texts = [path.read_text(encoding="utf-8") for path in (*OUTPUTS, *paths.PLOTS.iterdir())]
    assert [text for text in texts if str(project) in text] == []


def test_a_damaged_package_ends_with_8_and_judges_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (paths.CANDIDATE_PACKAGE / "model.skops").open("r+b") as stream:
        stream.seek(40)
        stream.write(b"\x00\xff")
    with pytest.raises(SystemExit, match="8"):
        evaluate.main()
    assert "model.skops: checksum mismatch" in capsys.readouterr().err
    assert not paths.EVALUATION_REPORT.exists()
