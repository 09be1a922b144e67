"""A log-in gives the roles of its claim until it is over, and nothing without one."""

from __future__ import annotations

from typing import Any

import pytest

from app.login import user_from_claims

NOW = 1_000.0
ADA_CLAIMS = {"is_logged_in": True, "sub": "ada", "name": "Ada", "exp": 1_001, "roles": ["operator"]}


def test_a_log_in_gives_the_roles_of_the_declared_claim() -> None:
    found = user_from_claims(ADA_CLAIMS, "roles", now=NOW)
    assert (found.id, found.name, found.roles) == ("oidc:ada", "Ada", {"operator", "viewer"})
    assert user_from_claims({**ADA_CLAIMS, "groups": "predict"}, "groups", now=NOW).roles == {"predict"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"is_logged_in": False}, "not logged in"),
        ({"sub": None}, "not logged in"),
        ({"exp": 1_000}, "is over"),
        ({"exp": None}, "is over"),
        ({"exp": True}, "is over"),
        ({"exp": "2000"}, "is over"),
    ],
    ids=str,
)
def test_no_sound_log_in_may_do_nothing_and_is_told_why(change: dict[str, Any], said: str) -> None:
    found = user_from_claims({**ADA_CLAIMS, **change}, "roles", now=NOW)
    assert found.roles == set()
    assert said in found.explain_denial("predict")


def test_a_role_that_is_lacking_is_told_with_those_that_are_there() -> None:
    assert user_from_claims(ADA_CLAIMS, "roles", now=NOW).explain_denial("operator") == ""
    assert user_from_claims(ADA_CLAIMS, "roles", now=NOW).explain_denial("predict") == (
        "This needs the role predict, and Ada has: operator, viewer. Ask whoever gives out roles."
    )
