"""The log keeps what is declared, for as long as is declared, and forgets a subject when asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from sqlalchemy import func, select, text

from pipeline import ModelServer
from pipeline import state as store
from pipeline.package import load_package
from pipeline.serving import InvalidRequest
from pipeline.serving.files.prediction_export import export_day
from pipeline.serving.retention import RetentionWorker, erase_subject, prune
from pipeline.serving.scorer import RowScorer
from pipeline.state import open_state, read_audit_entries
from pipeline.state.tables import idempotent_responses, outcomes, predictions
from tests.fixtures import postgresql_server as server
from tests.fixtures.registered_project import log_settings, make_engine, make_rows, row_body
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.state import State

DAY_US = 86_400_000_000


@pytest.fixture
def filled(project: Path) -> Iterator[State]:
    """A log with three predictions about ada and two about bob, each with a key and an outcome."""

    async def fill() -> None:
        engine = make_engine(project)
        await engine.start()
        for at, row in enumerate(make_rows(5)):
            subject = "ada" if at < 3 else "bob"
            answer = json.loads(await engine.predict_row(row_body(row), key=f"k{at}", subject=subject))
            told = {"prediction_id": answer["prediction_id"], "outcome": "Introvert"}
            await engine.feedback(json.dumps(told).encode())
        await engine.close()

    asyncio.run(fill())
    state = open_state(project)
    yield state
    state.close()


def table_counts(state: State) -> list[int]:
    with state.reading() as connection:
        tables = (predictions, outcomes, idempotent_responses)
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def test_a_subject_is_erased_with_all_that_hangs_on_it(filled: State) -> None:
    assert erase_subject(filled, "ada", actor="eve") == 3
    assert table_counts(filled) == [2, 2, 2]
    with filled.reading() as connection:
        last = read_audit_entries(connection)[-1]
    assert (last.actor, last.action) == ("eve", "erase")
    assert "ada" not in json.dumps(last.after)


def test_what_is_older_than_the_settings_say_is_removed(filled: State) -> None:
    later = replace(filled, clock=lambda now=filled.clock: now() + 2 * DAY_US)
    assert prune(later, log_settings(retention_days=3, idempotency_hours=1)) == 5
    assert table_counts(filled) == [5, 5, 0]
    settings = log_settings(retention_days=1)
    if not filled.is_file:  # a partition goes as a whole, when all that it may hold is old
        later = replace(later, clock=lambda now=later.clock: now() + settings.partition_days * DAY_US)
    assert prune(later, settings) == 5
    assert table_counts(filled) == [0, 0, 0]


def test_an_hour_of_the_log_goes_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(store.URL_ENV, raising=False)
    state = open_state(tmp_path)
    journal = store.PredictionWriter(state)
    journal.write(
        [
            store.PredictionRow(
                f"p{i}", i * store.HOUR_US // 6, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", 1, 1.0, None, None
            )
            for i in range(18)
        ]
    )
    journal.close()
    for end, n_removed in ((1.5, 6), (2.0, 6), (2.9, 0)):
        later = replace(state, clock=lambda end=end: DAY_US + int(end * store.HOUR_US))
        assert prune(later, log_settings(retention_days=1)) == n_removed
    state.close()


def test_what_fails_in_one_minute_does_not_end_upkeep(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = server.new_database(postgresql, template=server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    journal = store.PredictionWriter(owner)
    journal.write([store.PredictionRow("a", 5, "m", 1, "d", 1, "{}", "yes", "{}", 1.0, "", "", 1, 1.0, None, None)])
    journal.close()
    with owner.writing() as connection:
        connection.execute(text("CREATE ROLE visitor LOGIN"))
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO visitor"))
    visitor = store.connect_to(address.replace("//tester@", "//visitor@"), setting_name="here")
    monkeypatch.setattr("pipeline.serving.retention._INTERVAL_S", 0.02)
    upkeep = RetentionWorker(visitor, log_settings(retention_days=1))
    upkeep.start()
    until = time.monotonic() + 20
    while table_counts(owner)[0] and time.monotonic() < until:
        time.sleep(0.02)
    upkeep.stop()
    assert table_counts(owner)[0] == 0
    assert "permission denied" in str(upkeep.last_error)
    visitor.close()
    owner.close()


def test_a_day_is_taken_out_with_its_outcomes(filled: State, tmp_path: Path) -> None:
    with filled.reading() as connection:
        at = connection.execute(select(func.min(predictions.c.predicted_at))).scalar_one()
    day = datetime.fromtimestamp(at / 1e6, UTC).date()
    assert export_day(filled, day, tmp_path / "day.parquet") == 5
    found = pd.read_parquet(tmp_path / "day.parquet")
    assert found["seq"].tolist() == [1, 2, 3, 4, 5]
    assert found["outcome"].tolist() == ["Introvert"] * 5
    assert export_day(filled, day.replace(year=2000), tmp_path / "none.parquet") == 0
    assert not (tmp_path / "none.parquet").exists()


def test_columns_are_kept_in_the_form_that_is_declared(packages: dict[str, Path]) -> None:
    package = load_package(packages["linear"])
    names = package.schema.feature_names
    forms = dict(zip(names, ["full", "bin", "hash", "drop", "bin"], strict=False))
    columns = tuple(replace(one, store=forms.get(one.name, "full")) for one in package.schema.columns)
    declared = replace(package, schema=replace(package.schema, columns=columns))
    row = next(values for one in make_rows(50) if None not in (values := tuple(one.values())))
    kept = [
        json.loads(RowScorer(declared, many_missing=1.0, hash_key=secret).score([row])[0].logged_features)
        for secret in (b"one", b"two")
    ]
    first: dict[str, Any] = kept[0]
    assert first[names[0]] == row[0]
    assert first[names[1]] == {"bin": package.reference.column(names[1]).codes([row[1]])[0]}
    assert names[3] not in first
    assert list(first[names[2]]) == ["hash"]
    assert kept[0][names[2]] != kept[1][names[2]]


def test_the_library_answers_as_the_api_does(project: Path) -> None:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    frame = pd.DataFrame(make_rows(20)).convert_dtypes()
    with ModelServer("personality_model", root=project) as server:
        answers_ = server.predict_batch(frame)
        alone = server.predict(make_rows(20)[3])
        assert alone["probabilities"] == answers_[3]["probabilities"]
        assert server.feedback([{"prediction_id": alone["prediction_id"], "outcome": "Introvert"}]) == 1
        with pytest.raises(InvalidRequest, match=r"features\.Stage_fear: expected a word"):
            server.predict({"Stage_fear": "Maybe"})


@pytest.mark.usefixtures("starts_processes")
def test_the_library_predicts_without_what_only_a_server_or_training_needs(project: Path) -> None:
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    code = (
        "import sys; from pathlib import Path; from pipeline import ModelServer\n"
        "with ModelServer('personality_model', root=Path(sys.argv[1])) as server: server.predict({'Stage_fear': 'Yes'})\n"
        "print(*{'fastapi', 'uvicorn', 'mlflow', 'dvc', 'hydra', 'pandera', 'sklearn'} & set(sys.modules))"
    )
    words = [sys.executable, "-c", code, str(project)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
