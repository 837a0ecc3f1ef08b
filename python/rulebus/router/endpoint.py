"""A small HTTP endpoint for events: put them, ask whether all is well, read the numbers.

Relies on aiohttp (extra ``http``). It has no users and no rights: it listens where the router file says, which should be
this machine, and asks for a token when the file names one. Must never answer that an event is in before the store has it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import json
import os
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
_BATCH = 1000
_GRACE_S = 10.0
"""How long the end waits for requests that are under way; a client that sends slowly must not hold it up."""


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
        self._runner = aiohttp.web.AppRunner(application, access_log=None, shutdown_timeout=_GRACE_S)
        self.address = address
        """Host and port, the real one when the file says port 0."""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = self._web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            # asyncio says the address once more; the system's own words for what is wrong are shorter.
            number = error.errno or 0
            why = os.strerror(number) if number > 0 else error.strerror
            raise BusError("input-address", f"cannot listen on {self.address}: {why}") from error
        host, port = self._runner.addresses[0][:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _guard(self, request: Any, handler: Any) -> Any:
        """Asks for the token where there is one; says in JSON what the server itself refuses."""
        if self._token is not None:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            # Bytes that are no UTF-8 arrive as surrogates.
            same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token.encode())
            if scheme.lower() != "bearer" or not same:
                answer = self._answer({"message": "a bearer token is missing or wrong"}, 401)
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
        elif "Origin" in request.headers:
            # Any page that this machine's browser shows could send events, without asking anybody.
            return self._answer(
                {
                    "message": "requests of web pages are taken only with a token; set http_token in the router file"
                },
                403,
            )
        try:
            return await handler(request)
        except self._web.HTTPException as error:
            answer = self._answer(
                {"message": f"{request.method} {request.path}: {error.reason}"}, error.status
            )
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
            return answer

    _guard.__middleware_version__ = 1  # type: ignore[attr-defined]

    async def _put(self, request: Any) -> Any:
        """One event or entry, a list of them, ``{"Entries": […]}``, or JSON lines."""
        try:
            body = await request.read()
            # Reading a large body takes long; the loop has other requests and targets to serve.
            entries = await asyncio.to_thread(self._entries, body, request.content_type)
        except (EntryError, self._web.RequestPayloadError) as error:
            return self._answer({"message": str(error)}, 400)
        failed, answers = 0, list[dict[str, str]]()
        try:
            for start in range(0, len(entries), _BATCH):
                answer = (await self._service.put_events(entries[start : start + _BATCH])).to_dict()
                failed += answer["FailedEntryCount"]
                answers += answer["Entries"]
                await asyncio.sleep(0)
        except BusError as error:
            done = f"; the first {len(answers):,} entries are in" if answers else ""
            return self._answer({"message": f"{error}{done}"}, 503 if isinstance(error, StoreError) else 409)
        return self._answer({"FailedEntryCount": failed, "Entries": answers}, 200)

    def _entries(self, body: bytes, kind: str) -> list[dict[str, Any]]:
        if kind in ("application/x-ndjson", "application/jsonlines", "application/json-lines"):
            return [self._read(line) for line in body.split(b"\n") if line.strip()]
        try:
            value = _json.loads(body)
        except _json.JsonError as error:
            raise EntryError(f"the body is not JSON: {error}") from error
        if isinstance(value, dict) and "Entries" in value:
            value = value["Entries"]
            if not isinstance(value, list):
                raise EntryError("Entries is no list")
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
