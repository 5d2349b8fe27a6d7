"""The captured pictures that people have judged: some to learn from, others to measure with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scones.capture import capture_files, event_hash, is_sampled, read_capture_file
from scones.errors import ObjectMissing, PictureError
from scones.monitoring.truth import join_truths, read_truths
from scones.monitoring.watch.audit import read_audits
from scones.picture import content_hash, decode
from scones.store import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scones.capture import CaptureRecord
    from scones.monitoring.watch.audit import Audit
    from scones.store import Bucket

__all__ = ["Judged", "judged_pictures"]

_HELD: Final = 0.4


@dataclass(frozen=True)
class Judged:
    """A captured picture, and what people say that it shows.

    Attributes:
        event: its event id; ``inference`` the caller's, "" where there is none.
        label: what it shows.
        data: its bytes, as they were captured; ``content`` the hash of what they show, hex.
        weight: how many of the endpoint's pictures it stands for: the inverse of the chance that it had to be drawn;
            None where it was not drawn in an audit, so that nobody knows.
        held: it is kept back to measure with, and never learned from.
    """

    event: str
    inference: str
    label: str
    data: bytes
    content: str
    weight: float | None
    held: bool


def judged_pictures(bucket: Bucket, endpoint: str, task: str, labels: tuple[str, ...]) -> list[Judged]:
    """Find the captured pictures that people have judged: in audits of a task, or in ground truth from elsewhere.

    Two in five of the audited ones are held back, by their event ids: who was held back once is so for ever, so that no
    later candidate has learned from what it is measured with. The others were not drawn by known chances, and nothing
    is measured with them. What people answered in reviews is not among them: it comes as examples.

    Args:
        bucket: where audits, ground truth and capture lie.
        endpoint: whose.
        task: the task's name.
        labels: of the task; what was judged to be something else is left out.

    Returns:
        Each event once: those of audits, by the newest one, in order of the audits; then the others. One whose capture
        file is gone, or that cannot be decoded, is left out.

    Raises:
        StoreError: the store does not answer.
    """
    truths = read_truths(bucket, Layout.ground_truth(endpoint))
    audits = [audit for audit in read_audits(bucket, endpoint) if audit.task == task]
    return [*_audited(bucket, audits, truths, labels), *_others(bucket, endpoint, audits, truths, labels)]


def is_held(event: str) -> bool:
    """Whether an audited picture is kept back to measure with.

    Example:
        >>> sum(is_held(f"event-{k}") for k in range(1000))
        414
    """
    return is_sampled(f"held/{event}", _HELD)


def _audited(
    bucket: Bucket, audits: Sequence[Audit], truths: Mapping[int, str], labels: tuple[str, ...]
) -> Iterator[Judged]:
    found: dict[str, tuple[Audit, int, str]] = {}
    for audit in audits:
        for number, place in enumerate(audit.drawn):
            label = audit.truth(place, truths)
            if label in labels:
                found[audit.events[place]] = audit, number, str(label)
    files = {audit.files[audit.drawn[number]] for audit, number, _ in found.values()}
    records = {
        record.event_id: record
        for file in sorted(files)
        for record in _records(bucket, file)
        if record.event_id in found
    }
    for event, (audit, number, label) in found.items():
        if event in records:
            weight = 1 / max(audit.inclusion[number], 1e-9)
            yield from _judged(records[event], label, weight, held=is_held(event))


def _others(
    bucket: Bucket, endpoint: str, audits: Sequence[Audit], truths: Mapping[int, str], labels: tuple[str, ...]
) -> Iterator[Judged]:
    """Those that were judged without being drawn: the capture is read through for them, if there are any."""
    asked = {event_hash(audit.events[k]) for audit in audits for k in audit.drawn}
    asked |= {event_hash(audit.inferences[k]) for audit in audits for k in audit.drawn if audit.inferences[k]}
    reviews = read_truths(bucket)
    wanted = {name: label for name, label in truths.items() if name not in asked and name not in reviews}
    seen: set[str] = set()
    for file in capture_files(bucket.list(f"{Layout.CAPTURE}/{endpoint}")) if wanted else ():
        if not any(True for _ in join_truths(_records(bucket, file, pictures=0), wanted, labels)):
            continue
        for joined in join_truths(_records(bucket, file), wanted, labels):
            event = joined.record.event_id
            if joined.truth in labels and event not in seen and event_hash(event) not in asked:
                seen.add(event)
                yield from _judged(joined.record, joined.truth, None, held=False)


def _judged(record: CaptureRecord, label: str, weight: float | None, *, held: bool) -> Iterator[Judged]:
    if record.picture is None:
        return
    try:
        content = content_hash(decode(record.picture))
    except PictureError:
        return
    yield Judged(record.event_id, record.inference_id, label, record.picture, content, weight, held)


def _records(bucket: Bucket, file: str, *, pictures: float = 1) -> Iterator[CaptureRecord]:
    try:
        yield from read_capture_file(bucket, file, pictures=pictures)
    except ObjectMissing:
        return
