"""Every Python example of the page that describes the library runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.linear_model import LogisticRegression

import pipeline
from pipeline import files
from pipeline.errors import UsageError
from tests.fixtures.composed_config import composed
from tests.fixtures.small_packages import parts
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT.parent / "shared/seed.md"
SETTINGS = (
    "training.folds=3",
    "evaluation.importance_repeats=1",
    "promotion.baselines.depth_2_tree=null",
    "promotion.metric_limits.ece=0.2",
    "promotion.test=non_inferiority",
    "promotion.margin=0.2",
)
# What a reader puts in place of the page's stand-ins, and a server that would never end.
REPLACED = {
    "from src.mlops import": "from pipeline import",
    '{"param1": "value1"}': '{"C": 1.0}',
    '"model_name"': '"personality_model"',
    "server.run()": "pass",
    "model.fit(X_train, y_train)": "model.fit(X_numbers, y_train)",
    "runs:/run_id/model": "runs:/{run_id}/model",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MLOPS_STATE_URL", "MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    files.write_text(tmp_path / "params.yaml", composed(*SETTINGS).text)
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python_examples(page: Path) -> list[str]:
    """Return the Python blocks of a page without shell commands, with the reader's names in them."""
    blocks = re.findall(r"^( *)```python\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    examples = [re.sub(f"(?m)^{indent}", "", block) for indent, block in blocks]
    for old, new in REPLACED.items():
        examples = [example.replace(old, new) for example in examples]
    return [example for example in examples if not re.search(r"(?m)^(python|mlflow) ", example)]


def names_of_a_reader() -> dict[str, Any]:
    rows = parts("personality", 1500)
    target = rows.train.columns[-1]
    X_train, X_test = rows.train.drop(columns=target), rows.test.drop(columns=target)
    return {
        **{name: getattr(pipeline, name) for name in pipeline.__all__},
        "train_data": rows.train,
        "test_data": rows.test,
        "df": rows.train,
        "X_train": X_train,
        "y_train": rows.train[target],
        "X_test": X_test,
        "y_test": rows.test[target],
        "recent_predictions": X_test,
        "reference_dataset": X_train,
        "reference_data": X_train,
        "X_numbers": X_train.select_dtypes("number").fillna(0).astype(float),
        "your_model": LogisticRegression(max_iter=500),
        "model": LogisticRegression(),
        "input_features": json.loads(X_test.head(1).to_json(orient="records"))[0],
        "pred": "Introvert",
        "actual_value": "Introvert",
        "confidence_score": 0.9,
        "y_true": list(rows.test[target]),
        "y_pred": list(rows.test[target]),
    }


@pytest.mark.skipif(not PAGE.is_file(), reason="the page is not beside the project")
@pytest.mark.usefixtures("project")
def test_every_example_of_the_page_runs() -> None:
    names, examples = names_of_a_reader(), python_examples(PAGE)
    assert len(examples) > 5
    for example in examples:
        if "{run_id}" not in example:
            exec(compile(example, "example", "exec"), names)
            continue
        with pytest.raises(UsageError, match=r"holds an estimator alone; use train_and_track_model"):
            exec(example.replace("{run_id}", last_run_id("my_experiment")), names)
        exec(example.replace("{run_id}", last_run_id("personality_classification")), names)


def last_run_id(experiment: str) -> str:
    """Return the ID of the last run of an experiment that holds a model."""
    return str(pipeline.ExperimentTracker(experiment).search_runs()[0].run_id)
