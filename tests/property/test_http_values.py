"""Whatever an event holds, it stays in its place of a request; whatever an address is called, a private one is refused.

Relies on hypothesis and the standard library's reader of URLs. Opens no connection.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from rulebus.targets.http.addresses import AddressGuard
from rulebus.targets.http.url import UrlTemplate
from rulebus.targets.http.values import header_values, query_values, safe_header
from rulebus.targets.value import DeliveryFault

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(
        st.sampled_from(["/", "..", ".", "?", "#", "%2e", "%2F", "@", ":", "\\", "\r\n", "&", "=", "a", " "])
    ).map("".join),
)


def made(make: Callable[[], str]) -> str | None:
    """What is made, or None where it is refused as it should be."""
    refusal = ""
    try:
        return make()
    except DeliveryFault as fault:
        refusal = fault.failure.code
    assert refusal == "PARAMETER_INVALID"
    return None


@given(TEXTS, TEXTS)
def test_a_value_chooses_no_other_place_of_the_url(path: str, query: str) -> None:
    template = UrlTemplate("https://shop.example:8443/orders/*/lines", ["$.detail.path"])
    body = json.dumps({"detail": {"path": path, "query": query}}).encode()
    values = {name: value.of(body) for name, value in query_values({"q": "$.detail.query"}).items()}
    url = made(lambda: template.fill(body, values))
    if url is None:
        assert path in ("", ".", "..")
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "shop.example:8443", "")
    before, orders, value, lines = parts.path.split("/")
    assert (before, orders, unquote(value), lines) == ("", "orders", path, "lines")
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", query)]
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url


@given(TEXTS)
def test_a_value_ends_no_header(text: str) -> None:
    body = json.dumps({"detail": {"h": text}}).encode()
    (value,) = header_values({"X-Order": "$.detail.h"}).values()
    sent = made(lambda: safe_header(value, body))
    if sent is None:
        assert any(ord(char) < 32 or ord(char) == 127 for char in text)
        return
    assert not any(char in sent for char in "\r\n\0")
    assert sent == text.strip(" \t")


PRIVATE = st.sampled_from(
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    ]
).flatmap(lambda text: st.ip_addresses(v=4, network=text))


@given(PRIVATE, st.integers(0, 2**16 - 1), st.integers(0, 2**64 - 1))
def test_private_addresses_are_refused_in_all_their_ipv6_spellings(
    inner: ipaddress.IPv4Address, subnet: int, rest: int
) -> None:
    guard, number = AddressGuard(), int(inner)
    spellings = [
        0xFFFF << 32 | number,  # mapped
        number,  # compatible
        0x64FF9B << 96 | number,  # NAT64
        0x64FF9B0001 << 80 | number,  # NAT64 of a site
        0x2002 << 112 | number << 80 | subnet << 64 | rest,  # 6to4
        0x20010000 << 96 | 0x08080808 << 64 | (number ^ 0xFFFFFFFF),  # Teredo's client
    ]
    assert not guard.admits(str(inner))
    for spelling in spellings:
        address = ipaddress.IPv6Address(spelling)
        assert not guard.admits(str(address)), address
        assert not guard.admits(address.exploded), address
