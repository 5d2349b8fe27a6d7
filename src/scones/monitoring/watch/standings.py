"""The series of an endpoint's stances: who decided what, and why. Nothing in it is ever changed."""

from __future__ import annotations

from dataclasses import dataclass

from scones.contracts import parse
from scones.errors import ObjectExists
from scones.monitoring.watch.records import Standing
from scones.store import Bucket, Layout

__all__ = ["Stood", "in_force", "newest_standing", "read_standings", "stand"]


@dataclass(frozen=True)
class Stood:
    """A record of the series, and its number, from 1."""

    number: int
    standing: Standing


def read_standings(bucket: Bucket, endpoint: str) -> list[Stood]:
    """Every stance that an endpoint was given, the oldest first, those too that were only said.

    Raises:
        MessageError: one is damaged.
    """
    series = Layout.stance_series(endpoint)
    return [Stood(number, _read(bucket, endpoint, number)) for number in bucket.numbers(series)]


def newest_standing(bucket: Bucket, endpoint: str) -> tuple[int, Standing | None]:
    """The newest stance with its number, even one that was only said; 0 and None where there is none.

    Raises:
        MessageError: it is damaged.
    """
    number = bucket.latest_number(Layout.stance_series(endpoint))
    return number, _read(bucket, endpoint, number) if number else None


def in_force(bucket: Bucket, endpoint: str) -> Standing | None:
    """The newest stance that was meant; None where none was, so that the endpoint is run as it was promoted to.

    Raises:
        MessageError: it is damaged.
    """
    for number in reversed(bucket.numbers(Layout.stance_series(endpoint))):
        if not (found := _read(bucket, endpoint, number)).dry_run:
            return found
    return None


def stand(bucket: Bucket, endpoint: str, standing: Standing, after: int) -> int:
    """Give an endpoint a stance. It is in force from now on; what it needs besides, :func:`apply` does.

    Args:
        bucket: where the series lies.
        endpoint: whose.
        standing: how it is to be run.
        after: number of the newest record (0: none) when that was decided.

    Returns:
        The record's number.

    Raises:
        ObjectExists: someone else decided something in between; nothing was written.
    """
    try:
        return bucket.append(Layout.stance_series(endpoint), standing.model_dump(mode="json"), after=after)
    except ObjectExists as error:
        other = _read(bucket, endpoint, after + 1)
        raise ObjectExists(
            f"the stance of endpoint {endpoint} changed meanwhile to {other.stance} ({other.who}, "
            f"{other.at:%Y-%m-%d %H:%M:%S}: {other.why}), so nothing was written: look at it with "
            "`scones monitor history`, then run this again"
        ) from error


def _read(bucket: Bucket, endpoint: str, number: int) -> Standing:
    key = Layout.record(Layout.stance_series(endpoint), number)
    return parse(Standing, bucket.get_json(key), bucket.url(key))
