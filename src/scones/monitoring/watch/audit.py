"""Have people judge a few of the latest pictures, drawn so that their answers tell how good the model is on all.

An audit is a draw that is written down with the chance that each picture had; answers are ground truth in SageMaker's
format, wherever they come from: `scones monitor answer` writes them, and so may any labelling tool.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from scones.capture import event_hash
from scones.errors import MonitorError, ObjectExists, ObjectMissing
from scones.monitoring.quality.accuracy import accuracy_from_reviews
from scones.monitoring.quality.review_queue import ReviewChoice, choose_for_review
from scones.monitoring.truth import read_truths
from scones.monitoring.watch.records import Estimate
from scones.store import Bucket, Layout

if TYPE_CHECKING:
    from scones.monitoring.watch.health import Health
    from scones.monitoring.watch.window import Window

__all__ = [
    "Audit",
    "answer",
    "check_answers",
    "draw",
    "new_audit_name",
    "read_audit",
    "read_audits",
    "reviewed",
    "save_audit",
]

_log = logging.getLogger(__name__)
_Share = Annotated[float, Field(ge=0, le=1)]
_LEAST: Final = 10
"""Answers from which on an estimate is made: fewer say next to nothing."""
_LATEST: Final = 5
"""Audits that are looked at for the newest that has answers."""


class Audit(BaseModel):
    """A draw of pictures for people to judge: a record ``audits/{endpoint}/{name}.json``. N pictures, n of them drawn.

    Attributes:
        at: when they were drawn; ``task``, ``version`` and ``labels`` are of the model that answered.
        events: (N,) their event ids; ``inferences`` the callers' ids, "" where there is none; ``files`` the capture
            files that they lie in.
        until: when the last of them was answered.
        answers: (N,) the labels that they got, as places in ``labels``.
        right: (N,) how likely each answer was held to be right, 0 to 1.
        stratum: (N,) the stratum of each.
        drawn: (n,) those that people are asked about, as places among the N; ``inclusion`` the chance that each had.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    task: str
    version: str
    labels: tuple[str, ...]
    events: tuple[str, ...]
    inferences: tuple[str, ...]
    files: tuple[str, ...]
    until: AwareDatetime
    answers: tuple[int, ...]
    right: tuple[_Share, ...]
    stratum: tuple[int, ...]
    drawn: tuple[int, ...]
    inclusion: tuple[_Share, ...]

    def correct(self, truths: Mapping[int, str]) -> dict[int, bool]:
        """Of the drawn pictures that somebody judged, by their places: whether the model was right."""
        return {
            k: truth == self.labels[self.answers[k]] for k in self.drawn if (truth := self.truth(k, truths)) is not None
        }

    def truth(self, place: int, truths: Mapping[int, str]) -> str | None:
        """The label of what a picture showed, or what else somebody called it; None where nobody said anything."""
        said = truths.get(event_hash(self.inferences[place])) if self.inferences[place] else None
        said = truths.get(event_hash(self.events[place])) if said is None else said
        if said is None or said in self.labels or not said.isdecimal() or len(said) > 9:
            return said
        return self.labels[int(said)] if int(said) < len(self.labels) else said

    def estimate(self, truths: Mapping[int, str]) -> Estimate | None:
        """The accuracy on all N pictures by the answers that there are; None where these are fewer than 10."""
        correct = self.correct(truths)
        if len(correct) < min(_LEAST, len(self.drawn)) or not correct:
            return None
        choice = ReviewChoice(np.array(self.drawn), np.array(self.inclusion), np.array(self.stratum))
        found = accuracy_from_reviews(np.array(self.right), choice, correct)
        return Estimate(share=found.estimate, low=found.low, high=found.high, answers=found.answers)


def draw(
    window: Window,
    health: Health,
    count: int,
    *,
    last: int,
    since: datetime | None = None,
    now: datetime,
    rng: np.random.Generator,
) -> Audit:
    """Draw pictures of the latest that the monitor looked at: those more often whose answers tell more.

    Args:
        window: of the watch.
        health: of the model that is watched.
        count: how many people are asked about; all where there are fewer.
        last: how many of the latest pictures that were captured to draw from.
        since: only of those that were answered from then on, with time zone; default: of all.
        now: the time, with time zone.
        rng: for the draw.

    Raises:
        MonitorError: there are no pictures.
    """
    if not len(window):
        raise MonitorError("the monitor has looked at no picture yet: look first, with `scones monitor watch`")
    late = window.times >= (-np.inf if since is None else since.timestamp())
    rows = np.flatnonzero(late & ~np.isnan(window.embeddings).any(1))[-last:]  # nobody can judge what was not captured
    if not len(rows):
        when = "" if since is None else f" since {since:%Y-%m-%d %H:%M:%S %Z}"
        raise MonitorError(
            f"of the latest {len(window):,} answers none{when} was captured with its picture: let the endpoint capture "
            "them, or draw from earlier on"
        )
    probabilities = window.probabilities[rows]
    right = health.right_chance.of(probabilities, window.embeddings[rows])
    choice = choose_for_review(right, count, rng, drift=window.outside[rows].astype(np.float64))
    return Audit(
        at=now,
        task=health.task,
        version=health.version,
        labels=health.labels,
        events=tuple(window.events[k] for k in rows),
        inferences=tuple(window.inferences[k] for k in rows),
        files=tuple(window.files[k] for k in rows),
        until=datetime.fromtimestamp(float(window.times[rows].max()), now.tzinfo),
        answers=tuple(probabilities.argmax(1).tolist()),
        right=tuple(np.clip(right, 0, 1).round(6).tolist()),
        stratum=tuple(choice.stratum.tolist()),
        drawn=tuple(choice.indices.tolist()),
        inclusion=tuple(choice.inclusion.tolist()),
    )


def new_audit_name(now: datetime) -> str:
    """The name of an audit: when it was drawn, to the second, so that names sort by time."""
    return now.strftime("%Y%m%dT%H%M%SZ")


def save_audit(bucket: Bucket, endpoint: str, name: str, audit: Audit) -> str:
    """Write a draw down; answers its key.

    Raises:
        MonitorError: there is one of that name.
    """
    key = Layout.audit(endpoint, name)
    try:
        bucket.create(key, audit.model_dump_json().encode())
    except ObjectExists as error:
        raise MonitorError(f"an audit {name} of endpoint {endpoint} was drawn in this second: try again") from error
    return key


def read_audit(bucket: Bucket, endpoint: str, name: str | None = None) -> tuple[str, Audit]:
    """Read an audit with its name; default: the newest.

    Raises:
        MonitorError: there is none, or it is damaged.
    """
    names = _names(bucket, endpoint)
    if name is None and names:
        name = names[-1]
    if name is None or name not in names:
        there = f"there are {', '.join(names[-_LATEST:])}" if names else "draw one with `scones monitor audit`"
        raise MonitorError(f"there is no audit {name or ''} of endpoint {endpoint}: {there}".replace("  ", " "))
    try:
        return name, Audit.model_validate_json(bucket.get(Layout.audit(endpoint, name)))
    except (ValidationError, ObjectMissing) as error:
        raise MonitorError(f"audit {name} of endpoint {endpoint} is damaged: draw another one") from error


def read_audits(bucket: Bucket, endpoint: str) -> list[Audit]:
    """All audits of an endpoint, the oldest first; damaged ones are left out, which is logged."""
    found = []
    for name in _names(bucket, endpoint):
        try:
            found.append(read_audit(bucket, endpoint, name)[1])
        except MonitorError as error:
            _log.warning("%s", error)
    return found


def check_answers(audit: Audit, answers: Mapping[str, str]) -> None:
    """Refuse answers that cannot be of an audit.

    Args:
        audit: that the pictures were drawn in.
        answers: by event id, a label's name.

    Raises:
        MonitorError: there is none, a picture is not of the audit, or a label not of the model.
    """
    asked = {audit.events[k] for k in audit.drawn}
    if strange := [event for event in answers if event not in asked]:
        raise MonitorError(
            f"picture {strange[0]!r} was not drawn in this audit, so its answer would tell nothing of the others: "
            "take it out; nothing was written"
        )
    for event, label in answers.items():
        if label not in audit.labels:
            raise MonitorError(
                f"{label!r} is no label for picture {event}: use one of {', '.join(audit.labels)}; nothing was written"
            )
    if not answers:
        raise MonitorError("there is no answer: give some as EVENT=LABEL, or in a file")


def answer(bucket: Bucket, endpoint: str, audit: Audit, answers: Mapping[str, str], *, who: str, now: datetime) -> str:
    """Write down what people said that pictures show. Of the same picture the latest answer counts.

    Args:
        bucket: of the audit.
        endpoint: the endpoint's name.
        audit: that they were drawn in.
        answers: by event id, a label's name.
        who: said it.
        now: with time zone.

    Returns:
        The key of the file of ground truth.

    Raises:
        MonitorError: see :func:`check_answers`; then nothing is written.
    """
    check_answers(audit, answers)
    lines = [_truth_line(event, label, who, now) for event, label in answers.items()]
    name = f"{now:%Y/%m/%d/%H}/{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
    key = Layout.ground_truth(endpoint, name)
    bucket.create(key, "".join(lines).encode())
    return key


def reviewed(bucket: Bucket, endpoint: str, version: str, since: datetime | None = None) -> Estimate | None:
    """The accuracy by the newest audit that people have answered enough of.

    Args:
        bucket: of the audits.
        endpoint: the endpoint's name.
        version: of the model; what people said of another one's answers says nothing of it.
        since: an audit counts if its latest picture came after that.

    Raises:
        StoreError: the store does not answer.
    """
    truths: dict[int, str] | None = None
    for name in reversed(_names(bucket, endpoint)[-_LATEST:]):
        try:
            _, audit = read_audit(bucket, endpoint, name)
        except MonitorError as error:
            _log.warning("%s", error)
            continue
        if audit.version != version or (since is not None and audit.until < since):
            continue
        truths = read_truths(bucket, Layout.ground_truth(endpoint)) if truths is None else truths
        if (found := audit.estimate(truths)) is not None:
            return found
    return None


def _names(bucket: Bucket, endpoint: str) -> Sequence[str]:
    home = f"{Layout.audit(endpoint)}/"
    return sorted(key.removeprefix(home).removesuffix(".json") for key in bucket.list(home) if key.endswith(".json"))


def _truth_line(event: str, label: str, who: str, now: datetime) -> str:
    record = {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": {"eventId": event, "by": who, "at": now.isoformat(timespec="seconds")},
        "eventVersion": "0",
    }
    return json.dumps(record, separators=(",", ":")) + "\n"
