"""Give each arrival one order, and each order to one arrival, whatever fails or repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from scones.contracts import Arrival, Body, Order, Route, parse
from scones.dispatch.depot import Depot, Vehicle
from scones.dispatch.orders import open_orders
from scones.errors import ObjectExists
from scones.store import Bucket, Layout

__all__ = ["route"]


def route(bucket: Bucket, depot: Depot, body: Body, label: str) -> Route:
    """Send a driver to a bay and give them an order.

    May be called again for the same arrival, also at the same time: the answer is the same.

    Args:
        bucket: where orders, claims and routes lie.
        depot: its bays and ranges.
        body: who arrived, in which execution.
        label: what they came with.

    Returns:
        The route; its order is None and its outcome "wait" when no order in range is open.

    Raises:
        DispatchError: the depot says nothing about this label.
    """
    vehicle = depot.vehicle(label)
    key = Layout.route(body.path)
    if bucket.exists(key):
        return parse(Route, bucket.get_json(key), key)
    order = _assign(bucket, body, vehicle)
    result = Route(
        arrival_id=body.arrival_id,
        driver_id=body.driver_id,
        label=label,
        bay=vehicle.bay,
        order=order,
        outcome="routed" if order else "wait",
        execution=body.execution,
    )
    try:
        bucket.create_json(key, result.model_dump())
    except ObjectExists:  # the same step, twice at once: the first one's answer stands
        return parse(Route, bucket.get_json(key), key)
    return result


def _assign(bucket: Bucket, arrival: Arrival, vehicle: Vehicle) -> Order | None:
    """Claim an order for an arrival.

    Before it claims an order, an arrival appends the order's name to a series of its own. Whoever repeats
    the step follows that series first, so all repetitions go for the same orders in the same order. A
    claim on an order is an atomic create that names the arrival: if another has it, the next is tried.
    """
    series, number = Layout.assignment_series(arrival.path), 0
    candidates: Iterator[Order] | None = None
    while True:
        number += 1
        record = Layout.record(series, number)
        if not bucket.exists(record):
            if candidates is None:
                candidates = iter(_in_range(open_orders(bucket, arrival.depot), vehicle))
            chosen = next(candidates, None)
            with suppress(ObjectExists):  # a repetition of this step was quicker: follow it
                # null ends the series: a repetition must not claim an order after the driver was told to wait
                bucket.create_json(record, chosen and chosen.model_dump())
        noted = bucket.get_json(record)
        if noted is None:
            return None
        order = parse(Order, noted, record)
        if _claim(bucket, arrival, order):
            return order


def _claim(bucket: Bucket, arrival: Arrival, order: Order) -> bool:
    key = Layout.order_claim(arrival.depot, order.order_id)
    try:
        bucket.create_json(key, {"arrival": arrival.path, **order.model_dump()})
    except ObjectExists:
        return bool(bucket.get_json(key)["arrival"] == arrival.path)
    return True


def _in_range(orders: list[Order], vehicle: Vehicle) -> list[Order]:
    """Open orders within a vehicle's range, the best first."""
    sign = 1 if vehicle.pick == "nearest" else -1
    fitting = [order for order in orders if vehicle.min_km <= order.distance_km <= vehicle.max_km]
    return sorted(fitting, key=lambda order: (sign * order.distance_km, order.order_id))
