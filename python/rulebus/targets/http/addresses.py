"""Which addresses an HTTP target may connect to: public ones, and what is allowed by name or network.

Guards against requests forged on the server's side: a URL, or a name server that changes its mind, must not lead into
the private network or to the cloud's metadata. Relies on `ipaddress`; judged is the address that is connected to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from rulebus.errors import BusError

__all__ = ["AddressGuard", "AddressRefused"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
# What `is_global` of some Python lets pass: IETF's own addresses (one cloud's metadata), site-local ones of old, and
# Azure's host of metadata and health probes, which is public by registration and private by use.
_NEVER = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "fec0::/10", "168.63.129.16/32"))


class AddressRefused(OSError):
    """An address that may not be connected to."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"{host} is {address}, a private, local or reserved address; allow it with allow=[{host!r}] if it is meant"
            if host != address
            else f"{address} is a private, local or reserved address; allow it with allow=[{address!r}] if it is meant"
        )


class AddressGuard:
    """Judges names and addresses.

    >>> guard = AddressGuard(["billing.internal", "10.1.0.0/16"])
    >>> [guard.admits(text) for text in ("93.184.216.34", "127.0.0.1", "10.1.2.3", "::ffff:169.254.169.254")]
    [True, False, True, False]
    >>> guard.admits_name("billing.internal"), guard.admits_name("other.internal")
    (True, False)

    `allow` holds names of hosts (exactly, or with everything below them when they begin with a dot), addresses and
    networks.
    """

    __slots__ = ("_names", "_networks", "_suffixes")

    def __init__(self, allow: Iterable[str] = ()) -> None:
        if isinstance(allow, str):
            raise BusError(
                "target-allow", f"allow is a list of names, addresses and networks; write [{allow!r}]"
            )
        self._names: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for text in allow:
            try:
                self._networks.append(ipaddress.ip_network(text.strip("[]")))
                continue
            except ValueError as error:
                if "/" in text or not text or any(char in text for char in ":@ *"):
                    raise BusError(
                        "target-allow",
                        f"{text!r} is neither a name such as 'billing.internal' or '.internal' nor an address or "
                        f"network such as '10.1.0.0/16': {error}",
                    ) from None
            name = text.lower().rstrip(".")
            if name.startswith("."):
                self._suffixes.append(name)
            else:
                self._names.add(name)

    def admits_name(self, host: str) -> bool:
        """Whether every address of this host is allowed."""
        name = host.lower().rstrip(".")
        return name in self._names or any(name.endswith(suffix) for suffix in self._suffixes)

    def admits(self, address: str) -> bool:
        """Whether this address may be connected to."""
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        inner = _inner(ip)
        if any(
            one in network
            for one in {ip, inner}
            for network in self._networks
            if one.version == network.version
        ):
            return True
        if any(inner in network for network in _NEVER if inner.version == network.version):
            return False
        return inner.is_global and not inner.is_multicast and not inner.is_reserved

    def literal(self, host: str) -> Address | None:
        """The address that a URL's host is, if it is one and not a name."""
        try:
            return ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return None


def _inner(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, in any of the ways to write one; else itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip.teredo is not None:
        return ip.teredo[1]
    if any(ip in network for network in _NAT64) or (int(ip) >> 32 == 0 and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip
