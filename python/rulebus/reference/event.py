"""An event as its leaves: path, scalar, and in which element of which array the leaf stands (section 3).

Relies on `json_text`. Must never merge arrays that share a path: membership names the array itself, not its path.
"""

from __future__ import annotations

from dataclasses import dataclass

from rulebus.reference.errors import ReferenceEventError
from rulebus.reference.json_text import JsonTextError, Node, Object, Scalar, ScalarNode, from_python, read

__all__ = ["Leaf", "Leaves", "flatten"]

Membership = dict[int, int]


@dataclass(frozen=True, slots=True)
class Leaf:
    value: Scalar
    membership: Membership  # array -> index of the element that holds the leaf


Leaves = dict[str, list[Leaf]]


def flatten(event: object) -> Leaves:
    """The leaves of an event (JSON text, bytes of it, or the Python object), by path.

    >>> sorted(flatten('{"a": [{"b": 1}, {"b": 2}], "c": []}'))
    ['a.b']
    """
    return _leaves(_root(event))


def _root(event: object) -> Object:
    if isinstance(event, (str, bytes, bytearray, memoryview)):
        try:
            root, _ = read(event)
        except JsonTextError as error:
            raise ReferenceEventError(str(error)) from None
    else:
        root = from_python(event)
    if not isinstance(root, Object):
        raise ReferenceEventError("an event must be a JSON object")
    return root


def _leaves(root: Object) -> Leaves:
    leaves: Leaves = {}
    pending: list[tuple[Node, str | None, Membership]] = [(root, None, {})]
    arrays = 0
    while pending:
        node, path, membership = pending.pop()
        if isinstance(node, ScalarNode):
            assert path is not None  # the root is an object
            leaves.setdefault(path, []).append(Leaf(node.value, membership))
        elif isinstance(node, Object):
            last_wins = {member.key: member.value for member in node.members}
            for key, value in last_wins.items():
                pending.append((value, key if path is None else f"{path}.{key}", membership))
        else:
            arrays += 1
            for index, item in enumerate(node.items):
                # An array that holds the scalar itself does not count: its elements never exclude one another.
                inside = membership if isinstance(item, ScalarNode) else {**membership, arrays: index}
                pending.append((item, path, inside))
    return leaves
