"""HTTP targets against real servers: the contract, what is sent, what answers mean, servers that misbehave.

Relies on servers on 127.0.0.1 and on the transform's paths. Waits for servers, never for time.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.http import ApiKeyConnection, BasicConnection, Connection, HttpTarget, WebhookSignature
from rulebus.targets.http.signature import message_id
from rulebus.testing.targets_contract import TargetContract, delivery_of
from unit.targets.http_server import RawServer, Server

LOCAL = ["127.0.0.1"]
BODY = b'{"id":"e-1","source":"shop.cart","detail":{"order-id":"a/b \xc3\xa9","n":1.50,"tags":["x"],"evil":"a\\r\\nX: y","up":".."}}'


class TestContract(TargetContract):
    secrets = ("hunter2", "aHVudGVyMg", "s3cret-key")
    ordered = False
    _server: Server | None = None

    def start(self, answer: Callable[..., Any] | None = None) -> Server:
        self._server = Server(answer)
        return self.run(self._server.start())

    def target(self, url: str) -> HttpTarget:
        return HttpTarget(
            url + "/orders?key=s3cret-key", connection=BasicConnection("shop", "hunter2"), allow=LOCAL
        )

    def make(self) -> HttpTarget:
        return self.target(self.start().url)

    def taken(self) -> list[bytes]:
        assert self._server is not None
        return self._server.bodies

    def make_unavailable(self) -> HttpTarget:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return self.target(f"http://127.0.0.1:{free.getsockname()[1]}")

    def make_refusing(self) -> HttpTarget:
        def echo(request: web.Request, body: bytes) -> web.Response:
            return web.Response(
                status=400, text=f"I do not like {dict(request.headers)} {request.query_string}"[:400]
            )

        return HttpTarget(
            self.start(echo).url,
            connection=BasicConnection("shop", "hunter2", query={"key": "s3cret-key"}),
            allow=LOCAL,
        )

    def clean_up(self) -> None:
        if self._server is not None:
            self.run(self._server.stop())


async def once(target: HttpTarget, input: bytes = b'{"n":1}', body: bytes = BODY) -> Failure | None:
    """The outcome of one delivery, the target closed."""
    try:
        answer = await target.deliver([delivery_of(input, body=body)])
    finally:
        await target.close()
    return None if answer is None else answer[0]


def sent(**options: Any) -> tuple[str, str, dict[str, str], bytes]:
    """What the server got of one delivery."""

    async def run() -> tuple[str, str, dict[str, str], bytes]:
        async with Server() as server:
            path = options.pop("path", "/orders")
            assert await once(HttpTarget(server.url + path, allow=LOCAL, **options)) is None
            (request,) = server.requests
            return request

    return asyncio.run(run())


def answered(response: Callable[[], web.Response], **options: Any) -> Failure | None:
    async def run() -> Failure | None:
        async with Server(lambda request, body: response()) as server:
            return await once(HttpTarget(server.url + "/orders", allow=LOCAL, **options))

    return asyncio.run(run())


def test_it_sends_what_aws_sends() -> None:
    method, path, headers, body = sent()
    assert (method, path, body) == ("POST", "/orders", b'{"n":1}')
    assert headers["User-Agent"] == "Amazon/EventBridge/ApiDestinations"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert set(headers) == {"Host", "User-Agent", "Content-Type", "Accept-Encoding", "Content-Length"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_methods_and_their_bodies(method: str) -> None:
    got, _, headers, body = sent(method=method)
    bodiless = method in ("GET", "HEAD", "OPTIONS")
    assert (got, body) == (method, b"" if bodiless else b'{"n":1}')
    assert ("Content-Type" in headers) is not bodiless


def test_values_come_from_the_original_event() -> None:
    _, path, headers, _ = sent(
        path="/orders/*/lines/*?v=1&q=own",
        path_parameters=["$.detail.order-id", "fixed value"],
        headers={
            "X-Source": "$.source",
            "X-N": "$.detail.n",
            "X-Tags": "$.detail.tags",
            "user-agent": "mine",
        },
        query={"q": "$.source", "more": "a&b"},
    )
    assert path == "/orders/a%2Fb%20%C3%A9/lines/fixed%20value?v=1&q=shop.cart&more=a%26b"
    assert (headers["X-Source"], headers["X-N"], headers["X-Tags"]) == ("shop.cart", "1.50", '["x"]')
    assert {name.lower(): text for name, text in headers.items()}["user-agent"] == "mine"


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        ({"headers": {"X-No": "$.detail.nothing"}}, "PARAMETER_MISSING", "X-No"),
        ({"query": {"q": "$.detail.nothing"}}, "PARAMETER_MISSING", "query parameter q"),
        ({"headers": {"X-Evil": "$.detail.evil"}}, "PARAMETER_INVALID", "control character"),
        ({"path": "/a/*/b", "path_parameters": ["$.detail.up"]}, "PARAMETER_INVALID", ".."),
    ],
)
def test_what_cannot_be_sent_is_permanent_and_nothing_is_sent(
    options: dict[str, Any], code: str, word: str
) -> None:
    async def run() -> tuple[Failure | None, int]:
        async with Server() as server:
            path = options.pop("path", "/")
            return await once(HttpTarget(server.url + path, allow=LOCAL, **options)), len(server.requests)

    failure, requests = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code, requests) == ("permanent", code, 0)
    assert word in failure.message


def test_a_connection_wins_over_the_target() -> None:
    _, path, headers, _ = sent(
        headers={"x-api-key": "mine", "X-Other": "mine"},
        query={"tenant": "mine", "page": "1"},
        connection=ApiKeyConnection(
            "X-API-Key", "s3cret", headers={"X-Tenant": "t"}, query={"tenant": "theirs"}
        ),
    )
    assert headers["X-API-Key"] == "s3cret"
    assert "x-api-key" not in headers
    assert (headers["X-Other"], headers["X-Tenant"]) == ("mine", "t")
    assert path == "/orders?tenant=theirs&page=1"


def test_basic_authorisation() -> None:
    assert (
        sent(connection=BasicConnection("Aladdin", "open sesame"))[2]["Authorization"]
        == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *(
            (status, "permanent")
            for status in (300, 301, 302, 304, 307, 308, 400, 401, 402, 403, 405, 406, 410, 411, 413)
        ),
        *((status, "permanent") for status in (414, 415, 418, 422, 451)),
        *((status, "retryable") for status in (404, 408, 409, 425, 500, 501, 502, 503, 504, 599)),
        (429, "throttled"),
    ],
)
def test_statuses_have_classes(status: int, kind: str) -> None:
    failure = answered(
        lambda: web.Response(
            status=status, headers={"Location": "http://127.0.0.1:1/"} if status < 400 else {}
        )
    )
    assert failure is not None
    assert (failure.kind, failure.code, failure.status) == (kind, f"HTTP_{status}", str(status))
    assert str(status) in failure.message


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_success_is_2xx(status: int) -> None:
    assert answered(lambda: web.Response(status=status)) is None


class At:
    """A clock that stands still."""

    def __init__(self, now: float) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@pytest.mark.parametrize(
    ("status", "header", "kind", "wait"),
    [
        (429, "120", "throttled", 120.0),
        (429, "1.5", "throttled", 1.5),
        (503, "7", "throttled", 7.0),
        (429, format_datetime(datetime.fromtimestamp(1_000_060, UTC), usegmt=True), "throttled", 60.0),
        (503, format_datetime(datetime.fromtimestamp(999_000, UTC), usegmt=True), "retryable", 0.0),
        (429, "99999999", "throttled", 86_400.0),
        (429, "soon", "throttled", 0.0),
        (429, "-5", "throttled", 0.0),
        (429, "", "throttled", 0.0),
        (410, "5", "permanent", 0.0),
    ],
)
def test_retry_after_in_both_forms(status: int, header: str, kind: str, wait: float) -> None:
    failure = answered(
        lambda: web.Response(status=status, headers={"Retry-After": header}), clock=At(1_000_000.0)
    )
    assert failure is not None
    assert (failure.kind, failure.retry_after_s) == (kind, wait)


def test_the_beginning_of_the_answer_is_kept() -> None:
    failure = answered(lambda: web.Response(status=500, body=b"\x00\xff" + b"x" * 5000))
    assert failure is not None
    assert failure.answer == b"\x00\xff" + b"x" * 510


def test_redirects_are_not_followed() -> None:
    async def run() -> tuple[Failure | None, int]:
        async with (
            Server() as aim,
            Server(lambda r, b: web.Response(status=302, headers={"Location": aim.url})) as server,
        ):
            return await once(HttpTarget(server.url, allow=LOCAL)), len(aim.requests)

    failure, followed = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code, followed) == ("permanent", "HTTP_302", 0)
    assert "redirects are not followed" in failure.message


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x16\x03\x01 what is this?\r\n\r\n" * 10)
    await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
    await writer.drain()


async def half_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def long_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (stall, "TIMEOUT"),
        (drip, "TIMEOUT"),
        (garbage, "BAD_ANSWER"),
        (long_head, "BAD_ANSWER"),
        (hang_up, "CONNECTION_BROKEN"),
        (half, "CONNECTION_BROKEN"),
        (half_head, "CONNECTION_BROKEN"),
    ],
)
def test_servers_that_misbehave_are_tried_again(behave: Any, code: str) -> None:
    async def run() -> Failure | None:
        async with RawServer(behave) as server:
            return await once(
                HttpTarget(
                    server.url + "/orders?key=s3cret", allow=LOCAL, timeout_s=1 if code == "TIMEOUT" else 30
                )
            )

    failure = asyncio.run(run())
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", code)
    assert "s3cret" not in repr(failure)


def test_a_huge_answer_is_neither_read_nor_a_failure() -> None:
    sent_bytes = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent_bytes += 65_536

    async def run() -> Failure | None:
        async with RawServer(flood) as server:
            return await once(HttpTarget(server.url, allow=LOCAL))

    assert asyncio.run(run()) is None
    assert sent_bytes < 50_000_000


def test_packed_answers_are_not_unpacked() -> None:
    failure = answered(
        lambda: web.Response(status=500, body=b"\x1f\x8b not gzip", headers={"Content-Encoding": "gzip"})
    )
    assert failure is not None
    assert (failure.code, failure.answer) == ("HTTP_500", b"\x1f\x8b not gzip")


def test_connections_are_kept_and_cookies_are_not() -> None:
    peers = set()

    async def run() -> list[dict[str, str]]:
        def answer(request: web.Request, body: bytes) -> web.Response:
            assert request.transport is not None
            peers.add(request.transport.get_extra_info("peername"))
            response = web.Response(text="ok" * 1000)
            response.set_cookie("session", "1")
            return response

        async with Server(answer) as server:
            target = HttpTarget(server.url, allow=LOCAL)
            for _ in range(3):
                assert await target.deliver([delivery_of(b"{}")]) is None
            await target.close()
            assert await target.deliver([delivery_of(b"{}")]) is None  # Opens again.
            await target.close()
            return [headers for _, _, headers, _ in server.requests]

    headers = asyncio.run(run())
    assert len(peers) == 2
    assert not any("Cookie" in one for one in headers)


def test_one_failure_of_a_batch_is_its_own() -> None:
    async def run() -> Any:
        def answer(request: web.Request, body: bytes) -> web.Response:
            return web.Response(status=410 if body == b"2" else 200)

        async with Server(answer) as server:
            target = HttpTarget(server.url, allow=LOCAL)
            outcomes = await target.deliver([delivery_of(text) for text in (b"1", b"2", b"3")])
            await target.close()
            return outcomes

    first, second, third = asyncio.run(run())
    assert (first, third) == (None, None)
    assert second.code == "HTTP_410"


def test_signatures_are_the_standards() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    _, _, headers, body = sent(signature=secret, clock=At(1614265330.9))
    delivery = delivery_of(b"")
    assert headers["webhook-id"] == message_id(delivery.id)
    assert "." not in headers["webhook-id"]
    assert headers["webhook-timestamp"] == "1614265330"
    again = WebhookSignature(secret).headers(headers["webhook-id"], 1614265330, body)
    assert headers["webhook-signature"] == again["webhook-signature"]


def test_a_changing_secret_signs_twice() -> None:
    old, new = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    both = WebhookSignature([old, new]).headers("id", 1, b"x")["webhook-signature"].split(" ")
    assert both == [WebhookSignature(one).headers("id", 1, b"x")["webhook-signature"] for one in (old, new)]
    assert "MfKQ" not in repr(WebhookSignature(old))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: HttpTarget("ftp://host/"), "target-url"),
        (lambda: HttpTarget("https:///path"), "target-url"),
        (lambda: HttpTarget("https://user:hunter2@host/"), "target-url"),
        (lambda: HttpTarget("https://host:99999/"), "target-url"),
        (lambda: HttpTarget("https://*.example/"), "target-url"),
        (lambda: HttpTarget("https://host/a b"), "target-url"),
        (lambda: HttpTarget("https://host/\r\nX: y"), "target-url"),
        (lambda: HttpTarget("https://host/*"), "target-parameter"),
        (lambda: HttpTarget("https://host/", path_parameters=["x"]), "target-parameter"),
        (lambda: HttpTarget("https://host/*", path_parameters="x"), "target-parameter"),
        (lambda: HttpTarget("https://host/", headers={"Host": "x"}), "target-parameter"),
        (lambda: HttpTarget("https://host/", headers={"X Y": "x"}), "target-parameter"),
        (lambda: HttpTarget("https://host/", headers={"X": "a\r\nb"}), "target-parameter"),
        (lambda: HttpTarget("https://host/", method="post"), "target-method"),
        (lambda: HttpTarget("https://host/", timeout_s=0.5), "target-timeout"),
        (lambda: HttpTarget("https://host/", timeout_s=61), "target-timeout"),
        (lambda: HttpTarget("https://host/", connection="Basic hunter2"), "target-connection"),
        (lambda: HttpTarget("https://host/", allow="localhost"), "target-allow"),
        (lambda: HttpTarget("https://host/", allow=["10.0.0.0/33"]), "target-allow"),
        (lambda: HttpTarget("https://host/", signature="whsec_hunter2"), "target-secret"),
        (lambda: BasicConnection("a:b", "hunter2"), "target-secret"),
        (lambda: BasicConnection("a", "hunter2\n"), "target-secret"),
        (lambda: ApiKeyConnection("Host", "hunter2"), "target-parameter"),
    ],
)
def test_what_cannot_be_a_target_is_refused(make: Callable[[], object], code: str) -> None:
    with pytest.raises(BusError) as caught:
        make()
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


def test_connections_are_not_pickled() -> None:
    import copy
    import pickle

    for secretive in (
        Connection(headers={"X": "hunter2"}),
        BasicConnection("a", "hunter2"),
        WebhookSignature("C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    ):
        for write in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds secrets"):
                write(secretive)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(BusError, match=r"rulebus\[http\]") as caught:
        HttpTarget("https://host/")
    assert caught.value.code == "extra-missing"


def test_defaults_are_aws_rate() -> None:
    assert HttpTarget.defaults["rate_per_s"] == 300.0
