"""An HTTP server as a target: one request for each delivery.

Puts together what its neighbours hold: URL, values, connection, signature, transport, answer. Rate, retries and
concurrency are the subscription's; `defaults` proposes them.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from rulebus.attempt import ANSWER_BYTES, Failure
from rulebus.clock import Clock, SystemClock
from rulebus.errors import BusError
from rulebus.targets.http.addresses import AddressGuard
from rulebus.targets.http.answer import failure_of, redacted
from rulebus.targets.http.connection import Connection
from rulebus.targets.http.signature import WebhookSignature, message_id
from rulebus.targets.http.transport import Transport
from rulebus.targets.http.url import UrlTemplate
from rulebus.targets.http.values import header_values, query_values, safe_header
from rulebus.targets.protocol import Delivery, Outcomes
from rulebus.targets.value import DeliveryFault

__all__ = ["METHODS", "HttpTarget"]

METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS")
"""What AWS allows. The last three send no body."""

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_LEAST_S, _MOST_S = 1.0, 60.0


class HttpTarget:
    """Sends each delivery as a request; AWS's API destination.

    >>> target = HttpTarget(
    ...     "https://billing.example/orders/*",
    ...     path_parameters=["$.detail.order-id"],
    ...     headers={"X-Source": "$.source"},
    ...     timeout_s=10,
    ... )
    >>> target
    HttpTarget('POST https://billing.example/orders/*')

    `url`: each ``*`` in its path is filled from `path_parameters`. These, `headers` and `query` are texts, or paths
    (``$.detail.id``) into the original event, whatever the input is; a path that finds nothing is a permanent
    ``PARAMETER_MISSING``. `connection` adds authorisation and wins over the target's own values. `timeout_s`, 1-60, is
    for the whole try, a token request included. `signature` (a `WebhookSignature`, or its secret) signs each request
    after the Standard Webhooks specification. `allow` names the hosts and networks that may be connected to although
    they are private; see `AddressGuard`. `tls` replaces the system's certificates and checks.

    2xx means taken; a redirect is a permanent failure. 429, or 5xx with Retry-After, is throttled; 404, 408, 409, 425
    and 5xx are retryable, as are network faults (``TIMEOUT``, ``CONNECTION_FAILED``, ``CONNECTION_BROKEN``,
    ``BAD_ANSWER``, ``TLS_FAILED``); all else is permanent. A refused address is a permanent ``ADDRESS_REFUSED``.

    Raises `BusError` for what cannot be a target, and ``extra-missing`` without aiohttp. COST: a third more CPU than a
    bare request of aiohttp, which takes 100 to 150 µs.
    """

    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"rate_per_s": 300.0, "concurrency": 16})
    """Options of the subscription when the user gives none: AWS's rate, and requests at a time."""

    __slots__ = (
        "_clock", "_connection", "_headers", "_method", "_query", "_signature", "_timeout_s", "_transport", "_url",
    )  # fmt: skip

    def __init__(
        self,
        url: str,
        *,
        method: str = "POST",
        path_parameters: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        connection: Connection | None = None,
        timeout_s: float = 5.0,
        signature: WebhookSignature | str | None = None,
        allow: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        resolver: Any = None,
    ) -> None:
        if method not in METHODS:
            raise BusError(
                "target-method", f"{method!r} is no method of an HTTP target; there are {', '.join(METHODS)}"
            )
        if not isinstance(timeout_s, int | float) or not _LEAST_S <= timeout_s <= _MOST_S:
            raise BusError(
                "target-timeout", f"timeout_s of an HTTP target is from 1 to 60 seconds, not {timeout_s!r}"
            )
        if connection is not None and not isinstance(connection, Connection):
            raise BusError(
                "target-connection", "a connection is a BasicConnection, ApiKeyConnection or OAuthConnection"
            )
        self._method = method
        self._url = UrlTemplate(url, path_parameters)
        self._headers = header_values(headers or {})
        self._query = query_values(query or {})
        self._connection = connection
        self._timeout_s = float(timeout_s)
        self._signature = WebhookSignature(signature) if isinstance(signature, str) else signature
        self._clock = SystemClock() if clock is None else clock
        self._transport = Transport(AddressGuard(allow), self._timeout_s, self._clock, tls, resolver)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        """One request each; those of a batch at the same time."""
        if len(deliveries) == 1:
            failure = await self._deliver(deliveries[0])
            return None if failure is None else [failure]
        return await asyncio.gather(*(self._deliver(delivery) for delivery in deliveries))

    async def _deliver(self, delivery: Delivery) -> Failure | None:
        try:
            if self._connection is None:  # One request, which the transport limits itself.
                return await self._try(delivery)
            async with asyncio.timeout(self._timeout_s):
                return await self._try(delivery)
        except DeliveryFault as fault:
            return fault.failure
        except TimeoutError:
            return Failure(
                "retryable",
                "TIMEOUT",
                f"{self._url.host} did not answer in full within {self._timeout_s:g} s",
            )

    async def _try(self, delivery: Delivery) -> Failure | None:
        event = delivery.event.body
        query = {name: value.of(event) for name, value in self._query.items()}
        own = {value_name: safe_header(value, event) for value_name, value in self._headers.items()}
        connection = self._connection
        if connection is not None:
            query |= connection.query()
        url = self._url.fill(event, query)
        body = b"" if self._method in _WITHOUT_BODY else delivery.input
        for again in (True, False):
            added = {} if connection is None else await connection.headers(self._transport)
            headers = self._all_headers(own, added, delivery, body)
            # Longer than what is kept, so that a secret across its end is found.
            answer = await self._transport.send(
                self._method, url, self._url.host, headers, body, keep_bytes=ANSWER_BYTES * 16
            )
            refused = answer.status in (401, 407) and connection is not None
            if not (refused and again and connection is not None and connection.rejected(added)):
                break
        secrets = [] if connection is None else connection.secrets()
        # A token that was just refused is no longer among the connection's.
        secrets += [part for text in added.values() for part in (text, text.rpartition(" ")[2])]
        kept = redacted(answer.body, [secret.encode() for secret in secrets])
        return failure_of(self.describe(), answer.status, answer.retry_after, self._clock.now(), kept)

    def _all_headers(
        self, own: Mapping[str, str], added: Mapping[str, str], delivery: Delivery, body: bytes
    ) -> dict[str, str]:
        """What AWS sends, then the target's, the connection's, the signature's; later ones win, whatever their case."""
        merged: dict[str, tuple[str, str]] = {}
        signed: Mapping[str, str] = {}
        if self._signature is not None:
            signed = self._signature.headers(message_id(delivery.id), int(self._clock.now()), body)
        fixed = {"User-Agent": "Amazon/EventBridge/ApiDestinations", "Accept-Encoding": "identity"}
        if self._method not in _WITHOUT_BODY:
            fixed["Content-Type"] = "application/json; charset=utf-8"
        for headers in (fixed, own, added, signed):
            for name, text in headers.items():
                merged[name.lower()] = name, text
        return dict(merged.values())

    def describe(self) -> str:
        """Method and URL, without query and without what fills the stars."""
        return f"{self._method} {self._url.shown}"

    async def close(self) -> None:
        """Closes the connections. Another delivery would open new ones."""
        await self._transport.close()

    def __repr__(self) -> str:
        return f"HttpTarget({self.describe()!r})"
