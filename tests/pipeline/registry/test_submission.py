"""A submitted candidate is registered, and promoted as the policy allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Conflict
from tests.fixtures.toy_dataset import settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.registry import ModelRegistry
from tests.pipeline.registry.test_model_registry import NAME, report, stages


def test_the_first_to_pass_goes_to_production_and_later_ones_to_staging(
    registry: ModelRegistry, packages: dict[str, Path]
) -> None:
    config = settings().promotion
    first = registry.submit(NAME, packages["first"], report(), config=config, tags={})
    assert (first.stage, str(first)) == ("Production", f"{NAME} version 1 (1.0.0) promoted to Production")
    champion = registry.load_model(NAME).digest
    assert (
        registry.submit(NAME, packages["second"], report(champion=champion), config=config, tags={}).stage == "Staging"
    )
    assert registry.submit(NAME, packages["third"], report("hold", champion), config=config, tags={}).stage is None
    assert not registry.submit(NAME, packages["second"], report(champion=champion), config=config, tags={}).is_new
    assert stages(registry) == ["Production", "Staging", "None"]


def test_the_policy_decides_the_stage(registry: ModelRegistry, packages: dict[str, Path]) -> None:
    manual, production = (settings(f"promotion.policy={word}").promotion for word in ("manual", "production"))
    assert registry.submit(NAME, packages["first"], report(), config=manual, tags={}).stage is None
    registry.promote_model(NAME, 1, "Production")
    champion = registry.load_model(NAME).digest
    gates = report(champion=champion)
    assert registry.submit(NAME, packages["second"], gates, config=production, tags={}).stage == "Production"
    with pytest.raises(Conflict, match="another version was promoted to Production"):
        registry.submit(NAME, packages["third"], gates, config=production, tags={})
