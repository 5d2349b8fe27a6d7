"""Give each arrival one order, and each order to one arrival, whatever fails or repeats."""

from __future__ import annotations

from collections.abc import Iterator

from scones.contracts import Arrival, Body, Order, Route, parse
from scones.dispatch.depot import Depot, Vehicle
from scones.dispatch.orders import open_orders, read_order
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
        DispatchError: the depot says nothing about this label, or what lies among its orders is none.
    """
    vehicle = depot.vehicle(label)
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
    key = Layout.route(body.path)
    try:
        bucket.create_json(key, result.model_dump())
    except ObjectExists:  # this step again, or twice at once: the first one's answer stands
        return parse(Route, bucket.get_json(key), key)
    return result


def _assign(bucket: Bucket, arrival: Arrival, vehicle: Vehicle) -> Order | None:
    """Claim an order for an arrival.

    Before it claims an order, an arrival appends the order's name to a series of its own. Whoever repeats
    the step follows that series first, so all repetitions go for the same orders in the same order. A
    claim on an order is an atomic create that names the arrival: if another has it, the next is tried.
    """
    series = Layout.assignment_series(arrival.path)
    candidates = _in_range(bucket, arrival.depot, vehicle)
    number, chosen = 0, next(candidates, None)
    while True:
        number += 1
        record, order = Layout.record(series, number), chosen
        try:
            # null ends the series: a repetition must not claim an order after the driver was told to wait
            bucket.create_json(record, chosen and chosen.model_dump())
        except ObjectExists:  # this step again, or twice at once: go for what was noted first
            noted = bucket.get_json(record)
            order = parse(Order, noted, record) if noted is not None else None
        if order is None or _claim(bucket, arrival, order):
            return order
        if order == chosen:
            chosen = next(candidates, None)


def _claim(bucket: Bucket, arrival: Arrival, order: Order) -> bool:
    """Claim an order; False when another arrival has it. It is open no more either way."""
    key = Layout.order_claim(arrival.depot, order.order_id)
    try:
        bucket.create_json(key, {"arrival": arrival.path, **order.model_dump()})
        mine = True
    except ObjectExists:
        mine = bool(bucket.get_json(key)["arrival"] == arrival.path)
    # only now: whoever dies before this leaves an order that looks open, and the next one who tries it comes by here
    bucket.delete(Layout.order(arrival.depot, order.order_id, order.distance_km))
    return mine


def _in_range(bucket: Bucket, depot: str, vehicle: Vehicle) -> Iterator[Order]:
    """Open orders within a vehicle's range, the best first."""
    sign = 1 if vehicle.pick == "nearest" else -1
    fitting = (one for one in open_orders(bucket, depot) if vehicle.min_km <= one.distance_km <= vehicle.max_km)
    for named in sorted(fitting, key=lambda order: (sign * order.distance_km, order.order_id)):
        if order := read_order(bucket, depot, named):
            yield order
