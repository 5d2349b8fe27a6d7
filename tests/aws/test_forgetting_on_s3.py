"""A driver is forgotten in a bucket that keeps versions: none of them is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from scones.aws.account import Account
from scones.aws.versions import list_versions
from scones.errors import WorkflowError
from scones.forgetting import Person, open_eraser, remove, search
from scones.staging import SourcePicture
from scones.store import Bucket, open_bucket
from tests.forgetting.world import GONE, LATER, STAYS, World, build

REGION: Final = "eu-west-1"
EXPIRED: Final = f"arrivals/vehicles/main/{GONE}/sure.png"


@pytest.fixture
def bucket(account: Account) -> Bucket:
    """An empty bucket that keeps versions."""
    account.s3.create_bucket(Bucket="spring", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.s3.put_bucket_versioning(Bucket="spring", VersioningConfiguration={"Status": "Enabled"})
    return open_bucket("s3://", "spring")


@pytest.fixture
def world(
    account: Account,
    bucket: Bucket,
    tmp_path: Path,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> World:
    """The world of two drivers in it; what is not a dataset's has an older version too, and an arrival has expired."""
    found = build(tmp_path, tiny_bundle(), red_and_blue()[115:130])
    for key in found.bucket.list(""):
        data = found.bucket.get(key).replace(b'"s3_bucket": "scones"', b'"s3_bucket": "spring"')
        data = data.replace(b'"source-ref":"', f'"source-ref":"s3://spring/{key.rpartition("/")[0]}/'.encode())
        for _ in range(1 if key.startswith(("datasets/", "orders/")) else 2):
            bucket.put(key, data)
    account.s3.delete_object(Bucket="spring", Key=EXPIRED)
    return found


def traces(account: Account, world: World) -> dict[str, set[str]]:
    """The keys of all versions in which something of a driver can be found, by driver."""
    found: dict[str, set[str]] = {GONE: set(), STAYS: set()}
    for version in list_versions(account, "spring", ""):
        key, text = version["Key"], version["Key"].encode()
        if key != EXPIRED:  # its marker has no body
            answer = account.s3.get_object(Bucket="spring", Key=key, VersionId=version.get("VersionId", ""))
            text += answer["Body"].read()
        for driver, keys in found.items():
            name = re.compile(rb"(?<![\w-])" + driver.encode() + rb"(?![\w])")
            if name.search(text) or any(piece in text for piece in world.pieces[driver]):
                keys.add(key)
    return found


def test_no_version_is_left_but_the_claims_on_orders(account: Account, bucket: Bucket, world: World) -> None:
    before, eraser = traces(account, world), open_eraser(bucket)
    found = search(bucket, eraser, None, Person.named(GONE), now=LATER)
    assert (found.counts["arrivals"], found.counts["capture"], found.counts["datasets"]) == (5, 9, 1)
    remove(found, bucket, eraser, None)
    after = traces(account, world)
    assert len(before[GONE]) > 25
    assert {key.partition("/")[0] for key in after[GONE]} == {"order-claims"}
    assert after[STAYS] == before[STAYS] - {"reports/monitor.html"}
    assert search(bucket, eraser, None, Person.named(GONE), now=LATER).counts == {}
    assert any("ClassifyType is STANDARD" in sentence for sentence in found.kept)


def test_a_person_who_is_still_asked_about_them_is_waited_for(bucket: Bucket) -> None:
    review = {
        "task": "vehicles", "depot": "main", "driver_id": GONE, "arrival_id": "a1", "s3_bucket": "spring",
        "s3_key": f"arrivals/vehicles/main/{GONE}/a1.png", "label": "bicycle", "confidence": 0.5, "threshold": 0.9,
        "inferences": [0.5, 0.5], "model_version": "m", "inference_id": "i", "execution": "e", "why": "unsure",
        "asked_at": datetime(2026, 11, 20, tzinfo=UTC).isoformat(), "seconds": 3600, "task_token": "t",
    }  # fmt: skip
    key, eraser = f"reviews/vehicles/main/{GONE}/a1.json", open_eraser(bucket)
    bucket.put_json(key, review)
    found = search(bucket, eraser, None, Person.named(GONE), now=datetime(2026, 11, 20, 0, 59, tzinfo=UTC))
    with pytest.raises(WorkflowError, match=r"a person is still asked about .* 01:00:00 UTC; nothing was removed"):
        remove(found, bucket, eraser, None)
    assert bucket.exists(key)
