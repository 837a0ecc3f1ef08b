"""Connections with OAuth client credentials (RFC 6749, section 4.4): a token, fetched, kept, and fetched again.

Many requests that need a token at the same time make one request for it. Relies on the transport of the target that
asks, and so on its address guard. Must never show a token or the client's secret.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote_plus, urlencode

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.http.answer import failure_of, redacted
from rulebus.targets.http.connection import Connection, check_secret
from rulebus.targets.http.url import UrlTemplate
from rulebus.targets.value import DeliveryFault

if TYPE_CHECKING:
    from rulebus.targets.http.transport import Transport

__all__ = ["OAuthConnection"]

_ANSWER_BYTES = 65_536
# Parameters of a token request whose values are not for everybody.
_PRIVATE = re.compile("secret|password|assertion|token|key", re.IGNORECASE)
_MARGIN_S = 30.0


class OAuthConnection(Connection):
    """A bearer token from an authorisation server.

    >>> OAuthConnection("https://login.example/oauth/token", "shop", "hunter2", scope="orders:write")
    <OAuthConnection https://login.example/oauth/token>

    The token is kept until 30 s (or a tenth of its life) before its end, and fetched again when a request is answered
    with 401 or 407, once a try. `credentials` says where the client's id and secret stand in the request: in an
    Authorization header, as the RFC recommends, or in the body. `parameters` are further fields of the form, such as
    ``{"audience": "…"}``. Failures are classified as those of the target itself, with the code ``OAUTH_FAILED``.
    """

    __slots__ = ("_ends", "_fetching", "_form", "_given", "_method", "_secrets", "_token", "_url")

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | None = None,
        method: Literal["POST", "PUT", "GET"] = "POST",
        credentials: Literal["header", "body"] = "header",
        parameters: Mapping[str, str] | None = None,
        token_headers: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers=headers, query=query)
        check_secret(client_id, "client id")
        check_secret(client_secret, "client secret")
        if method not in ("POST", "PUT", "GET"):
            raise BusError("target-method", f"a token is asked for with POST, PUT or GET, not {method!r}")
        if credentials not in ("header", "body"):
            raise BusError(
                "target-secret", f"credentials stand in the 'header' or in the 'body', not in {credentials!r}"
            )
        self._url = UrlTemplate(token_url)
        self._method = method
        self._form = {"grant_type": "client_credentials", **(parameters or {})}
        if scope is not None:
            self._form["scope"] = scope
        self._given = {"Accept": "application/json", **(token_headers or {})}
        pair = base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()).decode()
        if credentials == "header":
            self._given["Authorization"] = f"Basic {pair}"
        else:
            self._form |= {"client_id": client_id, "client_secret": client_secret}
        private = [text for name, text in (parameters or {}).items() if _PRIVATE.search(name)]
        self._secrets = [
            *private,
            client_secret,
            quote_plus(client_secret),
            pair,
            *(token_headers or {}).values(),
        ]
        self._token: str | None = None
        self._ends: float | None = None
        self._fetching: tuple[asyncio.AbstractEventLoop, asyncio.Task[str]] | None = None

    async def headers(self, transport: Transport) -> dict[str, str]:
        """The bearer token, fetched if there is none that lasts."""
        token = self._token
        if token is None or (self._ends is not None and transport.clock.monotonic() >= self._ends):
            token = await self._shared(transport)
        return {**self._headers, "Authorization": f"Bearer {token}"}

    def rejected(self, sent: Mapping[str, str]) -> bool:
        """Forgets the token that was refused, unless another one has taken its place already."""
        if self._token is not None and sent.get("Authorization") == f"Bearer {self._token}":
            self._token = None
        return True

    def secrets(self) -> list[str]:
        """The client's secret in all its forms, and the token."""
        token = [] if self._token is None else [self._token]
        return [*self._secrets, *token, *super().secrets()]

    def hosts(self) -> list[str]:
        """The authorisation server."""
        return [self._url.host]

    async def _shared(self, transport: Transport) -> str:
        """The token of the one request for it that is under way."""
        loop = asyncio.get_running_loop()
        if self._fetching is None or self._fetching[0] is not loop:
            task = loop.create_task(self._fetch(transport))
            self._fetching = loop, task
            task.add_done_callback(self._fetched)
        # Whoever gives up waiting must not take the token away from the others.
        return await asyncio.shield(self._fetching[1])

    def _fetched(self, task: asyncio.Task[str]) -> None:
        if self._fetching is not None and self._fetching[1] is task:
            self._fetching = None
        if not task.cancelled():
            task.exception()  # Seen: all who waited may have gone.

    async def _fetch(self, transport: Transport) -> str:
        form, url, body = urlencode(self._form), self._url.fill(b"", {}), b""
        headers = dict(self._given)
        if self._method == "GET":
            url = self._url.fill(b"", self._form)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = form.encode()
        try:
            answer = await transport.send(
                self._method, url, self._url.host, headers, body, keep_bytes=_ANSWER_BYTES
            )
        except DeliveryFault as fault:
            raise DeliveryFault(_oauth(fault.failure)) from None
        what = f"the authorisation server {self._url.shown}"
        kept = redacted(answer.body, [secret.encode() for secret in self.secrets()])
        failure = failure_of(what, answer.status, answer.retry_after, transport.clock.now(), kept)
        if failure is not None:
            raise DeliveryFault(_oauth(failure))
        return self._keep(answer.body, what, transport)

    def _keep(self, body: bytes, what: str, transport: Transport) -> str:
        from rulebus import _json

        try:
            given: Any = _json.loads(body)
            token, life = given["access_token"], given.get("expires_in")
            if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
                raise TypeError
            life_s = None if life is None else float(life)
        except (_json.JsonError, TypeError, KeyError, ValueError, AttributeError):
            raise DeliveryFault(
                Failure("retryable", "OAUTH_FAILED", f"{what} sent no access_token that can be used")
            ) from None
        self._token = token
        margin = 0.0 if life_s is None else min(_MARGIN_S, life_s / 10)
        self._ends = None if life_s is None else transport.clock.monotonic() + life_s - margin
        return token

    def __repr__(self) -> str:
        return f"<OAuthConnection {self._url.shown}>"


def _oauth(failure: Failure) -> Failure:
    code = failure.code if failure.code == "ADDRESS_REFUSED" else "OAUTH_FAILED"
    return Failure(
        failure.kind,
        code,
        f"no token: {failure.message}",
        failure.status,
        failure.retry_after_s,
        failure.answer,
    )
