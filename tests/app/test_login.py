"""A login gives the roles of its claim until it expires."""

from __future__ import annotations

from typing import Any

import pytest

from app.login import user_from_claims

NOW = 1_000.0
ADA_CLAIMS = {"is_logged_in": True, "sub": "ada", "name": "Ada", "exp": 1_001, "roles": ["operator"]}


def test_a_login_gives_the_roles_of_the_declared_claim() -> None:
    user = user_from_claims(ADA_CLAIMS, "roles", now=NOW)
    assert (user.id, user.name, user.roles) == ("oidc:ada", "Ada", {"operator", "viewer"})
    assert user_from_claims({**ADA_CLAIMS, "groups": "predict"}, "groups", now=NOW).roles == {"predict"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_logged_in": False}, "not logged in"),
        ({"sub": None}, "not logged in"),
        ({"exp": 1_000}, "has expired"),
        ({"exp": None}, "has expired"),
        ({"exp": True}, "has expired"),
        ({"exp": "2000"}, "has expired"),
    ],
    ids=str,
)
def test_an_invalid_login_has_no_roles_and_a_reason(change: dict[str, Any], message: str) -> None:
    user = user_from_claims({**ADA_CLAIMS, **change}, "roles", now=NOW)
    assert user.roles == set()
    assert message in user.explain_denial("predict")


def test_a_denial_names_the_missing_role_and_the_roles_of_the_user() -> None:
    assert user_from_claims(ADA_CLAIMS, "roles", now=NOW).explain_denial("operator") == ""
    assert user_from_claims(ADA_CLAIMS, "roles", now=NOW).explain_denial("predict") == (
        "This needs the role predict, and Ada has: operator, viewer. Ask your administrator for the role."
    )
