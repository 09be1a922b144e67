"""A loaded model names itself in each response, and a damaged package is never loaded."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import IntegrityError
from pipeline.package import PackageStore
from pipeline.serving.loaded_model import load_model
from tests.fixtures.registered_project import NAME, engine_settings, make_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.serving.loaded_model import LoadedModel


@pytest.fixture
def load(packages: dict[str, Path], tmp_path: Path) -> Callable[..., LoadedModel]:
    """A function that loads the only package of a store."""
    store = PackageStore(tmp_path)
    return partial(
        load_model,
        store,
        model=NAME,
        version=7,
        digest=store.add(packages["linear"]).digest,
        generation=3,
        served_by="production",
        config=engine_settings(),
        hash_key=b"key",
    )


def test_each_response_names_the_model(load: Callable[..., LoadedModel]) -> None:
    model = load()
    assert json.loads(f"{{{model.response_suffix}}}") == {
        "model_name": NAME,
        "model_version": 7,
        "model_digest": model.digest,
        "generation": 3,
        "served_by": "production",
        "variant": "champion",
    }


def test_the_identity_names_version_and_source(load: Callable[..., LoadedModel]) -> None:
    model = load()
    expected = {"version": 7, "digest": model.digest, "generation": 3, "served_by": "production"}
    assert model.identity == expected


def test_a_loaded_model_does_not_change(load: Callable[..., LoadedModel]) -> None:
    model = load()
    with pytest.raises(FrozenInstanceError, match="version"):
        model.version = 8  # type: ignore[misc]  # the assignment is the test


def test_the_rule_predicts_where_the_files_of_the_model_are_missing(
    load: Callable[..., LoadedModel], tmp_path: Path
) -> None:
    (tmp_path / load().digest / "model.onnx").unlink()
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        load()
    model = load(served_by="rule")
    (scored,) = model.scorer.score([tuple(make_rows(1)[0].values())])
    assert scored.label in model.classes


def test_a_missing_package_is_an_integrity_error(load: Callable[..., LoadedModel]) -> None:
    with pytest.raises(IntegrityError, match="no model package"):
        load(digest="0" * 64)
