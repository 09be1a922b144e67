"""Authenticate callers by API key or OIDC token, and authorize them by role."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipeline.serving.http.limits import RateLimiter
from pipeline.serving.http.problems import HttpProblem
from pipeline.state import parse_api_key

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PUBLIC", "ROLES", "UNRESTRICTED", "Authenticator", "CredentialVerifier", "Principal"]

PUBLIC = "public"
# Role -> the roles that it includes.
ROLES: dict[str, tuple[str, ...]] = {
    "predict": (),
    "feedback": (),
    "viewer": (),
    "operator": ("viewer",),
    "admin": ("predict", "feedback", "viewer", "operator"),
}
_SCHEME = b"bearer "
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="mlops"'}
_MAX_HEADER_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller with all its roles; `id` is empty where no credential is required."""

    id: str
    roles: frozenset[str]

    @classmethod
    def from_roles(cls, identifier: str, roles: tuple[str, ...]) -> Principal:
        """Return a caller with these roles and the roles that they include; unknown roles are ignored."""
        known = [role for role in roles if role in ROLES]
        return cls(identifier, frozenset([*known, *(included for role in known for included in ROLES[role])]))


ANONYMOUS = Principal("", frozenset())
UNRESTRICTED = Principal.from_roles("", ("admin",))


class CredentialVerifier(Protocol):
    """Verifies bearer tokens of one kind."""

    def recognizes(self, token: str) -> bool:
        """Whether the token is of this kind."""

    async def verify(self, token: str) -> Principal | None:
        """Return the caller; None if the token is invalid, expired, or revoked."""


@dataclass(slots=True)
class Authenticator:
    """Authenticates and authorizes the caller of each request.

    Parameters
    ----------
    is_required : bool
        Whether credentials are required; otherwise every caller has all roles.
    verifiers : tuple of CredentialVerifier
        The first that recognizes a token verifies it.
    rate_limiter : RateLimiter or None
        Limits the requests of each caller; None for no limit.
    failure_limiter : RateLimiter
        Limits the invalid credentials of each address and of each key id. It decides the status of an invalid
        credential alone: a valid one is accepted after any number of failures of others.
    """

    is_required: bool
    verifiers: tuple[CredentialVerifier, ...]
    rate_limiter: RateLimiter | None
    failure_limiter: RateLimiter = field(default_factory=lambda: RateLimiter(per_s=10 / 60, burst=10))

    @property
    def allows_everyone(self) -> bool:
        """Whether no request is refused: neither credentials nor a rate limit apply."""
        return not self.is_required and self.rate_limiter is None

    async def authorize(self, headers: Mapping[bytes, bytes], roles: tuple[str, ...], address: str) -> Principal:
        """Return the caller of a request that needs one of `roles`.

        Raises
        ------
        HttpProblem
            With 401, 403 or 429.
        """
        if PUBLIC in roles:
            return ANONYMOUS
        caller = await self._authenticate(headers, address) if self.is_required else UNRESTRICTED
        if caller.roles.isdisjoint(roles):
            needed = " or ".join(roles)
            raise HttpProblem("role-missing", f"this request needs the role {needed}; use a credential that has it")
        if self.rate_limiter is not None and (wait := self.rate_limiter.wait_s(caller.id or address)):
            raise _rate_limit_problem("this credential has exceeded its rate limit", wait)
        return caller

    async def _authenticate(self, headers: Mapping[bytes, bytes], address: str) -> Principal:
        authorization = headers.get(b"authorization")
        if authorization is None:
            raise HttpProblem(
                "credential-missing",
                "send the header `Authorization: Bearer KEY`; an operator creates keys with `mlops keys create`",
                headers=_CHALLENGE,
            )
        caller = await self._verify_header(authorization)
        if caller is None:
            raise self._refusal(authorization, address)
        return caller

    def _refusal(self, authorization: bytes, address: str) -> HttpProblem:
        """Count an invalid credential, and return the problem for it."""
        waits = [self.failure_limiter.wait_s(name) for name in (address, _credential_id(authorization)) if name]
        if wait := max(waits, default=0.0):
            return _rate_limit_problem("too many invalid credentials from this address or for this key", wait)
        return HttpProblem(
            "credential-refused",
            "the credential is unknown, expired or revoked; ask an operator for another",
            headers={"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'},
        )

    async def _verify_header(self, authorization: bytes) -> Principal | None:
        if (
            authorization[: len(_SCHEME)].lower() != _SCHEME
            or len(authorization) > _MAX_HEADER_BYTES
            or not authorization.isascii()
        ):
            return None
        token = authorization[len(_SCHEME) :].decode("ascii").strip()
        for verifier in self.verifiers:
            if verifier.recognizes(token):
                return await verifier.verify(token)
        return None


def _credential_id(authorization: bytes) -> str:
    """Return the public part of an API key, so that its secret cannot be guessed from many addresses; else nothing."""
    scheme, _, token = authorization[:_MAX_HEADER_BYTES].decode("latin-1").partition(" ")
    parts = parse_api_key(token.strip()) if scheme.lower() == "bearer" else None
    return "" if parts is None else f"key {parts[0]}"


def _rate_limit_problem(detail: str, wait_s: float) -> HttpProblem:
    seconds = max(1, math.ceil(wait_s))
    return HttpProblem("too-many-requests", f"{detail}; retry after {seconds} s", headers={"Retry-After": str(seconds)})
