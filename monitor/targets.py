"""The operator's list of private places that messages may be sent to: hosts and networks, as in the settings."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from monitor.errors import SettingsError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*\.?")
_NUMERIC = re.compile(r"[0-9.:/a-fA-FxX]*[0-9:]")  # a mistyped address, never a host: 10.0.0.0/33, 10.0.0.256


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedTargets:
    """Hosts (`*.` in front: any below it) and networks; what is in neither is not allowed."""

    hosts: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Self:
        """Return the list that *entries* write.

        Raises:
            SettingsError: One is neither a host nor a network.
        """
        hosts: set[str] = set()
        suffixes: list[str] = []
        networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                if not _HOST.fullmatch(entry) or _NUMERIC.fullmatch(entry):
                    raise SettingsError(
                        "targets: expected hosts (hooks.internal, *.svc.cluster.local) and networks (10.1.0.0/16),"
                        f" found {entry!r}"
                    ) from None
                name = _canonical(entry)
                if name.startswith("*."):
                    suffixes.append(name[1:])
                else:
                    hosts.add(name)
        return cls(hosts=frozenset(hosts), suffixes=tuple(suffixes), networks=tuple(networks))

    def has_host(self, host: str) -> bool:
        """Whether the list has *host* by its name."""
        name = _canonical(host)
        return name in self.hosts or name.endswith(self.suffixes)

    def has_address(self, address: IpAddress) -> bool:
        """Whether a network of the list holds *address*."""
        return any(address.version == network.version and address in network for network in self.networks)


def _canonical(host: str) -> str:
    return host.lower().removesuffix(".")
