"""Questions to people: which pictures wait for an answer, answers, and their way to the engine.

The journal belongs to the process that runs the engine, so an answer is an object in the store. Whoever answers first
creates it; the process that runs the engine hands it on.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scones.contracts import Arrival, PersonsAnswer, Review, parse
from scones.errors import MessageError, ObjectExists, ObjectMissing, SconesError, StoreError, WorkflowError
from scones.store import Bucket, Layout
from scones.workflow.engine import TaskTimedOut, is_engine_token
from scones.workflow.repeats import next_name, repeats

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, Event, ExecutionDetail

__all__ = [
    "MACHINE",
    "Answers",
    "answer_review",
    "ask_again",
    "find_review",
    "first_answer",
    "has_asked",
    "open_reviews",
    "too_late",
    "waits_on_aws",
]

MACHINE = "review"
"""The state machine that asks a person."""
_LOGGER = logging.getLogger(__name__)


def open_reviews(bucket: Bucket) -> list[Review]:
    """The pictures that a person was asked about, that nobody has answered and that have no result yet.

    A record that cannot be read is logged and left out: it must not hide the others.

    Args:
        bucket: where the records lie.
    """
    closed = {*_arrivals(bucket, Layout.ANSWERS), *_arrivals(bucket, Layout.RESULTS)}
    found = []
    for arrival in _arrivals(bucket, Layout.REVIEWS):
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
    """Answer a review; the engine's process delivers the answer (:class:`Answers`).

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
        raise too_late(review)
    answer = PersonsAnswer(label=label, by=by, at=now.astimezone(UTC).isoformat(timespec="seconds"))
    try:
        bucket.create_json(key, answer.model_dump())
    except ObjectExists:
        first = first_answer(bucket, review)
        raise ObjectExists(
            f"{first.by} answered {review.path} before, at {first.at}, with {first.label!r}: the first answer stands"
        ) from None
    return answer


def first_answer(bucket: Bucket, review: Review) -> PersonsAnswer:
    """The answer that a review has, which stands.

    Raises:
        ObjectMissing: nobody has answered.
        MessageError: it lacks a field.
    """
    key = Layout.answer(review.path)
    return parse(PersonsAnswer, bucket.get_json(key), key)


def too_late(review: Review) -> WorkflowError:
    """That the time for an answer is over."""
    return WorkflowError(
        f"it is too late to answer {review.path}: a person had {review.seconds} s, until "
        f"{review.deadline:%Y-%m-%d %H:%M:%S} UTC, and then the safe default is taken"
    )


def waits_on_aws(bucket: Bucket, review: Review) -> bool:
    """Whether Step Functions asked, where no process of ours hands answers on (:mod:`scones.aws.answers`).

    An engine of ours may work on a bucket of S3 too, so the token says whose it is.
    """
    return bucket.folder is None and not is_engine_token(review.task_token)


class Answers:
    """Carries people's answers to the reviews that wait for them.

    A look costs by how many reviews are open, not by how many were ever answered.

    Args:
        engine: it runs the reviews.
        bucket: where the answers lie.
    """

    def __init__(self, engine: Engine, bucket: Bucket) -> None:
        self._engine, self._bucket = engine, bucket
        self._arrivals: dict[str, str] = {}  # of the reviews that run, by their names
        self._told: set[str] = set()  # of these, the ones of which was told that they get no answer

    def deliver(self) -> list[str]:
        """Hand the answers that have come in to the engine; call it again and again.

        An answer that is damaged is told once, and keeps no other from being delivered.

        Returns:
            The arrivals whose answers were delivered now.

        Raises:
            StoreError: the store does not answer.
            WorkflowError: the engine cannot go on.
        """
        running = [one.name for one in self._engine.executions(MACHINE, "RUNNING", limit=sys.maxsize)]
        self._arrivals = {name: self._arrivals[name] for name in running if name in self._arrivals}
        self._told.intersection_update(running)
        return [arrival for name in running if (arrival := self._deliver(name)) is not None]

    def _deliver(self, name: str) -> str | None:
        """Deliver the answer to a review, if one came in that fits; its arrival."""
        try:
            arrival = self._arrival(name)
        except MessageError as error:
            self._tell(name, error)
            return None
        key = Layout.answer(arrival)
        if not self._bucket.exists(key):
            return None
        try:
            answer = parse(PersonsAnswer, self._bucket.get_json(key), key)
            self._engine.send_task_success(_review(self._bucket, arrival).task_token, answer.model_dump())
        except TaskTimedOut:  # delivered before, or too late
            return None
        except SconesError as error:
            self._engine.check()
            self._tell(name, error)
            return None
        return arrival

    def _arrival(self, name: str) -> str:
        if name not in self._arrivals:
            given = self._engine.describe(name, MACHINE).input
            self._arrivals[name] = parse(Arrival, given, f"the input of review {name}").path
        return self._arrivals[name]

    def _tell(self, name: str, error: SconesError) -> None:
        if name not in self._told:
            self._told.add(name)
            _LOGGER.warning("an answer to review %s cannot be delivered: %s", name, error)


def has_asked(event: Event) -> bool:
    """Say whether an event means that a review's record is there, or that the review has ended."""
    return event.machine == MACHINE and (event.type == "TaskSubmitted" or event.ended is not None)


def ask_again(engine: Engine, execution: ExecutionDetail) -> None:
    """Start a review anew that failed; an answer that is there already is then delivered to it.

    Args:
        engine: it runs the reviews.
        execution: of ``classify``, which asked.
    """
    earlier = repeats(engine, MACHINE, execution.name)
    if earlier and not {"RUNNING", "SUCCEEDED"} & set(earlier.values()):
        given = engine.describe(execution.name, MACHINE).input
        engine.start(MACHINE, given, name=next_name(execution.name, len(earlier)))


def _arrivals(bucket: Bucket, prefix: str) -> list[str]:
    """The arrivals that have a record below a prefix."""
    return [key.removeprefix(f"{prefix}/").removesuffix(".json") for key in bucket.list(prefix)]


def _review(bucket: Bucket, arrival: str) -> Review:
    key = Layout.review(arrival)
    return parse(Review, bucket.get_json(key), key)
