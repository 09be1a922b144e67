import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import files
from pipeline.config.composition import compose
from pipeline.project import paths
from stages import ingest
from tests.fixtures.toy_dataset import ROOT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ingest", "-cd", ".", "-cn", "params"])
    return tmp_path


def run_ingest(**source: Any) -> None:
    values = compose(conf=ROOT / "conf").values
    if source:
        values["data"] |= {"source": source, "profile": None}
    else:
        values["data"]["source"]["rows"] = 60
    files.write_text(paths.PARAMS, json.dumps(values))  # JSON is YAML and preserves the order of columns
    ingest.main()


def test_rows_and_their_fingerprint_are_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_ingest()
    frame = files.read_parquet(paths.RAW_ROWS)
    assert frame.shape == (60, 8)
    assert files.read_json(paths.SOURCE_FINGERPRINT)["rows"] == 60
    assert capsys.readouterr().out.startswith("[ingest] starts\n")


def test_the_same_settings_give_the_same_bytes(project: Path) -> None:
    digests = set()
    for _ in range(2):
        run_ingest()
        digests.add((files.sha256_file(paths.RAW_ROWS), files.sha256_file(paths.SOURCE_FINGERPRINT)))
    assert len(digests) == 1


def test_an_external_csv_file_is_ingested(project: Path) -> None:
    paths.EXTERNAL.mkdir(parents=True)
    header = "Time_spent_Alone,Stage_fear,Social_event_attendance,Going_outside,Drained_after_socializing"
    header += ",Friends_circle_size,Post_frequency,Personality"
    (paths.EXTERNAL / "rows.csv").write_text(f"{header}\n4.0,No,4,6,,13,5,Extrovert\n", encoding="utf-8")
    run_ingest(kind="csv", path="data/external/rows.csv")
    assert files.read_parquet(paths.RAW_ROWS).iloc[0].tolist()[:2] == [4, "No"]


def test_a_malformed_file_exits_with_4_and_leaves_earlier_rows_unchanged(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_ingest()
    before = files.sha256_file(paths.RAW_ROWS)
    paths.EXTERNAL.mkdir(parents=True)
    (paths.EXTERNAL / "rows.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        run_ingest(kind="csv", path="data/external/rows.csv")
    assert ended.value.code == 4
    assert "data/external/rows.csv:1:1: delimiter: " in capsys.readouterr().err
    assert files.sha256_file(paths.RAW_ROWS) == before
    assert sorted(path.name for path in Path("data").iterdir()) == ["external", "raw.parquet", "source.json"]
