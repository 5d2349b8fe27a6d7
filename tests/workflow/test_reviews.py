"""Unsure pictures: asked, answered once, ended as their task ends, or by the safe default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import MessageError, ObjectExists, ObjectMissing, StoreError, WorkflowError
from scones.settings import Settings
from scones.store import Bucket, Layout
from scones.task import load_task
from scones.workflow.application import open_engine
from scones.workflow.arrivals import outcome, start_arrival
from scones.workflow.engine import Engine, Event, ExecutionDetail, TaskTimedOut
from scones.workflow.reviews import Answers, answer_review, find_review, has_asked, open_reviews

from .conftest import PURPLE, arrive, work
from .engine.conftest import HandClock

A1 = "vehicles/main/driver-1/a1"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class Desk:
    """An engine, and a person who answers."""

    def __init__(self, engine: Engine, bucket: Bucket, clock: HandClock) -> None:
        self.engine, self.bucket, self.clock = engine, bucket, clock
        self.deliver = Answers(engine, bucket).deliver

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def ask(self, picture: bytes, name: str = "a1", task: str = "vehicles") -> ExecutionDetail:
        """Let a picture arrive that the model is not sure of, until a person is asked; the classify execution."""
        ended = work(self.engine, self.bucket, arrive(self.bucket, picture, name, task))
        assert outcome(ended) == "review"
        self.wait_until_asked(ended.name)
        return ended

    def wait_until_asked(self, review: str) -> None:
        while not any(event.type == "TaskSubmitted" for event in self.engine.history(review, "review")):
            pass

    def say(self, label: str, arrival: str = A1, by: str = "ada") -> None:
        review = find_review(self.bucket, arrival)
        answer_review(self.bucket, review, label, labels=load_task(review.task).labels, by=by, now=self.now)

    def ended(self, review: str) -> ExecutionDetail:
        [found] = self.engine.wait(review, machine="review", timeout=20)
        return found


@pytest.fixture
def open_desk(
    settings: Settings,
    bucket: Bucket,
    clock: HandClock,
    tiny_bundle: Callable[..., bytes],
    start_endpoint: Callable[..., str],
) -> Iterator[Callable[..., Desk]]:
    """Open an engine on the journal: ``open_desk("social", functions={…})``; it ends with the test, or before."""
    engines = []

    def open_one(task: str = "vehicles", **options: Any) -> Desk:
        model = Classifier(*read_bundle(tiny_bundle(task=task)))
        mine = settings.model_copy(update={"endpoint_url": start_endpoint(model), "review_seconds": 600})
        engine = open_engine(mine, clock=clock, **options)
        engines.append(engine)
        return Desk(engine, bucket, clock)

    yield open_one
    for engine in engines:
        engine.stop()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


@pytest.fixture
def unsure(png_bytes: Callable[..., bytes]) -> bytes:
    return png_bytes(PURPLE)


def test_the_record_tells_all_that_a_person_needs(desk: Desk, unsure: bytes) -> None:
    ended = desk.ask(unsure)
    [review] = open_reviews(desk.bucket)
    assert review.path == A1
    assert review.why == "ThresholdConfidenceNotMet"
    assert review.confidence < review.threshold
    assert review.s3_key == f"arrivals/{A1}.png"
    assert review.execution == ended.name
    assert abs((review.deadline - desk.now).total_seconds() - 600) < 1
    assert find_review(desk.bucket, "a1") == find_review(desk.bucket, A1) == review


def test_an_answer_sends_the_driver_to_a_bay_and_becomes_an_example(desk: Desk, unsure: bytes) -> None:
    asked = desk.ask(unsure)
    guess = find_review(desk.bucket, A1)
    assert desk.deliver() == []
    desk.say("motorcycle")
    assert open_reviews(desk.bucket) == []
    assert desk.deliver() == [A1]
    ended = desk.ended(asked.name)
    assert (ended.output["outcome"], ended.output["bay"]) == ("routed", "motorcycle bay")
    assert ended.output["label"] == "motorcycle"
    assert desk.bucket.get_json(Layout.route(A1)) == ended.output
    assert not desk.bucket.exists(Layout.result(A1))
    assert desk.bucket.get_json(Layout.example(A1)) == {
        "task": "vehicles", "depot": "main", "driver_id": "driver-1", "arrival_id": "a1",
        "s3_bucket": "scones", "s3_key": f"arrivals/{A1}.png",
        "label": "motorcycle", "by": "ada", "at": desk.now.isoformat(timespec="seconds"),
        "guess": guess.label, "confidence": guess.confidence,
        "model_version": guess.model_version, "inference_id": guess.inference_id,
    }  # fmt: skip
    assert desk.bucket.exists(Layout.review(A1)), "it stays as the record that it was asked"
    assert desk.deliver() == [], "an old answer is not looked at again"


@pytest.mark.parametrize(
    ("task", "label", "outcome"),
    [
        ("social", "place", "queued"),
        ("defects", "normal", "accepted"),
        ("defects", "defect", "rejected"),
        ("road", "background", "event"),
    ],
)
def test_an_answer_ends_as_its_task_ends(
    task: str, label: str, outcome: str, open_desk: Callable[..., Desk], unsure: bytes
) -> None:
    desk = open_desk(task)
    asked = desk.ask(unsure, task=task)
    desk.say(label, "a1")
    desk.deliver()
    ended = desk.ended(asked.name)
    assert (ended.output["outcome"], ended.output["label"], ended.output["by"]) == (outcome, label, "ada")
    assert ended.output["queue"] == (label if task == "social" else None)
    assert desk.bucket.get_json(f"results/{task}/main/driver-1/a1.json") == ended.output
    assert desk.bucket.get_json(f"examples/{task}/main/driver-1/a1.json")["label"] == label


@pytest.mark.parametrize(("task", "bay"), [("vehicles", "manual bay"), ("defects", None)])
def test_what_nobody_answers_in_time_ends_in_the_safe_default(
    task: str, bay: str | None, open_desk: Callable[..., Desk], unsure: bytes
) -> None:
    desk = open_desk(task)
    asked = desk.ask(unsure, task=task)
    desk.clock.move(599)
    assert desk.engine.status(asked.name, "review") == "RUNNING"
    desk.clock.move(2)
    ended = desk.ended(asked.name)
    assert (ended.status, ended.output["outcome"], ended.output["bay"]) == ("SUCCEEDED", "manual", bay)
    assert (ended.output["order"], ended.output["why"]) == (None, "States.Timeout")
    assert desk.bucket.get_json(f"results/{task}/main/driver-1/a1.json") == ended.output
    assert open_reviews(desk.bucket) == []
    assert not list(desk.bucket.list("examples"))
    assert not list(desk.bucket.list("order-claims"))


def test_the_first_answer_stands_and_a_second_is_told_whose_it_is(desk: Desk, unsure: bytes) -> None:
    asked = desk.ask(unsure)
    desk.say("bicycle")
    for _ in range(2):
        with pytest.raises(ObjectExists, match=r"ada answered vehicles/main/driver-1/a1 before, at .*'bicycle'"):
            desk.say("motorcycle", by="bob")
        desk.deliver()
        assert desk.ended(asked.name).output["label"] == "bicycle"
    assert desk.bucket.get_json(Layout.example(A1))["by"] == "ada"


def test_an_answer_after_the_deadline_is_refused(desk: Desk, unsure: bytes) -> None:
    asked = desk.ask(unsure)
    desk.clock.move(601)
    desk.ended(asked.name)
    with pytest.raises(WorkflowError, match=r"too late to answer vehicles/main/driver-1/a1: a person had 600 s"):
        desk.say("bicycle")
    assert not desk.bucket.exists(Layout.answer(A1))


def test_an_answer_that_crosses_the_deadline_changes_nothing(desk: Desk, unsure: bytes) -> None:
    asked = desk.ask(unsure)
    desk.say("bicycle")
    desk.clock.move(601)
    ended = desk.ended(asked.name)
    assert desk.deliver() == []
    assert desk.bucket.get_json(Layout.result(A1)) == ended.output
    assert not desk.bucket.exists(Layout.route(A1))


def test_an_answer_of_another_label_or_to_no_question_is_refused(desk: Desk, unsure: bytes) -> None:
    desk.ask(unsure)
    desk.ask(unsure, "b1")
    with pytest.raises(MessageError, match="label 'car' is none of task vehicles: use one of bicycle, motorcycle"):
        desk.say("car")
    with pytest.raises(ObjectMissing, match="nobody was asked about an arrival vehicles/main/driver-1/gone"):
        desk.say("bicycle", "vehicles/main/driver-1/gone")
    desk.bucket.put(Layout.review("road/main/driver-1/a1"), desk.bucket.get(Layout.review(A1)))
    with pytest.raises(MessageError, match="2 arrivals are named a1: name one of road/main/driver-1/a1, "):
        desk.say("bicycle", "a1")


def test_a_question_lives_through_a_restart(open_desk: Callable[..., Desk], unsure: bytes) -> None:
    first = open_desk()
    asked = first.ask(unsure)
    first.engine.stop()
    first.say("bicycle")  # while nobody runs the engine
    second = open_desk()
    assert second.ended(asked.name).output["outcome"] == "routed"
    assert second.deliver() == []


def test_an_answer_in_time_counts_though_the_engine_is_opened_after_the_deadline(
    open_desk: Callable[..., Desk], unsure: bytes
) -> None:
    first = open_desk()
    asked, silent = first.ask(unsure), first.ask(unsure, "a2")
    first.engine.stop()
    first.say("motorcycle")
    first.clock.move(10_000)
    second = open_desk()
    assert second.ended(asked.name).output["bay"] == "motorcycle bay"
    assert second.ended(silent.name).output["outcome"] == "manual"


def test_an_engine_does_not_open_on_a_store_that_may_hold_answers_and_is_away(
    open_desk: Callable[..., Desk], unsure: bytes
) -> None:
    first = open_desk()
    asked = first.ask(unsure)
    first.engine.stop()
    first.say("motorcycle")
    first.clock.move(10_000)
    assert first.bucket.folder is not None
    answers = first.bucket.folder / "answers"
    kept = answers.rename(answers.with_name("kept"))
    answers.symlink_to(answers)  # whatever is looked up below it, the disk refuses
    with pytest.raises(StoreError, match="cannot look up answers"):
        open_desk()
    answers.unlink()
    kept.rename(answers)
    assert open_desk().ended(asked.name).output["bay"] == "motorcycle bay"


def test_a_deadline_that_passes_while_no_engine_runs_is_kept(open_desk: Callable[..., Desk], unsure: bytes) -> None:
    first = open_desk()
    asked = first.ask(unsure)
    first.engine.stop()
    first.clock.move(601)
    with pytest.raises(WorkflowError, match="too late"):
        first.say("bicycle")
    assert open_desk().ended(asked.name).output["outcome"] == "manual"


def test_an_arrival_that_is_delivered_again_while_a_person_is_asked_is_a_duplicate(desk: Desk, unsure: bytes) -> None:
    asked = desk.ask(unsure)
    given = {"image_data": "", "s3_bucket": "scones", "s3_key": f"arrivals/{A1}.png"}
    desk.clock.move(400)  # longer than a claim lasts that has left nothing
    desk.engine.start("classify", given, name="redelivered")
    assert outcome(desk.engine.wait("redelivered", machine="classify", timeout=20)[0]) == "duplicate"
    desk.say("bicycle")
    desk.deliver()
    assert desk.ended(asked.name).output["outcome"] == "routed"
    assert [one.name for one in desk.engine.executions("review")] == [asked.name]


def test_a_review_that_failed_is_asked_anew_and_its_answer_is_not_lost(
    open_desk: Callable[..., Desk], unsure: bytes
) -> None:
    def refuse(event: Any, context: Any) -> Any:
        raise ValueError("no")

    first = open_desk(functions={"route_driver": refuse})
    asked = first.ask(unsure)
    first.say("bicycle")
    first.deliver()
    assert (first.ended(asked.name).status, first.ended(asked.name).error) == ("FAILED", "ValueError")
    first.engine.stop()
    second = open_desk()
    key = f"arrivals/{A1}.png"
    assert start_arrival(second.engine, second.bucket, key) == (asked.name, "SUCCEEDED")
    assert len(second.engine.executions("review")) == 1, "by itself it stays as it is"
    for _ in range(2):
        assert start_arrival(second.engine, second.bucket, key, retry_failed=True) == (asked.name, "SUCCEEDED")
    assert len(second.engine.executions("review")) == 2
    second.wait_until_asked(f"{asked.name}.2")
    assert second.deliver() == [A1]
    assert second.ended(f"{asked.name}.2").output["outcome"] == "routed"
    start_arrival(second.engine, second.bucket, key, retry_failed=True)
    assert len(second.engine.executions("review")) == 2


def test_a_damaged_record_or_answer_does_not_keep_the_others(
    desk: Desk, unsure: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    names = [desk.ask(unsure, name).name for name in ("a1", "a2", "a3")]
    desk.bucket.put(Layout.answer(A1), b"{")
    desk.bucket.put(Layout.review("vehicles/main/driver-1/a2"), b"[]")
    assert [review.arrival_id for review in open_reviews(desk.bucket)] == ["a3"]
    assert "reviews/vehicles/main/driver-1/a2.json" in caplog.text
    desk.say("bicycle", "a3")
    answers = Answers(desk.engine, desk.bucket)
    assert answers.deliver() == ["vehicles/main/driver-1/a3"]
    assert set(answers._arrivals) == set(names)
    assert desk.ended(names[2]).output["outcome"] == "routed"
    assert [answers.deliver(), answers.deliver()] == [[], []]
    assert caplog.text.count("answers/vehicles/main/driver-1/a1.json") == 1, "it is told once, and not at each look"
    assert set(answers._arrivals) == set(names[:2]), "a review that has ended is forgotten"
    desk.bucket.delete(Layout.answer(A1))
    desk.say("motorcycle")
    assert answers.deliver() == [A1], "an answer that was mended"


def test_a_store_that_is_away_is_no_damaged_answer(desk: Desk, unsure: bytes, caplog: pytest.LogCaptureFixture) -> None:
    desk.ask(unsure)
    loop = desk.bucket.folder / "answers" if desk.bucket.folder else None
    assert loop is not None
    loop.symlink_to(loop)  # whatever is looked up below it, the disk refuses
    with pytest.raises(StoreError, match="cannot look up answers/vehicles/main/driver-1/a1"):
        desk.deliver()
    assert caplog.text == ""
    loop.unlink()
    desk.say("bicycle")
    assert desk.deliver() == [A1]


def test_people_are_told_through_the_topic_and_asked_also_where_it_takes_nothing(
    open_desk: Callable[..., Desk], unsure: bytes
) -> None:
    told: list[Any] = []

    def refuse(message: Any) -> str:
        told.append(message)
        raise OSError("no topic")

    desk = open_desk(publish=refuse)
    name = work(desk.engine, desk.bucket, arrive(desk.bucket, unsure)).name
    while desk.engine.history(name, "review")[-1].type != "TaskSubmitted":
        desk.clock.move(5)
    assert [review.path for review in open_reviews(desk.bucket)] == [A1]
    assert len(told) == 3
    assert told[0]["MessageAttributes"]["kind"] == {"DataType": "String.Array", "StringValue": '["review"]'}
    assert (told[0]["Message"]["arrival"], told[0]["Message"]["seconds"]) == (A1, 600)


def test_a_bad_answer_through_the_token_itself_fails_loudly(desk: Desk, unsure: bytes) -> None:
    asked = desk.ask(unsure)
    token = find_review(desk.bucket, A1).task_token
    desk.engine.send_task_success(token, {"label": "car", "by": "x", "at": "now"})
    assert (desk.ended(asked.name).status, desk.ended(asked.name).error) == ("FAILED", "DispatchError")
    with pytest.raises(TaskTimedOut):
        desk.engine.send_task_success(token, {})


def test_that_a_person_was_asked_is_seen_in_the_engines_events(open_desk: Callable[..., Desk], unsure: bytes) -> None:
    asked: list[Event] = []
    desk = open_desk(on_event=lambda event: asked.append(event) if has_asked(event) else None)
    name = desk.ask(unsure).name
    desk.engine.stop()  # by then it has told of all that is in the journal
    assert [(event.type, event.execution) for event in asked] == [("TaskSubmitted", name)]
