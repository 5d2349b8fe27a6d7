"""What giving an order away asks of the store, and what becomes of it when it is cut short anywhere."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import pytest
from obstore.store import LocalStore

from scones.contracts import Body, Order, Route
from scones.dispatch import Depot, Vehicle, add_orders, open_orders, route
from scones.store import Bucket, Layout, open_bucket

DEPOT = Depot(vehicles={"bicycle": Vehicle(bay="b", pick="nearest", max_km=1000)})
PAGE = 1_000  # keys in an answer of S3 to a list


class Killed(BaseException):
    pass


class Watched(Bucket):
    """A bucket that counts what it is asked for, as S3 would, and dies on demand.

    Args:
        folder: of the bucket.
        last: requests that it answers.
        answers: whether it does what it is asked last, or dies on the way.
    """

    def __init__(self, folder: Path, last: int | None = None, *, answers: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder.name, LocalStore(folder), folder)
        self.asked: Counter[str] = Counter()
        self._last, self._answers = last, answers

    @contextmanager
    def _asks(self, what: str) -> Iterator[None]:
        self.asked[what] += 1
        last = self.asked.total() == self._last
        if last and not self._answers:
            raise Killed
        try:
            yield
        finally:
            if last:
                raise Killed

    def create(self, key: str, data: bytes) -> None:
        with self._asks("put"):
            super().create(key, data)

    def get(self, key: str, *, most: int | None = None) -> bytes:
        with self._asks("get"):
            return super().get(key, most=most)

    def exists(self, key: str) -> bool:
        with self._asks("get"):
            return super().exists(key)

    def list(self, prefix: str) -> Iterator[str]:
        with self._asks("list"):
            found = [*super().list(prefix)]
        self.asked["list"] += max(0, ceil(len(found) / PAGE) - 1)
        return iter(found)

    def delete(self, key: str) -> None:
        with self._asks("delete"):
            super().delete(key)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


def arrived(name: str) -> Body:
    return Body(
        task="vehicles", depot="main", driver_id="d", arrival_id=name, s3_bucket="scones", s3_key="k", execution=name
    )


def orders(count: int, first: int = 0) -> list[Order]:
    return [Order(order_id=f"o{n}", distance_km=n / 10) for n in range(first, first + count)]


def claims(bucket: Bucket) -> dict[str, str]:
    """Which arrival has an order, by the order's id."""
    found = (bucket.get_json(key) for key in bucket.list(Layout.order_claim("main")))
    return {one["order_id"]: one["arrival"] for one in found}


def left(bucket: Bucket) -> list[str]:
    return sorted(order.order_id for order in open_orders(bucket, "main"))


def test_an_order_costs_six_requests_however_many_were_given_away(tmp_path: Path, bucket: Bucket) -> None:
    for one in orders(4_950):  # as the arrivals of fifty days leave it
        bucket.create_json(Layout.order_claim("main", one.order_id), {"arrival": "other", **one.model_dump()})
    assert add_orders(bucket, "main", orders(5_000)) == 50
    assert all(route(bucket, DEPOT, arrived(f"{n}"), "bicycle").order for n in range(50))
    assert len(claims(bucket)) == 5_000
    add_orders(bucket, "main", orders(10, first=5_000))
    watched = Watched(tmp_path / "scones")
    assert route(watched, DEPOT, arrived("next"), "bicycle").order == orders(1, first=5_000)[0]
    assert watched.asked == {"list": 1, "get": 1, "put": 3, "delete": 1}


def test_only_open_orders_beyond_a_thousand_cost_more_lists(tmp_path: Path, bucket: Bucket) -> None:
    add_orders(bucket, "main", orders(2_500))
    watched = Watched(tmp_path / "scones")
    assert route(watched, DEPOT, arrived("a"), "bicycle").outcome == "routed"
    assert watched.asked == {"list": 3, "get": 1, "put": 3, "delete": 1}


@pytest.mark.parametrize("answers", [True, False])
def test_whichever_request_was_the_last_the_same_step_again_ends_it(tmp_path: Path, answers: bool) -> None:
    """One order is held by another arrival, which died before it could take it from the list."""
    for last in range(1, 100):
        folder = tmp_path / f"killed-{last}"
        bucket = open_bucket(str(tmp_path), folder.name)
        add_orders(bucket, "main", orders(3))
        bucket.create_json(Layout.order_claim("main", "o0"), {"arrival": "other", **orders(1)[0].model_dump()})
        try:
            first = route(Watched(folder, last, answers=answers), DEPOT, arrived("a"), "bicycle")
        except Killed:
            first = None
        again = route(bucket, DEPOT, arrived("a"), "bicycle")
        assert first in (None, again)
        assert again.order == orders(2)[1]
        assert claims(bucket) == {"o0": "other", "o1": arrived("a").path}
        assert left(bucket) == ["o2"]
        if first:
            break
    assert last == 12, "each of the eleven requests was the last one once"


def test_of_a_step_that_was_killed_no_order_is_lost_and_none_is_given_twice(tmp_path: Path) -> None:
    for last in range(1, 7):
        folder = tmp_path / f"killed-{last}"
        bucket = open_bucket(str(tmp_path), folder.name)
        add_orders(bucket, "main", orders(2))
        with pytest.raises(Killed):
            route(Watched(folder, last), DEPOT, arrived("a"), "bicycle")
        assert {*left(bucket), *claims(bucket)} == {"o0", "o1"}, "should it never come again"
        given = [route(bucket, DEPOT, arrived(name), "bicycle").order for name in "bcd"]  # before it comes again
        mine = route(bucket, DEPOT, arrived("a"), "bicycle").order
        assert sorted(one.order_id for one in (*given, mine) if one) == ["o0", "o1"]
        assert left(bucket) == []


def test_200_arrivals_at_a_time_share_100_orders(bucket: Bucket) -> None:
    add_orders(bucket, "main", orders(100))
    together = threading.Barrier(20)

    def arrive(n: int) -> Route:
        if n < 20:
            together.wait()
        return route(bucket, DEPOT, arrived(f"a{n}"), "bicycle")

    with ThreadPoolExecutor(20) as pool:
        routes = [*pool.map(arrive, range(200))]
    given = [found.order.order_id for found in routes if found.order]
    assert len(given) == len({*given}) == 100
    assert sum(found.outcome == "wait" for found in routes) == 100
    assert {*claims(bucket)} == {*given}
    assert left(bucket) == []


def test_orders_that_come_while_others_go_are_all_given_once(bucket: Bucket) -> None:
    def work(n: int) -> Route | int:
        if n % 2:
            return add_orders(bucket, "main", orders(4, first=2 * (n // 2)))  # half of them were added before
        return route(bucket, DEPOT, arrived(f"a{n}"), "bicycle")

    with ThreadPoolExecutor(8) as pool:
        done = [*pool.map(work, range(80))]
    given = {one.order.order_id for one in done if isinstance(one, Route) and one.order}
    assert {*claims(bucket)} == given
    rest = [route(bucket, DEPOT, arrived(f"later-{n}"), "bicycle").order for n in range(82)]
    later = [one.order_id for one in rest if one]
    assert not given & {*later}
    assert len(given) + len(later) == len(given | {*later}) == 82
    assert left(bucket) == []


def test_an_order_that_a_driver_has_is_not_added_again(bucket: Bucket) -> None:
    assert add_orders(bucket, "main", orders(2)) == 2
    route(bucket, DEPOT, arrived("a"), "bicycle")
    assert add_orders(bucket, "main", orders(3)) == 1
    assert left(bucket) == ["o1", "o2"]


def test_an_order_that_was_added_with_another_distance_is_given_once(bucket: Bucket) -> None:
    add_orders(bucket, "main", [Order(order_id="o", distance_km=1), Order(order_id="o", distance_km=2)])
    assert route(bucket, DEPOT, arrived("a"), "bicycle").outcome == "routed"
    assert route(bucket, DEPOT, arrived("b"), "bicycle").outcome == "wait"
    assert left(bucket) == []


def test_what_else_is_said_of_an_order_goes_with_it(bucket: Bucket) -> None:
    told = Order.model_validate({"order_id": "o", "distance_km": 1e-7, "street": "Königsweg 3"})
    add_orders(bucket, "main", [told, Order(order_id="p", distance_km=1e16)])
    assert left(bucket) == ["o", "p"]
    assert route(bucket, DEPOT, arrived("a"), "bicycle").order == told
    assert bucket.get_json(Layout.order_claim("main", "o"))["street"] == "Königsweg 3"
    assert left(bucket) == ["p"]
