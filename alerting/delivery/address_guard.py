"""Resolves and checks a target's address, so that only permitted addresses are connected to."""

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from monitor.errors import DriftlineError
from monitor.spec.urls import url_problem
from monitor.targets import AllowedTargets, IpAddress

NONE_ALLOWED = AllowedTargets()

# Where a cloud hands out the machine's credentials and what else it knows of it; those in 169.254.0.0/16 and fe80::/10
# are refused as link-local.
_METADATA = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure's wire server
        "192.0.0.192/32",  # Oracle Cloud, classic
        "fd00:42::42/128",  # Scaleway
        "fd00:ec2::/32",  # AWS: metadata, credentials of pods, name server, time
        "fd20:ce::254/128",  # Google Cloud
    )
)
_BROADCAST = ipaddress.ip_address("255.255.255.255")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")  # Linux takes 0.0.0.0 for this machine
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")  # for Python global, by RFC 3879 still no one's
_COMPATIBLE = ipaddress.ip_network("::/96")  # an IPv4 address in its last 32 bits, deprecated by RFC 4291
# The same with a prefix of their own: NAT64 (RFC 6052, and of local use RFC 8215), SIIT's translated (RFC 2765).
_LAST_32_BITS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")))
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # an interface's id that holds an IPv4 address (RFC 5214)


class TargetRefused(DriftlineError):
    """The target's address is one that Driftline never connects to."""


class TargetUnresolved(DriftlineError):
    """The target's name has no address now; it may have one later."""


def address_refusal(
    address: IpAddress, *, allow_private: bool, targets: AllowedTargets = NONE_ALLOWED, host: str = ""
) -> str | None:
    """Return why *address* may not be connected to, None when it may.

    Args:
        allow_private: Every private address is permitted.
        targets: Those that are permitted all the same. No list permits metadata, link-local, multicast or unspecified.
        host: By which name the address was found, empty where there is none.
    """
    reached = (address, *_embedded(address))
    for place in reached:
        if refusal := _never(place):
            return refusal if place == address else f"{refusal} ({place}) inside IPv6"
    permitted = allow_private or (host and targets.has_host(host)) or any(map(targets.has_address, reached))
    if not permitted and not all(map(_is_public, reached)):
        return "a private address that the setting `targets` does not list"
    return None


def checked_address(url: str, *, allow_private: bool, targets: AllowedTargets = NONE_ALLOWED) -> str:
    """Return one address of *url*'s host, all of which are permitted.

    Raises:
        TargetRefused: Nothing can be sent to *url* (`url_problem`), or any of its addresses is refused.
        TargetUnresolved: The host's name has no address now.
    """
    if problem := url_problem(url):
        raise TargetRefused(problem)
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        resolved = socket.getaddrinfo(host, parts.port or 0, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise TargetRefused(f"{host}: expected the name of a host, found: {error}") from error
    except OSError as error:
        raise TargetUnresolved(f"{host}: no address: {error.strerror}") from error
    addresses = [str(address[4][0]).partition("%")[0] for address in resolved]
    for address in addresses:
        # 0177.0.0.1, 2130706433 and the like were spelled out by the resolver before this check
        if refusal := address_refusal(
            ipaddress.ip_address(address), allow_private=allow_private, targets=targets, host=host
        ):
            raise TargetRefused(f"{host} is {address}, {refusal}")
    return addresses[0]


def _never(address: IpAddress) -> str | None:
    """Return why no setting permits *address*."""
    if any(address in network for network in _METADATA if network.version == address.version):
        return "an instance metadata address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "the unspecified address"
    return "the broadcast address" if address == _BROADCAST else None


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global
    if address.ipv4_mapped is not None:
        return True  # what it stands for is looked at by itself
    local = address in _SITE_LOCAL or address in _COMPATIBLE or address in _LOCAL_NAT64
    return address.is_global and not local


def _embedded(address: IpAddress) -> Iterator[ipaddress.IPv4Address]:
    """Give every IPv4 address that a packet to the IPv6 *address* may end at."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    bits = int(address)
    last = ipaddress.IPv4Address(bits & 0xFFFF_FFFF)
    if any(address in network for network in _LAST_32_BITS):
        yield last
    if address in _COMPATIBLE and bits > 1:  # :: and ::1 are addresses of their own
        yield last
    if (bits >> 32) & 0xFFFF_FFFF in _ISATAP:
        yield last
    if address in _LOCAL_NAT64 and (split := ((bits >> 64) & 0xFFFF) << 16 | (bits >> 40) & 0xFFFF):
        yield ipaddress.IPv4Address(split)  # behind a prefix of 48 bits: 16 bits, a byte of zeros, 16 bits
