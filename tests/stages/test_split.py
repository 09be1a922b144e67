import json
from pathlib import Path

import pytest

from pipeline import files
from pipeline.config.composition import compose
from pipeline.project import paths
from stages import ingest, split
from tests.fixtures.toy_dataset import ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["split", "-cd", ".", "-cn", "params"])
    values = compose(("data.source.rows=300",), conf=ROOT / "conf").values
    files.write_text(paths.PARAMS, json.dumps(values))
    ingest.main()
    paths.RAW_ROWS.rename(paths.VALID_ROWS)
    return tmp_path


def test_train_and_test_rows_and_their_comparison_are_written(project: Path) -> None:
    split.main()
    assert (len(files.read_parquet(paths.TRAIN_ROWS)), len(files.read_parquet(paths.TEST_ROWS))) == (250, 50)
    assert isinstance(files.read_json(paths.SPLIT_REPORT), dict)


def test_the_same_rows_give_the_same_bytes(project: Path) -> None:
    digests = set()
    for _ in range(2):
        split.main()
        digests.add(tuple(files.sha256_file(path) for path in (paths.TRAIN_ROWS, paths.TEST_ROWS, paths.SPLIT_REPORT)))
    assert len(digests) == 1


def test_missing_valid_rows_exit_with_4_and_name_the_command(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths.VALID_ROWS.unlink()
    with pytest.raises(SystemExit) as ended:
        split.main()
    assert (ended.value.code, "run `dvc repro`" in capsys.readouterr().err) == (4, True)
