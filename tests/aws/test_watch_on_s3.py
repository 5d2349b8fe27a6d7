"""The monitor watches a capture on S3 as it does one in a folder."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.aws.account import Account
from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.monitoring.watch.history import newest_look, state_numbers
from scones.monitoring.watch.look import Looked, Watcher
from scones.staging import SourcePicture
from scones.store import Bucket, open_bucket
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop, build

NOW = START + timedelta(minutes=30)


@pytest.fixture
def shop(
    account: Account,
    tmp_path: Path,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> Shop:
    account.s3.create_bucket(Bucket="spring", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    bucket = open_bucket("s3://", "spring")
    built = build(tmp_path, tiny_bundle(strength=3.2), red_and_blue())
    for key in [key for key in built.list("") if not key.startswith("datasets/")]:
        bucket.put(key, built.get(key))
    return Shop(bucket, Classifier(*read_bundle(tiny_bundle(strength=3.2))))


def test_what_is_new_on_s3_is_seen_once_and_by_one_of_two_monitors(shop: Shop) -> None:
    shop.capture(30)
    shop.capture(30, start=START + timedelta(minutes=5), drifted=True)

    class Overtaken(Bucket):
        """Another monitor looks while this one is about to write."""

        def append(self, series: str, value: Any, *, after: int | None = None) -> int:
            Watcher(shop.bucket, ENDPOINT, TASK).look(NOW)
            return super().append(series, value, after=after)

    slow = Watcher(Overtaken(shop.bucket.name, shop.bucket._store), ENDPOINT, TASK)
    assert slow.look(NOW) == Looked(None, 1, more=True, beaten=True)
    number, look = newest_look(shop.bucket, ENDPOINT)
    assert look is not None
    assert (number, look.records, look.seen, look.alarm is not None) == (1, 60, 60, True)
    shop.capture(10, start=START + timedelta(days=1))
    later = Watcher(shop.bucket, ENDPOINT, TASK).look(NOW + timedelta(days=1)).look
    assert later is not None
    assert (later.files, later.records, later.totals.records) == (1, 10, 70)
    assert sorted(state_numbers(shop.bucket, ENDPOINT).values()) == [1, 2]
