"""Where no model can be loaded, the rule of the package predicts if the settings allow it, and responses name it."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.errors import IntegrityError
from pipeline.modeling.baselines import fit_baseline
from pipeline.package import PackageStore, load_package
from pipeline.package.rule_baseline import fit_rule_baseline, rule_baseline_from_dict
from pipeline.schema import Schema
from pipeline.serving import NotReady
from tests.fixtures.registered_project import (
    engine_settings,
    event_kinds,
    make_engine,
    make_rows,
    package_folder,
    promote,
    row_body,
    wait_until,
)
from tests.fixtures.small_packages import parts
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("heavy_computation")


def damage_model_files(folder: Path) -> None:
    for name in ("model.onnx", "model.skops", "encoder.json", "card.md"):
        (folder / name).unlink()


def test_the_rule_predicts_when_no_model_can_be_loaded_until_the_model_is_restored(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.serving.reloader._RETRY_S", 0.1)
    copy = tmp_path / "copy"
    shutil.copytree(package_folder(project, 1), copy)
    damage_model_files(package_folder(project, 1))

    async def run() -> None:
        engine = make_engine(project, engine=engine_settings(fallback_to_rule=True))
        await engine.start()
        prediction = json.loads(await engine.predict_row(row_body(make_rows(1)[0])))
        assert (prediction["served_by"], prediction["model_version"]) == ("rule", 1)
        assert event_kinds(engine.state) == ["refused", "fell_back"]
        with engine.state.reading() as connection:
            (logged,) = connection.exec_driver_sql("SELECT served_by FROM predictions").scalars()
        assert logged == "rule"
        shutil.copytree(copy, package_folder(project, 1), dirs_exist_ok=True)
        await wait_until(lambda: engine.loaded_model is not None and engine.loaded_model.served_by == "production")
        await engine.close()

    asyncio.run(run())


def test_the_last_good_model_takes_precedence_over_a_rule(project: Path) -> None:
    async def run() -> None:
        engine = make_engine(project, engine=engine_settings(fallback_to_rule=True))
        await engine.start()
        await engine.close()
        promote(project, 2)
        damage_model_files(package_folder(project, 2))
        restarted = make_engine(project, engine=engine_settings(fallback_to_rule=True))
        await restarted.start()
        assert json.loads(await restarted.predict_row(row_body(make_rows(1)[0])))["served_by"] == "last_good"
        await restarted.close()

    asyncio.run(run())


@pytest.mark.parametrize("case", ["not allowed", "damaged"])
def test_without_an_allowed_rule_there_are_no_predictions(project: Path, case: str) -> None:
    folder = package_folder(project, 1)
    damage_model_files(folder)
    if case == "damaged":
        rule = folder / "rule.json"
        rule.write_bytes(rule.read_bytes().replace(b"0.", b"1.", 1))

    async def run() -> None:
        engine = make_engine(project, engine=engine_settings(fallback_to_rule=case != "not allowed"))
        await engine.start()
        with pytest.raises(NotReady):
            await engine.predict_row(row_body(make_rows(1)[0]))
        await engine.close()

    asyncio.run(run())


@pytest.mark.parametrize("problem", ["personality", "wine"])
def test_the_rule_predicts_like_the_tree_of_scikit_learn(problem: str) -> None:
    frame, schema = parts(problem).train, Schema.from_config(settings(f"data={problem}").data)
    expected = fit_baseline("depth_2_tree", frame, schema, seed=0)
    rule = rule_baseline_from_dict(json.loads(json.dumps(fit_rule_baseline(frame, schema))), schema)
    features = frame.drop(columns=schema.target.column)
    gaps = features.copy()
    for name in list(gaps)[::2]:
        gaps[name] = gaps[name].where(np.arange(len(gaps)) % 3 > 0)
    for rows in (features, gaps):
        np.testing.assert_allclose(rule.predict_proba(rows), expected.predict_proba(rows), rtol=0, atol=1e-12)


def test_a_rule_with_an_invalid_node_is_refused(project: Path) -> None:
    folder = package_folder(project, 1)
    rule = json.loads((folder / "rule.json").read_text(encoding="utf-8"))
    rule["tree"]["left"][0] = 7
    with pytest.raises(IntegrityError, match=r"rule\.json"):
        rule_baseline_from_dict(rule, load_package(folder).schema)


def test_a_rule_is_loaded_by_the_digest_of_its_package(project: Path) -> None:
    folder = package_folder(project, 1)
    damage_model_files(folder)
    store = PackageStore(project / "state/packages")
    assert store.load_rule_baseline(folder.name).digest == folder.name
    folder.rename(folder.with_name("0" * 64))
    with pytest.raises(IntegrityError, match="restore"):
        store.load_rule_baseline("0" * 64)
