from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from pipeline.errors import ConfigError
from pipeline.serving.http.oidc import OidcVerifier
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
    moment = [time.time()]
    tokens = OidcVerifier(issuer.address, "mlops", ("RS256",), "roles", 0, clock=lambda: moment[0])

    async def both() -> tuple[Any, Any]:
        await tokens.verify(issuer.token())
        issuer.add_key("k2")
        early = await tokens.verify(issuer.token("k2"))
        moment[0] += 31
        return early, await tokens.verify(issuer.token("k2"))

    early, late = asyncio.run(both())
    assert (early, late is None) == (None, False)


@pytest.mark.parametrize("address", ["http://issuer.example", "ftp://issuer.example", "issuer.example"])
def test_an_issuer_address_must_be_https(address: str) -> None:
    with pytest.raises(ConfigError, match="expected an https address"):
        OidcVerifier(address, "mlops", ("RS256",), "roles", 0)
