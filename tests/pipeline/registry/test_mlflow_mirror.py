"""MLflow shows what was decided, catches up after it was away, and decides nothing itself."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.registry import ModelRegistry
from pipeline.tracking.run_store import RunStore
from tests.pipeline.registry.test_model_registry import NAME, add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def shown(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return alias -> version and version -> stage tag, as MLflow has them."""
    client: Any = RunStore(root).client()
    versions = client.search_model_versions(f"name = '{NAME}'")
    aliases = {alias: str(number) for alias, number in client.get_registered_model(NAME).aliases.items()}
    return aliases, {str(version.version): version.tags["stage"] for version in versions}


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_versions_stages_and_aliases_are_shown(
    registry: ModelRegistry, candidates: dict[str, Path], tmp_path: Path
) -> None:
    add(registry, candidates["first"])
    add(registry, candidates["second"])
    registry.promote_model(NAME, 1, "Production")
    registry.promote_model(NAME, 2, "Staging")
    assert shown(tmp_path) == ({"production": "1", "staging": "2"}, {"1": "Production", "2": "Staging"})
    registry.promote_model(NAME, 2, "Production")
    assert shown(tmp_path) == ({"production": "2"}, {"1": "Archived", "2": "Production"})


def test_a_changed_alias_is_set_back_and_audited(
    registry: ModelRegistry, candidates: dict[str, Path], tmp_path: Path
) -> None:
    add(registry, candidates["first"])
    add(registry, candidates["second"])
    registry.promote_model(NAME, 1, "Production")
    RunStore(tmp_path).client().set_registered_model_alias(NAME, "production", "2")
    assert registry.load_model(NAME).digest == registry.list_models(NAME)[0].digest
    assert registry.mirror().overridden_aliases == (f"{NAME}@production",)
    assert shown(tmp_path)[0] == {"production": "1"}
    entry = registry.history(NAME)[-1]
    assert (entry.actor, entry.action) == ("mirror", "alias put back")
    assert registry.mirror().overridden_aliases == ()


@pytest.mark.usefixtures("heavy_computation")
@pytest.mark.parametrize("how", ["dead", "silent"])
def test_without_mlflow_a_decision_takes_two_seconds_and_is_mirrored_later(
    candidates: dict[str, Path], tmp_path: Path, silent: str, how: str
) -> None:
    away = ModelRegistry(tmp_path, "http://127.0.0.1:1" if how == "dead" else silent)
    add(away, candidates["first"])
    started = time.monotonic()
    assert away.promote_model(NAME, 1, "Production").after.version("Production") == 1
    assert time.monotonic() - started < 2
    assert away.mirror().error is not None
    back = ModelRegistry(tmp_path)
    assert back.mirror().error is None
    assert shown(tmp_path) == ({"production": "1"}, {"1": "Production"})


def test_a_lost_store_of_mlflow_is_made_again(
    registry: ModelRegistry, candidates: dict[str, Path], tmp_path: Path
) -> None:
    add(registry, candidates["first"])
    registry.promote_model(NAME, 1, "Production")
    before = shown(tmp_path)
    for path in tmp_path.glob("mlflow.db*"):
        path.unlink()
    registry.mirror()
    assert shown(tmp_path) == before
