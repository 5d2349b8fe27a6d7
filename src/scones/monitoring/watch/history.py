"""The looks at an endpoint that were written down, and the states that go with them. Loads no NumPy."""

from __future__ import annotations

import logging
import uuid

from pydantic import ValidationError

from scones.errors import ObjectMissing
from scones.monitoring.watch.records import Look
from scones.store import Bucket, Layout

__all__ = ["forget_states", "new_state_key", "newest_look", "newest_number", "read_look", "state_numbers"]

_log = logging.getLogger(__name__)


def newest_number(bucket: Bucket, endpoint: str) -> int:
    """The number of the newest look; 0 where there is none.

    It is found by the names of the states, of which there are few: the series itself grows by a record a look, and
    listing a year of it would take longer than the look.
    """
    series = Layout.watch_series(endpoint)
    known = sorted(set(state_numbers(bucket, endpoint).values()), reverse=True)
    number = next((each for each in known if bucket.exists(Layout.record(series, each))), 0)
    if not number:
        return bucket.latest_number(series)
    while bucket.exists(Layout.record(series, number + 1)):
        number += 1
    return number


def read_look(bucket: Bucket, endpoint: str, number: int) -> Look | None:
    """Read a look; None where there is none of that number, or a damaged one, which is logged."""
    key = Layout.record(Layout.watch_series(endpoint), number)
    try:
        return Look.model_validate_json(bucket.get(key))
    except ObjectMissing:
        return None
    except ValidationError as error:
        _log.warning("%s is damaged: %s", key, error)
        return None


def newest_look(bucket: Bucket, endpoint: str) -> tuple[int, Look | None]:
    """The newest look with its number; 0 and None where there is none. A damaged one is None, too.

    Raises:
        StoreError: the store does not answer.
    """
    number = newest_number(bucket, endpoint)
    return number, read_look(bucket, endpoint, number) if number else None


def new_state_key(endpoint: str, number: int) -> str:
    """A key that no other look writes to, for the state that the look of this number leaves."""
    return Layout.watch_state(endpoint, f"{number:08d}-{uuid.uuid4().hex[:12]}.npz")


def state_numbers(bucket: Bucket, endpoint: str) -> dict[str, int]:
    """The states that there are: by their keys, the numbers of the looks that they were written for."""
    found = {}
    for key in bucket.list(Layout.watch_state(endpoint)):
        number = key.rpartition("/")[2].partition("-")[0]
        if number.isdecimal():
            found[key] = int(number)
    return found


def forget_states(bucket: Bucket, endpoint: str, newest: int) -> None:
    """Remove the states of looks before the one before the newest, and what was left of looks that did not end.

    No look can be written any more that goes on from one of these.

    Raises:
        StoreError: the store does not answer.
    """
    for key, number in state_numbers(bucket, endpoint).items():
        if number < newest - 1:
            bucket.delete(key)
