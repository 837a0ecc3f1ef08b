"""Signatures of requests after the Standard Webhooks specification, so that receivers know who sent them.

SOURCE: standardwebhooks.com, specification 1.0: HMAC-SHA256 over ``id.timestamp.body``. Relies on `hmac`. Must never
show a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from rulebus.errors import BusError

__all__ = ["WebhookSignature", "message_id"]


class WebhookSignature:
    """Signs with one secret, or with several while receivers change from the old to the new one.

    >>> signature = WebhookSignature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> headers = signature.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    >>> headers["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='

    A secret is 24 to 64 bytes in base64, with or without ``whsec_`` before it. The id stays the same over all tries of
    a delivery, so that receivers can drop what they have seen; the timestamp is that of the try.
    """

    __slots__ = ("_keys",)

    def __init__(self, secret: str | Sequence[str]) -> None:
        secrets = [secret] if isinstance(secret, str) else list(secret)
        if not secrets:
            raise BusError("target-secret", "a webhook signature needs at least one secret")
        self._keys = [_key(text) for text in secrets]

    def headers(self, id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The three headers."""
        content = b"%s.%d.%s" % (id.encode(), timestamp, body)
        signatures = (
            "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in self._keys
        )
        return {
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }

    def __repr__(self) -> str:
        return f"<WebhookSignature with {len(self._keys)} secret{'s' if len(self._keys) > 1 else ''}>"

    def __reduce__(self) -> str:
        raise TypeError(
            "a WebhookSignature holds secrets and is not written anywhere; make it where it is used"
        )


def message_id(delivery_id: str) -> str:
    """A delivery's id as a webhook id: the standard separates by full stops, and names of rules may hold them."""
    return "msg_" + hashlib.sha256(delivery_id.encode()).hexdigest()[:32]


def _key(secret: str) -> bytes:
    if not isinstance(secret, str):
        raise BusError("target-secret", "a webhook secret is a text such as 'whsec_' and base64")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise BusError(
            "target-secret", "a webhook secret is base64, with or without 'whsec_' before it"
        ) from None
    if not 24 <= len(key) <= 64:
        raise BusError("target-secret", f"a webhook secret has 24 to 64 bytes, not {len(key)}")
    return key
