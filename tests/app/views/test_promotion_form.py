"""Promote and roll back from the page: with a reason, past the gates only by saying so, and kept in the audit trail."""

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
    """Version 1 serves; version 2 was never judged. MLflow is dead, which stops no decision."""
    made = serving("iris")
    write_small_package(empty / "other", "iris", "model=naive_bayes")
    made.register_model("other", "iris_model")
    return made


def promote_version_2(reason: str, *, force: bool) -> AppTest:
    shown = app_page("models").run()
    shown.selectbox(key="models_version").set_value(2).run()
    shown.text_area(key="promote_2_reason").set_value(reason)
    if force:
        shown.checkbox(key="promote_2_force").check()
    return shown.button(key="promote_2_confirm").click().run()


def stages(registry: ModelRegistry) -> list[str]:
    return [one.stage for one in registry.list_models("iris_model")]


def test_a_version_that_was_not_judged_is_refused_with_the_reason(registry: ModelRegistry) -> None:
    shown = promote_version_2("it looks good", force=False)
    assert "The gates say no" in errors_of(shown)[0]
    assert stages(registry) == ["Production", "None"]


def test_force_with_a_reason_promotes_and_is_kept_in_the_audit_trail(registry: ModelRegistry) -> None:
    shown = promote_version_2("the owner asked for it", force=True)
    newest = registry.history("iris_model")[-1]
    assert (errors_of(shown), stages(registry)) == ([], ["Archived", "Production"])
    assert (newest.action, newest.actor, newest.reason) == ("force", "ada", "the owner asked for it")
    assert "Production is version 2" in text_of(shown)


def test_a_tick_forces_nothing_where_no_gate_stands(registry: ModelRegistry) -> None:
    shown = app_page("models").run()
    shown.selectbox(key="models_version").set_value(2).run()
    shown.selectbox(key="promote_2_stage").set_value("Archived")
    shown.text_area(key="promote_2_reason").set_value("not needed")
    shown.checkbox(key="promote_2_force").check()
    shown.button(key="promote_2_confirm").click().run()
    assert (errors_of(shown), stages(registry)) == ([], ["Production", "Archived"])
    assert registry.history("iris_model")[-1].action == "promote"


@pytest.mark.parametrize("what", ["promote_1", "rollback"])
def test_nothing_is_decided_without_a_reason(what: str, registry: ModelRegistry) -> None:
    shown = app_page("models").run()
    shown.text_area(key=f"{what}_reason").set_value("  ")
    shown.button(key=f"{what}_confirm").click().run()
    assert "Say why" in errors_of(shown)[0]
    assert stages(registry) == ["Production", "None"]


def test_roll_back_puts_the_version_back_that_served_before(registry: ModelRegistry) -> None:
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    shown = app_page("models").run()
    shown.text_area(key="rollback_reason").set_value("worse")
    shown.button(key="rollback_confirm").click().run()
    assert (errors_of(shown), stages(registry)) == ([], ["Production", "Archived"])


def test_what_was_promoted_here_answers_the_next_prediction(registry: ModelRegistry) -> None:
    app_page("predict").run().button[0].click().run()
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    shown = app_page("predict").run()
    shown.button[0].click().run()
    assert "Version 2 of" in text_of(shown)


def test_who_looked_before_somebody_else_decided_is_told_and_decides_nothing(registry: ModelRegistry) -> None:
    shown = app_page("models").run()
    shown.text_area(key="rollback_reason").set_value("worse")
    registry.promote_model("iris_model", 2, "Production", force=True, reason="try it")
    shown.button(key="rollback_confirm").click().run()
    assert any("Somebody else was first" in one for one in errors_of(shown))
    assert stages(registry) == ["Archived", "Production"]
