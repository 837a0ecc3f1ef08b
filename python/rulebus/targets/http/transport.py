"""One HTTP request and its answer: the only file that knows the HTTP library (aiohttp, extra ``http``).

Connects only to addresses that the guard admits, judged at the socket; follows no redirect, keeps no cookie, unpacks
nothing, and reads a bounded part of an answer. Whatever goes wrong is a `DeliveryFault` without secrets in it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rulebus.attempt import Failure
from rulebus.clock import Clock
from rulebus.errors import BusError
from rulebus.targets.http.addresses import AddressGuard, AddressRefused
from rulebus.targets.value import DeliveryFault

__all__ = ["Answer", "Transport"]

_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer, or its bounded beginning."""

    status: int
    retry_after: str | None
    body: bytes


class Transport:
    """A session of its own for each target: its connections, its guard, its time limit."""

    __slots__ = ("_context", "_guard", "_judged", "_loop", "_resolver", "_session", "_timeout_s", "clock")

    def __init__(
        self,
        guard: AddressGuard,
        timeout_s: float,
        clock: Clock,
        context: ssl.SSLContext | None = None,
        resolver: Any = None,
    ) -> None:
        library()
        self._guard = guard
        self._judged: set[str] = (
            set()
        )  # The target's host and its connection's: names, or admitted addresses.
        self._timeout_s = timeout_s
        self._context = context
        self._resolver = resolver
        self._session: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.clock = clock

    def _opened(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            aiohttp = library()
            door = _door(self._guard, self._resolver)
            connector = aiohttp.TCPConnector(
                limit=0,  # The subscription's concurrency is the limit.
                resolver=door,
                socket_factory=door.socket,
                ssl=True if self._context is None else self._context,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
            self._loop = loop
        return self._session

    async def send(
        self, method: str, url: str, host: str, headers: Mapping[str, str], body: bytes, *, keep_bytes: int
    ) -> Answer:
        """One request. Raises `DeliveryFault` for whatever is not a complete answer."""
        if host not in self._judged:
            literal = self._guard.literal(host)
            if literal is not None and not self._guard.admits(str(literal)):
                raise DeliveryFault(_refused(AddressRefused(host, str(literal))))
            self._judged.add(host)
        aiohttp = library()
        from yarl import URL

        try:
            async with self._opened().request(
                method, URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
            ) as response:
                kept = await _beginning(response, keep_bytes)
                return Answer(response.status, response.headers.get("Retry-After"), kept)
        except TimeoutError:
            raise DeliveryFault(
                Failure("retryable", "TIMEOUT", f"{host} did not answer in full within {self._timeout_s:g} s")
            ) from None
        except (aiohttp.ClientError, OSError, ValueError, UnicodeError) as error:
            # Not chained: the library's messages hold the URL with its query.
            raise DeliveryFault(_failure(error, host)) from None

    async def close(self) -> None:
        """Gives back the connections. The next request opens new ones."""
        session, self._session = self._session, None
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()


async def _beginning(response: Any, keep_bytes: int) -> bytes:
    """The beginning of the body. A body that is short is read to its end, which keeps the connection usable."""
    kept, seen = bytearray(), 0
    while seen < _READ_BYTES:
        chunk = await response.content.read(_READ_BYTES - seen)
        if not chunk:
            return bytes(kept)
        seen += len(chunk)
        kept += chunk[: max(0, keep_bytes - len(kept))]
    response.close()
    return bytes(kept)


def library() -> Any:
    """aiohttp. Raises `BusError` that names the extra when it is not installed."""
    try:
        import aiohttp
    except ImportError:
        raise BusError(
            "extra-missing", "HTTP targets need aiohttp, which the extra brings: pip install 'rulebus[http]'"
        ) from None
    return aiohttp


def _door(guard: AddressGuard, inner: Any) -> Any:
    """A resolver and a maker of sockets that only lead to admitted addresses."""
    aiohttp = library()
    from aiohttp.abc import AbstractResolver

    class Door(AbstractResolver):
        def __init__(self) -> None:
            self.inner = aiohttp.ThreadedResolver() if inner is None else inner
            self.by_name: set[str] = set()

        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> list[Any]:
            found = await self.inner.resolve(host, port, family)
            if guard.admits_name(host):
                self.by_name.update(one["host"].partition("%")[0] for one in found)
                return list(found)
            admitted = [one for one in found if guard.admits(one["host"])]
            if found and not admitted:
                raise AddressRefused(host, found[0]["host"])
            return admitted

        async def close(self) -> None:
            if inner is None:
                await self.inner.close()

        def socket(self, info: Any) -> socket.socket:
            """The last gate: whatever led here, this is the address that is connected to."""
            family, kind, protocol, _, place = info
            address = str(place[0]).partition("%")[0]
            if not guard.admits(address) and address not in self.by_name:
                raise AddressRefused(address, address)
            return socket.socket(family=family, type=kind, proto=protocol)

    return Door()


def _failure(error: BaseException, host: str) -> Failure:
    """What an exception of the library means."""
    aiohttp = library()
    seen: BaseException | None = error
    while seen is not None:
        for one in (seen, getattr(seen, "os_error", None)):
            if isinstance(one, AddressRefused):
                return _refused(one)
        seen = seen.__cause__ or seen.__context__
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it cannot be verified"
        return Failure(
            "retryable", "TLS_FAILED", f"the certificate of {host} is refused: {reason}", status=name
        )
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Failure(
            "retryable", "TLS_FAILED", f"no secure connection to {host} could be agreed on", status=name
        )
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return Failure(
            "permanent",
            "INVALID_URL",
            f"the request to {host} cannot be made: its URL is invalid",
            status=name,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return Failure("retryable", "CONNECTION_FAILED", f"no address is known of {host}", status=name)
    if isinstance(error, aiohttp.ClientResponseError):
        return Failure(
            "retryable", "BAD_ANSWER", f"{host} answered with something that is not HTTP", status=name
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error.strerror or "refused"
        return Failure(
            "retryable", "CONNECTION_FAILED", f"{host} could not be connected to: {reason}", status=name
        )
    return Failure(
        "retryable",
        "CONNECTION_BROKEN",
        f"{host} broke the connection off before its answer was complete",
        status=name,
    )


def _refused(error: AddressRefused) -> Failure:
    return Failure("permanent", "ADDRESS_REFUSED", str(error), status="AddressRefused")
