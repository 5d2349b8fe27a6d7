"""Each arrival gets one order, each order goes to one arrival."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scones.contracts import Body, Order, Route
from scones.dispatch import Depot, Vehicle, add_orders, load_depot, open_orders, read_order_lines, route, sample_orders
from scones.errors import DispatchError
from scones.store import Bucket, Layout, open_bucket

DEPOT = load_depot()


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


def arrived(name: str, execution: str = "") -> Body:
    return Body(
        task="vehicles",
        depot="main",
        driver_id=f"driver-{name}",
        arrival_id=name,
        s3_bucket="scones",
        s3_key=f"arrivals/vehicles/main/driver-{name}/{name}.png",
        execution=execution or name,
    )


def order(name: str, km: float) -> Order:
    return Order(order_id=name, distance_km=km)


def test_a_bicycle_gets_the_nearest_open_order_within_its_range(bucket: Bucket) -> None:
    add_orders(bucket, "main", [order("far", 20), order("near", 1), order("nearer", 0.5)])
    found = route(bucket, DEPOT, arrived("a"), "bicycle")
    assert found.order == order("nearer", 0.5)
    assert (found.bay, found.outcome) == ("bicycle bay", "routed")


def test_a_motorcycle_gets_a_far_order(bucket: Bucket) -> None:
    add_orders(bucket, "main", [order("far", 20), order("near", 1), order("too-far", 90)])
    assert route(bucket, DEPOT, arrived("a"), "motorcycle").order == order("far", 20)


def test_a_driver_without_an_order_in_range_waits_in_the_bay(bucket: Bucket) -> None:
    add_orders(bucket, "main", [order("far", 20)])
    found = route(bucket, DEPOT, arrived("a"), "bicycle")
    assert (found.order, found.outcome, found.bay) == (None, "wait", "bicycle bay")
    assert [o.order_id for o in open_orders(bucket, "main")] == ["far"]


def test_a_repeated_step_gets_the_same_answer(bucket: Bucket) -> None:
    add_orders(bucket, "main", sample_orders(20, seed=1))
    first = route(bucket, DEPOT, arrived("a"), "bicycle")
    assert route(bucket, DEPOT, arrived("a"), "bicycle") == first
    assert len(open_orders(bucket, "main")) == 19


def test_a_step_killed_between_claim_and_record_finds_its_own_claim(bucket: Bucket) -> None:
    add_orders(bucket, "main", [order("one", 1), order("two", 2)])
    first = route(bucket, DEPOT, arrived("a"), "bicycle")
    bucket.delete(Layout.route(arrived("a").path))  # as if the process had died before this write
    assert route(bucket, DEPOT, arrived("a"), "bicycle").order == first.order
    assert [o.order_id for o in open_orders(bucket, "main")] == ["two"]


def test_a_driver_told_to_wait_is_not_given_an_order_behind_their_back(bucket: Bucket) -> None:
    route(bucket, DEPOT, arrived("a"), "bicycle")
    bucket.delete(Layout.route(arrived("a").path))
    add_orders(bucket, "main", [order("new", 1)])
    assert route(bucket, DEPOT, arrived("a"), "bicycle").outcome == "wait"
    assert len(open_orders(bucket, "main")) == 1


def test_many_drivers_together_never_share_an_order(bucket: Bucket) -> None:
    add_orders(bucket, "main", [order(f"o{n}", n / 10) for n in range(20)])
    together = threading.Barrier(16)

    def arrive(n: int) -> Route:
        together.wait()
        return route(bucket, DEPOT, arrived(f"a{n}"), "bicycle")

    with ThreadPoolExecutor(16) as pool:
        routes = list(pool.map(arrive, range(16)))
    given_away = [found.order.order_id for found in routes if found.order]
    assert len(given_away) == len(set(given_away)) == 16
    assert len(open_orders(bucket, "main")) == 4


def test_the_same_arrival_worked_twice_at_once_gets_one_order(bucket: Bucket) -> None:
    add_orders(bucket, "main", [order(f"o{n}", n / 10) for n in range(40)])
    together = threading.Barrier(16)

    def arrive(n: int) -> Route:
        together.wait()
        return route(bucket, DEPOT, arrived(f"a{n % 4}", execution=f"e{n}"), "bicycle")

    with ThreadPoolExecutor(16) as pool:
        routes = list(pool.map(arrive, range(16)))
    for n in range(4):
        assert len({found.order.order_id for found in routes[n::4] if found.order}) == 1
    assert len(open_orders(bucket, "main")) == 36


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    distances=st.lists(st.floats(0, 40), max_size=12),
    labels=st.lists(st.sampled_from(["bicycle", "motorcycle"]), max_size=12),
)
def test_whatever_the_orders_none_is_given_twice_or_out_of_range(
    tmp_path_factory: pytest.TempPathFactory, distances: list[float], labels: list[str]
) -> None:
    place = open_bucket(str(tmp_path_factory.mktemp("store")), "scones")
    add_orders(place, "main", [order(f"o{n}", km) for n, km in enumerate(distances)])
    seen = set()
    for n, label in enumerate(labels):
        found = route(place, DEPOT, arrived(f"a{n}"), label)
        if found.order:
            vehicle = DEPOT.vehicle(label)
            assert vehicle.min_km <= found.order.distance_km <= vehicle.max_km
            assert found.order.order_id not in seen
            seen.add(found.order.order_id)


def test_the_same_orders_added_twice_are_there_once(bucket: Bucket) -> None:
    add_orders(bucket, "main", sample_orders(5, seed=1))
    add_orders(bucket, "main", sample_orders(5, seed=1))
    assert len(open_orders(bucket, "main")) == 5


@pytest.mark.parametrize(
    "name", ["list.jsonl", "1.0_.json", "1.0_a", "1_a.json", "nan_a.json", "-1.0_a.json", "1.0_a/b"]
)
def test_what_lies_among_the_orders_and_is_none_is_named(bucket: Bucket, name: str) -> None:
    bucket.put(f"orders/main/{name}", b'{"order_id": "a", "distance_km": 1}')
    with pytest.raises(DispatchError, match=rf"orders/main/{name} has not the name of an order: remove it"):
        open_orders(bucket, "main")


def test_an_order_that_cannot_be_read_is_named(bucket: Bucket) -> None:
    bucket.put(Layout.order("main", "a", 1.0), b"hello")
    with pytest.raises(DispatchError, match=r"orders/main/1.0_a.json is no order"):
        route(bucket, DEPOT, arrived("a"), "bicycle")


def test_a_depot_file_that_is_wrong_says_where(tmp_path: Path) -> None:
    file = tmp_path / "depot.toml"
    file.write_text('[vehicles.bicycle]\nbay = "b"\npick = "best"\nmax_km = 3\n')
    with pytest.raises(DispatchError, match=r"depot.toml: vehicles.bicycle.pick"):
        load_depot(file)


def test_a_label_that_the_depot_does_not_know_is_named() -> None:
    depot = Depot(vehicles={"bicycle": Vehicle(bay="b", pick="nearest", max_km=3)})
    with pytest.raises(DispatchError, match=r"add \[vehicles.tractor\]"):
        depot.vehicle("tractor")


@pytest.mark.parametrize(
    "line", ['{"order_id": "x", "distance_km": 1e999}', '{"order_id": "../x", "distance_km": 1}', "7"]
)
def test_an_order_that_could_block_the_depot_is_refused_before_it_is_stored(line: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(DispatchError, match=r"orders.jsonl line 1 is no order"):
        read_order_lines(file)
