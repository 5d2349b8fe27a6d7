"""Going back: what an operator at three in the morning expects."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scones.bundle import read_bundle
from scones.errors import BundleError, PromotionRefused, StoreReadOnly
from scones.registry import current_policy, find_rollback, history, roll_back, save_model
from scones.registry.aliases import point
from scones.store import Bucket, Layout, open_bucket

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


@pytest.fixture
def stock(tiny_bundle: Callable[..., bytes]) -> Callable[[Bucket], Bucket]:
    """Put the models a, b, c and d into a bucket, and a, b and c into production, one after the other."""

    def fill(bucket: Bucket) -> Bucket:
        for version in "abcd":
            save_model(bucket, *read_bundle(tiny_bundle(version=version)))
        for version in "abc":
            put(bucket, version)
        return bucket

    return fill


@pytest.fixture
def bucket(tmp_path: Path, stock: Callable[[Bucket], Bucket]) -> Bucket:
    return stock(open_bucket(str(tmp_path), "scones"))


def put(bucket: Bucket, version: str, threshold: float | None = None) -> None:
    point(bucket, "vehicles", "production", version, who="Ada", why="better", now=NOW, threshold=threshold)


def back(bucket: Bucket, to: str | None = None) -> str:
    roll_back(bucket, find_rollback(bucket, "vehicles", to), who="Bob", why="alarm", now=NOW)
    return current_policy(bucket, "vehicles").version


def test_twice_goes_back_by_two_and_then_there_is_nothing_left(bucket: Bucket) -> None:
    assert [back(bucket), back(bucket)] == ["b", "a"]
    with pytest.raises(PromotionRefused, match="nothing lies below a in production"):
        back(bucket)
    policy = current_policy(bucket, "vehicles")
    assert (policy.who, policy.why, policy.restores) == ("Bob", "alarm", 1)
    assert [record.version for record in history(bucket, "vehicles")] == ["a", "b", "c", "b", "a"]


def test_after_a_rollback_a_new_promotion_goes_back_to_what_it_replaced(bucket: Bucket) -> None:
    assert back(bucket) == "b"
    put(bucket, "d")
    assert back(bucket) == "b", "and not c, which was left before"
    assert back(bucket) == "a"


def test_a_rollback_is_undone_by_naming_the_model(bucket: Bucket) -> None:
    assert [back(bucket), back(bucket, to="c"), back(bucket)] == ["b", "c", "b"]


def test_several_steps_at_once(bucket: Bucket) -> None:
    assert back(bucket, to="a") == "a"
    with pytest.raises(PromotionRefused, match="nothing lies below a"):
        back(bucket)


def test_a_model_that_never_was_in_production_is_no_way_back(bucket: Bucket) -> None:
    with pytest.raises(PromotionRefused, match=r"model d never was in production of task vehicles: .*scones promote"):
        find_rollback(bucket, "vehicles", "d")


def test_what_is_there_already_is_not_written_again(bucket: Bucket) -> None:
    found = find_rollback(bucket, "vehicles", "c")
    assert found.is_there
    assert roll_back(bucket, found, who="Bob", why="alarm", now=NOW) is None
    assert len(history(bucket, "vehicles")) == 3


def test_the_threshold_that_a_person_set_comes_back_too(bucket: Bucket) -> None:
    put(bucket, "c", threshold=0.97)
    put(bucket, "c", threshold=0.97)
    put(bucket, "d")
    assert back(bucket) == "c"
    assert current_policy(bucket, "vehicles").threshold == 0.97
    assert back(bucket) == "c"
    assert current_policy(bucket, "vehicles").threshold is None, "the same model, without the override"
    assert back(bucket) == "b"


def test_a_task_that_never_had_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(PromotionRefused, match="no model of task road was ever in production"):
        find_rollback(open_bucket(str(tmp_path), "scones"), "road")


@pytest.mark.parametrize("damage", [None, b"damaged"])
def test_a_model_that_is_gone_or_damaged_is_found_out_before_anything_changes(
    bucket: Bucket, damage: bytes | None
) -> None:
    key = "models/vehicles/b/model.tar.gz"
    bucket.delete(key) if damage is None else bucket.put(key, damage)
    with pytest.raises(
        BundleError, match=r"b/model\.tar\.gz.* production stays as it is: .* `scones rollback --to VERSION`"
    ):
        back(bucket)
    assert current_policy(bucket, "vehicles").version == "c"
    assert len(history(bucket, "vehicles")) == 3
    assert back(bucket, to="a") == "a"


def test_a_damaged_record_is_a_place_to_go_back_from(bucket: Bucket) -> None:
    bucket.put(Layout.record(Layout.policy_series("vehicles"), 4), b"{")
    assert find_rollback(bucket, "vehicles").leaves is None
    assert back(bucket) == "c"
    assert back(bucket) == "b"


def test_a_damaged_record_is_no_place_to_go_back_to(bucket: Bucket) -> None:
    bucket.put(Layout.record(Layout.policy_series("vehicles"), 2), b"{")
    assert back(bucket) == "a"


def test_of_two_rollbacks_at_once_one_is_told_that_production_changed(bucket: Bucket) -> None:
    together = threading.Barrier(2)

    def go(_: int) -> str:
        found = find_rollback(bucket, "vehicles")
        together.wait()
        try:
            roll_back(bucket, found, who="Bob", why="alarm", now=NOW)
        except PromotionRefused as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(go, range(2)))
    assert said[0] == ""
    assert "changed meanwhile from c to b (Bob, 2026-11-20T03:00:00+00:00: alarm)" in said[1]
    assert current_policy(bucket, "vehicles").version == "b", "and not a, by two steps at once"


def test_a_read_only_store_is_told_and_nothing_changes(tiny_disk: Path, stock: Callable[[Bucket], Bucket]) -> None:
    bucket = stock(open_bucket(str(tiny_disk), "scones"))
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(StoreReadOnly):
        back(bucket)
    assert current_policy(bucket, "vehicles").version == "c"
