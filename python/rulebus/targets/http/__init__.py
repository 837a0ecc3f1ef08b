"""HTTP servers as targets: what AWS calls API destinations and connections. Extra ``http`` (aiohttp).

Importing this package imports no third-party library; making an `HttpTarget` does.
"""

from __future__ import annotations

from rulebus.targets.http.connection import ApiKeyConnection, BasicConnection, Connection
from rulebus.targets.http.oauth import OAuthConnection
from rulebus.targets.http.signature import WebhookSignature
from rulebus.targets.http.target import HttpTarget

__all__ = [
    "ApiKeyConnection",
    "BasicConnection",
    "Connection",
    "HttpTarget",
    "OAuthConnection",
    "WebhookSignature",
]
