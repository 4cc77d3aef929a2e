"""Resolves and checks a target's address, so that only permitted addresses are connected to."""

import ipaddress
import socket
from urllib.parse import urlsplit

from monitor.errors import DriftlineError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(value) for value in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")
)


class TargetRefused(DriftlineError):
    """The target's address is one that Driftline never connects to."""


class TargetUnresolved(DriftlineError):
    """The target's name has no address now; it may have one later."""


def address_refusal(address: IpAddress, *, allow_private: bool) -> str | None:
    """Return why *address* may not be connected to, None when it may."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return address_refusal(inner, allow_private=allow_private)
    if address in _METADATA:
        return "an instance metadata address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "the unspecified address"
    if not allow_private and not address.is_global:
        return "a private address, and allow_private_targets is false"
    return None


def checked_address(url: str, *, allow_private: bool) -> str:
    """Return one address of *url*'s host, all of which are permitted.

    Raises:
        TargetRefused: Not http or https, no host, or any of its addresses is refused.
        TargetUnresolved: The host's name has no address now.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetRefused(f"expected an http or https URL with a host, found {parts.scheme}://{parts.hostname}")
    try:
        resolved = socket.getaddrinfo(parts.hostname, parts.port or 0, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetUnresolved(f"{parts.hostname}: no address: {error.strerror}") from error
    addresses = [str(address[4][0]).partition("%")[0] for address in resolved]
    for address in addresses:
        # 0177.0.0.1, 2130706433 and the like were spelled out by the resolver before this check
        if refusal := address_refusal(ipaddress.ip_address(address), allow_private=allow_private):
            raise TargetRefused(f"{parts.hostname} is {address}, {refusal}")
    return addresses[0]
