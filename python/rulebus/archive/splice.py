"""The name of a replay in an envelope, by splicing bytes: nothing is read and written anew.

Relies on the order of the envelope's keys (`replay-name` stands between `region` and `resources`). Must never
change another byte.
"""

from __future__ import annotations

__all__ = ["with_replay_name"]

# Before the resources an envelope has only texts, and inside a text a quote has a backslash before it.
_RESOURCES = b',"resources":'


def with_replay_name(body: bytes, name: str) -> bytes:
    """The envelope with ``"replay-name":name`` before its resources. COST: 0.2 us.

    >>> with_replay_name(b'{"id":"1","region":"eu","resources":[],"detail":{}}', "again")
    b'{"id":"1","region":"eu","replay-name":"again","resources":[],"detail":{}}'

    An envelope that has no resources before its detail (not one of ours) gets the name as its first key.
    """
    place = body.find(_RESOURCES)
    detail = body.find(b'"detail":{')
    if place < 0 or 0 <= detail < place:
        rest = body[1:].lstrip()
        comma = b"" if rest == b"}" else b","
        return b'{"replay-name":"%b"%b%b' % (name.encode(), comma, rest)
    return b'%b,"replay-name":"%b"%b' % (body[:place], name.encode(), body[place:])
