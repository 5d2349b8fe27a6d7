"""Histories are kept for so long, and for so many."""

from pathlib import Path

from scones.workflow.engine import Engine

from .conftest import FUNCTION, HandClock

ECHO = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
WAITING = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10_000_000, "End": True}}}


def test_what_is_older_than_it_may_be_goes_and_what_runs_stays(tmp_path: Path, clock: HandClock) -> None:
    with Engine(tmp_path / "j.db", {"m": ECHO, "w": WAITING}, clock=clock) as engine:
        engine.start("w", "x" * 5000, name="runs")
        for number in range(3):
            engine.start("m", "x" * 5000, name=f"old{number}")
        clock.move(2 * 86_400)
        engine.start("m", 1, name="young")
        assert engine.prune(days=1) == 3
        assert {one.name for one in engine.executions()} == {"runs", "young"}
        assert len(engine.history("runs")) == 2
        assert engine._journal._one("SELECT count(*) AS n FROM texts")["n"] == 1


def test_only_so_many_are_kept_the_newest(tmp_path: Path, clock: HandClock) -> None:
    with Engine(tmp_path / "j.db", {"m": ECHO}, clock=clock) as engine:
        for number in range(1203):
            engine.start("m", number, name=f"e{number}")
            clock.move(0.001)
        assert engine.prune(count=2) == 1201
        assert [one.name for one in engine.executions()] == ["e1202", "e1201"]


def test_an_engine_prunes_by_itself_when_it_is_opened(tmp_path: Path, clock: HandClock) -> None:
    with Engine(tmp_path / "j.db", {"m": ECHO}, clock=clock) as engine:
        engine.start("m", 1, name="e")
    clock.move(91 * 86_400)
    with Engine(tmp_path / "j.db", {"m": ECHO}, clock=clock) as engine:
        engine.start("m", 1, name="first-turn")
        engine.start("m", 1, name="second-turn")
        assert {one.name for one in engine.executions()} == {"first-turn", "second-turn"}


def test_a_child_stays_until_its_parent_has_what_it_gave(tmp_path: Path, clock: HandClock) -> None:
    work = {"Type": "Task", "Resource": FUNCTION + "f", "Next": "W"}
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "F",
        "States": {"F": work, "W": {"Type": "Wait", "SecondsPath": "$", "End": True}},
    }
    machine = {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}}
    with Engine(tmp_path / "j.db", {"m": machine}, {"f": lambda event, _: event}, clock=clock) as engine:
        engine.start("m", [0, 864_000], name="e")
        while not engine.executions(machine="m/M", status="SUCCEEDED"):
            pass
        clock.move(432_000)
        assert engine.prune(days=1) == 0
        clock.move(433_000)
        assert engine.wait("e", timeout=20)[0].output == [0, 864_000]
        assert engine.prune(days=1) == 1
