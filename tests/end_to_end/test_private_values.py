"""No value of a person leaves the data, by training, serving, monitoring, export or replay, unless `store` is full."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.fixtures import workspace
from tests.fixtures.value_search import ValueSearch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.workspace import Workspace

POLICIES = ("full", "bin", "hash", "drop")
KINDS = {"amount": "Float64", "number": "Int64", "seen": "datetime64[us]", "note": "string"}
N_ROWS = 400
SUBJECT = "subject-4711-canary"
# The data themselves (the source, the tables of the stages, DVC's copies of them), and the project's own files.
ALLOWED = ("people.csv", "data/", ".dvc/cache/", ".git/", "docs/", "requirements/", "tests/", "deploy/", "app/")
PRIVATE = [f"{policy}_{kind}" for policy in POLICIES[1:] for kind in KINDS]


def people(n: int, seed: int) -> pd.DataFrame:
    """Return rows in which no two values are equal, with an extreme in each column of numbers."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for policy in POLICIES:
        columns[f"{policy}_amount"] = rng.lognormal(8, 1, n)
        columns[f"{policy}_number"] = rng.integers(10_000_000, 90_000_000, n)
        seconds = rng.integers(1_600_000_000_000_000, 1_700_000_000_000_000, n)
        columns[f"{policy}_seen"] = pd.Series(seconds.astype("datetime64[us]"))
        columns[f"{policy}_note"] = [f"note{rng.bytes(6).hex()}" for _ in range(n)]
    frame = pd.DataFrame(columns)
    for policy in POLICIES:
        # Rounded to two digits, no extreme of a private column looks like one of another.
        scale = 1 if policy == "full" else 10
        frame.loc[7, f"{policy}_amount"] = scale * rng.uniform(8.1e8, 8.9e8)
        frame.loc[8, f"{policy}_number"] = scale * rng.integers(910_000_000, 990_000_000)
        frame.loc[9, f"{policy}_seen"] = pd.Timestamp("2043-05-06 07:08:09") + pd.Timedelta(rng.integers(10**9), "us")
    score = sum(frame[f"{policy}_amount"].rank() for policy in POLICIES) + rng.normal(0, n / 4, n)
    return frame.assign(outcome=np.where(score > score.median(), "yes", "no"))


def declaration() -> dict[str, Any]:
    columns = {
        f"{policy}_{kind}": {"dtype": dtype, "store": policy} for policy in POLICIES for kind, dtype in KINDS.items()
    }
    columns["drop_amount"]["checks"] = {"le": 8e9}  # the extreme breaks it, is listed and set aside
    return {
        "name": "people",
        "source": {"kind": "csv", "path": "data/external/people.csv"},
        "profile": None,
        "target": {"column": "outcome", "classes": ["no", "yes"], "positive": "yes"},
        "columns": columns,
        "split": {"kind": "by_hash", "test_share": 0.2},
    }


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    made = workspace.create_workspace(tmp_path / "project")
    people(N_ROWS, 0).to_csv(made.root / "people.csv", index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    made.run("mlops", "data", "add", "people.csv")
    (made.root / "conf/data/people.yaml").write_text(yaml.safe_dump(declaration(), sort_keys=False), encoding="utf-8")
    workspace.use_small_dataset(made)
    made.edit("conf/config.yaml", "- data: personality", "- data: people")
    made.edit("conf/validation/default.yaml", "quarantine: false", "quarantine: true")
    made.edit("conf/serving/default.yaml", "log_requests: errors", "log_requests: all")
    return made


def test_values_stay_in_the_data_and_an_erased_subject_is_in_no_file(project: Workspace) -> None:
    project.repro()
    trained, live = people(N_ROWS, 0), people(20, 1).drop(columns="outcome").drop(index=7)
    crowd = people(300, 2).drop(columns="outcome").drop(index=7)  # enough rows for a verdict of the monitor
    private = ValueSearch(pd.concat([trained, live, crowd])[PRIVATE], round_from=8e9)
    of_subject = ValueSearch(live.filter(like="full_").assign(subject=SUBJECT))
    with project.serving("mlops", "serve") as port:
        answers = "".join(predict(port, row) for row in as_json(live)) + predict_batch(port, as_json(crowd))
        assert ValueSearch(trained[PRIVATE], round_from=8e9).in_bytes(answers.encode()) == set()
        project.run("python", "-m", "stages.monitor")
        assert json.loads(project.read("reports/monitoring.json"))["dashboard"]["predictions_by_source"] == {"api": 318}
        project.run("mlops", "prediction-log", "export", "--since", today(), "-o", "exported")
        assert private.in_files(project.root, allowed=ALLOWED) == {}
        assert of_subject.in_files(project.root / "state") == {"state.db-wal": set(of_subject.names)}
        assert of_subject.in_files(project.root / "exported").keys() == {f"{today()}.parquet"}
        erased = project.run("mlops", "prediction-log", "erase", SUBJECT)
        assert erased.stdout == "19 predictions removed\n"
        assert of_subject.in_files(project.root, allowed=(*ALLOWED, "exported/")) == {}
    assert of_subject.in_files(project.root, allowed=(*ALLOWED, "exported/")) == {}


def as_json(frame: pd.DataFrame) -> list[dict[str, Any]]:
    texts = frame.assign(
        **{name: frame[name].dt.strftime("%Y-%m-%dT%H:%M:%S.%f") for name in frame.filter(like="_seen")}
    )
    rows: list[dict[str, Any]] = json.loads(texts.to_json(orient="records", double_precision=15))
    return rows


def predict(port: int, row: dict[str, Any]) -> str:
    """Predict a row for the subject, twice with one key; then refuse it; return all responses."""
    headers = {"Idempotency-Key": f"key-{row['full_note']}", "X-Subject-Id": SUBJECT}
    requests = [("predict", row, headers)] * 2
    requests += [("v1/explain", row, {}), ("v1/what-if", row | {"hash_note": "x"}, {})]
    requests += [("predict", row | {name: [row[name]]}, {}) for name in PRIVATE[:3]]
    return "".join(_post(f"http://127.0.0.1:{port}/{path}", {"features": body}, more) for path, body, more in requests)


def predict_batch(port: int, rows: list[dict[str, Any]]) -> str:
    return _post(f"http://127.0.0.1:{port}/predict/batch", {"instances": rows}, {"Idempotency-Key": "crowd"})


def _post(url: str, body: object, headers: dict[str, str]) -> str:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return f"{response.status} {response.headers} {response.read().decode()}\n"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.headers} {error.read().decode()}\n"


def today() -> str:
    return pd.Timestamp.now("UTC").strftime("%Y-%m-%d")
