"""Kills an engine at random instants, again and again, and then looks for what was lost or done twice.

The victim (`crash_victim.py`) is a child process that works through Parallel, Map in both modes, Wait, Retry, task
tokens and executions that start executions; SIGKILL ends it a few milliseconds to a third of a second after its start,
which is often while it opens the journal. After each kill the journal's files are copied, so that the next engine
finds them as the kill left them, and the copy is read: what it holds must not be done again from then on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from crash_machines import CHILDREN, KINDS, expected, machine_of, sizes
from crash_victim import Call, Log, call_of, live
from harness import Claim, emit, progress

from scones.errors import JournalError
from scones.workflow.engine import Execution, Journal, JournalReader
from scones.workflow.engine.jsontext import load

KILLS = 220
QUICK, LONGEST = 0.03, 0.3
"""Seconds from a life's start to its kill: a third of the kills come within the first, as the journal is opened."""


@dataclass
class Known:
    """What a journal held as a life began: the first life that may not do it again."""

    calls: dict[Call, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def learn(self, journal: JournalReader, life: int) -> None:
        """Read what is new; executions that have ended are read once."""
        for execution in executions(journal):
            if execution.arn in self.ended:
                continue
            for event in journal.history(execution.arn):
                key = result_of(event.type, event.details)
                if key is not None:
                    self.calls.setdefault(key, life)
            if execution.status != "RUNNING":
                self.ended[execution.arn] = life


def executions(journal: JournalReader) -> list[Execution]:
    """All of them, also those of distributed Maps."""
    named = [*KINDS, *CHILDREN.values()]
    return [execution for machine in named for execution in journal.executions(machine, limit=10**6)]


def result_of(kind: str, details: Any) -> Call | None:
    """The call whose result an event journals: a success, or a failure that the handler has told of."""
    if kind == "TaskSucceeded":
        return call_of(details["output"])
    if kind == "TaskFailed" and details["error"] == "FlakyError":
        execution, state, item, attempt = load(load(details["cause"])["errorMessage"])
        return execution, state, item, attempt
    return None


def one_life(folder: Path, number: int, seconds: float | None) -> None:
    """Let the victim live so long, or until all has ended.

    The child is a fork of this process, which has one thread and no open journal: it has imported everything.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            live(folder, number, last=seconds is None)
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended != (0 if seconds is None else -signal.SIGKILL):
        sys.exit(f"life {number} ended by itself with exit status {ended}; what it said stands above")


def look(folder: Path, known: Known, life: int) -> None:
    """Learn what the journal holds, from a copy of its files."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for file in folder.glob("journal.db*"):
            if file.suffix in {".db", ".db-wal"}:
                shutil.copy(file, place)
        try:
            journal = Journal.open_readonly(Path(place) / "journal.db")
        except JournalError:
            return  # killed before there was one
        with journal:
            known.learn(journal, life)


def torment(folder: Path, kills: int, random: Random) -> Known:
    """Kill so often, then let the last life end everything."""
    known = Known()
    for life in range(kills):
        look(folder, known, life)
        one_life(folder, life, random.uniform(0.002, QUICK) if life % 3 == 2 else random.uniform(QUICK, LONGEST))
        if (life + 1) % 20 == 0:
            progress(f"{life + 1} of {kills} kills, {len(known.ended)} executions have ended")
    look(folder, known, kills)
    progress("the last life ends what runs …")
    one_life(folder, kills, None)
    return known


@dataclass(frozen=True)
class Verdict:
    """What went wrong, in words, and what was seen."""

    accepted: int
    lost: list[str]
    finished_twice: list[str]
    rerun: list[str]
    seen: dict[str, int]


def judge(folder: Path, known: Known) -> Verdict:
    """Compare what the victim wrote down with what the journal holds at the end."""
    accepted = [number for (number,) in Log.read(folder / "accepted")]
    calls = Log.read(folder / "calls")
    lost: list[str] = []
    twice: list[str] = []
    rerun: list[str] = []
    with Journal.open_readonly(folder / "journal.db") as journal:
        found = {execution.arn: execution for execution in executions(journal)}
        lost += check_outputs(folder, journal, accepted, {(one.machine, one.name) for one in found.values()})
        kinds: Counter[str] = Counter()
        for arn in found:
            events = journal.history(arn)
            kinds.update(event.type for event in events)
            if [event.id for event in events] != list(range(1, len(events) + 1)):
                lost.append(f"{arn}: its history has gaps")
            if sum(event.ended is not None for event in events) > 1:
                twice.append(f"{arn}: it ended more than once")
            results = Counter(result_of(event.type, event.details) for event in events)
            del results[None]
            rerun += [f"{key}: {count} results are journaled" for key, count in results.items() if count > 1]
    for machine, child in CHILDREN.items():
        numbers = [int(one.name[1:]) for one in found.values() if one.machine == machine]
        wanted = sum(1 if machine == "nest" else sizes(number) for number in numbers)
        started = sum(one.machine == child for one in found.values())
        if started != wanted:
            (twice if started > wanted else lost).append(f"{child}: {started} executions for {wanted} items")
    for life, execution, state, item, attempt, said in calls:
        key = (execution, state, item, attempt)
        if said == "ended" or life >= known.ended.get(execution, life + 1):
            twice.append(f"life {life} called {key}, whose execution had ended")
        if said == "journaled" or life >= known.calls.get(key, life + 1):
            rerun.append(f"life {life} called {key}, whose result was journaled")
    once = Counter((execution, state, item, attempt) for _, execution, state, item, attempt, _ in calls)
    in_life = Counter(tuple(call[:5]) for call in calls)
    seen = {
        "executions": len(found),
        "calls": len(calls),
        "calls_run_again": once.total() - len(once),
        "calls_run_again_in_one_life": in_life.total() - len(in_life),
        **{kind: kinds[kind] for kind in ("WaitStateEntered", "TaskFailed", "TaskSubmitted")},
    }
    return Verdict(len(accepted), lost, twice, rerun, seen)


def check_outputs(
    folder: Path, journal: JournalReader, accepted: list[int], there: set[tuple[str, str]]
) -> list[str]:  # fmt: skip
    """What is wrong with the executions and the answers by token that were accepted."""
    wrong: list[str] = []
    answers: dict[str, int] = {}
    for kind, arn, _, *life in Log.read(folder / "tokens"):
        if kind == "answered":
            if arn in answers:
                wrong.append(f"{arn}: lives {answers[arn]} and {life[0]} were both told that their answer was taken")
            answers[arn] = life[0]
    for number in accepted:
        machine, name = machine_of(number), f"e{number}"
        if (machine, name) not in there:
            wrong.append(f"{machine} {name}: not in the journal")
            continue
        ended = journal.describe(name, machine)
        output = ended.output
        if machine == "ask" and ended.status == "SUCCEEDED":
            life = output["answer"].pop("life")
            if life != answers.get(ended.arn, life):
                wrong.append(f"{name}: the answer of life {life} counts, that of life {answers[ended.arn]} was taken")
        if (ended.status, output) != ("SUCCEEDED", expected(number)):
            wrong.append(f"{machine} {name}: {ended.status} with {output} in place of {expected(number)}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS, help=f"how often to kill; {KILLS} by default")
    parser.add_argument("--seed", type=int, default=20261120, help="for the instants")
    parser.add_argument("--keep", type=Path, help="an empty folder for journal and logs, to look at afterwards")
    arguments = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        verdict = judge(folder, torment(folder, arguments.kills, Random(arguments.seed)))
    claims = [
        Claim("kills", arguments.kills, "", ">= 200"),
        Claim("accepted", verdict.accepted, "", ">= 200"),
        Claim("lost", len(verdict.lost), "", "<= 0"),
        Claim("finished_twice", len(verdict.finished_twice), "", "<= 0"),
        Claim("rerun_after_journaled", len(verdict.rerun), "", "<= 0"),
    ]
    wrong = [*verdict.lost, *verdict.finished_twice, *verdict.rerun][:20]
    emit("crash", started, claims, {"seed": arguments.seed, "seen": verdict.seen, "wrong": wrong})


if __name__ == "__main__":
    main()
