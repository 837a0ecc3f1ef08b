"""Values that an operand accepts, or only just does not: the raw material of events that nearly match.

Relies on the shape of matchers in section 2 of the language. Must never judge: whether a value matches is for the
reference and the engine to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from rulebus.reference.json_text import Array, Node, Number, Object, Scalar, ScalarNode

__all__ = ["near_values"]


def near_values(item: Node) -> list[Scalar]:
    """Interesting event values for one element of a values array; those that match come first.

    >>> from rulebus.reference.json_text import read
    >>> near_values(read('{"prefix": "ab"}')[0])[:3]
    ['ab', 'abx', 'ab*']
    """
    if isinstance(item, ScalarNode):
        return list(_near_scalar(item.value))
    if isinstance(item, Object) and item.members:
        member = item.members[0]
        return [near for argument in _arguments(member.value) for near in _near_operand(member.key, argument)]
    return []


def _arguments(value: Node) -> list[Node]:
    return value.items if isinstance(value, Array) else [value]


def _near_scalar(value: Scalar) -> Iterator[Scalar]:
    yield value
    if isinstance(value, Number):
        yield from _near_number(value)
    elif isinstance(value, str):
        yield from (value + "x", "x" + value, value[:-1], value.swapcase())
        if value.replace(".", "").isdigit():
            yield Number(value) if value.isdigit() and not value.startswith("0") else f"0{value}"
    else:
        yield {True: "true", False: "false", None: "null"}[value]


def _near_number(number: Number) -> Iterator[Scalar]:
    yield number.text
    value = float(number.text)
    if abs(value) < 1e15:
        yield from (
            Number(repr(value)),
            Number(repr(value + 1)),
            Number(repr(value - 1)),
            Number(f"{value:.3e}"),
        )


def _near_operand(operator: str, argument: Node) -> Iterator[Scalar]:
    if isinstance(argument, Object):  # {"prefix": {"equals-ignore-case": ...}} or a form of anything-but
        for member in argument.members[:1]:
            for inner in _arguments(member.value):
                for near in _near_operand(member.key, inner):
                    yield from _affixed(operator, near) if isinstance(near, str) else (near,)
        return
    if not isinstance(argument, ScalarNode):
        return
    value = argument.value
    if operator == "exists" or not isinstance(value, str):
        yield from (Number("1"), "a", None) if operator == "exists" else _near_scalar(value)
    elif operator == "wildcard":
        yield from _near_wildcard(value)
    elif operator == "cidr":
        base = value.partition("/")[0]
        yield from (base, base[:-1] + "1", base[:-1] + "2", "11.1.2.3", "2001:db8::5", Number("112"))
    elif operator == "numeric":
        return  # the operator names between the bounds
    else:
        yield from _affixed(operator, value)
        yield from (value.upper(), value.lower(), value.swapcase(), value[1:], value[:-1])


def _affixed(operator: str, value: str) -> Iterator[str]:
    yield value
    if operator == "prefix":
        yield from (value + "x", value + "*")
    elif operator == "suffix":
        yield from ("x" + value, "é" + value)


def _near_wildcard(text: str) -> Iterator[Scalar]:
    plain = text.replace("\\\\", "\0").replace("\\*", "\1")
    for filling in ("", "x", "ab", "*", "a\n😀"):
        yield plain.replace("*", filling).replace("\0", "\\").replace("\1", "*")
    yield text
