"""The report as one self-contained HTML page, made from the JSON document, so that an old run can be shown again.

Well-formed XML, one style sheet inside, no script, no address of anything outside. Relies on `charts` and on page.css.
Must never show a figure that is not in the document, nor text from rules or events unescaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from rulebus.measure.charts import Bar, bars, clean, growth_curve, number, percentiles

__all__ = ["page"]

_NEVER_SHOWN = 100
_EXPENSIVE_SHOWN = 25
Document = Mapping[str, Any]


def page(document: Document, comparison: Document | None = None) -> str:
    """The page for a document of `Report.document()` and perhaps one of `Comparison.document()`."""
    style = resources.files("rulebus.measure").joinpath("page.css").read_text(encoding="utf-8")
    given = document["input"]
    body = [
        f"<h1>{given['rules']:,} rules on {given['events']:,} events</h1>",
        f'<p class="sub">{clean(given["rules_from"])} on {clean(given["events_from"])}, {clean(document["date"])}, '
        f"rulebus {clean(document['machine']['rulebus'])}</p>",
        _verdict(document, comparison),
        _tiles(document),
        _comparison(comparison) if comparison else "",
        '<div class="pair">',
        _section("Growth", growth_curve(document["growth"]), document["methods"]["growth"]),
        _section("Latency of a call", _latency(document["latency"]), document["methods"]["latency"]),
        "</div>",
        _section("Operator families", _costs(document["families"], "rules"), document["methods"]["families"]),
        _section("Fields", _costs(document["fields"], "rules"), document["methods"]["fields"]),
        _section("The most expensive rules", _expensive(document), document["methods"]["expensive"]),
        _section("Rules that never matched", _never(document)),
        _section("Events that no rule matched", _unmatched(document)),
        _section("Build and memory", _sizes(document), document["methods"]["memory"]),
        _section("How it was measured", _methods(document)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>rulebus bench: {clean(given['rules_from'])}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body>\n</html>\n"
    )


def _section(title: str, inside: str, how: str = "") -> str:
    said = f'<p class="how">{clean(how[:1].upper() + how[1:])}.</p>' if how else ""
    return f"<section><h2>{clean(title)}</h2>\n{inside}{said}</section>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[int] | set[int]) -> str:
    """Cells are HTML already; the columns in `numbers` are set to the right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(
            f'<{tag} class="n">{cell}</{tag}>' if column in numbers else f"<{tag}>{cell}</{tag}>"
            for column, cell in enumerate(cells)
        ) + "</tr>"  # fmt: skip

    body = "\n".join(line("td", row) for row in rows)
    return f'<div class="wide"><table><thead>{line("th", head)}</thead><tbody>{body}</tbody></table></div>'


def _verdict(document: Document, comparison: Document | None) -> str:
    found, lines = document["reference"], []
    if found["disagreed"]:
        lines.append(
            f"<strong>Wrong answers:</strong> rulebus and the reference disagree on {found['disagreed']:,} pairs of rule "
            "and event. No figure on this page may be trusted."
        )
        lines += [
            f"rule <code>{clean(one['rule'])}</code>: rulebus says {'match' if one['rulebus'] else 'no match'}, the "
            f"reference the opposite, for <code>{clean(one['event'][:400])}</code>"
            for one in found["disagreements"][:3]
        ]
    elif found["events"]:
        lines.append(
            f"Every answer agrees with the reference: {found['events']:,} events, {found['rules']:,} rules, "
            f"{found['matches']:,} matches."
        )
    else:
        lines.append("The reference judged nothing: it finished no event of the sample in its time.")
    if found["given_up"]:
        lines.append(
            f"The reference did not finish {found['given_up']:,} events in its time; they were not judged."
        )
    worse = comparison["regressions"] if comparison else []
    if comparison:
        limit = f"{number(comparison['threshold_percent'])} %"
        lines.append(
            f"<strong>Worse by more than {limit}, beyond noise:</strong> {clean(', '.join(worse))}."
            if worse
            else f"Nothing became worse by more than {limit}, beyond noise."
        )
    bad = " bad" if found["disagreed"] or worse or not found["events"] else ""
    return f'<div class="verdict{bad}">' + "".join(f"<p>{line}</p>" for line in lines) + "</div>"


def _tiles(document: Document) -> str:
    lines, calls, latency = document["lines"], document["calls"], document["latency"]["fastest"]
    rules, memory = document["input"]["rules"], document["memory"]
    counted = memory["allocated_bytes"] is not None
    size = memory["allocated_bytes"] if counted else memory["index_bytes"]
    threads = document["input"]["threads"]
    tiles = [
        ("events a second", number(lines["events_per_s"]), f"match_lines, {_threads(threads)}"),
        ("megabytes a second", number(lines["mb_per_s"]), "match_lines"),
        ("calls a second", number(calls["events_per_s"]), "match(bytes), one thread"),
        ("99 % of events within", f"{number(latency['p99'])} ns", f"median {number(latency['p50'])} ns"),
        ("to build all rules", _seconds(document["build"]["seconds"]["median"]), f"{number(document['build']['rules_per_s'])} rules/s"),
        ("bytes a rule", number(size / rules), "allocated" if counted else "index"),
        ("matches an event", number(document["matches"]["per_event"]), f"{number(document['matches']['looks_per_event'])} looks"),
    ]  # fmt: skip
    cells = "".join(
        f'<li><span class="figure">{clean(figure)}</span><span class="what">{clean(what)}</span>'
        f'<span class="note">{clean(note)}</span></li>'
        for what, figure, note in tiles
    )
    return f'<ul class="tiles">{cells}</ul>'


def _threads(threads: int) -> str:
    return {0: "all processors", 1: "one thread"}.get(threads, f"{threads} threads")


def _seconds(value: float) -> str:
    return f"{number(value)} s" if value >= 1 else f"{number(1e3 * value)} ms"


def _comparison(comparison: Document) -> str:
    words = {"same": ("", "within noise"), "better": ("good", "better"), "worse": ("worse", "worse")}
    rows = [
        (
            clean(one["what"]), number(one["before"]) + " " + one["unit"], number(one["after"]) + " " + one["unit"],
            f"{one['change_percent']:+.1f} %", f"±{one['noise_percent']:.1f} %",
            '<span class="{}">{}</span>'.format(*words[one["verdict"]]) + ("" if one["judged"] else ", not judged"),
        )
        for one in comparison["changes"]
    ]  # fmt: skip
    warnings = "".join(f"<li>{clean(one)}</li>" for one in comparison["warnings"])
    head = ("figure", "then", "now", "change", "noise", "")
    return _section(
        "Compared with the earlier run",
        _table(head, rows, {1, 2, 3, 4}) + (f"<ul>{warnings}</ul>" if warnings else ""),
    )


def _latency(latency: Document) -> str:
    chart = percentiles(latency["fastest"], latency["every"])
    key = (
        '<p class="how">Filled: the fastest call of each event. Hollow: all calls as they came. '
        f"Reading the clock takes {number(latency['clock_ns'])} ns of each.</p>"
    )
    return chart + key


def _costs(costs: Sequence[Document], unit: str) -> str:
    if not costs:
        return "<p>None.</p>"
    rows = [
        Bar(
            one["name"], one["cpu_ns_per_event"]["median"], one["cpu_ns_per_event"]["low"], one["cpu_ns_per_event"]["high"],
            f"{one['rules']:,} {unit if one['rules'] != 1 else 'rule'}",
        )
        for one in costs
    ]  # fmt: skip
    return bars(rows, "ns/event")


def _expensive(document: Document) -> str:
    rules = document["expensive"]
    if not rules:
        return "<p>None: no event meets all that a rule needs to be looked at.</p>"
    rows = [
        (f'<span class="name">{clean(one["name"])}</span>', f"{one['looks']:,}", f"{one['matches']:,}", f"{one['fields']:,}", clean(one["why"]))
        for one in rules[:_EXPENSIVE_SHOWN]
    ]  # fmt: skip
    spread = document["expensive_cpu_ns_per_event"]
    together = ""
    if spread:
        together = (
            f"<p>The first ten together cost {number(spread['median'])} ns of the "
            f"{number(document['lines']['cpu_ns_per_event']['median'])} ns of processor time of an event "
            f"(quartiles {number(spread['low'])} to {number(spread['high'])}).</p>"
        )
    return together + _table(("rule", "looks", "matches", "parts", "why"), rows, {1, 2, 3})


def _never(document: Document) -> str:
    count, rules = document["never_matched"], document["never_matched_rules"]
    if not count:
        return "<p>None: every rule matched at least one event.</p>"
    rows = [
        (f'<span class="name">{clean(one["name"])}</span>', clean(one["why"])) for one in rules[:_NEVER_SHOWN]
    ]
    more = f"<p>The first {len(rows):,} are shown; --json holds up to 1,000.</p>" if count > len(rows) else ""
    share = number(100 * count / document["input"]["rules"])
    return (
        f"<p>{count:,} of {document['input']['rules']:,} ({share} %).</p>"
        + _table(("rule", "why"), rows, set())
        + more
    )


def _unmatched(document: Document) -> str:
    found = document["unmatched"]
    if not found["events"]:
        return "<p>None: every event met at least one rule.</p>"
    share = number(100 * found["events"] / document["input"]["events"])
    rows = [
        Bar(one["shape"], one["events"], one["events"], one["events"], f"first: line {one['first_line']:,}")
        for one in found["shapes"][:30]
    ]
    return f"<p>{found['events']:,} of {document['input']['events']:,} ({share} %), by kind.</p>" + bars(
        rows, "events"
    )


def _sizes(document: Document) -> str:
    memory, rules, build = document["memory"], document["input"]["rules"], document["build"]
    kinds = {
        "pattern_bytes": "the patterns' own text", "index_bytes": "index, as the matcher counts it",
        "allocated_bytes": "allocated", "resident_bytes": "growth of the process",
    }  # fmt: skip
    rows = [
        (name, "not told here" if memory[key] is None else f"{number(memory[key] / rules)}", "" if memory[key] is None else number(memory[key] / 1e6))
        for key, name in kinds.items()
    ]  # fmt: skip
    seconds = build["seconds"]
    text = (
        f"<p>Built in {_seconds(seconds['median'])} (quartiles {_seconds(seconds['low'])} to {_seconds(seconds['high'])}), "
        f"{number(build['rules_per_s'])} rules a second.</p>"
    )
    return text + _table(("memory", "bytes a rule", "MB"), rows, {1, 2})


def _methods(document: Document) -> str:
    given, machine, lines = document["input"], document["machine"], document["lines"]
    spread, control = lines["ns_per_event"], document["control"]
    facts = {
        "events": f"{given['events']:,}, {number(given['events_bytes'] / 1e6)} MB"
        + (", the first of a longer input" if given["cut"] else "")
        + (f"; {given['bad_events']:,} lines were no event and left out" if given["bad_events"] else ""),
        "validation": given["validation"],
        "match_lines": f"{number(spread['median'])} ns an event (quartiles {number(spread['low'])} to "
        f"{number(spread['high'])}, {spread['rounds']} rounds), {number(lines['cpu_ns_per_event']['median'])} ns of processor time",
        "control": f"orjson.loads {number(control['ns_per_event']['median'])} ns an event",
        "processor": f"{machine['processor']}, {machine['processors']} of them usable, "
        f"{', '.join(machine['instructions']) or 'no vector instructions known'}",
        "system": f"{machine['system']}, {machine['python']}, load {machine['load_1min']}",
        "rules": f"sha256 {given['rules_sha256'][:16]}…",
        "events' digest": f"sha256 {given['events_sha256'][:16]}…",
    }
    listed = "".join(f"<dt>{clean(key)}</dt><dd>{clean(value)}</dd>" for key, value in facts.items())
    methods = "".join(
        f"<dt>{clean(key)}</dt><dd>{clean(document['methods'][key])}</dd>" for key in ("lines", "calls", "processor time", "control", "reference")
    )  # fmt: skip
    return f"<dl>{listed}{methods}</dl>"
