"""The contract of targets, for those that need no server: functions, logs, and the recording ones for tests.

Files, commands, HTTP and AWS inherit the same suite beside their own tests. Relies on the public suite alone.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from rulebus import testing
from rulebus.errors import PermanentError
from rulebus.targets import FunctionTarget, LogTarget
from rulebus.testing import TargetContract


class TestFunction(TargetContract):
    def make(self) -> FunctionTarget:
        self.seen: list[Any] = []
        return FunctionTarget(self.see)

    def see(self, event: Any) -> None:
        self.seen.append(event.to_dict() if hasattr(event, "to_dict") else event)

    def taken(self) -> list[Any]:
        return self.seen

    def expected(self, input: bytes) -> Any:
        return json.loads(input)

    def spelled(self, text: str) -> str:
        return text.replace("1e400", "1e40")

    def make_unavailable(self) -> FunctionTarget:
        def broken(event: object) -> None:
            raise ConnectionError("the ledger is closed")

        return FunctionTarget(broken)

    def make_refusing(self) -> FunctionTarget:
        def refuse(event: object) -> None:
            raise PermanentError("no such customer")

        return FunctionTarget(refuse)


class TestAsyncFunction(TestFunction):
    def make(self) -> FunctionTarget:
        self.seen = []

        async def handler(event: Any) -> None:
            self.see(event)

        return FunctionTarget(handler)


class TestBatchFunction(TestFunction):
    def make(self) -> FunctionTarget:
        self.seen = []

        def handler(events: list[Any]) -> None:
            for event in events:
                self.see(event)

        return FunctionTarget(handler, batch=True)


class TestLog(TargetContract):
    ordered = True

    @pytest.fixture(autouse=True)
    def _logged(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.log = caplog

    def make(self) -> LogTarget:
        return LogTarget("shop.events")

    def taken(self) -> list[bytes]:
        return [record.getMessage().encode() for record in self.log.records if record.name == "shop.events"]


class TestRecording(TargetContract):
    def make(self) -> testing.RecordingTarget:
        self.target = testing.RecordingTarget()
        return self.target

    def taken(self) -> list[bytes]:
        return self.target.inputs

    def make_unavailable(self) -> testing.BrokenTarget:
        return testing.BrokenTarget([ConnectionError("no")])
