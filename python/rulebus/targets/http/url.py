"""The URL of an HTTP target: checked once, its ``*`` filled and its query built for each event.

Relies on `urllib.parse`. Must never let a value choose another host, another path depth or another query key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.value import DeliveryFault, Value

__all__ = ["UrlTemplate"]


class UrlTemplate:
    """A URL with as many ``*`` in its path as there are path parameters.

    >>> url = UrlTemplate("https://shop.example/orders/*?v=1", ["a b/c"])
    >>> url.fill(b"{}", {"v": "2"})
    'https://shop.example/orders/a%20b%2Fc?v=2'
    >>> url.shown
    'https://shop.example/orders/*'
    """

    __slots__ = ("_parts", "_prefix", "_query", "_values", "host", "shown")

    def __init__(self, url: str, path_parameters: Sequence[str] = ()) -> None:
        shown = str(url).split("?", 1)[0].split("#", 1)[0]
        try:
            parts = urlsplit(url)
            port = parts.port
        except (ValueError, TypeError, AttributeError) as error:
            raise BusError("target-url", f"the text is no URL: {error}") from None
        if parts.scheme.lower() not in ("http", "https"):
            raise BusError(
                "target-url", f"an HTTP target's URL begins with https:// or http://, not {parts.scheme!r}"
            )
        if "@" in parts.netloc:
            raise BusError("target-url", "a URL with a user name or password; give a BasicConnection instead")
        if not parts.hostname:
            raise BusError("target-url", f"{shown!r} names no host")
        if any(char.isspace() or ord(char) < 32 or ord(char) == 127 for char in url):
            raise BusError(
                "target-url", f"{shown[:80]!r} has a blank or a control character; write it as %20"
            )
        if "*" in parts.netloc:
            raise BusError("target-url", "a * stands in the path, never in the host")
        if isinstance(path_parameters, str):
            raise BusError(
                "target-parameter", "path_parameters is a list of texts, one for each * in the path"
            )
        stars = parts.path.count("*")
        if stars != len(path_parameters):
            raise BusError(
                "target-parameter",
                f"the path of {shown!r} has {stars} *, and there are {len(path_parameters)} path parameters; "
                "give one for each",
            )
        host = parts.hostname
        try:
            ascii_host = host if ":" in host else host.encode("idna").decode() if not host.isascii() else host
        except UnicodeError:
            raise BusError("target-url", f"{host!r} is no name of a host") from None
        self.host = ascii_host.lower()
        """Name or address, lower case, without brackets."""
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        self._prefix = f"{parts.scheme.lower()}://{bracketed}" + ("" if port is None else f":{port}")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
        self._parts = path.split("*")
        self._values = [Value(text, f"path parameter {n}") for n, text in enumerate(path_parameters, 1)]
        self._query = [
            (unquote_plus(key), unquote_plus(value))
            for key, _, value in (pair.partition("=") for pair in parts.query.split("&") if pair)
        ]
        self.shown = self._prefix + path
        """Without query and parameters, for people."""

    def fill(self, body: bytes, query: Mapping[str, str]) -> str:
        """The URL for this event; `query` replaces keys of the URL's own. Raises `DeliveryFault`."""
        path = self._parts[0]
        for value, rest in zip(self._values, self._parts[1:], strict=True):
            text = value.of(body)
            if not text:
                raise _invalid(f"the {value.what} would be empty")
            path += quote(text, safe="") + rest
        if self._values and any(segment in (".", "..") for segment in path.split("/")):
            raise _invalid("a path parameter would become a step such as '..' of the path")
        pairs = [pair for pair in self._query if pair[0] not in query] + list(query.items())
        text = "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs)
        return self._prefix + path + (f"?{text}" if text else "")


def _invalid(message: str) -> DeliveryFault:
    return DeliveryFault(Failure("permanent", "PARAMETER_INVALID", message))
