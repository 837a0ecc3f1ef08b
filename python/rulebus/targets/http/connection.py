"""Connections: how an HTTP target shows who it is. BASIC and API key here, OAuth in its own file.

A connection may serve many targets. Relies on `values`. Must never show a secret: not in repr, not in a message, not
by pickling.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rulebus.errors import BusError
from rulebus.targets.http.values import check_header

if TYPE_CHECKING:
    from rulebus.targets.http.transport import Transport

__all__ = ["ApiKeyConnection", "BasicConnection", "Connection"]


class Connection:
    """The base of all connections: headers and query parameters that are added to every request.

    They win over those of the target, and count as secrets. Use it as it is where a server wants nothing more.

    >>> Connection(headers={"X-Tenant": "t-1"})
    <Connection>
    """

    __slots__ = ("_headers", "_query")

    def __init__(
        self, *, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> None:
        for name, text in (headers or {}).items():
            check_header(name)
            check_secret(text, f"header {name}")
        self._headers = dict(headers or {})
        self._query = {str(name): str(text) for name, text in (query or {}).items()}

    async def headers(self, transport: Transport) -> dict[str, str]:
        """The headers of a request. Raises `DeliveryFault` when they cannot be had."""
        return self._headers

    def query(self) -> dict[str, str]:
        """The query parameters of a request."""
        return self._query

    def rejected(self, sent: Mapping[str, str]) -> bool:
        """Called when a request with these headers got 401 or 407; whether another one may fare better."""
        return False

    def secrets(self) -> list[str]:
        """Texts that must not show, for taking them out of what servers answer."""
        return [*self._headers.values(), *self._query.values()]

    def hosts(self) -> list[str]:
        """Hosts that this connection itself talks to."""
        return []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> str:
        raise TypeError(
            f"a {type(self).__name__} holds secrets and is not written anywhere; make it where it is used"
        )


class BasicConnection(Connection):
    """User name and password.

    >>> BasicConnection("shop", "hunter2")
    <BasicConnection>
    """

    __slots__ = ("_secrets",)

    def __init__(
        self,
        username: str,
        password: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers=headers, query=query)
        check_secret(username, "user name")
        check_secret(password, "password")
        if ":" in username:
            raise BusError("target-secret", "a user name for BASIC authorisation has no colon")
        credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers["Authorization"] = f"Basic {credentials}"
        self._secrets = [credentials, password]

    def secrets(self) -> list[str]:
        """The credentials in both forms, and the rest."""
        return [*self._secrets, *super().secrets()]


class ApiKeyConnection(Connection):
    """A header with a key.

    >>> ApiKeyConnection("X-Api-Key", "k-123")
    <ApiKeyConnection>
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        value: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers={**(headers or {}), name: value}, query=query)


def check_secret(text: str, what: str) -> None:
    """Raises `BusError` for what cannot stand in a header; never shows it."""
    if not isinstance(text, str) or not text:
        raise BusError("target-secret", f"the {what} of a connection is a text, and not empty")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise BusError(
            "target-secret", f"the {what} of a connection has a control character, perhaps a line break"
        )
