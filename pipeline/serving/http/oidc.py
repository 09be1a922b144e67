"""Verify bearer tokens of an OpenID Connect issuer by its keys and the configured algorithms."""

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
            raise ConfigError("the OIDC issuer: expected an https address (http only on loopback)")

    def recognizes(self, token: str) -> bool:
        """Whether the token has the three parts of a signed JWT."""
        return token.count(".") == 2

    async def verify(self, token: str) -> Principal | None:
        """Return the caller of a valid token, otherwise None."""
        token_digest = hashlib.sha256(token.encode()).digest()
        cached = self._cached_principals.get(token_digest)
        if cached is not None and cached[0] > self.clock():
            return cached[1]
        claims = await self._verified_claims(token)
        if claims is None:
            return None
        principal = principal_from_claims(claims, self.roles_claim)
        self._cache_principal(token_digest, min(float(claims["exp"]), self.clock() + 60), principal)
        return principal

    def _cache_principal(self, token_digest: bytes, expires_at_s: float, principal: Principal) -> None:
        self._cached_principals[token_digest] = (expires_at_s, principal)
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
            key_set = await asyncio.to_thread(self._download_key_set)
            self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(key_set).keys if key.key_id is not None}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError):
            return  # the fetched keys stay valid; tokens with an unknown key are refused until the next fetch

    def _download_key_set(self) -> Any:
        configuration = _fetch_json(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        return _fetch_json(str(configuration["jwks_uri"]))


def principal_from_claims(claims: Mapping[str, Any], roles_claim: str) -> Principal:
    """Return the caller of verified claims; the roles are a list, or one string with blanks between them."""
    roles = claims.get(roles_claim, [])
    names = roles.split() if isinstance(roles, str) else roles if isinstance(roles, list) else []
    return Principal.from_roles(_caller_id(str(claims["sub"])), tuple(name for name in names if isinstance(name, str)))


def _caller_id(subject: str) -> str:
    """Return an id of at most 45 printable ASCII characters for a caller; longer subjects are hashed."""
    is_short = subject.isascii() and subject.isprintable() and len(subject) <= 40
    return f"oidc:{subject if is_short else hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def _fetch_json(address: str) -> Any:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("the keys of an issuer are fetched by https only")
    with urllib.request.urlopen(address, timeout=_FETCH_TIMEOUT_S) as response:  # noqa: S310 - https only  # nosec B310
        return json.loads(response.read(_MAX_RESPONSE_BYTES))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
