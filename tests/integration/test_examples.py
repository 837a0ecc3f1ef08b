"""The examples run as a user runs them, and come to what they should. Relies on the installed package."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from integration.tree import ROOT


def run(name: str) -> dict[str, int]:
    """What an example prints, run in a process of its own with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", str(ROOT / "examples" / name)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = [line.rsplit(None, 1) for line in done.stdout.splitlines()]
    return {what.strip(): int(number) for what, number in pairs}


@pytest.mark.slow
def test_embed_threads() -> None:
    assert run("embed_threads.py") == {
        "billed": 200,
        "shipped": 200,
        "counted": 400,
        "retries": 20,
        "dead letters": 0,
    }


@pytest.mark.slow
def test_embed_asyncio() -> None:
    assert run("embed_asyncio.py") == {"billed": 99, "letters": 10, "dead letters": 1}


@pytest.mark.slow
def test_shop() -> None:
    found = run("shop/shop.py")
    assert 0 < found.pop("given up at first") < 20
    assert found == {
        "orders": 100,
        "charged": 100,
        "in order at the warehouse": 100,
        "letters": 90,
        "seen by analytics": 300,
        "told to the newcomer": 100,
    }


@pytest.mark.slow
def test_workshop(tmp_path: Path) -> None:
    got = workshop(tmp_path, {})
    assert got["exit status"] == 0
    assert got["log"] == 4
    assert [order["value"] for order in got["API"]] == [299, 415, 1050.0, 3000]
    assert [detail["location"] for detail in got["EU state machine"]] == ["eu-west", "eu-east"]
    assert [detail["location"] for detail in got["US lab supplies queue"]] == ["us-east"]


@pytest.mark.slow
def test_workshop_against_an_aws_compatible_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3 = pytest.importorskip("boto3")
    moto_server = pytest.importorskip("moto.server")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        aws = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        for name, value in aws.items():
            monkeypatch.setenv(name, value)
        role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        definition = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
        machines = boto3.client("stepfunctions")
        machine = machines.create_state_machine(name="eu", definition=definition, roleArn=role)[
            "stateMachineArn"
        ]
        topic = boto3.client("sns").create_topic(Name="us-lab-supplies")["TopicArn"]
        sqs = boto3.client("sqs")
        queue = sqs.create_queue(QueueName="us-lab-supplies")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

        got = workshop(tmp_path, {**aws, "EU_ORDERS": machine, "US_LAB_TOPIC": topic})

        assert (got["exit status"], got["log"], len(got["API"])) == (0, 4, 4)
        assert got["EU state machine"] == got["US lab supplies queue"] == []
        assert len(machines.list_executions(stateMachineArn=machine)["executions"]) == 2
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        bodies = [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
        assert [body["detail"]["location"] for body in bodies] == ["us-east"]
    finally:
        server.stop()


def workshop(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What everybody in the workshop got."""
    command = [sys.executable, "-P", str(ROOT / "examples" / "workshop" / "run.py"), str(folder)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def test_fastapi_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "orders.db"))
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import fastapi_app

    async def scenario() -> None:
        app = fastapi_app.app
        async with fastapi_app.lifespan(app):
            for order in range(3):
                status, answer = await ask(app, "POST", "/orders", {"order": order, "total": order})
                assert (status, len(answer["event"])) == (202, 36)
            assert await app.state.bus.wait_idle(30)
            status, answer = await ask(app, "GET", "/statistics")
            assert (status, answer) == (200, {"delivered": 2, "pending": 0, "given up": 0})
            assert sorted(app.state.billed) == [1, 2]

    asyncio.run(scenario())


async def ask(app: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request to an ASGI application, without a server."""
    text = json.dumps(body).encode() if body is not None else b""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": headers, "scheme": "http", "app": app,
        "server": ("test", 80), "client": ("test", 1), "root_path": "",
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": text, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))
