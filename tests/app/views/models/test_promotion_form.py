"""Promotion and rollback from the page: with a reason, gates overridden explicitly, recorded in the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.app.conftest import app_page, errors_of, text_of
from tests.fixtures.small_packages import write_small_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

    from pipeline.registry import ModelRegistry

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture
def registry(empty: Path, serving: Callable[[str], ModelRegistry]) -> ModelRegistry:
    """Version 1 is in Production; the gates of version 2 were not evaluated. MLflow is unreachable."""
    registry = serving("iris")
    write_small_package(empty / "other", "iris", "model=naive_bayes")
    registry.register_model("other", "iris_model")
    return registry


def promote_version_2(reason: str, *, force: bool) -> AppTest:
    at = app_page("models").run()
    at.selectbox(key="models_version").set_value(2).run()
    at.text_area(key="promote_2_at_1_reason").set_value(reason)
    if force:
        at.checkbox(key="promote_2_at_1_force").check()
    return at.button(key="promote_2_at_1_confirm").click().run()


def stages(registry: ModelRegistry) -> list[str]:
    return [version.stage for version in registry.list_models("iris_model")]


def test_a_version_without_evaluated_gates_is_refused(registry: ModelRegistry) -> None:
    at = promote_version_2("it looks good", force=False)
    assert "Promotion blocked" in errors_of(at)[0]
    assert "--force" not in text_of(at)
    assert stages(registry) == ["Production", "None"]


def test_an_override_with_a_reason_promotes_and_is_audited(registry: ModelRegistry) -> None:
    at = promote_version_2("the owner asked for it", force=True)
    newest = registry.history("iris_model")[-1]
    assert (errors_of(at), stages(registry)) == ([], ["Archived", "Production"])
    assert (newest.action, newest.actor, newest.reason) == ("force", "ada", "the owner asked for it")
    assert "Production is version 2" in text_of(at)


def test_an_override_is_ignored_for_a_stage_without_gates(registry: ModelRegistry) -> None:
    at = app_page("models").run()
    at.selectbox(key="models_version").set_value(2).run()
    at.selectbox(key="promote_2_at_1_stage").set_value("Archived")
    at.text_area(key="promote_2_at_1_reason").set_value("not needed")
    at.checkbox(key="promote_2_at_1_force").check()
    at.button(key="promote_2_at_1_confirm").click().run()
    assert (errors_of(at), stages(registry)) == ([], ["Production", "Archived"])
    assert registry.history("iris_model")[-1].action == "promote"


@pytest.mark.parametrize("form", ["promote_1_at_1", "rollback_at_1"])
def test_a_change_needs_a_reason(form: str, registry: ModelRegistry) -> None:
    at = app_page("models").run()
    at.text_area(key=f"{form}_reason").set_value("  ")
    at.button(key=f"{form}_confirm").click().run()
    assert "Enter a reason" in errors_of(at)[0]
    assert stages(registry) == ["Production", "None"]


def test_rollback_restores_the_previous_production_version(registry: ModelRegistry) -> None:
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    at = app_page("models").run()
    at.text_area(key="rollback_at_2_reason").set_value("worse")
    at.button(key="rollback_at_2_confirm").click().run()
    assert (errors_of(at), stages(registry)) == ([], ["Production", "Archived"])


def test_the_promoted_version_makes_the_next_prediction(registry: ModelRegistry) -> None:
    app_page("predict").run().button[0].click().run()
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    at = app_page("predict").run()
    at.button[0].click().run()
    assert "Version 2 of" in text_of(at)


def test_a_change_based_on_an_outdated_view_is_refused(registry: ModelRegistry) -> None:
    at = app_page("models").run()
    at.text_area(key="rollback_at_1_reason").set_value("worse")
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    at.button(key="rollback_at_1_confirm").click().run()
    assert any("The state changed since you opened this page" in error for error in errors_of(at))
    assert stages(registry) == ["Archived", "Production"]
