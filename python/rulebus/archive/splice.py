"""The name of a replay in an envelope, by splicing bytes: nothing is read and written anew.

Relies on the order of the envelope's keys (`replay-name` stands between `region` and `resources`). Must never
change another byte.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["replay_namer", "with_replay_name"]

# Before the resources an envelope has only texts, and inside a text a quote has a backslash before it.
_RESOURCES = b',"resources":'
_DETAIL = b'"detail":{'


def with_replay_name(body: bytes, name: str) -> bytes:
    """The envelope with ``"replay-name":name`` before its resources.

    >>> with_replay_name(b'{"id":"1","region":"eu","resources":[],"detail":{}}', "again")
    b'{"id":"1","region":"eu","replay-name":"again","resources":[],"detail":{}}'

    An envelope that has no resources before its detail (not one of ours) gets the name as its first key.
    """
    return replay_namer(name)(body)


def replay_namer(name: str) -> Callable[[bytes], bytes]:
    """The same for many envelopes. COST: 0.2 us each."""
    key = b'"replay-name":"%b"' % name.encode()
    inserted = b"," + key

    def named(body: bytes) -> bytes:
        place = body.find(_RESOURCES)
        if place < 0 or body.find(_DETAIL, 0, place) >= 0:
            rest = body[1:].lstrip()
            return b"{" + key + (rest if rest == b"}" else b"," + rest)
        return body[:place] + inserted + body[place:]

    return named
