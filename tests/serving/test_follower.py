"""The endpoint follows the store: production's policies and its own stances."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.errors import BundleError, MessageError, StoreError
from scones.monitoring.watch.records import Standing
from scones.registry.aliases import PRODUCTION, point
from scones.registry.models import save_model
from scones.serving.follower import Follower
from scones.serving.plan import Plan, Post
from scones.store import Bucket, Layout

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Shop:
    """A store with models v1 (in production), v2 and v3, of thresholds 0.8, and what is done there."""

    def __init__(self, bucket: Bucket, tiny_bundle: Callable[..., bytes]) -> None:
        self.bucket = bucket
        for version in ("v1", "v2", "v3"):
            save_model(bucket, *read_bundle(tiny_bundle(version=version, threshold=0.8)))
        self.promote("v1")

    def promote(self, version: str, **more: Any) -> None:
        point(self.bucket, "vehicles", PRODUCTION, version, who="Ada", why="better", now=NOW, **more)

    def stand(self, **fields: Any) -> None:
        standing = Standing(who="monitor", why="drift", at=NOW, **fields)
        self.bucket.append(Layout.stance_series("scones"), standing.model_dump(mode="json"))

    def damage(self, series: str) -> None:
        number = self.bucket.latest_number(series) + 1
        self.bucket.put(Layout.record(series, number), b"{}")


@pytest.fixture
def shop(bucket: Bucket, tiny_bundle: Callable[..., bytes]) -> Shop:
    return Shop(bucket, tiny_bundle)


@pytest.fixture
def follower(shop: Shop) -> Follower:
    return Follower(shop.bucket, "vehicles", "scones")


def begin(follower: Follower) -> Plan:
    plan = follower.begin()
    follower.outcome(plan, None)
    return plan


def test_it_begins_with_production_and_then_sees_nothing_new(follower: Follower) -> None:
    plan = begin(follower)
    assert plan == Plan(Post("v1", 0.8))
    assert plan.bundles.keys() == {"v1"}
    assert plan.bundles["v1"][0].version == "v1"
    assert follower.look() is None


def test_a_promotion_and_a_rollback_are_followed_and_only_what_is_not_there_is_sent(
    shop: Shop, follower: Follower
) -> None:
    begin(follower)
    for version in ("v2", "v3", "v1"):
        shop.promote(version)
        plan = follower.look()
        assert plan == Plan(Post(version, 0.8))
        assert plan.bundles.keys() == {version}
        assert follower.look() is None, "one after the other"
        follower.outcome(plan, None)
        assert follower.version == version
        assert follower.look() is None


def test_of_several_changes_the_last_counts(shop: Shop, follower: Follower) -> None:
    begin(follower)
    for version in ("v2", "v3"):
        shop.promote(version)
    assert follower.look() == Plan(Post("v3", 0.8))


def test_a_threshold_of_production_or_of_a_stance_counts_without_the_model_being_sent_again(
    shop: Shop, follower: Follower
) -> None:
    begin(follower)
    changes: list[tuple[Callable[[], None], float]] = [
        (lambda: shop.promote("v1", threshold=0.7), 0.7),
        (lambda: shop.stand(stance="cautious", threshold=0.95), 0.95),
        (lambda: shop.stand(stance="cautious", threshold=0.6), 0.7),  # it is the least, no other
        (lambda: shop.promote("v1"), 0.8),
    ]
    for change, threshold in changes:
        change()
        plan = follower.look()
        assert plan == Plan(Post("v1", threshold))
        assert plan.bundles == {}
        follower.outcome(plan, None)


def test_a_candidate_comes_into_the_shadow_then_answers_and_goes(shop: Shop, follower: Follower) -> None:
    begin(follower)
    for fields, candidate, weight, sent in (
        ({"stance": "shadowing", "candidate": "v2", "threshold": 0.9}, Post("v2", 0.9), 0.0, {"v2"}),
        ({"stance": "canary", "candidate": "v2", "weight": 0.1, "threshold": 0.9}, Post("v2", 0.9), 0.1, set()),
        ({"stance": "observing", "threshold": 0.9}, None, 0.0, set()),
    ):
        shop.stand(**fields)
        plan = follower.look()
        assert plan == Plan(Post("v1", 0.9), candidate, weight)
        assert plan.bundles.keys() == sent
        follower.outcome(plan, None)
    shop.stand(stance="canary", candidate="v1", weight=0.1, threshold=0.9)
    assert follower.look() is None, "production is no candidate"


def test_a_stance_that_was_only_said_changes_nothing(shop: Shop, follower: Follower) -> None:
    shop.stand(stance="cautious", threshold=0.95)
    shop.stand(stance="observing", dry_run=True)
    assert begin(follower).production.threshold == 0.95
    shop.stand(stance="observing", dry_run=True)
    assert follower.look() is None


def test_a_candidate_that_cannot_be_had_is_left_out_and_told_of_once(
    shop: Shop, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    shop.stand(stance="canary", candidate="gone", weight=0.1)
    assert begin(follower) == Plan(Post("v1", 0.8))
    assert follower.look() is None
    assert [record.getMessage() for record in caplog.records if "without its candidate: no model" in record.message]
    assert len(caplog.records) == 1


def test_what_failed_is_asked_for_again_when_the_store_has_changed(
    shop: Shop, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    begin(follower)
    shop.promote("v2")
    plan = follower.look()
    assert plan is not None
    follower.outcome(plan, BundleError("it answers nonsense"))
    assert "goes on with model v1: it answers nonsense" in caplog.text
    assert follower.look() is None
    shop.promote("v1")
    back = follower.look()
    assert back == Plan(Post("v1", 0.8))
    assert back.bundles == {}
    follower.outcome(back, None)
    shop.promote("v2")
    again = follower.look()
    assert again == plan
    assert again.bundles.keys() == {"v2"}


@pytest.mark.parametrize("series", [Layout.policy_series("vehicles"), Layout.stance_series("scones")])
def test_a_damaged_record_changes_nothing_until_there_is_a_newer_one(
    shop: Shop, follower: Follower, series: str
) -> None:
    begin(follower)
    shop.damage(series)
    for _ in range(2):
        with pytest.raises(MessageError, match=series):
            follower.look()
    assert follower.version == "v1"
    if "stances" in series:
        shop.stand(stance="cautious", threshold=0.95)
    else:
        shop.promote("v1", threshold=0.95)
    assert follower.look() == Plan(Post("v1", 0.95))


def test_it_does_not_begin_without_production_but_without_a_stance(shop: Shop, follower: Follower) -> None:
    shop.damage(Layout.stance_series("scones"))
    assert begin(follower) == Plan(Post("v1", 0.8))
    shop.damage(Layout.policy_series("vehicles"))
    with pytest.raises(StoreError, match="damaged"):
        Follower(shop.bucket, "vehicles", "scones").begin()
    with pytest.raises(BundleError, match="train one with `scones train`"):
        Follower(shop.bucket, "road", "scones").begin()


def test_the_thread_says_once_that_the_store_does_not_answer_and_goes_on_when_it_does(
    shop: Shop, follower: Follower, caplog: pytest.LogCaptureFixture, wait_until: Callable[..., None]
) -> None:
    from scones.serving.figures import Figures

    caplog.set_level(logging.WARNING)
    figures = Figures(1)
    asked: list[Plan] = []
    begin(follower)
    shop.damage(Layout.policy_series("vehicles"))
    follower.follow(asked.append, figures.row(0), seconds=0.005)
    wait_until(lambda: 'follow_failures_total{endpoint="e"} 3' in figures.exposition("e", {}))
    shop.promote("v2")
    wait_until(lambda: asked)
    assert asked == [Plan(Post("v2", 0.8))]
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "goes on with model v1" in text]) == 1
    assert said[-1] == "the store tells again which model to serve"
