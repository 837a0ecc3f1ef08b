"""What all AWS targets share: a client made on first use, calls whose errors become outcomes, batches in bounds.

Relies on boto3, imported when a target is made. A client serves many threads; a session does not, so that each target
has its own. Must never let boto3 retry.
"""

from __future__ import annotations

import hashlib
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.clock import Clock, SystemClock
from rulebus.errors import BusError
from rulebus.targets.aws.arn import Arn
from rulebus.targets.aws.failures import failure_of
from rulebus.targets.protocol import Delivery, Outcomes
from rulebus.targets.value import DeliveryFault

__all__ = ["AwsTarget", "chunks", "delivery_key", "letter_attributes"]


class AwsTarget:
    """The base of all AWS targets.

    `name` is an ARN or what the kind says. `region` is the ARN's or boto3's own where none is given; `endpoint_url`
    any server that speaks the service's protocol (or set AWS_ENDPOINT_URL). `session` is a `boto3.Session` with
    credentials of its own, `timeout_s` (1-900) bounds the wait for each answer. A batch that the API takes becomes one
    call, with the outcome of each item; COST: one to two ms of CPU a call, for ten
    items hardly more; 50 ms for the first.
    """

    service: ClassVar[str] = ""
    """boto3's name of the service."""
    arn_service: ClassVar[str] = ""
    """The service's name in ARNs, where it is another one."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Options of the subscription when the user gives none."""

    def __init__(
        self,
        name: str,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        session: Any = None,
        timeout_s: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        library()
        if not isinstance(name, str) or not name.strip():
            raise BusError("target-arn", f"a target of {self.service} needs an ARN or a name")
        if not 1 <= timeout_s <= 900:
            raise BusError(
                "target-timeout", f"timeout_s of an AWS target is from 1 to 900 seconds, not {timeout_s!r}"
            )
        self.name = name
        """The ARN or name that was given."""
        self.arn = Arn.read(name) if name.startswith("arn:") else None
        if self.arn is not None and self.arn.service != self._known_as():
            raise BusError("target-arn", f"{name!r} belongs to {self.arn.service}, not to {self._known_as()}")
        self.clock = SystemClock() if clock is None else clock
        self._region = region or (self.arn.region if self.arn is not None else None) or None
        self._endpoint_url = endpoint_url
        self._session = session
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def client(self) -> Any:
        """The service's client, made on first use."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made

    def _make(self) -> Any:
        from botocore.config import Config

        session = library().Session() if self._session is None else self._session
        # A session that several targets share makes one client at a time: it is not safe for threads.
        making = vars(session).setdefault("_rulebus_making", threading.Lock())
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=min(5.0, self._timeout_s),
            read_timeout=self._timeout_s,
            max_pool_connections=50,
            user_agent_extra="rulebus",
        )
        with making:
            return session.client(
                self.service, region_name=self._region, endpoint_url=self._endpoint_url, config=config
            )

    @abstractmethod
    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """Sends what fits into one call, or one after another. May raise what boto3 raises."""

    def size(self, delivery: Delivery) -> int:
        """What a delivery counts for in a batch, in bytes."""
        return len(delivery.input)

    most_items: ClassVar[int] = 1
    """Items in a call."""
    most_bytes: ClassVar[int] = 1 << 60
    """Bytes in a call."""

    def deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        """In as few calls as the API allows, in order."""
        outcomes: list[Failure | None] = []
        for chunk in chunks(deliveries, self.most_items, self.most_bytes, self.size):
            outcomes += self.attempt(chunk, self.send)
        return outcomes if any(outcomes) else None

    def attempt(
        self, deliveries: Sequence[Delivery], send: Callable[[Sequence[Delivery]], list[Failure | None]]
    ) -> list[Failure | None]:
        """Outcomes of one call; an exception of boto3 is that of all."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return send(deliveries)
        except DeliveryFault as fault:
            return [fault.failure] * len(deliveries)
        except (BotoCoreError, ClientError, OSError) as error:
            return [failure_of(self._known_as(), error, self.clock.now())] * len(deliveries)

    def describe(self) -> str:
        """Service and name."""
        return f"{self._known_as()} {self.name}"

    @classmethod
    def _known_as(cls) -> str:
        return cls.arn_service or cls.service

    def close(self) -> None:
        """Closes the connections. Another delivery would open new ones."""
        with self._lock:
            client, self._made = self._made, None
        if client is not None:
            client.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def library() -> Any:
    """boto3. Raises `BusError` that names the extra when it is not installed."""
    try:
        import boto3
    except ImportError:
        raise BusError(
            "extra-missing", "AWS targets need boto3, which the extra brings: pip install 'rulebus[aws]'"
        ) from None
    return boto3


def chunks(
    deliveries: Sequence[Delivery], most_items: int, most_bytes: int, size: Callable[[Delivery], int]
) -> Iterator[Sequence[Delivery]]:
    """Pieces within both bounds, in order. What is too large by itself is a piece by itself."""
    start, total = 0, 0
    for at, delivery in enumerate(deliveries):
        bytes_ = size(delivery)
        if at > start and (at - start >= most_items or total + bytes_ > most_bytes):
            yield deliveries[start:at]
            start, total = at, 0
        total += bytes_
    yield deliveries[start:]


def delivery_key(delivery: Delivery) -> str:
    """Stable over the tries of a delivery, another one when the event is replayed or sent again from the dead letters."""
    event = delivery.event
    text = f"{delivery.id}\n{event.replay or ''}\n{event.seq}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def letter_attributes(delivery: Delivery) -> dict[str, str]:
    """The attributes that AWS gives to a dead letter; none for other deliveries."""
    letter = delivery.letter
    if letter is None:
        return {}
    texts = {
        "RULE_ARN": delivery.origin.rule_arn or letter.rule,
        "TARGET_ARN": letter.target,
        "ERROR_CODE": letter.reason,
        "ERROR_MESSAGE": letter.message,
        "EXHAUSTED_RETRY_CONDITION": letter.exhausted or "",
        "RETRY_ATTEMPTS": str(max(0, len(letter.attempts) - 1)),
    }
    return {name: text[:256] for name, text in texts.items() if text}
