"""Say who reads, and what the reader may do: by log-in with OpenID Connect, otherwise by sitting at this machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from pipeline.registry import stage_transitions
from pipeline.serving.http.authentication import UNRESTRICTED
from pipeline.serving.http.oidc import principal_from_claims

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["User", "api_token", "has_login", "user_from_claims", "user_of_session"]

TOKEN_ENV = "MLOPS_API_TOKEN"  # noqa: S105 - where it is, not what it is
_LOOPBACK_ADDRESSES = ("127.0.0.1", "localhost", "::1")
_NO_LOGIN_MESSAGE = (
    "This app answers other machines and has no log-in, so it only shows. Decide with `mlops promote` and"
    " `mlops rollback` on the machine itself, set up a log-in (docs/reference/app.md), or start the app on 127.0.0.1."
)
_LOGGED_OUT_MESSAGE = "You are not logged in, so the app only shows. Log in at the side."
_LOGIN_EXPIRED_MESSAGE = "Your log-in is over, so the app only shows. Log in again at the side."


@dataclass(frozen=True, slots=True)
class User:
    """Who reads. `id` goes to the audit trail; `why_not` says what to do where nothing at all is allowed."""

    id: str
    name: str
    roles: frozenset[str]
    denied_reason: str = ""

    def explain_denial(self, role: str) -> str:
        """Return why an act that needs a role is denied, in words; empty where it is allowed."""
        if role in self.roles:
            return ""
        has = ", ".join(sorted(self.roles)) or "none that is known here"
        return (
            self.denied_reason
            or f"This needs the role {role}, and {self.name} has: {has}. Ask whoever gives out roles."
        )


def has_login() -> bool:
    """Return whether an issuer is set up in .streamlit/secrets.toml; then the log-in alone decides, on any address."""
    try:
        return "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        return False


def user_of_session(roles_claim: str) -> User:
    """Return who reads in this session, with the roles that stand in a claim of the log-in."""
    if has_login():
        return user_from_claims(st.user.to_dict(), roles_claim, now=time.time())
    if st.get_option("server.address") in _LOOPBACK_ADDRESSES:
        me = stage_transitions.current_actor()
        return User(me, me, UNRESTRICTED.roles)
    return User("", "", frozenset(), _NO_LOGIN_MESSAGE)


def user_from_claims(claims: Mapping[str, Any], roles_claim: str, *, now: float) -> User:
    """Return the reader of a log-in's claims; one that is over, says no end, or names nobody, has no roles.

    Parameters
    ----------
    claims : mapping
        Those of the identity token, and `is_logged_in`.
    roles_claim : str
        The claim with the roles, as group `serving` declares it for the API.
    now : float
        In seconds since 1970.
    """
    if not claims.get("is_logged_in") or not claims.get("sub"):
        return User("", "", frozenset(), _LOGGED_OUT_MESSAGE)
    until = claims.get("exp")
    if isinstance(until, bool) or not isinstance(until, int | float) or until <= now:
        return User("", "", frozenset(), _LOGIN_EXPIRED_MESSAGE)
    caller = principal_from_claims(claims, roles_claim)
    return User(caller.id, str(claims.get("name") or claims.get("email") or caller.id), caller.roles)


def api_token() -> str | None:
    """Return what the API is shown: the token of the log-in, otherwise that of MLOPS_API_TOKEN where nobody logs in."""
    if not has_login():
        return os.environ.get(TOKEN_ENV) or None
    shown = st.user.tokens.to_dict()
    return shown.get("access") or shown.get("id")
