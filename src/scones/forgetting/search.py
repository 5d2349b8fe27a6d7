"""Finds all that is known of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from scones.contracts import Review
from scones.forgetting.found import Found
from scones.forgetting.lines import parsed, read, scan
from scones.forgetting.person import Person
from scones.forgetting.staged import find_staged
from scones.functions.answer_capture import VARIANT
from scones.layout import Layout
from scones.page.numbers import plural
from scones.store import is_key

if TYPE_CHECKING:
    from scones.forgetting.eraser import Eraser
    from scones.store import Bucket
    from scones.workflow.engine import JournalReader

__all__ = [
    "AUDITS",
    "BATCHES",
    "CLAIMS",
    "RECORDS",
    "REPORTS",
    "WATCH_STATES",
    "Progress",
    "captured_by",
    "search",
]

Progress = Callable[[str, int, int], object]
"""Told what is being done, how much of it is done, and of how much (0: nobody knows)."""


def _kind(key: str) -> str:
    return key.partition("/")[0]


CLAIMS: Final = _kind(Layout.claim_series("x"))
ASSIGNMENTS: Final = _kind(Layout.assignment_series("x"))
BATCHES: Final = _kind(Layout.batch("x"))
REPORTS: Final = _kind(Layout.report("x"))
AUDITS: Final = _kind(Layout.audit("x"))
WATCH_STATES: Final = _kind(Layout.watch_state("x"))
RECORDS: Final = (
    Layout.ANSWERS,
    ASSIGNMENTS,
    Layout.DEAD_LETTERS,
    Layout.RETRIES,
    Layout.EXAMPLES,
    _kind(Layout.route("x")),
    Layout.RESULTS,
    Layout.REVIEWS,
    CLAIMS,
)
"""What the records of an arrival lie under, in the order in which they go: those that name the rest are the last."""
_LAG: Final = (timedelta(seconds=10), timedelta(minutes=10))
"""How long after an answer its capture may still be on its way: of `scones serve`, which says 5 s, and of SageMaker."""
_INFERENCE_ID: Final = 64
"""Characters of an execution's name that are the id of its inference."""
_NAMED: Final = 4
"""Slashes in a key that names an arrival."""

_ON_S3: Final = [
    "Step Functions keeps histories of `review` and `batch` for 90 days, whatever one does: they hold no picture",
    "of `classify` too where ClassifyType is STANDARD: those do hold pictures",
    "logs may name arrivals until they expire (LogDays)",
    "datasets that were copied for training lie in the bucket of artefacts: do this again with --bucket",
]


def captured_by(inferences: set[str]) -> Callable[[Any], bool]:
    """Whether a line of a capture is of one of these inferences."""
    return lambda line: _ids(line)[0] in inferences


def search(
    bucket: Bucket,
    eraser: Eraser,
    journal: JournalReader | None,
    person: Person,
    *,
    now: datetime,
    capture: str = Layout.CAPTURE,
    report: Progress = lambda *_: None,
) -> Found:
    """Find all that is known of a person; nothing is changed.

    Args:
        bucket: where objects lie.
        eraser: of that bucket.
        journal: of the engine; None: there is none.
        person: who.
        now: the time.
        capture: what the capture lies under.
        report: told how the search goes on.

    Raises:
        StoreError, AwsError, JournalError: something cannot be read.
    """
    found = Found(person, capture)
    for number, kind in enumerate((Layout.ARRIVALS, *RECORDS), 1):
        report("looking for records", number, len(RECORDS) + 1)
        if keys := _keys_of(eraser, kind, person):
            found.objects[kind] = keys
    latest = [*_read_records(found, bucket)]
    _find_staged(found, bucket, eraser)
    known = -1
    while known < len(found.pictures):  # inferences are of pictures, and datasets hold pictures of inferences
        known = len(found.pictures)
        _find_batches(found, bucket, report)
        if journal is not None:
            latest += _find_executions(found, journal, report)
        _find_staged(found, bucket, eraser)
    _find_captured(found, bucket, report)
    _find_watched(found, bucket)
    _find_reports(found, bucket)
    _find_obstacles(found, bucket, max(latest, default=None), now)
    if journal is None and bucket.folder is not None:
        found.kept.append("no journal was looked through, and an engine's holds pictures: name it with --journal")
    if bucket.folder is None:
        found.kept += _ON_S3
    found.kept, found.obstacles = list(dict.fromkeys(found.kept)), list(dict.fromkeys(found.obstacles))
    return found


def _keys_of(eraser: Eraser, kind: str, person: Person) -> list[str]:
    if person.arrival_id is not None:
        keys = eraser.keys(f"{kind}/{person.task}/{person.depot}/{person.driver_id}/{person.arrival_id}")
        return [key for key in keys if person.owns(key)]
    found: list[str] = []
    for task in eraser.folders(f"{kind}/"):
        for depot in eraser.folders(f"{kind}/{task}/") if person.depot is None else [person.depot]:
            found += eraser.keys(f"{kind}/{task}/{depot}/{person.driver_id}/")
    return found


def _read_records(found: Found, bucket: Bucket) -> list[datetime]:
    """Learn from the records what was inferred and where else pictures lie; answers when arrivals were claimed."""
    claimed, elsewhere = [], set()
    for kind in RECORDS:
        for key in found.objects.get(kind, ()):
            if not (is_key(key) and key.endswith(".json")):  # a half of one, which a killed process left
                continue
            record = parsed(read(bucket, key))
            if kind == ASSIGNMENTS:
                _keep_order(found, bucket, key, record)
            if not isinstance(record, dict):
                continue
            if kind == CLAIMS:
                _add_inference(found, record.get("name"))
                with suppress(KeyError, TypeError, ValueError, OverflowError):  # then it says no time
                    claimed.append(datetime.fromtimestamp(record["at"], UTC))
            _add_inference(found, record.get("execution"))
            _add_inference(found, record.get("inference_id"))
            place, picture = record.get("s3_bucket"), str(record.get("s3_key") or "")
            if place == bucket.name and picture:
                if _names_nobody(picture):
                    elsewhere.add(picture)
                elif _kind(picture) == Layout.ARRIVALS and not found.person.owns(picture):
                    found.kept.append(f"{picture} has the name of another arrival, and {key} says theirs: look at it")
            elif picture and place is not None:
                found.kept.append(f"s3://{place}/{picture} lies in another bucket: remove it there")
    if elsewhere:
        found.pictures |= elsewhere
        found.objects[Layout.ARRIVALS] = [*found.objects.get(Layout.ARRIVALS, ()), *sorted(elsewhere)]
    return claimed


def _names_nobody(picture: str) -> bool:
    """A picture's key says neither whose it is nor, as one of a dataset, where to read that."""
    kind = _kind(picture)
    return kind != _kind(Layout.dataset("x")) and (kind != Layout.ARRIVALS or picture.count("/") < _NAMED)


def _keep_order(found: Found, bucket: Bucket, key: str, order: Any) -> None:
    arrival = key.removeprefix(f"{ASSIGNMENTS}/").rpartition("/")[0]
    if isinstance(order, dict):
        claim = Layout.order_claim(arrival.split("/")[1], str(order.get("order_id")))
        held = parsed(read(bucket, claim))
        if isinstance(held, dict) and held.get("arrival") == arrival:
            found.kept.append(f"{claim} stays: it says that {arrival} has the order, else it would be given again")


def _find_staged(found: Found, bucket: Bucket, eraser: Eraser) -> None:
    found.staged.clear()
    for one in find_staged(bucket, eraser, lambda line: found.names(line) or found.names_inference(line)):
        if not one.finished:
            found.kept.append(
                f"{one.prefix} has no manifest, so nobody can tell whom it shows: stage again, or remove it"
            )
            continue
        found.staged.append(one)
        if one.models:
            found.kept.append(
                f"{', '.join(one.models)} of task {one.task} learned from {one.prefix}: a model holds no picture; "
                "train and promote one anew if it is not to know them"
            )
    found.pictures.update(key for one in found.staged for key in one.pictures)


def _find_batches(found: Found, bucket: Bucket, report: Progress) -> None:
    keys = [key for key in bucket.list(BATCHES) if key.endswith(".jsonl")]

    def look(_: str, line: Any) -> str | None:
        if not found.names(line):
            return None
        return str(line.get("inference_id") or "") if isinstance(line, dict) else ""

    told = scan(bucket, keys, look, lambda done: report("looking through batches", done, len(keys)))
    found.lines[BATCHES] = {key: len(ids) for key, ids in told.items()}
    for ids in told.values():
        for one in ids:
            _add_inference(found, one)


def _find_executions(found: Found, journal: JournalReader, report: Progress) -> list[datetime]:
    """Find the executions about the person; answers when those ended."""
    report("looking through the journal", 0, 0)
    ended = []
    found.executions.clear()
    for one, mapped in journal.concerning(found.names):
        found.executions.append(one)
        if isinstance(one.output, dict):
            _add_inference(found, one.output.get("inference_id"))
        if one.stopped is not None:
            ended.append(one.stopped)
        if mapped:
            found.obstacles.append("a batch that works pictures of theirs has not ended: the same command ends it")
    return ended


def _find_captured(found: Found, bucket: Bucket, report: Progress) -> None:
    keys = [key for key in bucket.list(found.capture) if key.endswith(".jsonl")]

    def look(key: str, line: Any) -> str | None:
        inference, event = _ids(line)
        if inference in found.inferences:
            return "mine"
        # the endpoint gives its own id to what has none; the function gives the workflow's for both
        return "nobody's" if not inference or (inference == event and f"/{VARIANT}/" not in key) else None

    told = scan(bucket, keys, look, lambda done: report("looking through the capture", done, len(keys)))
    numbers = {key: Counter(said) for key, said in told.items()}
    found.lines[Layout.CAPTURE] = {key: said["mine"] for key, said in numbers.items() if said["mine"]}
    if untied := sum(said["nobody's"] for said in numbers.values()):
        found.kept.append(
            f"{plural(untied, 'captured answer')} went to callers who are not the workflow, so nobody can tell whom "
            f"they show: remove {bucket.url(found.capture)} as a whole if they must go"
        )


def _find_watched(found: Found, bucket: Bucket) -> None:
    """What the monitor keeps of the latest pictures, and audits that they were drawn in: by ids of inferences."""
    names = [one.encode() for one in found.inferences]
    for kind, after in (
        (WATCH_STATES, "the watch begins anew"),
        (AUDITS, "answers to it tell no accuracy any more"),
    ):
        keys = [key for key in bucket.list(kind) if any(name in read(bucket, key) for name in names)]
        if keys:
            found.objects[kind] = keys
            found.kept.append(f"{', '.join(keys)} names inferences of theirs, and goes as a whole: {after}")


def _find_reports(found: Found, bucket: Bucket) -> None:
    names = [one.encode() for one in found.inferences]
    shown = [key for key in bucket.list(REPORTS) if any(name in read(bucket, key) for name in names)]
    if shown:
        found.objects[REPORTS] = shown
        found.kept.append(f"{', '.join(shown)} may show them: removed, to be drawn anew with `scones monitor report`")


def _find_obstacles(found: Found, bucket: Bucket, latest: datetime | None, now: datetime) -> None:
    here = {one.name for one in found.executions}
    closed = {found_in for kind in (Layout.ANSWERS, Layout.RESULTS) for found_in in found.objects.get(kind, ())}
    for key in found.objects.get(Layout.REVIEWS, ()):
        try:
            review = Review.model_validate(parsed(read(bucket, key)))
        except ValueError:
            continue
        if review.execution not in here and now < review.deadline:
            if closed & {Layout.answer(review.path), Layout.result(review.path)}:
                continue
            found.obstacles.append(
                f"a person is still asked about {review.path}, and the end of that would be written down: "
                f"answer it, or wait until {review.deadline:%Y-%m-%d %H:%M:%S} UTC"
            )
    ready = None if latest is None else latest + _LAG[bucket.folder is None]
    if ready is not None and now < ready:
        found.obstacles.append(
            f"something arrived just now, and its capture may be on its way: wait until {ready:%H:%M:%S} UTC"
        )


def _add_inference(found: Found, name: Any) -> None:
    if isinstance(name, str) and name:
        found.inferences.add(name[:_INFERENCE_ID])


def _ids(line: Any) -> tuple[str, str]:
    """The ids of a captured line: the caller's, and the endpoint's own; empty where there is none."""
    told = line.get("eventMetadata") if isinstance(line, dict) else None
    if not isinstance(told, dict):
        return "", ""
    return str(told.get("inferenceId") or ""), str(told.get("eventId") or "")
