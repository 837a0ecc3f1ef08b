"""AWS targets against moto's server, over real HTTP: the contract for each kind, and what only that kind does.

Relies on moto; one server for the module, emptied for each test. What a service does not let one read back is taken
from the requests themselves.
"""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import boto3
import pytest
from moto.server import ThreadedMotoServer

from rulebus.attempt import Attempt, Failure
from rulebus.dead_letter import DeadLetter
from rulebus.event import AcceptedEvent
from rulebus.targets.aws import (
    AwsTarget,
    DynamoDbTarget,
    KinesisTarget,
    LambdaTarget,
    LogsTarget,
    SnsTarget,
    SqsTarget,
    StatesTarget,
)
from rulebus.targets.protocol import Delivery
from rulebus.testing.targets_contract import TargetContract, delivery_of

REGION = "eu-central-1"
ACCOUNT = "123456789012"
NOW_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of all services."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


def post(url: str, body: dict[str, Any] | None = None) -> None:
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status < 300


@pytest.fixture(autouse=True)
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    post(f"{server}/moto-api/reset")
    post(
        f"{server}/moto-api/config",
        {"lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": False}},
    )
    return server


# One for all: it keeps the services' descriptions, which take longer to read than a test takes.
SESSION = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="hunter2", region_name=REGION)


def client(service: str, server: str) -> Any:
    return SESSION.client(service, endpoint_url=server)


def nowhere() -> str:
    """An address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def watched(target: AwsTarget, operation: str) -> list[dict[str, Any]]:
    """The parameters of each of a target's calls, in order."""
    calls: list[dict[str, Any]] = []
    target.client.meta.events.register(
        f"provide-client-params.*.{operation}", lambda params, **_: calls.append(params) or params
    )
    return calls


class AwsContract(TargetContract):
    """What all kinds share: how they fail."""

    kind: ClassVar[type[AwsTarget]]
    secrets = ("hunter2",)
    ordered = False

    @pytest.fixture(autouse=True)
    def _server(self, aws: str) -> None:
        self.aws = aws
        self.name = self.make_resource()

    def make_resource(self) -> str:
        """Makes what the target leads to; its name."""
        raise NotImplementedError("each AWS service says how its resource is made")

    def make(self) -> AwsTarget:
        return self.kind(self.name, endpoint_url=self.aws, session=SESSION)

    def make_unavailable(self) -> AwsTarget:
        return self.kind(self.name, endpoint_url=nowhere(), session=SESSION)

    def make_refusing(self) -> AwsTarget:
        return self.kind(self.name + "-missing", endpoint_url=self.aws, session=SESSION)


class TestSqs(AwsContract):
    kind = SqsTarget

    def make_resource(self) -> str:
        self.url = client("sqs", self.aws).create_queue(QueueName="orders")["QueueUrl"]
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"

    def taken(self) -> list[bytes]:
        found: list[bytes] = []
        sqs = client("sqs", self.aws)
        while messages := sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"].encode() for message in messages]
        return found


class TestSns(AwsContract):
    kind = SnsTarget

    def make_resource(self) -> str:
        sns = client("sns", self.aws)
        self.url = client("sqs", self.aws).create_queue(QueueName="news")["QueueUrl"]
        topic: str = sns.create_topic(Name="news")["TopicArn"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:news",
            Attributes={"RawMessageDelivery": "true"},
        )
        return topic

    taken = TestSqs.taken


class TestLambda(AwsContract):
    kind = LambdaTarget
    calls: list[dict[str, Any]]

    def make_resource(self) -> str:
        return make_function(self.aws)

    def make(self) -> AwsTarget:
        target = super().make()
        self.calls = watched(target, "Invoke")
        return target

    def make_refusing(self) -> AwsTarget:
        # The stand-in that runs no code looks up no function; the one that would does.
        post(f"{self.aws}/moto-api/config", {"lambda": {"use_docker": True}})
        return super().make_refusing()

    def taken(self) -> list[bytes]:
        return [call["Payload"] for call in self.calls]


def make_function(server: str) -> str:
    role = client("iam", server).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = client("lambda", server).create_function(
        FunctionName="bill",
        Runtime="python3.11",
        Role=role,
        Handler="bill.handler",
        Code={"ZipFile": b"PK\x05\x06" + b"\0" * 18},
    )
    arn: str = made["FunctionArn"]
    return arn


class TestStates(AwsContract):
    kind = StatesTarget

    def make_resource(self) -> str:
        made = client("stepfunctions", self.aws).create_state_machine(
            name="Order",
            definition='{"StartAt":"a","States":{"a":{"Type":"Succeed"}}}',
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        )
        arn: str = made["stateMachineArn"]
        return arn

    def taken(self) -> list[bytes]:
        states = client("stepfunctions", self.aws)
        found = states.list_executions(stateMachineArn=self.name, maxResults=1000)["executions"]
        return [
            states.describe_execution(executionArn=one["executionArn"])["input"].encode() for one in found
        ]


class TestDynamoDb(AwsContract):
    kind = DynamoDbTarget

    def make_resource(self) -> str:
        made = client("dynamodb", self.aws).create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        arn: str = made["TableDescription"]["TableArn"]
        return arn

    def spelled(self, text: str) -> str:
        return text.replace("1e400", "1e40")

    def expected(self, input: bytes) -> Any:
        return json.loads(input, parse_float=Decimal, parse_int=Decimal)

    def taken(self) -> list[Any]:
        table = SESSION.resource("dynamodb", endpoint_url=self.aws).Table("orders")
        return list(table.scan()["Items"])

    def test_it_sends_the_input_not_the_event(self) -> None:
        self._takes(delivery_of(b'{"id":"e-1","total":120}', body=b'{"id":"e-1","detail":{"total":120}}'))

    def test_two_deliveries_of_one_event_are_two(self) -> None:
        # Two items of one key are one; what the second holds stays, and both were taken.
        target = self.make()
        sent = [delivery_of(b'{"id":"e-1","n":%d}' % n, target=str(n)) for n in (1, 2)]
        assert self.deliver(target, *sent) == [None, None]
        assert self.taken() == [{"id": "e-1", "n": 2}]


class TestKinesis(AwsContract):
    kind = KinesisTarget
    ordered = True

    def make_resource(self) -> str:
        client("kinesis", self.aws).create_stream(StreamName="orders", ShardCount=1)
        return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"

    def taken(self) -> list[bytes]:
        return [record["Data"] for record in kinesis_records(self.aws)]


def kinesis_records(server: str) -> list[dict[str, Any]]:
    kinesis = client("kinesis", server)
    shard = kinesis.list_shards(StreamName="orders")["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(
        StreamName="orders", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    records: list[dict[str, Any]] = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return records


class TestLogs(AwsContract):
    kind = LogsTarget

    def make_resource(self) -> str:
        client("logs", self.aws).create_log_group(logGroupName="/aws/events/orders")
        return "/aws/events/orders"

    def make(self) -> AwsTarget:
        target = super().make()
        self.calls = watched(target, "PutLogEvents")
        return target

    def deliver(self, target: Any, *deliveries: Delivery) -> list[Failure | None]:
        import time

        for delivery in deliveries:  # The service rejects what is older than two weeks.
            delivery.event.accepted_at = time.time()
        return super().deliver(target, *deliveries)

    def taken(self) -> list[bytes]:
        found = client("logs", self.aws).get_log_events(
            logGroupName="/aws/events/orders", logStreamName="rulebus", limit=1000, startFromHead=True
        )
        return [one["message"].encode() for one in found["events"]]


def sent_to_sqs(target: SqsTarget, *deliveries: Delivery) -> tuple[Any, list[dict[str, Any]]]:
    calls = watched(target, "SendMessageBatch")
    return target.deliver(deliveries), calls


def test_sqs_names_urls_and_fifo(aws: str) -> None:
    sqs = client("sqs", aws)
    url = sqs.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for name in ("orders.fifo", url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders.fifo"):
        target = SqsTarget(name, endpoint_url=aws, session=SESSION, message_group_id="$.source")
        body = json.dumps({"id": name, "source": "shop"}).encode()
        first = delivery_of(body, id=name)
        outcomes, calls = sent_to_sqs(target, first)
        assert outcomes is None
        assert target.deliver([first]) is None  # A second try: the queue drops it.
        assert {call["Entries"][0]["MessageDeduplicationId"] for call in calls} == {
            calls[0]["Entries"][0]["MessageDeduplicationId"]
        }
        (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MaxNumberOfMessages=10)[
            "Messages"
        ]
        assert message["Attributes"]["MessageGroupId"] == "shop"
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        target.close()


def test_one_message_without_a_group_is_its_own_fault(aws: str) -> None:
    client("sqs", aws).create_queue(QueueName="o.fifo", Attributes={"FifoQueue": "true"})
    target = SqsTarget("o.fifo", endpoint_url=aws, session=SESSION, message_group_id="$.g")
    outcomes = target.deliver([delivery_of(body) for body in (b'{"g":"1"}', b"{}", b'{"g":"2"}')])
    assert outcomes is not None
    assert [one and one.code for one in outcomes] == [None, "PARAMETER_MISSING", None]


def test_sqs_sends_ten_at_a_time_and_within_the_bytes(aws: str) -> None:
    client("sqs", aws).create_queue(QueueName="orders")
    target = SqsTarget("orders", endpoint_url=aws, session=SESSION)
    outcomes, calls = sent_to_sqs(target, *(delivery_of(b'{"n":%d}' % n) for n in range(25)))
    assert outcomes is None
    assert [len(call["Entries"]) for call in calls] == [10, 10, 5]
    large = [delivery_of(b'{"n":%d,"x":"%s"}' % (n, b"x" * 400_000)) for n in range(4)]
    _, calls = sent_to_sqs(SqsTarget("orders", endpoint_url=aws, session=SESSION), *large)
    assert [len(call["Entries"]) for call in calls][:1] == [2]


def test_sqs_falls_back_where_together_they_are_too_long(aws: str) -> None:
    client("sqs", aws).create_queue(QueueName="orders")
    target = SqsTarget("orders", endpoint_url=aws, session=SESSION)
    sizes = (200_000, 200_000, 10)
    from botocore.exceptions import ClientError

    def older_service(params: dict[str, Any], **_: Any) -> None:
        if sum(len(entry["MessageBody"]) for entry in params["Entries"]) > 262_144:
            raise ClientError(
                {"Error": {"Code": "AWS.SimpleQueueService.BatchRequestTooLong"}}, "SendMessageBatch"
            )

    target.client.meta.events.register("provide-client-params.*.SendMessageBatch", older_service)
    assert target.deliver([delivery_of(b'{"x":"%s"}' % (b"x" * size)) for size in sizes]) is None
    url = target.url
    attributes = client("sqs", aws).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "3"


def answering(target: AwsTarget, operation: str, answer: dict[str, Any]) -> None:
    """Lets the service's answer to an operation be this one, on top of the real request."""
    target.client.meta.events.register(f"after-call.*.{operation}", lambda parsed, **_: parsed.update(answer))


def test_sqs_failures_of_a_batch_come_back_to_their_deliveries(aws: str) -> None:
    client("sqs", aws).create_queue(QueueName="orders")
    target = SqsTarget("orders", endpoint_url=aws, session=SESSION)
    failed = [
        {"Id": "2", "Code": "InvalidMessageContents", "Message": "bad", "SenderFault": True},
        {"Id": "0", "Code": "InternalError", "SenderFault": False},
        {"Id": "3", "Code": "RequestThrottled", "SenderFault": True},
    ]
    answering(target, "SendMessageBatch", {"Failed": failed})
    outcomes = target.deliver([delivery_of(b"{}") for _ in range(4)])
    assert outcomes is not None
    assert [(one.kind, one.code) if one else None for one in outcomes] == [
        ("retryable", "INTERNAL_ERROR"),
        None,
        ("permanent", "INVALID_MESSAGE_CONTENTS"),
        ("throttled", "REQUEST_THROTTLED"),
    ]


def test_a_dead_letter_has_aws_attributes(aws: str) -> None:
    sqs = client("sqs", aws)
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    event = AcceptedEvent("default", "e-1", b"{}", NOW_S)
    failure = Failure("retryable", "HTTP_503", "busy")
    tries = (Attempt(NOW_S, 0.1, failure), Attempt(NOW_S + 1, 0.1, failure))
    letter = DeadLetter(
        event, "rule", "billing", None, "HTTP_503", "busy", "MaximumRetryAttempts", tries, NOW_S
    )
    delivery = delivery_of(b'{"letter":1}')
    delivery.letter = letter
    assert SqsTarget("dead", endpoint_url=aws, session=SESSION).deliver([delivery]) is None
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert {name: one["StringValue"] for name, one in message["MessageAttributes"].items()} == {
        "RULE_ARN": "arn:aws:events:::rule/rule",
        "TARGET_ARN": "billing",
        "ERROR_CODE": "HTTP_503",
        "ERROR_MESSAGE": "busy",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "1",
    }


def test_sns_failures_of_a_batch_come_back_to_their_deliveries(aws: str) -> None:
    topic = client("sns", aws).create_topic(Name="news")["TopicArn"]
    target = SnsTarget(topic, endpoint_url=aws, session=SESSION)
    answering(
        target, "PublishBatch", {"Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}]}
    )
    outcomes = target.deliver([delivery_of(b"{}"), delivery_of(b"{}")])
    assert outcomes is not None
    assert [one and one.kind for one in outcomes] == [None, "retryable"]


def test_a_function_that_fails_is_tried_again(aws: str) -> None:
    target = LambdaTarget(make_function(aws), invocation="RequestResponse", endpoint_url=aws, session=SESSION)
    assert target.deliver([delivery_of(b'{"n":1}')]) is None
    target.client.meta.events.register(
        "after-call.lambda.Invoke", lambda parsed, **_: parsed.update({"FunctionError": "Unhandled"})
    )
    (failure,) = target.deliver([delivery_of(b'{"n":1}')]) or [None]
    assert failure is not None
    assert (failure.kind, failure.code, failure.answer) == ("retryable", "FUNCTION_ERROR", b'{"n":1}')


def test_a_second_try_starts_no_second_execution_but_a_replay_does(aws: str) -> None:
    suite = TestStates()
    suite.aws = aws
    suite.name = suite.make_resource()
    target = suite.make()
    first = delivery_of(b'{"n":1}', id="11111111-2222-3333-4444-555555555555")
    assert target.deliver([first]) is None
    assert target.deliver([first]) is None
    assert len(suite.taken()) == 1
    first.event.seq += 1  # As the log numbers it when it is put again.
    assert target.deliver([first]) is None
    assert len(suite.taken()) == 2


def table(aws: str) -> TestDynamoDb:
    suite = TestDynamoDb()
    suite.aws = aws
    suite.name = suite.make_resource()
    return suite


def test_one_bad_item_of_a_batch_is_its_own(aws: str) -> None:
    suite = table(aws)
    target = suite.make()
    inputs = [
        b'{"id":"1"}',
        b'{"no":"key"}',
        b"[1]",
        b"nothing",
        b'{"id":"2","n":%s}' % (b"9" * 40),
        b'{"id":"3"}',
    ]
    outcomes = target.deliver([delivery_of(text) for text in inputs])
    assert outcomes is not None
    assert [one and (one.kind, one.code) for one in outcomes] == [
        None,
        ("permanent", "VALIDATION_EXCEPTION"),
        ("permanent", "INVALID_INPUT"),
        ("permanent", "INVALID_INPUT"),
        ("permanent", "INVALID_INPUT"),
        None,
    ]
    assert sorted(item["id"] for item in suite.taken()) == ["1", "3"]


def test_unprocessed_items_are_throttled(aws: str) -> None:
    target = table(aws).make()
    left = {"orders": [{"PutRequest": {"Item": {"id": {"S": "2"}}}}]}
    answering(target, "BatchWriteItem", {"UnprocessedItems": left})
    outcomes = target.deliver([delivery_of(b'{"id":"%d"}' % n) for n in (1, 2, 3)])
    assert outcomes is not None
    assert [one and one.kind for one in outcomes] == [None, "throttled", None]


def test_numbers_keep_their_digits(aws: str) -> None:
    suite = table(aws)
    assert suite.make().deliver([delivery_of(b'{"id":"1","n":12345678901234567890.123,"m":0.1}')]) is None
    assert suite.taken() == [{"id": "1", "n": Decimal("12345678901234567890.123"), "m": Decimal("0.1")}]


def test_kinesis_keys_and_failures_of_single_records(aws: str) -> None:
    client("kinesis", aws).create_stream(StreamName="orders", ShardCount=1)
    by_event, by_path = (
        KinesisTarget("orders", endpoint_url=aws, session=SESSION, partition_key=key)
        for key in (None, "$.detail.id")
    )
    assert by_event.deliver([delivery_of(b"{}", id="e-9")]) is None
    outcomes = by_path.deliver([delivery_of(b'{"detail":{"id":"o-1"}}'), delivery_of(b"{}")])
    assert outcomes is not None
    assert [one and one.code for one in outcomes] == [None, "PARAMETER_MISSING"]
    assert [record["PartitionKey"] for record in kinesis_records(aws)] == ["e-9", "o-1"]
    records = [
        {"SequenceNumber": "1"},
        {"ErrorCode": "ProvisionedThroughputExceededException"},
        {"ErrorCode": "InternalFailure"},
    ]
    answering(by_event, "PutRecords", {"Records": records})
    outcomes = by_event.deliver([delivery_of(b"{}") for _ in range(3)])
    assert outcomes is not None
    assert [one and one.kind for one in outcomes] == [None, "throttled", "retryable"]


def test_logs_are_put_in_the_order_of_time_and_rejections_found(aws: str) -> None:
    client("logs", aws).create_log_group(logGroupName="g")
    target = LogsTarget("g", stream="s", endpoint_url=aws, session=SESSION)
    calls = watched(target, "PutLogEvents")
    deliveries = [delivery_of(b'{"n":%d}' % n) for n in range(4)]
    for delivery, after_s in zip(deliveries, (30.0, 10.0, 200_000.0, 20.0), strict=True):
        delivery.event.accepted_at = NOW_S + after_s
    answering(
        target,
        "PutLogEvents",
        {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}},
    )
    outcomes = target.deliver(deliveries)
    tried = [[event["message"] for event in call["logEvents"]] for call in calls]
    assert tried[-1] == ['{"n":2}']
    assert ['{"n":1}', '{"n":3}', '{"n":0}'] in tried
    assert outcomes is not None
    assert [one and one.code for one in outcomes] == ["TOO_NEW", "TOO_OLD", "TOO_OLD", None]


def test_a_client_is_not_retrying_by_itself(aws: str) -> None:
    target = SqsTarget("orders", endpoint_url=nowhere(), session=SESSION)
    tries: list[Any] = []
    target.client.meta.events.register("before-send.sqs", lambda **_: tries.append(1))
    (failure,) = target.deliver([delivery_of(b"{}")]) or [None]
    assert failure is not None
    assert (failure.kind, failure.code, len(tries)) == ("retryable", "CONNECTION_FAILED", 1)


def test_a_service_that_stalls_is_a_timeout(aws: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = SqsTarget(
            "orders", endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=1, session=SESSION
        )
        (failure,) = target.deliver([delivery_of(b"{}")]) or [None]
        target.close()
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", "TIMEOUT")


def test_missing_credentials_say_what_to_do(monkeypatch: pytest.MonkeyPatch, aws: str) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    (failure,) = SqsTarget("orders", endpoint_url=aws).deliver([delivery_of(b"{}")]) or [None]
    assert failure is not None
    assert (failure.kind, failure.code) == ("retryable", "CREDENTIALS_MISSING")
    assert "AWS_PROFILE" in failure.message
