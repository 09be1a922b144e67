"""Accept bearer tokens of an OpenID Connect issuer, signed by one of its keys with an algorithm that we name."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import time
import urllib.request
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from pipeline.serving.http.authentication import Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["OidcVerifier", "principal_from_claims"]

_FETCH_TIMEOUT_S = 5
_MIN_FETCH_INTERVAL_S = 30
_MAX_KEY_AGE_S = 3600
_MAX_RESPONSE_BYTES = 1_000_000
_MAX_CACHED_TOKENS = 1000


@dataclass(slots=True)
class OidcVerifier:
    """Verifies tokens; keys of the issuer are fetched when a token names an unknown one, at most every 30 s.

    Parameters
    ----------
    issuer : str
        Address, as it stands in the tokens; https, or http on loopback.
    audience : str
        What tokens must be meant for.
    algorithms : tuple of str
        Accepted signatures; never one with a shared secret.
    roles_claim : str
        Claim with the list of roles.
    leeway_s : int
        By how much clocks may differ.
    """

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    roles_claim: str
    leeway_s: int
    clock: Callable[[], float] = time.time
    _keys: dict[str, Any] = field(default_factory=dict)
    _fetched_at: float = -1e9
    _fetch_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _cached_principals: OrderedDict[bytes, tuple[float, Principal]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
            raise ConfigError("the OIDC issuer: accepted is an https address (http only on loopback)")

    def recognizes(self, token: str) -> bool:
        """Whether it looks like a signed token: three parts."""
        return token.count(".") == 2

    async def verify(self, token: str) -> Principal | None:
        """Return the caller whom the token names; None when anything about it is not as it must be."""
        name = hashlib.sha256(token.encode()).digest()
        known = self._cached_principals.get(name)
        if known is not None and known[0] > self.clock():
            return known[1]
        claims = await self._verified_claims(token)
        if claims is None:
            return None
        caller = principal_from_claims(claims, self.roles_claim)
        self._cache_principal(name, min(float(claims["exp"]), self.clock() + 60), caller)
        return caller

    def _cache_principal(self, name: bytes, until: float, caller: Principal) -> None:
        self._cached_principals[name] = (until, caller)
        if len(self._cached_principals) > _MAX_CACHED_TOKENS:
            self._cached_principals.popitem(last=False)

    async def _verified_claims(self, token: str) -> dict[str, Any] | None:
        import jwt

        try:
            head = jwt.get_unverified_header(token)
            algorithm = head.get("alg")
            if algorithm not in self.algorithms:
                return None
            key = await self._signing_key(head.get("kid"))
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, TypeError, ValueError):
            return None
        return claims

    async def _signing_key(self, kid: Any) -> Any:
        if not isinstance(kid, str):
            return None
        age = self.clock() - self._fetched_at
        if age > _MAX_KEY_AGE_S or (kid not in self._keys and age > _MIN_FETCH_INTERVAL_S):
            async with self._fetch_lock:
                if self.clock() - self._fetched_at > _MIN_FETCH_INTERVAL_S:
                    self._fetched_at = self.clock()
                    await self._fetch_keys()
        return self._keys.get(kid)

    async def _fetch_keys(self) -> None:
        import jwt

        try:
            found = await asyncio.to_thread(self._download_key_set)
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(found).keys if key.key_id is not None}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError):
            return  # the keys that are known go on being accepted; an unknown one is refused until they can be had

    def _download_key_set(self) -> Any:
        where = _fetch_json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        return _fetch_json(str(where["jwks_uri"]))


def principal_from_claims(claims: Mapping[str, Any], roles_claim: str) -> Principal:
    """Return the caller whom verified claims name, with the roles of one claim: a list, or words in one string."""
    roles = claims.get(roles_claim, [])
    words = roles.split() if isinstance(roles, str) else roles if isinstance(roles, list) else []
    return Principal.from_roles(_caller_id(str(claims["sub"])), tuple(word for word in words if isinstance(word, str)))


def _caller_id(subject: str) -> str:
    """Return a short plain word for a caller, whatever the issuer calls it."""
    plain = subject if subject.isascii() and subject.isprintable() and len(subject) <= 40 else None
    return f"oidc:{plain if plain is not None else hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def _fetch_json(address: str) -> Any:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("keys of an issuer are read by https only")
    with urllib.request.urlopen(address, timeout=_FETCH_TIMEOUT_S) as answer:  # noqa: S310 - the scheme is checked above  # nosec B310
        return json.loads(answer.read(_MAX_RESPONSE_BYTES))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
