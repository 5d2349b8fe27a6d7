"""A depot's orders: files of JSON lines in the store, written once and never changed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from scones.contracts import Order, parse
from scones.errors import DispatchError, MessageError, ObjectExists
from scones.store import Bucket, Layout

__all__ = ["add_orders", "open_orders", "read_order_lines", "read_orders", "sample_orders"]


def add_orders(bucket: Bucket, depot: str, orders: Iterable[Order]) -> int:
    """Add orders to a depot; the same ones added twice are there once.

    Returns:
        How many orders were given.
    """
    lines = [order.model_dump_json() for order in orders]
    data = "".join(f"{line}\n" for line in lines).encode()
    with suppress(ObjectExists):
        bucket.create(f"{Layout.orders(depot)}/{hashlib.sha256(data).hexdigest()[:16]}.jsonl", data)
    return len(lines)


def read_orders(bucket: Bucket, depot: str) -> list[Order]:
    """Every order of a depot, given away or not.

    Raises:
        DispatchError: a file holds a line that is no order.
    """
    orders: dict[str, Order] = {}
    for key in bucket.list(Layout.orders(depot)):
        for order in _parse_lines(bucket.get(key), bucket.url(key)):
            orders[order.order_id] = order
    return list(orders.values())


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
        try:
            yield parse(Order, json.loads(line), "an order")
        except (ValueError, MessageError) as error:
            raise DispatchError(f"{origin} line {number} is no order ({error}): correct it") from error


def open_orders(bucket: Bucket, depot: str) -> list[Order]:
    """The orders of a depot that no driver has."""
    prefix = Layout.order_claim(depot)
    taken = {key.removeprefix(f"{prefix}/").removesuffix(".json") for key in bucket.list(prefix)}
    return [order for order in read_orders(bucket, depot) if order.order_id not in taken]


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
