"""A small HTTP endpoint for events: put them, ask whether all is well, read the numbers.

Relies on aiohttp (extra ``http``). It has no users and no rights: it listens where the router file says, which should be
this machine, and asks for a token when the file names one. Must never answer that an event is in before the store has it.
"""

from __future__ import annotations

import dataclasses
import hmac
import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rulebus import _json
from rulebus.errors import BusError, StoreError
from rulebus.router.entries import EntryError, EntryLines
from rulebus.transform import compile_path

if TYPE_CHECKING:
    from rulebus.router.service import Service

__all__ = ["Endpoint"]

_MOST_BODY = 16 << 20


class Endpoint:
    """``POST /events``, ``GET /health``, ``GET /statistics``, ``GET /metrics``."""

    def __init__(self, service: Service, address: str, token: str | None = None) -> None:
        try:
            import aiohttp.web
        except ImportError as error:
            raise BusError(
                "extra-missing",
                "the HTTP endpoint needs aiohttp; install it with: pip install 'rulebus[http]'",
            ) from error
        self._web = aiohttp.web
        self._service, self._token = service, token
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._read = EntryLines()
        self._listed, self._wrapped = compile_path("$[*]"), compile_path("$.Entries[*]")
        application = aiohttp.web.Application(client_max_size=_MOST_BODY, middlewares=[self._guard])
        application.router.add_post("/events", self._put)
        application.router.add_get("/health", self._health)
        application.router.add_get("/statistics", self._statistics)
        application.router.add_get("/metrics", self._metrics)
        self._runner = aiohttp.web.AppRunner(application, access_log=None)
        self.address = address
        """Host and port, the real one when the file says port 0."""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = self._web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise BusError("input-address", f"cannot listen on {self.address}: {error.strerror}") from error
        host, port = self._runner.addresses[0][:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _guard(self, request: Any, handler: Any) -> Any:
        """Asks for the token where there is one; turns what nobody foresaw into an answer."""
        if self._token is not None:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return self._answer({"message": "a bearer token is missing or wrong"}, 401)
        return await handler(request)

    _guard.__middleware_version__ = 1  # type: ignore[attr-defined]

    async def _put(self, request: Any) -> Any:
        """One event or entry, a list of them, ``{"Entries": […]}``, or JSON lines."""
        body = await request.read()
        try:
            entries = self._entries(body, request.content_type)
        except EntryError as error:
            return self._answer({"message": str(error)}, 400)
        try:
            result = await self._service.put_events(entries)
        except StoreError as error:
            return self._answer({"message": str(error)}, 503)
        except BusError as error:
            return self._answer({"message": str(error)}, 409)
        return self._answer(result.to_dict(), 200)

    def _entries(self, body: bytes, kind: str) -> list[dict[str, Any]]:
        if kind in ("application/x-ndjson", "application/jsonlines", "application/json-lines"):
            return [self._read(line) for line in body.split(b"\n") if line.strip()]
        try:
            value = _json.loads(body)
        except _json.JsonError as error:
            raise EntryError(f"the body is not JSON: {error}") from error
        if isinstance(value, dict) and isinstance(value.get("Entries"), list):
            value = value["Entries"]
        elif isinstance(value, dict):
            return [self._read(body)]
        if not isinstance(value, list):
            raise EntryError("the body is neither an object nor a list")
        # One by one from the text, so that the bytes of each detail are kept.
        members = self._listed if body.lstrip()[:1] == b"[" else self._wrapped
        return [self._read(text) for text in members.all(body)]

    async def _health(self, request: Any) -> Any:
        return self._answer({"status": "ok"}, 200)

    async def _statistics(self, request: Any) -> Any:
        found = [self._service.bus.bus(name).statistics() for name in self._service.bus.buses()]
        return self._answer({"buses": [dataclasses.asdict(one) for one in found]}, 200)

    async def _metrics(self, request: Any) -> Any:
        """For Prometheus; needs the extra of that name."""
        from rulebus.observe.prometheus import exposition

        try:
            text = exposition(self._service.bus)
        except BusError as error:
            return self._answer({"message": str(error)}, 501)
        return self._web.Response(
            body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    def _answer(self, value: Any, status: int) -> Any:
        return self._web.Response(
            body=json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"),
            status=status,
            content_type="application/json",
        )
