"""Arrivals are followed to the end of their executions in the journal of an engine at work."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from scones.contracts import Arrival, ManifestLine
from scones.errors import StoreFull
from scones.store import Bucket, open_bucket
from scones.workflow.arrivals import start_arrival
from scones.workflow.engine import Engine, Journal, JournalReader, load
from scones.workflow.following import Follower, follow, look
from scones.workflow.generator import Sent
from scones.workflow.schedule import Schedule
from scones.workflow.tally import Figures, Tally
from scones.workflow.traffic import Planned

CLASSIFY = load(
    {
        "StartAt": "Classify",
        "States": {
            "Classify": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "classifier", "Payload.$": "$"},
                "OutputPath": "$.Payload",
                "End": True,
            }
        },
    }
)
LINE = ManifestLine.model_validate(
    {
        "source-ref": "a.png",
        "label": "bicycle",
        "label_index": 0,
        "split": "test",
        "hash": "0",
        "width": 1,
        "height": 1,
        "origin": "",
    }
)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


@pytest.fixture
def held() -> threading.Event:
    """Set it, and the classifier answers of arrivals whose key has "slow" in it."""
    return threading.Event()


@pytest.fixture
def engine(tmp_path: Path, held: threading.Event) -> Iterator[Engine]:
    def classifier(event: dict[str, Any], _: object) -> dict[str, str]:
        if "slow" in event["s3_key"]:
            assert held.wait(60)
        if "bad" in event["s3_key"]:
            raise ValueError("no picture")
        return {"outcome": "routed", "label": "bicycle"}

    with Engine(tmp_path / "journal.sqlite", {"classify": CLASSIFY}, {"classifier": classifier}) as opened:
        yield opened
        held.set()


@pytest.fixture
def reader(engine: Engine, tmp_path: Path) -> Iterator[JournalReader]:
    with Journal.open_readonly(tmp_path / "journal.sqlite") as opened:
        yield opened


def sent(name: str, *, again: bool = False) -> Sent:
    arrival = Arrival(task="vehicles", depot="main", driver_id="d", arrival_id=name)
    return Sent(Planned(0, 0.0, LINE, again=again), arrival, arrival.key(), 0.0, 1e9)


def work(engine: Engine, bucket: Bucket, *arrivals: Sent) -> None:
    names = [start_arrival(engine, bucket, one.key)[0] for one in arrivals]
    engine.wait(*names, machine="classify", timeout=60)


def test_what_has_ended_is_told_once_and_what_runs_is_awaited(
    engine: Engine, reader: JournalReader, bucket: Bucket, held: threading.Event
) -> None:
    good, bad, slow, later = map(sent, ("good", "bad", "slow", "later"))
    follower = Follower(reader, bucket)
    for one in (good, bad, slow, later):
        follower.add(one)
    assert (follower.poll(), follower.running, follower.oldest) == ([], 0, 1e9)
    work(engine, bucket, good, bad)
    start_arrival(engine, bucket, slow.key)
    assert {one.key: execution.status for one, execution in follower.poll()} == {
        good.key: "SUCCEEDED",
        bad.key: "FAILED",
    }
    assert (follower.poll(), follower.running) == ([], 1)
    held.set()
    work(engine, bucket, slow, later)
    assert [one.key for one, _ in follower.poll()] == [slow.key, later.key]
    assert (follower.running, follower.oldest) == (0, None)


def test_a_duplicate_is_not_awaited_a_second_time(engine: Engine, reader: JournalReader, bucket: Bucket) -> None:
    follower = Follower(reader, bucket)
    follower.add(sent("a", again=True))
    assert follower.oldest is None


def test_of_many_that_wait_those_that_end_out_of_turn_are_found_too(
    engine: Engine, reader: JournalReader, bucket: Bucket
) -> None:
    follower = Follower(reader, bucket)
    many = [sent(f"a{number}") for number in range(3000)]
    for one in many:
        follower.add(one)
    work(engine, bucket, many[0], many[-1])
    found = [one.key for _ in range(5) for one, _ in follower.poll()]
    assert found == [many[0].key, many[-1].key]


class Clock:
    """Time that passes only where somebody sleeps; at certain times something happens."""

    def __init__(self, **at: Callable[[], object]) -> None:
        self.now = 0.0
        self.at = {float(moment[1:]): what for moment, what in at.items()}

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if what := self.at.pop(self.now, None):
            what()


def followed(
    reader: JournalReader, bucket: Bucket, sending: Future[None], came: SimpleQueue[Sent], clock: Clock
) -> tuple[Figures, list[Figures]]:
    shown: list[Figures] = []
    figures = follow(
        sending,
        came,
        Tally(Schedule(count=2).dues(), 2, 1e9),
        Follower(reader, bucket),
        timeout=5.0,
        show=shown.append,
        now=lambda: 1e9 + clock(),
        clock=clock,
        sleep=clock.sleep,
    )
    return figures, shown


def test_following_goes_on_until_all_that_was_sent_has_ended(
    engine: Engine, reader: JournalReader, bucket: Bucket
) -> None:
    first, second = sent("first"), sent("second")
    sending: Future[None] = Future()
    came: SimpleQueue[Sent] = SimpleQueue()
    came.put(first)
    work(engine, bucket, first)

    def send_the_last() -> None:
        came.put(second)
        sending.set_result(None)

    clock = Clock(t1=send_the_last, t3=lambda: work(engine, bucket, second))
    figures, shown = followed(reader, bucket, sending, came, clock)
    assert (clock.now, figures.sent, figures.outcomes, figures.unended) == (3.0, 2, {"routed": 2}, 0)
    assert figures == shown[-1]
    assert [one.ended for one in shown] == [1, 1, 1, 1, 1, 1, 2]


def test_following_ends_when_the_time_after_the_last_is_over(reader: JournalReader, bucket: Bucket) -> None:
    sending: Future[None] = Future()
    came: SimpleQueue[Sent] = SimpleQueue()
    came.put(sent("lost"))
    clock = Clock(t2=lambda: sending.set_result(None))
    figures, _ = followed(reader, bucket, sending, came, clock)
    assert (clock.now, figures.unended, figures.waiting) == (7.0, 1, 1)


def test_an_error_of_the_sending_ends_the_following(reader: JournalReader, bucket: Bucket) -> None:
    sending: Future[None] = Future()
    clock = Clock(t1=lambda: sending.set_exception(StoreFull("no space left")))
    with pytest.raises(StoreFull):
        followed(reader, bucket, sending, SimpleQueue(), clock)
    assert clock.now == 1.0


def test_a_look_takes_in_what_was_sent_and_what_has_ended(
    engine: Engine, reader: JournalReader, bucket: Bucket
) -> None:
    one, came = sent("one"), SimpleQueue[Sent]()
    tally, follower = Tally(Schedule(count=1).dues(), 1, 1e9), Follower(reader, bucket)
    assert look(came, tally, follower, lambda: 1e9).sent == 0
    came.put(one)
    work(engine, bucket, one)
    figures = look(came, tally, follower, lambda: 1e9)
    assert (figures.sent, figures.ended, figures.answers(unsure=False).share) == (1, 1, 1.0)
