"""Events in EventBridge's envelope: EC2, S3, shop orders, ECS, CloudTrail, GuardDuty; 0.3 to 4 KB, 1 KB on
average.

Invented data in the shapes that the services publish. Lines are written by formatting, not by a JSON library,
which is what makes a hundred thousand events a matter of seconds; a test parses them all.
Relies on `chance` and `entities`; must never write a value that needs escaping except where it is written
escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rulebus.workload import entities as known
from rulebus.workload.chance import Chance, weighted

__all__ = ["envelopes"]

# Draws that several events share.
_HOSTS = (10, 52, 54, 3, 192)
_TIERS = ("basic",) * 6 + ("silver",) * 3 + ("gold",) * 2 + ("platinum",)
_ORDER_STEPS = ("OrderPlaced",) * 3 + ("OrderPaid", "OrderShipped", "OrderCancelled")
_NOTES = ("", "", "leave at door", 'gift \\"wrap\\" please', "café entrance")
_ERRORS = ("null", "null", "null", '"AccessDenied"')
_SEVERITIES = (2, 2, 4, 5, 5.3, 8, 8.5)


def envelopes(n: int, seed: int = 11, *, entities: int = 1_000_000) -> Iterator[bytes]:
    """Yield `n` events as JSON texts without line ends.

    `entities` is how many instances, tenants, customers, services and accounts there are in all; rules made
    with the same number name the same ones, each about once in `entities` events.

    >>> import json
    >>> sorted(json.loads(next(envelopes(1))))
    ['account', 'detail', 'detail-type', 'id', 'region', 'resources', 'source', 'time', 'version']
    """
    chance = Chance(f"envelopes-{seed}")
    writer = _Writer(chance)
    bodies: dict[str, Callable[[int], str]] = {
        "ec2": writer.ec2, "s3": writer.s3, "shop": writer.shop,
        "ecs": writer.ecs, "cloudtrail": writer.cloudtrail, "guardduty": writer.guardduty,
    }  # fmt: skip
    options = [((body, known.universe(kind, entities)), known.KINDS[kind]) for kind, body in bodies.items()]
    draw = weighted(options, chance)
    for _ in range(n):
        body, limit = draw()
        yield body(chance.below(limit)).encode()


class _Writer:
    """One method per kind of event; each takes the number of the event's entity."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.region = weighted(known.REGIONS.items(), chance)

    def _envelope(
        self, source: str, detail_type: str, account: str, region: str, resources: str, detail: str
    ) -> str:
        bits, random = self.chance.bits, self.chance.random
        u = f"{bits(128):032x}"
        day, hour, second = 1 + int(28 * random()), int(24 * random()), int(3600 * random())
        moment = f"2026-07-{day:02d}T{hour:02d}:{second // 60:02d}:{second % 60:02d}Z"
        return (
            f'{{"version":"0","id":"{u[:8]}-{u[8:12]}-{u[12:16]}-{u[16:20]}-{u[20:]}",'
            f'"detail-type":"{detail_type}","source":"{source}",'
            f'"account":"{account}","time":"{moment}","region":"{region}","resources":[{resources}],'
            f'"detail":{{{detail}}}}}'
        )

    def _place(self) -> tuple[str, str]:
        return self.region(), self.chance.one(known.ACCOUNTS)

    def _address(self) -> str:
        one, bits = self.chance.one, self.chance.bits
        return f"{one(_HOSTS)}.{bits(8)}.{bits(8)}.{1 + bits(8) % 254}"

    def ec2(self, entity: int) -> str:
        region, account = self._place()
        name = known.instance(entity)
        detail = f'"instance-id":"{name}","state":"{self.chance.one(known.INSTANCE_STATES)}"'
        resource = f'"arn:aws:ec2:{region}:{account}:instance/{name}"'
        return self._envelope(
            "aws.ec2", "EC2 Instance State-change Notification", account, region, resource, detail
        )

    def s3(self, entity: int) -> str:
        one, bits, between = self.chance.one, self.chance.bits, self.chance.between
        region, account = self._place()
        bucket = f"acme-{one(known.BUCKET_WORDS)}-{between(0, 499):03d}"
        folder, day, extension = one(("in", "out", "tmp")), between(1, 28), one(known.EXTENSIONS)
        key = f"tenants/{known.tenant(entity)}/{folder}/2026/07/{day:02d}/{bits(96):024x}.{extension}"
        detail = (
            f'"version":"0","bucket":{{"name":"{bucket}"}},"object":{{"key":"{key}","size":{self._size()},'
            f'"etag":"{bits(128):032x}",'
            f'"version-id":"{bits(128):032x}","sequencer":"{bits(72):018X}"}},"request-id":"{bits(64):016X}",'
            f'"requester":"{account}",'
            f'"source-ip-address":"{self._address()}",'
            f'"reason":"{one(("PutObject", "PutObject", "CompleteMultipartUpload", "CopyObject"))}"'
        )
        return self._envelope("aws.s3", "Object Created", account, region, f'"arn:aws:s3:::{bucket}"', detail)

    def _size(self) -> int:
        """Bytes from a few to a few hundred million, most around 60,000 (a sum of draws is nearly normal)."""
        random = self.chance.random
        return int(
            2 ** (16 + 3.6 * 1.4142 * (random() + random() + random() + random() + random() + random() - 3.0))
        )

    def shop(self, entity: int) -> str:
        one, bits, between, random = (
            self.chance.one,
            self.chance.bits,
            self.chance.between,
            self.chance.random,
        )
        region, account = self._place()
        words, who, total = known.WORDS, known.customer(entity), 0
        items: list[str] = []
        while len(items) < 12:
            quantity, cents = between(1, 6), int(100 * 20 * (0.1 + 3 * random() * random() * random() * 2))
            total += quantity * cents
            items.append(
                f'{{"sku":"{one(words).upper()}-{between(0, 99999):05d}",'
                f'"name":"{one(words)} {one(words)} {one(words)}",'
                f'"qty":{quantity},"price":{cents / 100!r}}}'
            )
            if random() < 0.295:
                break
        coupon = f',"coupon":"SAVE{one((5, 10, 20))}"' if random() < 0.3 else ""
        detail = (
            f'"metadata":{{"schema":"order/v3","trace":"{bits(128):032x}","attempt":{between(0, 2)},'
            f'"test":{"true" if random() < 0.05 else "false"}}},'
            f'"order":{{"id":"{who}-{between(0, 999999):06d}","total":{total / 100!r},'
            f'"currency":"{one(known.CURRENCIES)}","items":[{",".join(items)}],"notes":"{one(_NOTES)}"}},'
            f'"amount":{total / 100!r},'
            f'"customer":{{"id":"{who}","tier":"{one(_TIERS)}","country":"{one(known.COUNTRIES)}",'
            f'"email":"{bits(32):08x}@example.{one(("com", "org", "net"))}"}},'
            f'"shipping":{{"method":"{one(known.SHIPPING)}",'
            f'"address":{{"city":"{one(words).title()}","zip":"{between(0, 99999):05d}"}}}}{coupon}'
        )
        return self._envelope("com.acme.shop", one(_ORDER_STEPS), account, region, "", detail)

    def ecs(self, entity: int) -> str:
        one, bits, between = self.chance.one, self.chance.bits, self.chance.between
        region, account = self._place()
        arn, words, states = f"arn:aws:ecs:{region}:{account}:", known.WORDS, known.TASK_STATES
        containers = ",".join(
            [
                f'{{"containerArn":"{arn}container/main/{bits(128):032x}/{bits(128):032x}",'
                f'"lastStatus":"{one(states)}","name":"{one(words)}",'
                f'"image":"{account}.dkr.ecr.{region}.amazonaws.com/{one(words)}:{bits(32):08x}",'
                f'"exitCode":{one((0, 0, 0, 1, 137))},"cpu":"0"}}'
                for _ in range(between(1, 4))
            ]
        )
        reason = one(
            (
                "Essential container in task exited",
                f"Scaling activity initiated by (deployment ecs-svc/{bits(48):012x})",
            )
        )
        detail = (
            f'"attachments":[{{"id":"{bits(128):032x}","type":"eni","status":"ATTACHED",'
            f'"details":[{{"name":"subnetId",'
            f'"value":"subnet-{bits(64):016x}"}},{{"name":"privateIPv4Address","value":"{self._address()}"}},'
            f'{{"name":"macAddress",'
            f'"value":"{bits(48):012x}"}}]}}],"availabilityZone":"{region}{one("abc")}",'
            f'"clusterArn":"{arn}cluster/{one(("main", "batch", "edge"))}","connectivity":"CONNECTED",'
            f'"containers":[{containers}],'
            f'"cpu":"{one(("256", "512", "1024"))}","memory":"2048",'
            f'"desiredStatus":"{one(("RUNNING", "STOPPED"))}",'
            f'"group":"{known.service(entity)}","launchType":"{one(("FARGATE", "FARGATE", "EC2"))}",'
            f'"lastStatus":"{one(states)}",'
            f'"overrides":{{"containerOverrides":[{{"name":"{one(words)}"}}]}},"platformVersion":"1.4.0",'
            f'"taskDefinitionArn":"{arn}task-definition/{one(words)}:{between(1, 99)}",'
            f'"stoppedReason":"{reason}","version":{between(1, 9)}'
        )
        return self._envelope(
            "aws.ecs", "ECS Task State Change", account, region, f'"{arn}task/main/{bits(128):032x}"', detail
        )

    def cloudtrail(self, entity: int) -> str:
        one, bits, random = self.chance.one, self.chance.bits, self.chance.random
        region, account = self._place()
        caller, words, call = known.account(entity), known.WORDS, one(known.API_CALLS)
        role = f"{caller}:assumed-role/{one(('admin', 'deploy', 'readonly', 'ci'))}/session-{bits(24):06x}"
        filters = ",".join(
            [f'{{"key":"{one(words)}","values":["{one(words)}","{one(words)}"]}}' for _ in range(3)]
        )
        detail = (
            f'"eventVersion":"1.09",'
            f'"userIdentity":{{"type":"{one(("AssumedRole", "AssumedRole", "IAMUser", "Root"))}",'
            f'"principalId":"AROA{bits(64):016X}:session","arn":"arn:aws:sts::{role}","accountId":"{caller}",'
            f'"accessKeyId":"AKXX{bits(64):016X}","sessionContext":{{"sessionIssuer":{{"type":"Role",'
            f'"principalId":"AROA{bits(64):016X}",'
            f'"arn":"arn:aws:iam::{role}","accountId":"{caller}","userName":"deploy"}},"attributes":{{'
            f'"creationDate":"2026-07-21T05:00:00Z","mfaAuthenticated":"{one(("true", "false"))}"}}}}}},'
            f'"eventTime":"2026-07-21T05:01:00Z",'
            f'"eventSource":"{one(("iam", "s3", "ec2", "lambda", "sts"))}.amazonaws.com",'
            f'"eventName":"{call}","awsRegion":"{region}",'
            f'"sourceIPAddress":"{self._address()}",'
            f'"userAgent":"aws-cli/2.15 Python/3.11 Linux/6.1 exe/x86_64 prompt/off command/x.{call}",'
            f'"errorCode":{one(_ERRORS)},'
            f'"requestParameters":{{"name":"{one(words)}","host":"s3.amazonaws.com","filters":[{filters}]}},'
            f'"responseElements":null,'
            f'"requestID":"{bits(128):032x}","eventID":"{bits(128):032x}",'
            f'"readOnly":{"true" if random() < 0.4 else "false"},'
            f'"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}",'
            f'"eventCategory":"Management"'
        )
        return self._envelope("aws.cloudtrail", "AWS API Call via CloudTrail", account, region, "", detail)

    def guardduty(self, entity: int) -> str:
        one, bits, between = self.chance.one, self.chance.bits, self.chance.between
        region, account = self._place()
        detector, finding = f"{bits(128):032x}", f"{bits(128):032x}"
        arn = f"arn:aws:guardduty:{region}:{account}:detector/{detector}/finding/{finding}"
        detail = (
            f'"schemaVersion":"2.0","accountId":"{account}","region":"{region}","partition":"aws",'
            f'"id":"{finding}","arn":"{arn}",'
            f'"type":"{one(known.FINDINGS)}","resource":{{"resourceType":"Instance",'
            f'"instanceDetails":{self._suspect(entity, region, account)}}},'
            f'"service":{self._action(detector)},"severity":{one(_SEVERITIES)},'
            f'"createdAt":"2026-07-21T00:00:00.000Z","updatedAt":"2026-07-21T00:00:00.000Z",'
            f'"title":"Finding {self._words(6)}",'
            f'"description":"{self._words(between(10, 60))}"'
        )
        return self._envelope("aws.guardduty", "GuardDuty Finding", account, region, "", detail)

    def _words(self, count: int) -> str:
        one, words = self.chance.one, known.WORDS
        return " ".join([one(words) for _ in range(count)])

    def _suspect(self, entity: int, region: str, account: str) -> str:
        one, bits, between = self.chance.one, self.chance.bits, self.chance.between
        addresses = ",".join(
            [
                f'{{"privateDnsName":"ip-10-0-0-{k}.ec2.internal","privateIpAddress":"10.0.0.{k}"}}'
                for k in range(1, between(2, 7))
            ]
        )
        groups = ",".join(
            [
                f'{{"groupName":"{one(known.WORDS)}","groupId":"sg-{bits(64):016x}"}}'
                for _ in range(between(1, 4))
            ]
        )
        tags = ",".join(
            [f'{{"key":"{one(known.WORDS)}","value":"{self._words(2)}"}}' for _ in range(between(2, 9))]
        )
        return (
            f'{{"instanceId":"{known.suspect(entity)}",'
            f'"instanceType":"{one(("m5.large", "c6i.xlarge", "t3.micro"))}",'
            f'"launchTime":"2026-06-01T00:00:00Z","platform":null,'
            f'"productCodes":[{{"productCodeId":"{bits(48):012x}",'
            f'"productCodeType":"marketplace"}}],'
            f'"iamInstanceProfile":{{"arn":"arn:aws:iam::{account}:instance-profile/web",'
            f'"id":"{bits(80):020x}"}},"networkInterfaces":[{{"ipv6Addresses":[],'
            f'"networkInterfaceId":"eni-{bits(64):016x}",'
            f'"privateDnsName":"ip-10-0-0-1.ec2.internal","privateIpAddress":"10.0.0.1",'
            f'"privateIpAddresses":[{addresses}],'
            f'"subnetId":"subnet-{bits(64):016x}","vpcId":"vpc-{bits(64):016x}","securityGroups":[{groups}],'
            f'"publicDnsName":"ec2-198-51-100-0.compute-1.amazonaws.com","publicIp":"{self._address()}"}}],'
            f'"tags":[{tags}],'
            f'"instanceState":"running","availabilityZone":"{region}b","imageId":"ami-{bits(64):016x}",'
            f'"imageDescription":"{self._words(between(4, 30))}"}}'
        )

    def _action(self, detector: str) -> str:
        one, between, random, words = self.chance.one, self.chance.between, self.chance.random, known.WORDS
        return (
            f'{{"serviceName":"guardduty","detectorId":"{detector}",'
            f'"action":{{"actionType":"NETWORK_CONNECTION",'
            f'"networkConnectionAction":{{"connectionDirection":"{one(("INBOUND", "OUTBOUND"))}",'
            f'"remoteIpDetails":{{"ipAddressV4":"{self._address()}",'
            f'"organization":{{"asn":"{between(1, 65000)}",'
            f'"asnOrg":"{one(words)}","isp":"{one(words)}","org":"{one(words)}"}},'
            f'"country":{{"countryName":"{one(words)}"}},'
            f'"city":{{"cityName":"{one(words)}"}},"geoLocation":{{"lat":{160 * random() - 80:.4f},'
            f'"lon":{360 * random() - 180:.4f}}}}},'
            f'"remotePortDetails":{{"port":{between(1, 65535)},"portName":"Unknown"}},'
            f'"localPortDetails":{{"port":22,"portName":"SSH"}},'
            f'"protocol":"TCP","blocked":false}}}},"resourceRole":"TARGET","additionalInfo":{{"value":"{{}}",'
            f'"type":"default"}},'
            f'"eventFirstSeen":"2026-07-20T00:00:00Z","eventLastSeen":"2026-07-21T00:00:00Z",'
            f'"archived":false,"count":{between(1, 500)}}}'
        )
