"""`rulebus dead-letters` and `rulebus archive` on a store file, also beside a running bus. Relies on SqliteStore."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import rulebus
from unit.cli_runner import Run, runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return runner(monkeypatch, capsysbinary)


def refuse(event: rulebus.Event) -> None:
    raise rulebus.PermanentError(f"no place for {event.detail['n']}")


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[rulebus.EventBus]:
    """A bus with an archive, whose only target refuses everything."""
    with rulebus.EventBus("orders", store=rulebus.SqliteStore(tmp_path / "store.db")) as bus:
        bus.create_archive("kept", {"source": ["shop"]}, retention_days=7)
        bus.put_rule("all", {"source": [{"prefix": ""}]}, targets=[refuse])
        for number in range(5):
            source = "shop" if number < 3 else "other"
            bus.publish(
                source=source, detail_type="t", detail={"n": number}, time=1_700_000_000 + 60 * number
            )
        assert bus.wait_idle(30)
        yield bus


@pytest.fixture
def store(bus: rulebus.EventBus, tmp_path: Path) -> Path:
    """The same, closed."""
    bus.close()
    return tmp_path / "store.db"


@pytest.fixture
def router(tmp_path: Path) -> Path:
    """A router file with the same bus and rule, whose target takes everything."""
    path = tmp_path / "router.toml"
    path.write_text(
        'buses = ["orders"]\n[targets.file]\nfile = "out.jsonl"\n'
        '[[rules]]\nname = "all"\nbus = "orders"\npattern = {source = [{prefix = ""}]}\n'
        '[[rules.targets]]\ntarget = "file"\nid = "refuse"\n'
    )
    return path


def taken(folder: Path) -> list[int]:
    path = folder / "out.jsonl"
    return (
        [json.loads(line)["detail"]["n"] for line in path.read_text().splitlines()] if path.exists() else []
    )


def test_letters_are_listed_and_shown_beside_a_running_bus(
    run: Run, bus: rulebus.EventBus, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    listed = [json.loads(line) for line in run("dead-letters", "list", path).out.splitlines()]
    assert [letter["message"] for letter in listed] == [f"PermanentError: no place for {n}" for n in range(5)]
    assert {letter["rule"] for letter in listed} == {"all"}
    first = listed[0]["id"]
    shown = json.loads(run("dead-letters", "show", path, first).out)
    assert json.loads(shown["event"])["detail"] == {"n": 0}
    assert len(shown["attempts"]) == 1
    assert run("dead-letters", "show", path, 999).status == 2
    assert run("dead-letters", "list", path, "--rule", "other").out == ""
    assert len(run("dead-letters", "list", path, "--limit", 2).out.splitlines()) == 2


def test_whatever_writes_is_refused_beside_a_running_bus(
    run: Run, bus: rulebus.EventBus, tmp_path: Path, router: Path
) -> None:
    for arguments in (
        ("dead-letters", "redrive", tmp_path / "store.db"),
        ("dead-letters", "redrive", tmp_path / "store.db", "--router", router),
        ("archive", "replay", tmp_path / "store.db", "kept", "--router", router),
    ):
        outcome = run(*arguments)
        assert outcome.status == 2
        assert "store-in-use" in outcome.err
    assert len(bus.dead_letters()) == 5


def test_letters_are_put_back_for_the_next_start(run: Run, store: Path, router: Path) -> None:
    assert json.loads(run("dead-letters", "redrive", store, "--dry-run").out) == {"would_send": 5}
    some = [json.loads(line)["id"] for line in run("dead-letters", "list", store).out.splitlines()][:2]
    chosen = [part for id in some for part in ("--id", id)]
    assert json.loads(run("dead-letters", "redrive", store, *chosen).out) == {"put_back": 2}
    assert len(run("dead-letters", "list", store).out.splitlines()) == 3
    with rulebus.EventBus("orders", store=rulebus.SqliteStore(store)) as bus:
        got: list[int] = []
        target = rulebus.FunctionTarget(lambda event: got.append(event.detail["n"]))
        bus.put_rule("all", {"source": ["x"]}, targets=[rulebus.Subscription(target=target, id="refuse")])
        assert bus.wait_idle(30)
    assert sorted(got) == [0, 1]


def test_letters_are_delivered_with_a_router_file(run: Run, store: Path, router: Path) -> None:
    outcome = run("dead-letters", "redrive", store, "--router", router)
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out) == {"sent": 5, "left": 0}
    assert sorted(taken(store.parent)) == [0, 1, 2, 3, 4]
    assert run("dead-letters", "list", store).out == ""


def test_archives_are_listed_and_read(run: Run, bus: rulebus.EventBus, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    (line,) = run("archive", "list", path).out.splitlines()
    shown = json.loads(line)
    assert (shown["name"], shown["bus"], shown["events"], shown["retention_days"]) == ("kept", "orders", 3, 7)
    events = [json.loads(text) for text in run("archive", "events", path, "kept").out.splitlines()]
    assert [event["detail"]["n"] for event in events] == [0, 1, 2]
    later = run("archive", "events", path, "kept", "--from", "2023-11-14T22:14:20Z").out
    assert [json.loads(text)["detail"]["n"] for text in later.splitlines()] == [1, 2]
    unknown = run("archive", "events", path, "nothing")
    assert (unknown.status, "no archive 'nothing'" in unknown.err) == (2, True)
    assert run("archive", "events", path, "kept", "--from", "yesterday").status == 2


def test_a_replay_is_rehearsed_and_made(run: Run, store: Path, router: Path) -> None:
    rehearsed = run("archive", "replay", store, "kept", "--router", router, "--dry-run")
    assert rehearsed.status == 0, rehearsed.err
    shown = json.loads(rehearsed.out)
    assert (shown["events"], shown["deliveries"], shown["rules"]) == (3, 3, {"all": 3})
    assert taken(store.parent) == []
    made = run("archive", "replay", store, "kept", "--router", router, "--until", "2023-11-14T22:15:00Z")
    assert made.status == 0, made.err
    assert (json.loads(made.out)["state"], json.loads(made.out)["events"]) == ("COMPLETED", 2)
    assert taken(store.parent) == [0, 1]


def test_a_rehearsal_delivers_nothing_that_was_pending(run: Run, store: Path, router: Path) -> None:
    assert json.loads(run("dead-letters", "redrive", store).out) == {"put_back": 5}
    rehearsed = run("archive", "replay", store, "kept", "--router", router, "--dry-run")
    assert json.loads(rehearsed.out)["deliveries"] == 3
    assert taken(store.parent) == []


def test_a_rehearsal_works_beside_a_running_bus(
    run: Run, bus: rulebus.EventBus, tmp_path: Path, router: Path
) -> None:
    store = tmp_path / "store.db"
    one = run("archive", "replay", store, "kept", "--router", router, "--rule", "all", "--dry-run")
    assert (one.status, json.loads(one.out)["targets"]) == (0, {"all/refuse": 3})
    for option, what in (("--rule", "has no rule 'nothing'"), ("--bus", "has no bus 'nothing'")):
        bad = run("archive", "replay", store, "kept", "--router", router, option, "nothing", "--dry-run")
        assert (bad.status, what in bad.err) == (2, True)


def test_schedules_do_not_hold_up_a_redrive(run: Run, store: Path, router: Path) -> None:
    tick = '[[rules]]\nname = "tick"\nbus = "orders"\nschedule = "rate(1 minute)"\ntargets = ["file"]\n'
    router.write_text(router.read_text() + tick)
    outcome = run("dead-letters", "redrive", store, "--router", router)
    assert (outcome.status, json.loads(outcome.out)) == (0, {"sent": 5, "left": 0})
    assert len(taken(store.parent)) == 5


@pytest.mark.parametrize("moment", ["nan", "inf", "1e400", "yesterday", ""])
def test_what_is_no_moment_is_refused(run: Run, store: Path, moment: str) -> None:
    outcome = run("archive", "events", store, "kept", "--from", moment)
    assert (outcome.status, "is no moment" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    "command", [("dead-letters", "list"), ("archive", "list"), ("dead-letters", "redrive")]
)
def test_a_missing_or_foreign_file_is_refused(run: Run, tmp_path: Path, command: tuple[str, str]) -> None:
    missing = run(*command, tmp_path / "no.db")
    assert (missing.status, "there is no store" in missing.err) == (2, True)
    assert not (tmp_path / "no.db").exists()
    (tmp_path / "text.db").write_text("this is no database, only text\n" * 50)
    foreign = run(*command, tmp_path / "text.db")
    assert foreign.status == 2
    assert "StoreError" in foreign.err
