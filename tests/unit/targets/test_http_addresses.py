"""HTTP targets must not be led into private networks: by any spelling of an address, by name, by rebinding.

Relies on a server on 127.0.0.1 that must see no connection unless it is allowed, and on a resolver that lies.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from rulebus.attempt import Failure
from rulebus.targets.http import HttpTarget, OAuthConnection
from rulebus.targets.http.addresses import AddressGuard
from rulebus.testing.targets_contract import delivery_of
from unit.targets.http_server import RawServer, Server

REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1", "168.63.129.16",
    "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254", "64:ff9b:1::10.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:db8::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001::1", "100::1", "not an address",
]  # fmt: skip
ADMITTED = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2606:4700::1111",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refused_addresses(address: str) -> None:
    assert not AddressGuard().admits(address)


@pytest.mark.parametrize("address", ADMITTED)
def test_admitted_addresses(address: str) -> None:
    assert AddressGuard().admits(address)


def test_networks_are_allowed_in_every_spelling_of_their_addresses() -> None:
    guard = AddressGuard(["127.0.0.0/8", "fd00::/8", "10.1.1.1"])
    assert all(guard.admits(text) for text in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::5", "10.1.1.1"))
    assert not any(guard.admits(text) for text in ("10.1.1.2", "fe80::1", "169.254.169.254"))


def test_names_are_allowed_exactly_or_from_a_dot_on() -> None:
    guard = AddressGuard(["Billing.Internal", ".svc.local"])
    assert all(
        guard.admits_name(text)
        for text in ("billing.internal", "BILLING.internal.", "a.svc.local", "a.b.svc.local")
    )
    assert not any(
        guard.admits_name(text)
        for text in ("x.billing.internal", "svc.local", "xsvc.local", "billing.internal.evil")
    )


class Resolver:
    """Answers with the next list of addresses each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[dict[str, Any]]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in found
        ]

    async def close(self) -> None:
        pass


async def once(target: HttpTarget) -> Failure | None:
    try:
        answer = await target.deliver([delivery_of(b"{}")])
    finally:
        await target.close()
    return None if answer is None else answer[0]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0", "[::1]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "localhost", "LOCALHOST", "localhost.",
        "１２７.0.0.1", "127。0。0。1",
    ],
)  # fmt: skip
def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    async def run() -> tuple[Failure | None, int]:
        async with Server() as server:
            return await once(HttpTarget(f"http://{host}:{server.port}/")), len(server.requests)

    failure, requests = asyncio.run(run())
    assert requests == 0
    assert failure is not None
    # Some spellings are no address to anybody; what matters is that nobody was connected to.
    assert failure.code in {"ADDRESS_REFUSED", "INVALID_URL", "CONNECTION_FAILED"}
    if host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST"):
        assert (failure.kind, failure.code) == ("permanent", "ADDRESS_REFUSED")
        assert "allow=" in failure.message


def with_name(allow: list[str], resolver: Resolver, times: int = 1) -> tuple[list[Failure | None], int]:
    async def run() -> tuple[list[Failure | None], int]:
        async with Server() as server:
            target = HttpTarget(f"http://billing.example:{server.port}/", allow=allow, resolver=resolver)
            outcomes = [await once(target) for _ in range(times)]
            return outcomes, len(server.requests)

    return asyncio.run(run())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_a_name_that_leads_here_is_refused(address: str) -> None:
    (failure,), requests = with_name([], Resolver([address]))
    assert failure is not None
    assert (failure.kind, failure.code, requests) == ("permanent", "ADDRESS_REFUSED", 0)
    assert "billing.example" in failure.message


@pytest.mark.parametrize("allow", ["billing.example", ".example", "127.0.0.0/8", "127.0.0.1"])
def test_what_is_allowed_gets_through(allow: str) -> None:
    assert with_name([allow], Resolver(["127.0.0.1"])) == ([None], 1)


def test_another_name_is_not_allowed_by_it() -> None:
    (failure,), requests = with_name(["orders.example"], Resolver(["127.0.0.1"]))
    assert failure is not None
    assert (failure.code, requests) == ("ADDRESS_REFUSED", 0)


def test_a_name_server_that_changes_its_mind_gains_nothing() -> None:
    # First a public address that answers nothing here, then this machine: the address that is used is the one judged.
    resolver = Resolver(["127.0.0.1"])
    guard_asks: list[str] = []
    judge = AddressGuard.admits

    def first_admits_then_not(self: AddressGuard, address: str) -> bool:
        guard_asks.append(address)
        return len(guard_asks) == 1 or judge(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AddressGuard, "admits", first_admits_then_not)
        (failure,), requests = with_name([], resolver)
    assert guard_asks == ["127.0.0.1", "127.0.0.1"]
    assert failure is not None
    assert (failure.code, requests) == ("ADDRESS_REFUSED", 0)


def test_each_new_connection_is_judged_anew() -> None:
    outcomes, requests = with_name([], Resolver(["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"]), times=3)
    assert [one.code for one in outcomes if one] == ["ADDRESS_REFUSED"] * 3
    assert requests == 0


def test_private_addresses_among_public_ones_are_left_out() -> None:
    seen: list[Any] = []
    real = socket.socket

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(options)
        raise OSError(101, "Network is unreachable")

    with pytest.MonkeyPatch.context() as patch:

        async def run() -> Failure | None:
            target = HttpTarget("http://billing.example/", resolver=Resolver(["10.0.0.1", "93.184.216.34"]))
            patch.setattr("rulebus.targets.http.transport.socket.socket", watched)
            try:
                return await once(target)
            finally:
                patch.setattr("rulebus.targets.http.transport.socket.socket", real)

        failure = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", "CONNECTION_FAILED")
    assert len(seen) == 1


def test_the_authorisation_server_is_judged_too() -> None:
    async def run() -> tuple[Failure | None, int]:
        async with Server() as server:
            connection = OAuthConnection(f"http://127.0.0.1:{server.port}/token", "shop", "hunter2")
            target = HttpTarget("https://billing.example/", connection=connection)
            return await once(target), len(server.requests)

    failure, requests = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code, requests) == ("permanent", "ADDRESS_REFUSED", 0)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async def run() -> int:
        async with RawServer(never) as proxy, Server() as server:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            assert await once(HttpTarget(server.url, allow=["127.0.0.1"])) is None
            return proxy.connections

    assert asyncio.run(run()) == 0
