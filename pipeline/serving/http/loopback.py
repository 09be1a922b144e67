"""Distinguish addresses of this machine from those that other machines reach."""

from __future__ import annotations

import ipaddress

from pipeline.errors import NotAllowed

__all__ = ["check_bind_address", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_bind_address(host: str, *, is_protected: bool) -> None:
    """Refuse an address that other machines can reach, unless credentials are required.

    Raises
    ------
    NotAllowed
        When `host` is not a loopback address and credentials are not required.
    """
    if not is_loopback(host) and not is_protected:
        raise NotAllowed(
            f"serving.host {host}: other machines can reach this address, and serving.authentication is 'none'."
            " Listen on 127.0.0.1, or create a key (`mlops keys create --role predict`) and start with"
            " --authentication required"
        )
