"""A loaded model, and a log with predictions of two subjects."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from pipeline.package import PackageStore
from pipeline.serving.loaded_model import load_model
from pipeline.serving.log_options import LogOptions
from pipeline.state import open_state
from tests.fixtures.registered_project import NAME, engine_settings, make_engine, make_rows, row_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.state import State


@pytest.fixture(scope="session")
def loaded_models(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    """The models of both packages, versions 1 and 2."""
    store = PackageStore(tmp_path_factory.mktemp("package_store"))
    return {
        name: load_model(
            store,
            model=NAME,
            version=version,
            digest=store.add(folder).digest,
            generation=version,
            served_by="production",
            config=engine_settings(),
            hash_key=b"key",
        )
        for version, (name, folder) in enumerate(packages.items(), 1)
    }


@pytest.fixture
def loaded_model(loaded_models: dict[str, LoadedModel]) -> LoadedModel:
    """A logistic regression."""
    return loaded_models["linear"]


@pytest.fixture
def logged_state(project: Path) -> Iterator[State]:
    """A log with three predictions about ada and two about bob, each with a key and an outcome."""

    async def fill() -> None:
        engine = make_engine(project)
        await engine.start()
        for number, row in enumerate(make_rows(5)):
            subject = "ada" if number < 3 else "bob"
            prediction = json.loads(
                await engine.predict_row(row_body(row), LogOptions(key=f"k{number}", subject=subject))
            )
            outcome = {"prediction_id": prediction["prediction_id"], "outcome": "Introvert"}
            await engine.feedback(json.dumps(outcome).encode())
        await engine.close()

    asyncio.run(fill())
    state = open_state(project)
    yield state
    state.close()
