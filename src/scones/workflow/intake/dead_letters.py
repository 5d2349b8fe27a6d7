"""Dead letters: arrivals that fail for good because of what they are. Each has a record that says why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from pydantic import BaseModel, ConfigDict

from scones.contracts import failure_message, parse
from scones.errors import MessageError, ObjectExists, ObjectMissing, PictureError, PictureTooLarge
from scones.store import Bucket, Layout
from scones.workflow.intake.ended import Ended

__all__ = ["POISON", "DeadLetter", "DeadLetters", "read_letters", "want_again"]

POISON: Final = {
    PictureError.__name__: "put a good picture under the same key",
    PictureTooLarge.__name__: "put a smaller picture under the same key",
    MessageError.__name__: "send the picture again under a name that fits and is free, and remove this one",
    ObjectMissing.__name__: "put the picture back under its key",
}
"""The errors that lie in an arrival itself, and what helps. Any other may pass: `scones run --retry-failed`."""


class DeadLetter(BaseModel):
    """Why an arrival was not worked.

    Attributes:
        key: where its picture lies.
        error: the error's name; ``cause``: its message.
        execution: the one that failed.
        at: when, UTC, ISO 8601.
        hint: what to do.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    error: str
    cause: str
    execution: str
    at: str
    hint: str

    @property
    def arrival(self) -> str:
        """How a person names it: its key below ``arrivals/``."""
        return arrival_of(self.key)


class DeadLetters:
    """The dead letters of a bucket, as the one process knows them that works its arrivals.

    Args:
        bucket: the arrivals' bucket.

    Raises:
        StoreError: they cannot be listed.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._keys = {_key_of(record, Layout.DEAD_LETTERS) for record in bucket.list(Layout.DEAD_LETTERS)}

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def write(self, ended: Ended) -> bool:
        """Write an arrival's dead letter, where its execution failed because of what the arrival is.

        Raises:
            StoreError: it cannot be written.
        """
        hint = POISON.get(ended.error) if ended.status == "FAILED" else None
        if hint is None or not ended.key.startswith(f"{Layout.ARRIVALS}/"):
            return False
        letter = DeadLetter(
            key=ended.key,
            error=ended.error,
            cause=failure_message(ended.cause),
            execution=ended.name,
            at=ended.at.isoformat(timespec="milliseconds"),
            hint=f"{hint}, then `scones dead-letters --retry {arrival_of(ended.key)}`",
        )
        self._bucket.put_json(Layout.dead_letter(ended.key), letter.model_dump())
        self._keys.add(ended.key)
        return True

    def remove(self, key: str) -> None:
        """The arrival is worked anew, or was; raises as :meth:`scones.store.Bucket.delete`."""
        self._bucket.delete(Layout.dead_letter(key))
        self._keys.discard(key)

    def wanted(self) -> Iterator[DeadLetter]:
        """The letters that a person wants to have worked anew; raises StoreError."""
        for record in self._bucket.list(Layout.RETRIES):
            try:
                yield parse(DeadLetter, self._bucket.get_json(record), record)
            except ObjectMissing:  # two looked at the same time
                continue

    def granted(self, letter: DeadLetter) -> None:
        """What a person wanted is done; raises StoreError."""
        self._bucket.delete(Layout.dead_letter_retry(letter.key))


def read_letters(bucket: Bucket) -> list[tuple[DeadLetter, bool]]:
    """All dead letters, the oldest first, each with whether it is to be worked anew.

    Raises:
        StoreError, MessageError: they cannot be read.
    """
    again = {_key_of(record, Layout.RETRIES) for record in bucket.list(Layout.RETRIES)}
    found = []
    for record in bucket.list(Layout.DEAD_LETTERS):
        try:
            letter = parse(DeadLetter, bucket.get_json(record), record)
        except ObjectMissing:  # `scones run` works it anew
            continue
        found.append((letter, letter.key in again))
    return sorted(found, key=lambda one: one[0].at)


def want_again(bucket: Bucket, letter: DeadLetter) -> None:
    """Have an arrival worked anew by the `scones run` that is at work, or by the next; raises StoreError."""
    with suppress(ObjectExists):  # it is wanted already
        bucket.create_json(Layout.dead_letter_retry(letter.key), letter.model_dump())


def arrival_of(key: str) -> str:
    """How a person names the picture under a key: without ``arrivals/``."""
    return key.removeprefix(f"{Layout.ARRIVALS}/")


def _key_of(record: str, prefix: str) -> str:
    return f"{Layout.ARRIVALS}{record.removeprefix(prefix).removesuffix('.json')}"
