"""The engine inside the app predicts, and follows promotions."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from app.page_queries.engine_client import EngineClient
from app.views.predictions.form_fields import example_value
from pipeline import state as store
from pipeline.config.config_loader import load_params
from pipeline.serving import InvalidRequest
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def registry(serving: Callable[[str], ModelRegistry]) -> ModelRegistry:
    return serving("iris")


@pytest.fixture
def client(empty: Path, registry: ModelRegistry) -> Iterator[EngineClient]:
    client = EngineClient(empty, load_params(empty / "params.yaml"))
    yield client
    client.close()


@pytest.fixture
def features(registry: ModelRegistry) -> dict[str, object]:
    schema = registry.load_model("iris_model", version=1).schema
    return {column.name: example_value(column) for column in schema.features}


def test_a_prediction_names_its_version_and_id(client: EngineClient, features: dict[str, object]) -> None:
    prediction = client.predict(features, is_logged=True)
    assert (prediction["model_version"], prediction["model_name"]) in {(1, "iris_model"), ("1", "iris_model")}
    assert sum(prediction["probabilities"].values()) == pytest.approx(1)
    assert prediction["prediction"] in prediction["probabilities"]


def test_an_outcome_names_the_user_of_the_session(
    client: EngineClient, features: dict[str, object], empty: Path
) -> None:
    prediction = client.predict(features, is_logged=True)
    client.record_outcome(prediction["prediction_id"], prediction["prediction"], user="ada")
    with closing(store.open_state(empty)) as state, state.reading() as connection:
        (outcome,) = store.read_outcomes(connection, prediction["prediction_id"])
    assert (outcome.outcome, outcome.source, outcome.caller) == (prediction["prediction"], "app", "ada")


def test_columns_give_the_predictions_of_their_rows(client: EngineClient, features: dict[str, object]) -> None:
    batch = client.predict_columns({name: [value] * 3 for name, value in features.items()}, is_logged=True)
    assert batch.predictions == [client.predict(features, is_logged=True)["prediction"]] * 3


def test_an_unknown_feature_is_refused(client: EngineClient) -> None:
    with pytest.raises(InvalidRequest, match="nonsense"):
        client.predict({"nonsense": 1}, is_logged=False)


def test_a_promotion_takes_effect_with_the_next_prediction(
    client: EngineClient, features: dict[str, object], registry: ModelRegistry, empty: Path
) -> None:
    write_small_package(empty / "other", "iris", "model=naive_bayes")
    registry.register_model("other", "iris_model")
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    assert int(client.predict(features, is_logged=True)["model_version"]) == 2
    assert client.status()["is_ready"]
