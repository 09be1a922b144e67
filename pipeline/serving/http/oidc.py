"""Verify bearer tokens of an OpenID Connect issuer by its keys and the configured algorithms."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.serving.http.authentication import Principal
from pipeline.serving.http.oidc_keys import IssuerKeys, check_issuer_address
from pipeline.serving.steady_clock import SteadyClock, elapsed_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OidcVerifier", "are_claims_current", "principal_from_claims"]

_MAX_CACHED_TOKENS = 1000
_MAX_CACHE_AGE_S = 60.0
# The year 9999; a moment beyond it is a mistake, or a token that never expires.
_MAX_MOMENT_S = 253_402_300_799
_HASHED = "sha256:"
_INVALID = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(slots=True)
class OidcVerifier:
    """Verifies tokens; an unknown key is fetched from the issuer, at most every 30 s.

    Parameters
    ----------
    issuer : str
        Address, equal to the claim `iss` of the tokens; https, or http on loopback.
    audience : str
        Expected claim `aud`.
    algorithms : tuple of str
        Accepted signature algorithms; never one with a shared secret.
    roles_claim : str
        Claim with the list of roles.
    leeway_s : int
        Seconds by which clocks may differ.
    clock : callable
        Returns the seconds since 1970 by which tokens expire.
    elapsed : callable
        Returns the seconds of a clock that never jumps, by which keys and cached tokens get old.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    roles_claim: str
    leeway_s: int
    clock: Callable[[], float] = field(default_factory=SteadyClock)
    elapsed: Callable[[], float] = elapsed_s
    _keys: IssuerKeys = field(init=False)
    _cached_claims: OrderedDict[bytes, tuple[float, dict[str, Any]]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        check_issuer_address(self.issuer)
        self._keys = IssuerKeys(self.issuer, self.elapsed)

    def recognizes(self, token: str) -> bool:
        """Whether the token has the three parts of a signed JWT."""
        return token.count(".") == 2

    async def verify(self, token: str) -> Principal | None:
        """Return the caller of a valid token, otherwise None."""
        token_digest = hashlib.sha256(token.encode()).digest()
        until_s, claims = self._cached_claims.get(token_digest, (-math.inf, None))
        if claims is None or until_s <= self.elapsed():
            claims = await self._signed_claims(token)
        if claims is None or not are_claims_current(claims, now_s=self.clock(), leeway_s=self.leeway_s):
            return None
        try:
            principal = principal_from_claims(claims, self.roles_claim)
        except _INVALID:
            return None
        if until_s <= self.elapsed():
            self._cache_claims(token_digest, claims)
        return principal

    def _cache_claims(self, token_digest: bytes, claims: dict[str, Any]) -> None:
        self._cached_claims[token_digest] = (self.elapsed() + _MAX_CACHE_AGE_S, claims)
        self._cached_claims.move_to_end(token_digest)
        if len(self._cached_claims) > _MAX_CACHED_TOKENS:
            self._cached_claims.popitem(last=False)

    async def _signed_claims(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token with a valid signature, issuer and audience; their moments are not compared."""
        import jwt

        try:
            head = jwt.get_unverified_header(token)
            algorithm, kid = head.get("alg"), head.get("kid")
            if algorithm not in self.algorithms or not isinstance(kid, str):
                return None
            key = await self._keys.find(kid)
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.issuer,
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, *_INVALID):
            return None
        return claims


def are_claims_current(claims: Mapping[str, Any], *, now_s: float, leeway_s: float = 0) -> bool:
    """Whether a token has begun and is not over; `exp` is required, and each moment must be a plausible number."""
    moments = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
    if "exp" not in moments or not all(_is_moment(value) for value in moments.values()):
        return False
    begins_s = max(moments.get("nbf", 0), moments.get("iat", 0))
    return bool(begins_s - leeway_s <= now_s < moments["exp"] + leeway_s)


def _is_moment(value: Any) -> bool:
    """Whether a value is a finite number of seconds since 1970, before the year 10000."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_MOMENT_S


def principal_from_claims(claims: Mapping[str, Any], roles_claim: str) -> Principal:
    """Return the caller of verified claims; the roles are a list, or one string with blanks between them.

    Raises
    ------
    ValueError
        When the subject is no text, or is empty.
    """
    subject, roles = claims["sub"], claims.get(roles_claim, [])
    if not isinstance(subject, str) or not subject:
        raise ValueError("the claim sub is no text, or empty")
    names = roles.split() if isinstance(roles, str) else roles if isinstance(roles, list) else []
    return Principal.from_roles(_caller_id(subject), tuple(name for name in names if isinstance(name, str)))


def _caller_id(subject: str) -> str:
    """Return an id of at most 45 printable ASCII characters for a caller; longer subjects are hashed.

    No subject is the hash of another: those that look like one are hashed too.
    """
    is_short = subject.isascii() and subject.isprintable() and len(subject) <= 40
    if is_short and not subject.startswith(_HASHED):
        return f"oidc:{subject}"
    return f"oidc:{_HASHED}{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
