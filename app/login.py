"""Identify the user of a session and their roles: by OpenID Connect, or by access from this machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pipeline.project.actor import current_actor
from pipeline.serving.http.authentication import UNRESTRICTED
from pipeline.serving.http.oidc import are_claims_current, principal_from_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["User", "api_token", "has_login", "user_from_claims", "user_of_session"]

TOKEN_ENV = "MLOPS_API_TOKEN"  # noqa: S105 - where it is, not what it is
_LOOPBACK_ADDRESSES = ("127.0.0.1", "localhost", "::1")
_NO_LOGIN_MESSAGE = (
    "The app shows nothing: it is reachable from other machines and has no login. Set up a login in"
    " .streamlit/secrets.toml (docs/reference/app.md), or start the app on 127.0.0.1."
)
_LOGGED_OUT_MESSAGE = "You are not logged in, so the app shows nothing. Log in below."
_LOGIN_EXPIRED_MESSAGE = "Your login has expired, so the app shows nothing. Log in again below."


@dataclass(frozen=True, slots=True)
class User:
    """The user of a session. The audit trail records `id`; `denied_reason` is not empty if no action is allowed."""

    id: str
    name: str
    roles: frozenset[str]
    denied_reason: str = ""

    def explain_denial(self, role: str) -> str:
        """Return why an action that needs a role is denied; empty if it is allowed."""
        if role in self.roles:
            return ""
        roles = ", ".join(sorted(self.roles)) or "no known role"
        return (
            self.denied_reason
            or f"This needs the role {role}, and {self.name} has: {roles}. Ask your administrator for the role."
        )


def has_login() -> bool:
    """Return whether .streamlit/secrets.toml names an issuer; if so, only the login decides, on any address."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def user_of_session(roles_claim: str) -> User:
    """Return the user of this session, with the roles of a claim of their login."""
    if has_login():
        return user_from_claims(st.user.to_dict(), roles_claim, now=time.time())
    if st.get_option("server.address") in _LOOPBACK_ADDRESSES:
        actor = current_actor()
        return User(actor, actor, UNRESTRICTED.roles)
    return User("", "", frozenset(), _NO_LOGIN_MESSAGE)


def user_from_claims(claims: Mapping[str, Any], roles_claim: str, *, now: float) -> User:
    """Return the user that a login's claims name; no roles if it expired, has no expiry or has no subject.

    Parameters
    ----------
    claims : mapping
        Claims of the identity token, and `is_logged_in`.
    roles_claim : str
        Claim with the roles; `serving.oidc.roles_claim`.
    now : float
        Current time in seconds since 1970.
    """
    if not claims.get("is_logged_in") or not claims.get("sub"):
        return User("", "", frozenset(), _LOGGED_OUT_MESSAGE)
    if not are_claims_current(claims, now_s=now):
        return User("", "", frozenset(), _LOGIN_EXPIRED_MESSAGE)
    caller = principal_from_claims(claims, roles_claim)
    return User(caller.id, str(claims.get("name") or claims.get("email") or caller.id), caller.roles)


def api_token() -> str | None:
    """Return the token for the API: that of the login, or MLOPS_API_TOKEN if no login is set up."""
    if not has_login():
        return os.environ.get(TOKEN_ENV) or None
    tokens = st.user.tokens.to_dict()
    return tokens.get("access") or tokens.get("id")
