"""A depot's open orders: an object each, whose name says what to choose by; it goes when the order is given away."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from scones.contracts import Order, parse
from scones.errors import DispatchError, MessageError, ObjectExists, ObjectMissing
from scones.store import Bucket, Layout

__all__ = ["add_orders", "open_orders", "read_order", "read_order_lines", "sample_orders"]

_WRITERS = 32
"""Orders that are written at a time: S3 takes some 30 ms for each, so 10,000 take some 20 s."""


def add_orders(bucket: Bucket, depot: str, orders: Iterable[Order]) -> int:
    """Add orders to a depot; the same ones added twice are there once, and what a driver has is not added again.

    If it is killed, some are there: add them again.

    Returns:
        How many of them are new.
    """
    from concurrent.futures import ThreadPoolExecutor  # route_driver adds none, and starts sooner without

    def add(order: Order) -> bool:
        if bucket.exists(Layout.order_claim(depot, order.order_id)):
            return False
        try:
            bucket.create_json(Layout.order(depot, order.order_id, order.distance_km), order.model_dump())
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(_WRITERS) as pool:
        return sum(pool.map(add, orders))


def read_order_lines(file: Path) -> list[Order]:
    """Read orders from a file of JSON lines.

    Raises:
        DispatchError: the file cannot be read, or holds a line that is no order.
    """
    try:
        return list(_parse_lines(file.read_bytes(), str(file)))
    except OSError as error:
        raise DispatchError(f"orders cannot be read from {file} ({error.strerror}): give another file") from error


def _parse_lines(data: bytes, origin: str) -> Iterator[Order]:
    for number, line in enumerate(data.splitlines(), start=1):
        yield _parse(line, f"{origin} line {number}")


def _parse(data: bytes, origin: str) -> Order:
    try:
        return parse(Order, json.loads(data), "an order")
    except (ValueError, MessageError) as error:
        raise DispatchError(f"{origin} is no order ({error}): correct it") from error


def open_orders(bucket: Bucket, depot: str) -> list[Order]:
    """The orders of a depot that no driver has, as their keys tell them: id and distance.

    It takes a request for each 1,000 of them, however many were given away. One that was given away a moment
    ago may still be among them: the claim decides.

    Raises:
        DispatchError: something else lies among them.
    """
    return [_named(key, bucket, depot) for key in bucket.list(Layout.orders(depot))]


def _named(key: str, bucket: Bucket, depot: str) -> Order:
    distance, _, order_id = key.rpartition("/")[2].removesuffix(".json").partition("_")
    try:
        order = parse(Order, {"order_id": order_id, "distance_km": distance}, "an order")
        if Layout.order(depot, order.order_id, order.distance_km) == key:
            return order
    except MessageError:
        pass
    raise DispatchError(
        f"{bucket.url(key)} has not the name of an order: remove it, and add orders with `scones orders --add FILE`"
    )


def read_order(bucket: Bucket, depot: str, order: Order) -> Order | None:
    """Read an open order with all that was said of it; None when it has just been given away.

    Raises:
        DispatchError: what is there is no order.
    """
    key = Layout.order(depot, order.order_id, order.distance_km)
    try:
        found = _parse(bucket.get(key), bucket.url(key))
    except ObjectMissing:
        return None
    return found.model_copy(update=order.model_dump())  # by whose id and distance it was chosen


def sample_orders(count: int, seed: int) -> list[Order]:
    """Make orders up: distances of 0.3 to 30 km, more near ones than far ones.

    Example:
        >>> [order.distance_km for order in sample_orders(3, seed=1)]
        [0.6, 14.9, 10.1]
    """
    rng = random.Random(seed)
    return [
        Order(order_id=f"order-{seed}-{n:04d}", distance_km=round(0.3 * 100 ** rng.random(), 1)) for n in range(count)
    ]
