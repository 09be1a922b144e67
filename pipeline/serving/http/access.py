"""Decide who calls and what the caller may do: API keys, OIDC tokens, roles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipeline.serving.http.limits import Buckets
from pipeline.serving.http.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EVERYBODY", "PUBLIC", "ROLES", "Access", "Principal", "Verifier"]

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
_ASK = {"WWW-Authenticate": 'Bearer realm="mlops"'}
_MAX_TOKEN = 8192


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, and every role that the caller has. `id` is empty where nobody is asked for a credential."""

    id: str
    roles: frozenset[str]

    @classmethod
    def of(cls, identifier: str, roles: tuple[str, ...]) -> Principal:
        """Return a caller with these roles and those that they include; unknown words give nothing."""
        known = [role for role in roles if role in ROLES]
        return cls(identifier, frozenset([*known, *(more for role in known for more in ROLES[role])]))


NOBODY = Principal("", frozenset())
EVERYBODY = Principal.of("", ("admin",))


class Verifier(Protocol):
    """Turns a bearer token into a caller."""

    def accepts(self, token: str) -> bool:
        """Whether tokens of this form are its business."""

    async def principal(self, token: str) -> Principal | None:
        """Return the caller; None when the token is wrong, over, or taken back."""


@dataclass(slots=True)
class Access:
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
    verifiers: tuple[Verifier, ...]
    requests: Buckets | None
    failures: Buckets = field(default_factory=lambda: Buckets(per_s=10 / 60, burst=10))

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked for anything."""
        return not self.is_required and self.requests is None

    async def admit(self, fields: Mapping[bytes, bytes], role: str, address: str) -> Principal:
        """Return the caller of a request for an operation that needs `role`.

        Raises
        ------
        Refused
            With 401, 403 or 429.
        """
        if role == PUBLIC:
            return NOBODY
        caller = await self._caller(fields, address) if self.is_required else EVERYBODY
        if role not in caller.roles:
            raise Refused("role-missing", f"this needs the role {role}; ask for a credential that has it")
        if self.requests is not None and (wait := self.requests.wait_s(caller.id or address)):
            raise _too_many("this credential has sent more requests than it may", wait)
        return caller

    async def _caller(self, fields: Mapping[bytes, bytes], address: str) -> Principal:
        sent = fields.get(b"authorization")
        if sent is None:
            raise Refused(
                "credential-missing",
                "send the header `Authorization: Bearer KEY`; an operator makes keys with `mlops keys create`",
                headers=_ASK,
            )
        if wait := self.failures.wait_s(address, take=False):
            raise _too_many("too many wrong credentials from this address", wait)
        caller = await self._verified(sent)
        if caller is None:
            self.failures.wait_s(address)
            raise Refused(
                "credential-refused",
                "the credential is not known, is over, or was taken back; ask an operator for another",
                headers={"WWW-Authenticate": f'{_ASK["WWW-Authenticate"]}, error="invalid_token"'},
            )
        return caller

    async def _verified(self, sent: bytes) -> Principal | None:
        if sent[: len(_SCHEME)].lower() != _SCHEME or len(sent) > _MAX_TOKEN or not sent.isascii():
            return None
        token = sent[len(_SCHEME) :].decode("ascii").strip()
        for verifier in self.verifiers:
            if verifier.accepts(token):
                return await verifier.principal(token)
        return None


def _too_many(detail: str, wait_s: float) -> Refused:
    seconds = max(1, math.ceil(wait_s))
    return Refused("too-many-requests", f"{detail}; come back in {seconds} s", headers={"Retry-After": str(seconds)})
