"""A process that dies loses nothing: real child processes, killed with SIGKILL."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import scones
from scones.errors import JournalError
from scones.workflow.engine import Engine, Event, Journal

EXECUTIONS = 30
STATES = ("A", "B", "C")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f"
WAIT = 20.0

CHILD = """
import os, sys, time
from scones.workflow.engine import Engine

journal, log, count = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT), int(sys.argv[3])
states = {name: {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f",
    "Parameters": {"name.$": "$$.Execution.Name", "state": name}, "ResultPath": f"$.{name}", "Next": onward}
    for name, onward in [("A", "B"), ("B", "C"), ("C", "Done")]}
machine = {"StartAt": "A", "States": {**states, "Done": {"Type": "Succeed"}}}

def function(event, context):
    os.write(log, f"{event['name']} {event['state']}\\n".encode())
    time.sleep(0.005)
    return event["state"].lower()

with Engine(journal, {"m": machine}, {"f": function}, concurrency=4) as engine:
    for number in range(count):
        engine.start("m", {"n": number, "image_data": "x" * 50_000}, name=f"e{number}")
    engine.join()
"""


def child(tmp_path: Path, journal: Path, log: Path) -> subprocess.Popen[bytes]:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    environment = {**os.environ, "PYTHONPATH": str(Path(scones.__file__).parents[1])}
    command = [sys.executable, str(script), str(journal), str(log), str(EXECUTIONS)]
    return subprocess.Popen(command, env=environment)


def succeeded(journal: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """The executions that have ended, and the states that have succeeded, as the journal knows."""
    try:
        reader = Journal.open_readonly(journal)
    except JournalError:
        # Killed before there was one.
        return set(), set()
    with reader:
        executions = reader.executions(limit=1000)
        states = {
            (one.name, event.state or "")
            for one in executions
            for event in reader.history(one.name)
            if event.type == "TaskSucceeded"
        }
    return {one.name for one in executions if one.status != "RUNNING"}, states


def calls(log: Path) -> list[tuple[str, str]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [(name, state) for name, state in map(str.split, lines)]


@pytest.mark.parametrize("seed", [20261120])
def test_processes_killed_at_any_instant_lose_nothing_and_repeat_nothing_that_ended(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    journal = tmp_path / "journal.db"
    kills = 0
    for attempt in range(40):
        ended, done = succeeded(journal)
        log = tmp_path / f"calls-{attempt}"
        process = child(tmp_path, journal, log)
        try:
            if attempt < 6:
                # From the first call on, so that the kill falls into the work and not into the imports.
                while not log.exists() and process.poll() is None:
                    time.sleep(0.002)
                process.wait(rng.uniform(0.0, 0.08))
            else:
                process.wait(WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.wait()
        assert not [call for call in calls(log) if call[0] in ended], "an execution that had ended ran again"
        assert not set(calls(log)) & done, "a state whose success was journaled ran again"
        if process.returncode == 0:
            break
    assert kills >= 3
    with Journal.open_readonly(journal) as reader:
        executions = reader.executions(limit=1000)
        assert {one.name for one in executions} == {f"e{number}" for number in range(EXECUTIONS)}
        for one in executions:
            detail = reader.describe(one.name)
            expected = {"n": int(one.name[1:]), "image_data": "x" * 50_000, "A": "a", "B": "b", "C": "c"}
            assert (detail.status, detail.output) == ("SUCCEEDED", expected)
            events = reader.history(one.name)
            assert [event.id for event in events] == list(range(1, len(events) + 1))
            assert [event.state for event in events if event.type == "TaskSucceeded"] == list(STATES)


def machine(**more: Any) -> dict[str, Any]:
    task = {"Type": "Task", "Resource": FUNCTION, "End": True}
    return {"StartAt": "A", "States": {"A": task}, **more}


def abandon(path: Path, definition: dict[str, Any]) -> None:
    """Leave an execution e in the journal that is in its first state, as a killed process does."""
    running, release = threading.Event(), threading.Event()

    def hang(event: Any, context: Any) -> None:
        running.set()
        release.wait(WAIT)

    engine = Engine(path, {"m": definition}, {"f": hang})
    engine.start("m", {"i": 1}, name="e")
    assert running.wait(WAIT)
    engine.stop(grace=0.0)
    release.set()


def test_a_restarted_process_resumes_at_the_state_it_was_in_with_its_input(tmp_path: Path) -> None:
    seen: list[Any] = []
    two = machine()
    two["States"]["A"] = {"Type": "Pass", "Result": {"from": "A"}, "Next": "B"}
    two["States"]["B"] = machine()["States"]["A"]
    abandon(tmp_path / "j.db", two)
    with Engine(tmp_path / "j.db", {"m": two}, {"f": lambda event, context: seen.append(event)}) as engine:
        engine.wait("e", timeout=WAIT)
        types = [event.type for event in engine.history("e")]
    assert seen == [{"from": "A"}]
    assert types.count("PassStateEntered") == types.count("TaskStateEntered") == 1


def test_an_execution_ends_on_the_definition_that_it_began_with(tmp_path: Path) -> None:
    abandon(tmp_path / "j.db", machine())
    functions = {"f": lambda event, context: "old"}
    changed = {"StartAt": "X", "States": {"X": {"Type": "Pass", "Result": "new", "End": True}}}
    with Engine(tmp_path / "j.db", {"m": changed}, functions) as engine:
        engine.start("m", {}, name="later")
        assert [ended.output for ended in engine.wait("e", "later", timeout=WAIT)] == ["old", "new"]


def test_an_execution_ends_though_its_machine_is_no_longer_there(tmp_path: Path) -> None:
    abandon(tmp_path / "j.db", machine())
    with Engine(tmp_path / "j.db", {}, {"f": lambda event, context: "done"}) as engine:
        assert engine.recover() == 0
        assert engine.wait("e", timeout=WAIT)[0].output == "done"


def test_a_parent_that_dies_while_it_starts_a_child_starts_it_once(tmp_path: Path) -> None:
    parameters = {"StateMachineArn": "child", "Input": {"n": 1}}
    start = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Parameters": parameters}
    first = {"Type": "Task", "Resource": FUNCTION, "Next": "A"}
    machines = {
        "parent": {"StartAt": "F", "States": {"F": first, "A": {**start, "End": True}}},
        "child": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 0, "End": True}}},
    }
    functions = {"f": lambda event, context: event}

    def die(event: Event) -> None:
        engine._journal._connection.execute("PRAGMA query_only = 1")

    with Engine(tmp_path / "j.db", machines, functions, on_event=die) as engine:
        engine.start("parent", {}, name="p")
        with pytest.raises(JournalError, match="read-only"):
            engine.join(WAIT)
    with Engine(tmp_path / "j.db", machines, functions) as engine:
        engine.join(WAIT)
        [only] = engine.executions(machine="child")
        assert engine.describe("p").output["ExecutionArn"] == only.arn
