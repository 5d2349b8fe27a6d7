"""Versions are removed for good."""

from __future__ import annotations

from typing import Final

import pytest

from scones.aws.account import Account
from scones.aws.versions import delete_versions, list_folders, list_versions
from scones.errors import AwsError

REGION: Final = "eu-west-1"


@pytest.fixture
def bucket(account: Account) -> str:
    """A bucket that keeps versions."""
    account.s3.create_bucket(Bucket="spring", CreateBucketConfiguration={"LocationConstraint": REGION})
    account.s3.put_bucket_versioning(Bucket="spring", VersioningConfiguration={"Status": "Enabled"})
    return "spring"


def put(account: Account, bucket: str, *keys: str, times: int = 1) -> None:
    for key in keys:
        for number in range(times):
            account.s3.put_object(Bucket=bucket, Key=key, Body=f"{key} {number}".encode())


def left(account: Account, bucket: str) -> list[str]:
    return sorted({found["Key"] for found in list_versions(account, bucket, "")})


def test_an_empty_prefix_empties_the_bucket_with_all_versions_and_markers(account: Account, bucket: str) -> None:
    put(account, bucket, "a/1.png", "a/2.png", "b.json", times=3)
    account.s3.delete_object(Bucket=bucket, Key="a/1.png")
    assert delete_versions(account, bucket, "") == 10
    assert left(account, bucket) == []
    account.s3.delete_bucket(Bucket=bucket)  # only an empty one can be deleted


def test_a_prefix_leaves_what_begins_otherwise(account: Account, bucket: str) -> None:
    put(account, bucket, "a/1.png", "ab.png", "b.png", times=2)
    assert delete_versions(account, bucket, "a/") == 2
    assert left(account, bucket) == ["ab.png", "b.png"]


def test_a_whole_key_takes_no_longer_one_with_it(account: Account, bucket: str) -> None:
    put(account, bucket, "a/1.json", "a/1.json.bak", "a/2.json", times=2)
    account.s3.delete_object(Bucket=bucket, Key="a/1.json")
    assert delete_versions(account, bucket, ["a/1.json", "a/none.json"]) == 3
    assert left(account, bucket) == ["a/1.json.bak", "a/2.json"]


def test_keys_of_several_folders_are_removed_and_their_neighbours_stay(account: Account, bucket: str) -> None:
    put(account, bucket, "a/x1", "a/x2", "a/x3", "a/x1/deep", "b/y", "c", "cc", times=2)
    assert delete_versions(account, bucket, ["a/x3", "b/y", "a/x1", "c"]) == 8
    assert left(account, bucket) == ["a/x1/deep", "a/x2", "cc"]


def test_old_versions_go_and_the_newest_one_stays(account: Account, bucket: str) -> None:
    put(account, bucket, "a/1.json", "a/2.json", "b", times=3)
    account.s3.delete_object(Bucket=bucket, Key="a/2.json")
    assert delete_versions(account, bucket, "a/", only_old=True) == 5
    assert account.s3.get_object(Bucket=bucket, Key="a/1.json")["Body"].read() == b"a/1.json 2"
    assert len(list(list_versions(account, bucket, "b"))) == 3


def test_folders_are_listed_even_where_only_old_versions_are_left(account: Account, bucket: str) -> None:
    put(account, bucket, "a/x/1", "a/y/1", "a/1", "b/z/1")
    account.s3.delete_object(Bucket=bucket, Key="a/x/1")
    assert list_folders(account, bucket, "a/") == ["x", "y"]
    assert list_folders(account, bucket, "") == ["a", "b"]


def test_more_than_one_request_can_take_are_removed_in_several(account: Account, bucket: str) -> None:
    put(account, bucket, *(f"many/{number:04d}" for number in range(1003)))
    told: list[int] = []
    assert delete_versions(account, bucket, "many/", told.append) == 1003
    assert told == [1000, 1003]
    assert left(account, bucket) == []


def test_a_bucket_without_versions_loses_its_objects_too(account: Account) -> None:
    account.s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": REGION})
    put(account, "plain", "a.png", "b.png")
    assert delete_versions(account, "plain", ["a.png"]) == 1
    assert left(account, "plain") == ["b.png"]


def test_what_is_gone_already_is_no_error(account: Account, bucket: str) -> None:
    assert delete_versions(account, bucket, "a/") == 0
    assert delete_versions(account, "never-was", "") == 0


def test_a_version_that_is_locked_is_told(account: Account) -> None:
    account.s3.create_bucket(
        Bucket="locked", CreateBucketConfiguration={"LocationConstraint": REGION}, ObjectLockEnabledForBucket=True
    )
    account.s3.put_object(Bucket="locked", Key="a.png", Body=b"a", ObjectLockLegalHoldStatus="ON")
    with pytest.raises(AwsError, match=r"bucket locked keeps 1 versions, as of a\.png"):
        delete_versions(account, "locked", "")
