"""IP addresses and address ranges as section 5 of the language reads them.

Relies on nothing but `re`; Python's `ipaddress` is too strict (it refuses leading zeros) and too generous (zones,
dotted tails). Must never look an address up anywhere.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

__all__ = ["Address", "AddressRange", "CidrError", "address", "address_range"]

_V4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_MASK = re.compile(r"[+-]?[0-9]+")
_INT32 = 2**31


@dataclass(frozen=True, slots=True)
class Address:
    bits: int  # 32 or 128
    number: int


@dataclass(frozen=True, slots=True)
class AddressRange:
    bits: int
    shift: int  # host bits, which are ignored
    network: int

    def holds(self, found: Address) -> bool:
        return found.bits == self.bits and found.number >> self.shift == self.network


class CidrError(ValueError):
    """A text that is no address range; the message is AWS's."""


@functools.lru_cache(maxsize=100_000)
def address(text: str) -> Address | None:
    """The address that a text spells, or None. An IPv4 address inside IPv6 stays an IPv6 address.

    >>> address("010.0.0.1") == address("10.0.0.1"), address("2001:DB8::1") == address("2001:db8:0:0:0:0:0:1")
    (True, True)
    >>> address("256.0.0.1"), address("1::2::3")
    (None, None)
    """
    if _V4.fullmatch(text):
        return _v4(text)
    if _V6.fullmatch(text):
        return _v6(text)
    return None


def _v4(text: str) -> Address | None:
    if len(text) > 15:
        return None
    parts = [int(part) for part in text.split(".")]
    if max(parts) > 255:
        return None
    return Address(32, int.from_bytes(bytes(parts), "big"))


def _v6(text: str) -> Address | None:
    head, gap, tail = text.partition("::")
    left = head.split(":") if head else []
    right = tail.split(":") if tail else []
    missing = 8 - len(left) - len(right)
    if (missing < 1) if gap else (missing != 0):
        return None
    number = 0
    for group in [*left, *["0"] * missing, *right]:
        significant = group.lstrip("0")
        if not group or len(significant) > 4:
            return None
        number = number << 16 | int(significant or "0", 16)
    return Address(128, number)


def address_range(text: str) -> AddressRange:
    """The range that "address/mask" spells; host bits are ignored.

    >>> address_range("10.0.0.77/24") == address_range("10.0.0.0/24")
    True
    """
    parts = text.rstrip("/").split("/")
    if len(parts) != 2:
        raise CidrError("Malformed CIDR, one '/' required")
    base, mask_text = parts
    mask = int(mask_text) if _MASK.fullmatch(mask_text) and len(mask_text) < 100 else _INT32
    if not -_INT32 <= mask < _INT32:
        raise CidrError("Malformed CIDR, mask bits must be an integer")
    if mask < 0:
        raise CidrError("Malformed CIDR, mask bits must not be negative")
    if not _V4.fullmatch(base) and not _V6.fullmatch(base):
        raise CidrError(f"Nonstandard IP address: {base}")
    found = address(base)
    if found is None:
        raise CidrError(f"Invalid IP address: {base}")
    if mask >= found.bits:
        raise CidrError(f"IPv{4 if found.bits == 32 else 6} mask bits must be < {found.bits}")
    shift = found.bits - mask
    return AddressRange(found.bits, shift, found.number >> shift)
