from __future__ import annotations

import asyncio
import json
import math
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from pipeline.errors import ConfigError
from pipeline.serving.http.oidc import OidcVerifier, are_claims_current, principal_from_claims
from pipeline.serving.steady_clock import SteadyClock
from tests.pipeline.serving.http.oidc_issuer import OidcIssuer, run_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.serving.http.authentication import Principal


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    with run_issuer() as running_issuer:
        yield running_issuer


def verify(issuer: OidcIssuer, token: str, **settings: Any) -> Principal | None:
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256", "ES256"), "roles", 0, **settings)
    return asyncio.run(tokens.verify(token))


def test_a_good_token_gives_its_caller_and_roles(issuer: OidcIssuer) -> None:
    principal = verify(issuer, issuer.token(roles=["operator"]))
    assert principal is not None
    assert (principal.id, principal.roles) == ("oidc:ada", {"operator", "viewer"})


def test_no_subject_has_the_id_of_another() -> None:
    ids = []
    for subject in ("ada", "a" * 40, "a" * 41, "\u00e4da", "ada\n", "sha256:", "sha256:ada"):
        ids.append(principal_from_claims({"sub": subject}, "roles").id)
        ids.append(principal_from_claims({"sub": ids[-1].removeprefix("oidc:") + " "}, "roles").id)
        if subject not in ("ada", "a" * 40):
            ids.append(principal_from_claims({"sub": ids[-2].removeprefix("oidc:")}, "roles").id)
            ids.append(principal_from_claims({"sub": ids[-3].rpartition(":")[2]}, "roles").id)
    assert len(ids) == len(set(ids))
    assert all(len(identifier) <= 45 and identifier.isascii() and identifier.isprintable() for identifier in ids)


def test_roles_may_be_a_single_string(issuer: OidcIssuer) -> None:
    principal = verify(issuer, issuer.token(roles="predict feedback"))
    assert principal is not None
    assert principal.roles == {"predict", "feedback"}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another"},
        {"exp": 1},
        {"nbf": 4_102_444_800},
        {"exp": None},
        {"aud": None},
        {"iss": None},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(issuer: OidcIssuer, claims: dict[str, Any]) -> None:
    assert verify(issuer, issuer.token(**claims)) is None


@pytest.mark.parametrize("roles", [None, "root", ["root"], 7, [["admin"]], {"admin": True}])
def test_unknown_roles_give_no_right(issuer: OidcIssuer, roles: Any) -> None:
    principal = verify(issuer, issuer.token(roles=roles))
    assert principal is not None
    assert principal.roles == set()


def test_a_token_without_a_signature_is_refused(issuer: OidcIssuer) -> None:
    token = jwt.encode(issuer.claims(), None, algorithm="none", headers={"kid": "k1"})
    assert verify(issuer, token) is None


def test_the_public_key_is_not_accepted_as_a_shared_secret(issuer: OidcIssuer) -> None:
    secret = issuer.public_keys()["keys"][0]["n"]
    token = jwt.encode(issuer.claims(), secret, algorithm="HS256", headers={"kid": "k1"})
    assert verify(issuer, token) is None


def test_a_signature_algorithm_that_is_not_listed_is_refused(issuer: OidcIssuer) -> None:
    assert verify(issuer, issuer.token(algorithm="RS512")) is None


def test_a_key_that_does_not_match_the_algorithm_is_refused(issuer: OidcIssuer) -> None:
    issuer.add_key("e1", "ES256")
    principal = verify(issuer, issuer.token(kid="e1", algorithm="ES256"))
    assert principal is not None
    token = jwt.encode(issuer.claims(), issuer.keys["e1"], algorithm="ES256", headers={"kid": "k1"})
    assert verify(issuer, token) is None


def test_a_changed_token_is_refused(issuer: OidcIssuer) -> None:
    head, _, signature = issuer.token().split(".")
    other = issuer.token(sub="eve").split(".")[1]
    assert verify(issuer, f"{head}.{other}.{signature}") is None


@pytest.mark.parametrize("token", ["a.b.c", "..", "é.é.é", "a" * 8000 + ".b.c"])
def test_a_malformed_token_is_refused(issuer: OidcIssuer, token: str) -> None:
    assert verify(issuer, token) is None


def test_a_flood_of_unknown_keys_asks_the_issuer_once(issuer: OidcIssuer) -> None:
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0)
    other = OidcIssuer(issuer.address)
    other.add_key("stranger")

    async def flood() -> list[Principal | None]:
        return await asyncio.gather(*(tokens.verify(other.token("stranger", sub=str(n))) for n in range(50)))

    before = issuer.n_requests
    assert asyncio.run(flood()) == [None] * 50
    assert issuer.n_requests - before == 2  # where its keys are, and the keys


def test_a_new_key_of_the_issuer_is_fetched_after_the_pause(issuer: OidcIssuer) -> None:
    moment = [0.0]
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0, elapsed=lambda: moment[0])

    async def both() -> tuple[Any, Any]:
        await tokens.verify(issuer.token())
        issuer.add_key("k2")
        early = await tokens.verify(issuer.token("k2"))
        moment[0] += 31
        return early, await tokens.verify(issuer.token("k2"))

    early, late = asyncio.run(both())
    assert (early, late is None) == (None, False)


@pytest.mark.parametrize("jump_s", [-86_400.0, -3600.0, 3600.0, 10 * 365 * 86_400.0], ids=str)
def test_a_jump_of_the_clock_admits_no_token_and_breaks_none(issuer: OidcIssuer, jump_s: float) -> None:
    wall, elapsed = [time.time()], [0.0]
    clock = SteadyClock(wall=lambda: wall[0], elapsed=lambda: elapsed[0])
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0, clock=clock, elapsed=lambda: elapsed[0])
    good, over = issuer.token(), issuer.token(exp=int(wall[0]) - 60, sub="eve")
    ends_soon = issuer.token(exp=int(wall[0]) + 5, sub="bob")
    new_key = f"new{jump_s}"

    async def run() -> list[bool]:
        before = [await tokens.verify(token) is not None for token in (good, ends_soon)]
        wall[0] += jump_s + 31
        elapsed[0] += 31
        issuer.add_key(new_key)
        tokens_after = (good, ends_soon, over, issuer.token(new_key))
        after = [await tokens.verify(token) is not None for token in tokens_after]
        return before + after

    assert asyncio.run(run()) == [True, True, True, False, False, True]


ABSURD_NUMBERS = [10**400, -(10**400), 10**20, -1, math.nan, math.inf, -math.inf, "soon", "4102444800", True, [], {}]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ABSURD_NUMBERS, ids=lambda value: repr(value)[:20])
def test_a_moment_that_is_no_plausible_number_is_refused(issuer: OidcIssuer, claim: str, value: Any) -> None:
    assert verify(issuer, signed(issuer, {**issuer.claims(), claim: value})) is None
    assert not are_claims_current({"exp": 4_102_444_800, claim: value}, now_s=time.time())


@pytest.mark.parametrize("subject", ["", 7, True, [], {}, "\ud800"], ids=repr)
def test_a_subject_that_is_no_text_is_refused(issuer: OidcIssuer, subject: Any) -> None:
    assert verify(issuer, signed(issuer, {**issuer.claims(), "sub": subject})) is None


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b"null", b"[" * 100_000, b'{"exp": 1e999}', b'{"exp": ' + b"9" * 9000]
)
def test_a_signed_payload_that_is_no_claims_is_refused(issuer: OidcIssuer, payload: bytes) -> None:
    token = jwt.api_jws.encode(payload, issuer.keys["k1"], algorithm="RS256", headers={"kid": "k1"})
    assert verify(issuer, token) is None


def signed(issuer: OidcIssuer, claims: dict[str, Any]) -> str:
    """Return a token with any claims; PyJWT refuses to encode some of them."""
    payload = json.dumps(claims).encode()
    return jwt.api_jws.encode(payload, issuer.keys["k1"], algorithm="RS256", headers={"kid": "k1"})


@pytest.mark.parametrize("address", ["http://issuer.example", "ftp://issuer.example", "issuer.example"])
def test_an_issuer_address_must_be_https(address: str) -> None:
    with pytest.raises(ConfigError, match="expected an https address"):
        OidcVerifier(address, "mlops", ("RS256",), "roles", 0)
