"""Decide who calls and what the caller may do: API keys, OIDC tokens, roles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipeline.serving.http.limits import RateLimiter
from pipeline.serving.http.problems import HttpProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PUBLIC", "ROLES", "UNRESTRICTED", "Authenticator", "CredentialVerifier", "Principal"]

PUBLIC = "public"
# Role -> what it includes besides itself.
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
    """Who calls, and every role that the caller has. `id` is empty where nobody is asked for a credential."""

    id: str
    roles: frozenset[str]

    @classmethod
    def from_roles(cls, identifier: str, roles: tuple[str, ...]) -> Principal:
        """Return a caller with these roles and those that they include; unknown words give nothing."""
        known = [role for role in roles if role in ROLES]
        return cls(identifier, frozenset([*known, *(more for role in known for more in ROLES[role])]))


ANONYMOUS = Principal("", frozenset())
UNRESTRICTED = Principal.from_roles("", ("admin",))


class CredentialVerifier(Protocol):
    """Turns a bearer token into a caller."""

    def recognizes(self, token: str) -> bool:
        """Whether tokens of this form are its business."""

    async def verify(self, token: str) -> Principal | None:
        """Return the caller; None when the token is wrong, over, or taken back."""


@dataclass(slots=True)
class Authenticator:
    """The one place where a request is let through or not.

    Parameters
    ----------
    is_required : bool
        Whether credentials are asked for; otherwise every caller may do everything.
    verifiers : tuple of Verifier
        Asked in order; the first that accepts the form of a token decides.
    requests : Buckets or None
        Limit for each caller; None for no limit.
    failures : Buckets
        Wrong credentials of one address.
    """

    is_required: bool
    verifiers: tuple[CredentialVerifier, ...]
    rate_limiter: RateLimiter | None
    failure_limiter: RateLimiter = field(default_factory=lambda: RateLimiter(per_s=10 / 60, burst=10))

    @property
    def allows_everyone(self) -> bool:
        """Whether nobody is asked for anything."""
        return not self.is_required and self.rate_limiter is None

    async def authorize(self, headers: Mapping[bytes, bytes], role: str, address: str) -> Principal:
        """Return the caller of a request for an operation that needs `role`.

        Raises
        ------
        Refused
            With 401, 403 or 429.
        """
        if role == PUBLIC:
            return ANONYMOUS
        caller = await self._authenticate(headers, address) if self.is_required else UNRESTRICTED
        if role not in caller.roles:
            raise HttpProblem("role-missing", f"this needs the role {role}; ask for a credential that has it")
        if self.rate_limiter is not None and (wait := self.rate_limiter.wait_s(caller.id or address)):
            raise _rate_limit_problem("this credential has sent more requests than it may", wait)
        return caller

    async def _authenticate(self, headers: Mapping[bytes, bytes], address: str) -> Principal:
        sent = headers.get(b"authorization")
        if sent is None:
            raise HttpProblem(
                "credential-missing",
                "send the header `Authorization: Bearer KEY`; an operator makes keys with `mlops keys create`",
                headers=_CHALLENGE,
            )
        if wait := self.failure_limiter.wait_s(address, consume=False):
            raise _rate_limit_problem("too many wrong credentials from this address", wait)
        caller = await self._verify_header(sent)
        if caller is None:
            self.failure_limiter.wait_s(address)
            raise HttpProblem(
                "credential-refused",
                "the credential is not known, is over, or was taken back; ask an operator for another",
                headers={"WWW-Authenticate": f'{_CHALLENGE["WWW-Authenticate"]}, error="invalid_token"'},
            )
        return caller

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


def _rate_limit_problem(detail: str, wait_s: float) -> HttpProblem:
    seconds = max(1, math.ceil(wait_s))
    return HttpProblem(
        "too-many-requests", f"{detail}; come back in {seconds} s", headers={"Retry-After": str(seconds)}
    )
