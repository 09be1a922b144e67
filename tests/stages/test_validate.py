import json
from pathlib import Path
from typing import Any

import pytest
from pandas import DataFrame

from pipeline import files
from pipeline.config.composition import compose
from pipeline.project import paths
from stages import ingest, validate
from tests.fixtures.toy_dataset import ROOT

OUTPUTS = (paths.VALID_ROWS, paths.QUARANTINED_ROWS, paths.VALIDATION_REPORT, paths.VALIDATION_HTML)


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFrame:
    """Return 300 rows of the shipped problem, written where the stage reads them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["validate", "-cd", ".", "-cn", "params"])
    write_params()
    ingest.main()
    return files.read_parquet(paths.RAW_ROWS)


def write_params(**validation: Any) -> None:
    values = compose(conf=ROOT / "conf").values  # noqa: PD011 - a composition, no frame
    values["data"]["source"]["rows"] = 300
    values["validation"] |= validation
    files.write_text(paths.PARAMS, json.dumps(values))  # JSON is YAML and preserves the order of columns


def test_valid_rows_pass_unchanged(raw: DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    validate.main()
    assert files.read_parquet(paths.VALID_ROWS).equals(raw)
    assert files.read_parquet(paths.QUARANTINED_ROWS).empty
    report = files.read_json(paths.VALIDATION_REPORT)
    assert (report["rows"], report["quarantined"], report["is_valid"]) == (300, 0, True)
    assert paths.VALIDATION_HTML.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "[validate] 300 rows, quality " in capsys.readouterr().out


def test_the_same_rows_give_the_same_bytes(raw: DataFrame) -> None:
    digests = set()
    for _ in range(2):
        validate.main()
        digests.add(tuple(files.sha256_file(path) for path in OUTPUTS))
    assert len(digests) == 1


def test_invalid_rows_exit_with_4_after_the_report_is_written(
    raw: DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    validate.main()
    before = files.sha256_file(paths.VALID_ROWS)
    files.write_parquet(paths.RAW_ROWS, raw.assign(Going_outside=99))
    with pytest.raises(SystemExit) as ended:
        validate.main()
    message = capsys.readouterr().err
    assert ended.value.code == 4
    assert "critical: schema of Going_outside: 300 of 300 rows break `in_range`" in message
    assert "reports/validation.html" in message
    assert files.read_json(paths.VALIDATION_REPORT)["level"] == "critical"
    assert files.sha256_file(paths.VALID_ROWS) == before


def test_invalid_rows_are_quarantined_on_request(raw: DataFrame) -> None:
    write_params(quarantine=True)
    raw.loc[4, "Going_outside"] = 99
    files.write_parquet(paths.RAW_ROWS, raw)
    validate.main()
    quarantined = files.read_parquet(paths.QUARANTINED_ROWS)
    assert quarantined[["row", "reason"]].to_numpy().tolist() == [[4, "Going_outside: in_range: '99'"]]
    assert len(files.read_parquet(paths.VALID_ROWS)) == 299
    assert files.read_json(paths.VALIDATION_REPORT)["quarantined"] == 1
