"""A submitted candidate is registered, and promoted as the policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.errors import Conflict, NotAllowed
from pipeline.registry import ModelRegistry
from tests.fixtures import postgresql_server
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

from tests.pipeline.registry.test_model_registry import NAME, report, stages


def test_the_first_to_pass_goes_to_production_and_later_ones_to_staging(
    registry: ModelRegistry, candidates: dict[str, Path]
) -> None:
    config = settings().promotion
    first = registry.submit(NAME, candidates["first"], report(), config=config, tags={})
    assert (first.stage, str(first)) == ("Production", f"{NAME} version 1 (1.0.0) promoted to Production")
    champion = registry.load_model(NAME).digest
    assert (
        registry.submit(NAME, candidates["second"], report(champion=champion), config=config, tags={}).stage
        == "Staging"
    )
    assert registry.submit(NAME, candidates["third"], report("hold", champion), config=config, tags={}).stage is None
    assert not registry.submit(NAME, candidates["second"], report(champion=champion), config=config, tags={}).is_new
    assert stages(registry) == ["Production", "Staging", "None"]


def test_the_policy_decides_the_stage(registry: ModelRegistry, candidates: dict[str, Path]) -> None:
    manual, production = (settings(f"promotion.policy={word}").promotion for word in ("manual", "production"))
    assert registry.submit(NAME, candidates["first"], report(), config=manual, tags={}).stage is None
    registry.promote_model(NAME, 1, "Production")
    champion = registry.load_model(NAME).digest
    gates = report(champion=champion)
    assert registry.submit(NAME, candidates["second"], gates, config=production, tags={}).stage == "Production"
    with pytest.raises(Conflict, match="another version was promoted to Production"):
        registry.submit(NAME, candidates["third"], gates, config=production, tags={})


@pytest.mark.parametrize(("policy", "stage"), [("staging", "Staging"), ("manual", None)])
def test_the_first_version_is_staged_where_the_account_may_not_change_production(
    postgresql: str,
    candidates: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    policy: str,
    stage: str,
) -> None:
    registry = registry_of_training(postgresql, tmp_path, monkeypatch)
    config = settings(f"promotion.policy={policy}").promotion
    submission = registry.submit(NAME, candidates["first"], report(), config=config, tags={})
    reason = "promoted to Staging (the database account mlops_training may not change Production)"
    assert (submission.stage, submission.outcome) == (stage, reason if stage else "is in stage None")


@pytest.mark.parametrize("verdict", ["promote", "hold"])
def test_the_policy_gives_no_right_that_the_account_lacks(
    postgresql: str, candidates: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    registry = registry_of_training(postgresql, tmp_path, monkeypatch)
    config = settings("promotion.policy=production").promotion
    with pytest.raises(NotAllowed, match="policy is production, and the database account mlops_training may not"):
        registry.submit(NAME, candidates["first"], report(verdict), config=config, tags={})
    assert registry.list_models() == []


def registry_of_training(postgresql: str, root: Path, patch: pytest.MonkeyPatch) -> ModelRegistry:
    """Return a registry without versions, as the job that trains opens it."""
    address = postgresql_server.new_database(postgresql, template=postgresql_server.template_database(postgresql))
    owner = store.connect_to(address, setting_name="here")
    store.apply_grants(owner)
    owner.close()
    patch.setenv(store.STATE_URL_ENV, address.replace("//tester@", "//mlops_training@"))
    return ModelRegistry(root, tracking_uri="http://127.0.0.1:1")
