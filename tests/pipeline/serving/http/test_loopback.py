"""Only loopback addresses may be served without credentials."""

from __future__ import annotations

import pytest

from pipeline.errors import NotAllowed
from pipeline.serving.http.loopback import check_bind_address, is_loopback

HOSTS = [
    ("localhost", True),
    ("127.0.0.1", True),
    ("127.8.8.8", True),
    ("::1", True),
    ("0.0.0.0", False),
    ("::", False),
    ("192.0.2.1", False),
    ("example.org", False),
    ("", False),
]


@pytest.mark.parametrize(("host", "expected"), HOSTS)
def test_only_loopback_addresses_are_private_to_the_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(("host", "is_private"), HOSTS)
def test_a_public_address_requires_credentials(host: str, is_private: bool) -> None:
    check_bind_address(host, is_protected=True)
    if is_private:
        check_bind_address(host, is_protected=False)
        return
    with pytest.raises(NotAllowed, match=r"other machines can reach this address.*--authentication required"):
        check_bind_address(host, is_protected=False)
