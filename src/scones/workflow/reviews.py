"""Questions to people: which pictures wait for an answer, answers, and their way to the engine.

The journal belongs to the process that runs the engine, so an answer is an object in the store. Whoever answers first
creates it; the process that runs the engine hands it on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scones.contracts import Arrival, PersonsAnswer, Review, parse
from scones.errors import (
    ExecutionMissing,
    MessageError,
    ObjectExists,
    ObjectMissing,
    SconesError,
    StoreError,
    WorkflowError,
)
from scones.store import Bucket, Layout
from scones.workflow.engine import TaskTimedOut

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, Event, ExecutionDetail

__all__ = ["MACHINE", "answer_review", "ask_again", "deliver_answers", "find_review", "has_asked", "open_reviews"]

MACHINE = "review"
"""The state machine that asks a person."""
_LOGGER = logging.getLogger(__name__)
_ASKED = {"TaskSubmitted", "ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}


def open_reviews(bucket: Bucket, task: str = "") -> list[Review]:
    """The pictures that a person was asked about, that nobody has answered and that have no result yet.

    A record that cannot be read is logged and left out: it must not hide the others.

    Args:
        bucket: where the records lie.
        task: only those of this task.
    """
    closed = {*_arrivals(bucket, Layout.ANSWERS, task), *_arrivals(bucket, Layout.RESULTS, task)}
    found = []
    for arrival in _arrivals(bucket, Layout.REVIEWS, task):
        if arrival not in closed:
            try:
                found.append(_review(bucket, arrival))
            except (MessageError, StoreError) as error:
                _LOGGER.warning("a review cannot be read: %s", error)
    return found


def find_review(bucket: Bucket, name: str) -> Review:
    """The review of an arrival, open or not.

    Args:
        bucket: where the records lie.
        name: the arrival as ``{task}/{depot}/{driver_id}/{arrival_id}``; or its id alone, where no other has it.

    Raises:
        ObjectMissing: nobody was asked about such an arrival.
        MessageError: several arrivals have this id; or the record lacks a field.
    """
    name = name.strip("/")
    found = [one for one in _arrivals(bucket, Layout.REVIEWS) if f"/{one}".endswith(f"/{name}")]
    if not found:
        raise ObjectMissing(f"nobody was asked about an arrival {name}: `scones reviews` lists those that wait")
    if len(found) > 1:
        raise MessageError(f"{len(found)} arrivals are named {name}: name one of {', '.join(found[:5])} in full")
    return _review(bucket, found[0])


def answer_review(
    bucket: Bucket, review: Review, label: str, *, labels: Sequence[str], by: str, now: datetime
) -> PersonsAnswer:
    """Answer a review; the engine's process delivers the answer (:func:`deliver_answers`).

    Args:
        bucket: where the records lie.
        review: from :func:`find_review`.
        label: what the picture shows.
        labels: those of the task.
        by: who says so.
        now: the time.

    Raises:
        MessageError: the label is none of the task's.
        ObjectExists: somebody answered before; that answer stands.
        WorkflowError: it is too late: the safe default has taken the place of an answer.
    """
    if label not in labels:
        raise MessageError(f"label {label!r} is none of task {review.task}: use one of {', '.join(labels)}")
    key = Layout.answer(review.path)
    if not bucket.exists(key) and (now >= review.deadline or bucket.exists(Layout.result(review.path))):
        raise WorkflowError(
            f"it is too late to answer {review.path}: a person had {review.seconds} s, until "
            f"{review.deadline:%Y-%m-%d %H:%M:%S} UTC, and then the safe default is taken"
        )
    answer = PersonsAnswer(label=label, by=by, at=now.astimezone(UTC).isoformat(timespec="seconds"))
    try:
        bucket.create_json(key, answer.model_dump())
    except ObjectExists:
        first = parse(PersonsAnswer, bucket.get_json(key), key)
        raise ObjectExists(
            f"{first.by} answered {review.path} before, at {first.at}, with {first.label!r}: the first answer stands"
        ) from None
    return answer


def deliver_answers(engine: Engine, bucket: Bucket, known: dict[str, str] | None = None) -> list[str]:
    """Hand the answers that have come in to the engine; call it again and again.

    What it costs depends on how many reviews are open, not on how many were ever answered.

    Args:
        engine: it runs the reviews.
        bucket: where the answers lie.
        known: arrivals by the names of their reviews, which it fills and which spare the next call some reading.

    Returns:
        The arrivals whose answers were delivered now.
    """
    known = {} if known is None else known
    delivered = []
    for execution in engine.executions(MACHINE, "RUNNING", limit=sys.maxsize):
        try:
            if (arrival := known.get(execution.name)) is None:
                given = engine.describe(execution.name, MACHINE).input
                arrival = known[execution.name] = parse(Arrival, given, f"the input of review {execution.name}").path
            if not bucket.exists(Layout.answer(arrival)):
                continue
            answer = parse(PersonsAnswer, bucket.get_json(Layout.answer(arrival)), Layout.answer(arrival))
            engine.send_task_success(_review(bucket, arrival).task_token, answer.model_dump())
            delivered.append(arrival)
        except TaskTimedOut:
            continue  # delivered before, or too late
        except SconesError as error:  # one that is damaged must not keep the others from being delivered
            engine.check()
            _LOGGER.warning("an answer to review %s cannot be delivered: %s", execution.name, error)
    return delivered


def has_asked(event: Event) -> bool:
    """Say whether an event means that a review's record is there, or that the review has ended."""
    return event.machine == MACHINE and event.type in _ASKED


def ask_again(engine: Engine, execution: ExecutionDetail) -> None:
    """Start a review anew that failed; an answer that is there already is then delivered to it.

    Args:
        engine: it runs the reviews.
        execution: of ``classify``, which asked.
    """
    name, tries = execution.name, 1
    last: ExecutionDetail | None = None
    with suppress(ExecutionMissing):
        while True:
            last = engine.describe(name, MACHINE)
            if last.status in ("RUNNING", "SUCCEEDED"):
                return
            tries += 1
            name = f"{execution.name}.{tries}"
    if last is not None:
        engine.start(MACHINE, last.input, name=name)


def _arrivals(bucket: Bucket, prefix: str, task: str = "") -> list[str]:
    """The arrivals, of one task or all, that have a record below a prefix."""
    folder = f"{prefix}/{task}" if task else prefix
    return [key.removeprefix(f"{prefix}/").removesuffix(".json") for key in bucket.list(folder)]


def _review(bucket: Bucket, arrival: str) -> Review:
    key = Layout.review(arrival)
    return parse(Review, bucket.get_json(key), key)
