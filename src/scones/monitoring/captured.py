"""Sum up a whole capture, however large: each event counts once, and what was read is kept for the next time."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import chain

from scones.capture import (
    CaptureProblems,
    CaptureRecord,
    capture_lines,
    decode_line,
    decode_lines,
    event_hash,
    is_sampled,
)
from scones.errors import ObjectMissing
from scones.monitoring.capture_day import CaptureDay, CaptureFile, by_day, forget_days, load_day, save_day
from scones.monitoring.summary import Summary, Unsure
from scones.monitoring.tally import Place, Tally
from scones.store import Bucket

__all__ = ["summarise_capture"]

_FORM = 1  # of what is kept: another one is made anew
_BATCH_BYTES, _BATCH_FILES = 32 * 2**20, 256
_WHOLE = 8 * 2**20  # a larger file is read in pieces
_WORTH_BYTES, _WORTH_FILES = 128 * 2**20, 4096  # from here on more processes are worth their start
_FETCHERS = 4  # the next files come while one is read
_MOST_PROCESSES = 8


@dataclass(frozen=True)
class _Question:
    labels: tuple[str, ...]
    threshold: float | None
    pictures: float

    def name(self, prefix: str) -> str:
        """A name for what is kept: of the same question always the same."""
        text = json.dumps([_FORM, prefix, self.labels, self.threshold, self.pictures])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def summarise_capture(
    bucket: Bucket,
    prefix: str,
    labels: Sequence[str] = (),
    threshold: float | None = None,
    *,
    pictures: float = 1,
    problems: CaptureProblems | None = None,
    processes: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Summary:
    """Sum up every record below a prefix; of events that were captured twice, one counts.

    What was read is kept in the store by day (``capture-days/``), and the next call reads only files that are new.
    A day of which a file has changed or gone is read again as a whole, so that the summary is always of what is
    there. Pictures are not decoded; those of the least sure are read at the end.

    Args:
        bucket: where the capture lies.
        prefix: a folder, as ``capture/scones``.
        labels, threshold: as in :func:`scones.monitoring.summarise`.
        pictures: share of the records, 0 to 1, chosen by event id, that may be shown with their pictures.
        problems: filled with what could not be read or used.
        processes: how many read; None for one, or for much to read one a core and at most 8. With more than one, a
            script must keep its own code under ``if __name__ == "__main__"``.
        report: called with how many files are done, and of how many.

    Raises:
        StoreError: the store does not answer.
    """
    problems = CaptureProblems() if problems is None else problems
    prefix = prefix.strip("/")
    question = _Question(tuple(labels), threshold, pictures)
    name = question.name(prefix)
    there = by_day(bucket.entries(f"{prefix}/" if prefix else ""))
    kept = {day: load_day(bucket, name, day, files) for day, files in there.items()}
    seen = set(chain.from_iterable(one.events for one in kept.values()))
    done, total = sum(len(one.files) for one in kept.values()), sum(map(len, there.values()))
    new = {day: _new(files, kept[day]) for day, files in there.items()}
    batches = [(day, batch) for day, files in new.items() for batch in _batches(files)]
    with ExitStack() as stack:
        waiting = _read_all(bucket, [batch for _, batch in batches], question, processes, stack)
        for place, ((day, batch), read) in enumerate(zip(batches, waiting, strict=True)):
            part = read
            if not seen.isdisjoint(part.events):  # rare, so it is better to read these again than to tell all to all
                part = _read(bucket, batch, question, frozenset(seen.intersection(part.events)))
            seen.update(part.events)
            kept[day].merge(part)
            done += len(batch)
            if report is not None:
                report(done, total)
            if place + 1 == len(batches) or batches[place + 1][0] != day:
                save_day(bucket, name, day, kept[day])
    forget_days(bucket, name, there)
    keys = {file.hash: file.key for files in there.values() for file in files}
    tally = Tally()
    for one in kept.values():
        tally.merge(one.tally)
        one.tell(problems, keys)
    return tally.summary(problems, _shown(bucket, tally.unsure(), keys), pictures)


def _new(files: list[CaptureFile], kept: CaptureDay) -> list[CaptureFile]:
    known = set(kept.files)
    return [file for file in files if file.hash not in known]


def _batches(files: list[CaptureFile]) -> Iterator[list[CaptureFile]]:
    batch: list[CaptureFile] = []
    size = 0
    for file in files:
        if batch and (size + file.size > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _read_all(
    bucket: Bucket,
    batches: list[list[CaptureFile]],
    question: _Question,
    processes: int | None,
    stack: ExitStack,
) -> Iterator[CaptureDay]:
    """What each batch holds, in their order; a few are read ahead."""
    if processes is None:
        much = sum(file.size for batch in batches for file in batch) >= _WORTH_BYTES
        much = much or sum(map(len, batches)) >= _WORTH_FILES
        processes = min(os.cpu_count() or 1, _MOST_PROCESSES) if much else 1
    if min(processes, len(batches)) <= 1:
        for batch in batches:
            yield _read(bucket, batch, question)
        return
    # Spawned, not forked: the store has threads of its own.
    context = multiprocessing.get_context("spawn")
    pool = stack.enter_context(ProcessPoolExecutor(min(processes, len(batches)), context))
    stack.callback(pool.shutdown, cancel_futures=True)
    ahead: deque[Future[CaptureDay]] = deque()
    for batch in batches:
        ahead.append(pool.submit(_read, bucket, batch, question))
        if len(ahead) > 2 * processes:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _read(
    bucket: Bucket, files: list[CaptureFile], question: _Question, skip: frozenset[int] = frozenset()
) -> CaptureDay:
    """Read files, without the events to be skipped and without pictures."""
    found = CaptureDay()
    own: set[int] = set()
    for file, chunks in _fetched(bucket, files):
        found.files.append(file.hash)
        try:
            for number, record in decode_lines(chunks, _complain(found, file), pictures=0):
                event = event_hash(record.event_id)
                if event in skip or event in own:
                    continue
                own.add(event)
                if (fault := record.fault) is not None:
                    found.complain(file, number, fault)
                    continue
                shown = is_sampled(record.event_id, question.pictures)
                place = (file.hash, number, event)
                found.tally.add(record, question.labels, question.threshold, place=place, shown=shown)
        except ObjectMissing as error:  # it was deleted meanwhile
            found.complain(file, 0, str(error))
    found.events.extend(own)
    return found


def _complain(found: CaptureDay, file: CaptureFile) -> Callable[[int, str], None]:
    return lambda number, reason: found.complain(file, number, reason)


def _fetched(bucket: Bucket, files: list[CaptureFile]) -> Iterator[tuple[CaptureFile, Iterator[bytes]]]:
    """Files with their bytes; small ones are fetched ahead."""
    if len(files) == 1:
        yield files[0], bucket.chunks(files[0].key)
        return

    def fetch(file: CaptureFile) -> list[bytes] | ObjectMissing | None:
        try:
            return list(bucket.chunks(file.key)) if file.size <= _WHOLE else None
        except ObjectMissing as error:
            return error

    with ThreadPoolExecutor(_FETCHERS) as pool:
        for file, data in zip(files, pool.map(fetch, files), strict=True):
            yield file, iter(data) if isinstance(data, list) else bucket.chunks(file.key)


def _shown(bucket: Bucket, unsure: list[tuple[Unsure, Place | None]], keys: dict[int, str]) -> tuple[Unsure, ...]:
    """The least sure with their pictures and names, as far as they are still there."""
    places = [place for _, place in unsure if place is not None]
    found: dict[Place, CaptureRecord] = {}
    for file in dict.fromkeys(file for file, _, _ in places):
        lines = {line: (file, line, event) for of, line, event in places if of == file}
        with suppress(ObjectMissing):
            for number, text in enumerate(capture_lines(bucket.chunks(keys[file])), start=1):
                if number in lines and (record := _with_picture(text, lines[number][2])) is not None:
                    found[lines[number]] = record
    return tuple(
        replace(one, picture=found[place].picture, name=found[place].inference_id or found[place].event_id)
        for one, place in unsure
        if place in found
    )


def _with_picture(line: bytes, event: int) -> CaptureRecord | None:
    for pictures in (1, 0):  # its picture may be damaged, which nobody has seen yet
        with suppress(ValueError):
            record = decode_line(line, pictures=pictures)
            return record if event_hash(record.event_id) == event else None
    return None
