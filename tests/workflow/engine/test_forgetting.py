"""Executions are forgotten: found by what their input says, removed without a trace in the file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.errors import JournalError
from scones.workflow.engine import Engine, Journal, Json

from .conftest import FUNCTION, HandClock, MemoryObjects
from .test_distributed_map import GET, distributed

ECHO = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
WAITING = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10_000_000, "End": True}}}
ADA = "ada-was-here-" * 100
BOB = "bob-was-here-" * 100


def says(word: str) -> Callable[[Json], bool]:
    return lambda value: word in str(value)


def on_disk(journal: Path) -> bytes:
    return b"".join(path.read_bytes() for path in journal.parent.glob(f"{journal.name}*"))


def forget(journal: Path, word: str) -> list[str]:
    with Journal(journal) as opened:
        found = [one for one, _ in opened.concerning(says(word))]
        opened.forget(found)
    return [one.name for one in found]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal of two people: of each an execution that ended, one that runs, and one that was pruned."""
    path = tmp_path / "j.db"
    clock = HandClock()
    with Engine(path, {"m": ECHO, "w": WAITING}, clock=clock) as engine:
        for who in (ADA, BOB):
            engine.start("m", {"who": who}, name=f"pruned-{who[:3]}")
        engine.join(20)
        clock.move(1)
        for who in (ADA, BOB):
            engine.start("m", {"who": who}, name=f"ended-{who[:3]}")
        engine.join(20)
        engine.prune(count=2)
        for who in (ADA, BOB):
            engine.start("w", {"who": who}, name=f"runs-{who[:3]}")
    return path


def test_no_byte_of_one_person_is_left_and_the_others_stay(journal: Path) -> None:
    assert ADA.encode() in on_disk(journal)
    assert forget(journal, "ada-") == ["ended-ada", "runs-ada"]
    assert b"ada-" not in on_disk(journal)
    assert BOB.encode() in on_disk(journal)
    with Engine(journal, {"m": ECHO, "w": WAITING}) as engine:
        assert {one.name: one.status for one in engine.executions()} == {
            "ended-bob": "SUCCEEDED",
            "runs-bob": "RUNNING",
        }
        assert engine.describe("ended-bob").output == {"who": BOB}
        assert engine.running == 1


def test_forgetting_again_finds_nothing(journal: Path) -> None:
    forget(journal, "ada-")
    assert forget(journal, "ada-") == []


def test_a_name_that_was_forgotten_can_be_started_again(journal: Path) -> None:
    forget(journal, "ada-")
    with Engine(journal, {"m": ECHO}) as engine:
        engine.start("m", 1, name="ended-ada")
        assert engine.wait("ended-ada", timeout=20)[0].output == 1


def test_a_journal_that_is_in_use_is_refused_and_can_be_looked_through(journal: Path) -> None:
    with Engine(journal, {"m": ECHO, "w": WAITING}), Journal.open_readonly(journal) as reader:
        assert [one.name for one, _ in reader.concerning(says("bob-"))] == ["ended-bob", "runs-bob"]
        with pytest.raises(JournalError, match="in use by another engine"):
            forget(journal, "bob-")


def test_a_reader_at_work_keeps_the_traces_and_is_told_of(journal: Path) -> None:
    with Journal.open_readonly(journal) as reader:
        reader._connection.execute("BEGIN")
        reader.executions()
        with pytest.raises(JournalError, match="another process reads it"):
            forget(journal, "ada-")
    forget(journal, "ada-")
    assert b"ada-" not in on_disk(journal)


def test_what_a_distributed_map_is_still_to_work_counts_and_its_executions_are_tied(tmp_path: Path) -> None:
    go = threading.Event()

    def work(event: Any, _: object) -> Any:
        if event != "first":
            go.wait(20)
        return event

    task = {"Type": "Task", "Resource": FUNCTION + "work", "End": True}
    reader = {"Resource": GET, "ReaderConfig": {"InputType": "JSON"}, "Parameters": {"Bucket": "b", "Key": "k"}}
    machine = distributed(task, ItemReader=reader, MaxConcurrency=1)
    objects = MemoryObjects({("b", "k"): b'["first", "second", "ada-"]'})
    with Engine(tmp_path / "j.db", {"m": machine}, {"work": work}, objects) as engine:
        engine.start("m", {}, name="e")
        while not engine.executions(machine="m/M", status="SUCCEEDED"):
            pass
        with Journal.open_readonly(tmp_path / "j.db") as other:
            assert [(one.name, mapped) for one, mapped in other.concerning(says("ada-"))] == [("e", True)]
            assert [mapped for _, mapped in other.concerning(says("first"))] == [True, True]
        go.set()
        engine.wait("e", timeout=20)
        with Journal.open_readonly(tmp_path / "j.db") as other:
            [(child, mapped)] = other.concerning(says("ada-"))
    assert (child.machine, child.output, mapped) == ("m/M", "ada-", False)
