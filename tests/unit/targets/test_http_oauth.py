"""OAuth client credentials against a real authorisation server: tokens kept, refreshed, fetched once for many.

Relies on servers on 127.0.0.1 and a clock that tests move. Waits for servers, never for time.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.http import HttpTarget, OAuthConnection
from rulebus.testing.targets_contract import delivery_of
from unit.targets.http_server import Server

LOCAL = ["127.0.0.1"]


class Hand:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return 1_700_000_000.0 + self.at

    def monotonic(self) -> float:
        return self.at


class World:
    """An authorisation server that numbers its tokens, and an API that takes the valid ones."""

    def __init__(self, life_s: float | None = 3600) -> None:
        self.life_s = life_s
        self.issued = 0
        self.valid: set[str] = set()
        self.status = 200
        self.body: bytes | None = None
        self.clock = Hand()
        self.held: asyncio.Event | None = None

    async def token(self, request: web.Request, body: bytes) -> web.Response:
        self.issued += 1
        if self.held is not None:
            await self.held.wait()
        if self.status != 200 or self.body is not None:
            return web.Response(status=self.status, body=self.body or b"no", headers={"Retry-After": "9"})
        token = f"token-{self.issued}"
        self.valid = {f"Bearer {token}"}
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if self.life_s is not None:
            answer["expires_in"] = self.life_s
        return web.json_response(answer)

    def api(self, request: web.Request, body: bytes) -> web.Response:
        given = request.headers.get("Authorization", "")
        if given in self.valid:
            return web.Response(text="taken")
        return web.Response(status=401, text=f"not you: {given}")

    async def __aenter__(self) -> World:
        self.tokens = await Server(self.token).start()
        self.server = await Server(self.api).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tokens.stop()
        await self.server.stop()

    def target(self, **options: Any) -> HttpTarget:
        self.connection = OAuthConnection(self.tokens.url + "/token", "shop", "hunter2&", **options)
        return HttpTarget(self.server.url, connection=self.connection, allow=LOCAL, clock=self.clock)


async def send(target: HttpTarget, count: int = 1) -> list[Failure | None]:
    answer = await target.deliver([delivery_of(b"{}") for _ in range(count)])
    return [None] * count if answer is None else list(answer)


def test_a_token_is_fetched_once_and_kept() -> None:
    async def run() -> None:
        async with World() as world:
            target = world.target(scope="orders:write", parameters={"audience": "https://api"})
            for _ in range(3):
                assert await send(target) == [None]
            await target.close()
            ((method, path, headers, body),) = world.tokens.requests
            assert (method, path) == ("POST", "/token")
            assert headers["Authorization"] == "Basic " + b64encode(b"shop:hunter2%26").decode()
            assert headers["Content-Type"] == "application/x-www-form-urlencoded"
            assert parse_qs(body.decode()) == {
                "grant_type": ["client_credentials"],
                "scope": ["orders:write"],
                "audience": ["https://api"],
            }

    asyncio.run(run())


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_credentials_may_stand_in_the_form(method: Any) -> None:
    async def run() -> None:
        async with World() as world:
            target = world.target(credentials="body", method=method)
            assert await send(target) == [None]
            await target.close()
            ((got, path, headers, body),) = world.tokens.requests
            form = parse_qs(body.decode() if method == "POST" else path.partition("?")[2])
            assert got == method
            assert "Authorization" not in headers
            assert (form["client_id"], form["client_secret"]) == (["shop"], ["hunter2&"])

    asyncio.run(run())


def test_many_deliveries_at_once_fetch_one_token() -> None:
    async def run() -> None:
        async with World() as world:
            world.held = asyncio.Event()
            target = world.target()
            sending = asyncio.create_task(send(target, 50))
            gone = asyncio.create_task(send(target))
            while not world.issued:
                await asyncio.sleep(0)
            gone.cancel()  # Whoever gives up does not take the token away from the others.
            world.held.set()
            assert await sending == [None] * 50
            assert world.issued == 1
            await target.close()

    asyncio.run(run())


def test_a_token_is_fetched_again_before_it_ends() -> None:
    async def run() -> list[int]:
        async with World(life_s=600) as world:
            target, issued = world.target(), []
            for at in (0.0, 569.0, 571.0, 1100.0):
                world.clock.at = 1000.0 + at
                assert await send(target) == [None]
                issued.append(world.issued)
            await target.close()
            return issued

    assert asyncio.run(run()) == [1, 1, 2, 2]


@pytest.mark.parametrize("refusal", [401, 407])
def test_a_refused_token_is_fetched_again_within_the_try(refusal: int) -> None:
    async def run() -> None:
        async with World(life_s=None) as world:
            target = world.target()
            assert await send(target) == [None]
            world.valid = set()
            api = world.api
            world.server.answer = lambda request, body: _with(api(request, body), refusal)
            assert await send(target, 5) == [None] * 5
            assert world.issued == 2
            await target.close()

    def _with(response: web.Response, status: int) -> web.Response:
        if response.status == 401:
            response.set_status(status)
        return response

    asyncio.run(run())


def test_a_token_refused_twice_is_permanent_and_not_shown() -> None:
    async def run() -> Failure | None:
        async with World() as world:
            target = world.target()
            world.server.answer = lambda request, body: web.Response(
                status=401, text=str(dict(request.headers))
            )
            (failure,) = await send(target)
            assert world.issued == 2
            await target.close()
            return failure

    failure = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code) == ("permanent", "HTTP_401")
    assert "token-" not in repr(failure)
    assert "hunter2" not in repr(failure)


@pytest.mark.parametrize(
    ("status", "body", "kind", "wait"),
    [
        (400, b'{"error":"invalid_client"}', "permanent", 0.0),
        (401, b"who is hunter2& or hunter2%26?", "permanent", 0.0),
        (429, b"slowly", "throttled", 9.0),
        (500, b"oops", "throttled", 9.0),
        (200, b"not json", "retryable", 0.0),
        (200, b"[]", "retryable", 0.0),
        (200, b"{}", "retryable", 0.0),
        (200, json.dumps({"access_token": "a\r\nX: y"}).encode(), "retryable", 0.0),
        (200, json.dumps({"access_token": "a", "expires_in": "soon"}).encode(), "retryable", 0.0),
        (302, b"", "permanent", 0.0),
    ],
)
def test_authorisation_servers_that_fail(status: int, body: bytes, kind: str, wait: float) -> None:
    async def run() -> tuple[list[Failure | None], int, int]:
        async with World() as world:
            world.status, world.body = status, body
            target = world.target()
            failures = await send(target, 3)
            issued, called = world.issued, len(world.server.requests)
            world.status, world.body = 200, None
            assert await send(target) == [None]  # The next try asks again.
            await target.close()
            return failures, issued, called

    failures, issued, called = asyncio.run(run())
    assert (issued, called) == (1, 0)
    for failure in failures:
        assert failure is not None
        assert (failure.kind, failure.code, failure.retry_after_s) == (kind, "OAUTH_FAILED", wait)
        assert "hunter2" not in repr(failure)
        if status == 401:
            assert failure.answer == b"who is *** or ***?"


def test_a_token_in_plain_words_may_say_when_it_ends() -> None:
    async def run() -> None:
        async with World() as world:
            world.body = b'{"access_token":"a","expires_in":"3600"}'
            target = world.target()
            world.valid = {"Bearer a"}
            assert await send(target, 2) == [None, None]
            assert await send(target) == [None]
            assert world.issued == 1
            await target.close()

    asyncio.run(run())


def test_an_authorisation_server_that_is_not_there_is_tried_again() -> None:
    async def run() -> Failure | None:
        async with World() as world:
            target = world.target()
            await world.tokens.stop()
            (failure,) = await send(target)
            await target.close()
            await world.tokens.start()
            return failure

    failure = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", "OAUTH_FAILED")


def test_what_cannot_be_a_connection_is_refused() -> None:
    for options, code in (
        ({"method": "PATCH"}, "target-method"),
        ({"credentials": "query"}, "target-secret"),
        ({"token_url": "login"}, "target-url"),
        ({"client_secret": ""}, "target-secret"),
    ):
        given = {
            "token_url": "https://login.example/",
            "client_id": "shop",
            "client_secret": "hunter2",
            **options,
        }
        with pytest.raises(BusError) as caught:
            OAuthConnection(**given)  # type: ignore[arg-type]
        assert caught.value.code == code
        assert "hunter2" not in str(caught.value)


def test_a_connection_does_not_show_its_secrets() -> None:
    connection = OAuthConnection("https://login.example/token?key=hunter2", "shop", "hunter2")
    assert repr(connection) == "<OAuthConnection https://login.example/token>"
    assert "hunter2" in connection.secrets()
