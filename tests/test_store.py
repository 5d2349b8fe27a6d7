"""The object store: atomic creates, series, and errors that help."""

import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scones.errors import ObjectExists, ObjectMissing, SettingsError, StoreError, StoreFull, StoreReadOnly
from scones.store import Bucket, Layout, open_bucket


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


def test_a_bucket_is_a_folder_that_is_made_when_missing(tmp_path: Path) -> None:
    place = open_bucket(f"file://{tmp_path}/deep/er", "scones")
    place.put("a/b.txt", b"x")
    assert (tmp_path / "deep/er/scones/a/b.txt").read_bytes() == b"x"


def test_what_was_written_is_read_and_listed(bucket: Bucket) -> None:
    for key in ("b/2", "b/1", "a/1"):
        bucket.put(key, key.encode())
    assert bucket.get("b/1") == b"b/1"
    assert list(bucket.list("b")) == ["b/1", "b/2"]
    assert list(bucket.list("nowhere")) == []


def test_of_many_creates_exactly_one_succeeds(bucket: Bucket) -> None:
    together = threading.Barrier(16)

    def create(n: int) -> bool:
        together.wait()
        try:
            bucket.create("claims/one", str(n).encode())
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_a_series_numbers_every_record_once(bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(lambda n: bucket.append("policies/x", {"n": n}), range(24)))
    assert numbers == list(range(1, 25))
    assert bucket.latest("policies/x") == bucket.get_json(Layout.record("policies/x", 24))
    assert bucket.latest("policies/none") is None


def test_a_record_that_was_decided_on_an_older_one_is_refused(bucket: Bucket) -> None:
    assert bucket.append("policies/x", {"n": 1}, after=0) == 1
    assert bucket.append("policies/x", {"n": 2}, after=1) == 2
    with pytest.raises(ObjectExists):
        bucket.append("policies/x", {"n": "two, too"}, after=1)
    assert (list(bucket.numbers("policies/x")), bucket.latest("policies/x")) == ([1, 2], {"n": 2})


def test_a_stray_file_in_a_series_is_passed_over(bucket: Bucket) -> None:
    bucket.put("policies/x/.DS_Store", b"")
    bucket.append("policies/x", {"n": 1})
    assert bucket.latest("policies/x") == {"n": 1}


@pytest.mark.parametrize("key", ["a//b", "../a", "a\0b"])
def test_a_key_that_the_store_cannot_have_is_a_store_error(bucket: Bucket, key: str) -> None:
    for use in (bucket.get, bucket.exists, lambda key: bucket.put(key, b"")):
        with pytest.raises(StoreError):
            use(key)


def test_a_missing_object_is_named(bucket: Bucket) -> None:
    with pytest.raises(ObjectMissing, match="'a/b' in bucket scones"):
        bucket.get("a/b")
    assert not bucket.exists("a/b")
    bucket.delete("a/b")


def test_an_object_that_is_no_json_is_named(bucket: Bucket) -> None:
    bucket.put("a.json", b"{")
    with pytest.raises(StoreError, match=r"a\.json in bucket scones is no JSON"):
        bucket.get_json("a.json")


@pytest.mark.parametrize(
    ("store", "name"),
    [
        ("http://x", "scones"),
        ("s3://other/prefix", "scones"),
        ("~nobody-here/x", "scones"),
        ("/tmp", "a/b"),
        ("/tmp", ""),
        ("/tmp", ".x"),
    ],
)
def test_a_place_that_is_no_store_is_refused(store: str, name: str) -> None:
    with pytest.raises(SettingsError):
        open_bucket(store, name)


def test_a_store_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="choose another place"):
        open_bucket(str(tmp_path / "file"), "scones")


def test_a_full_disk_is_told_as_such_and_what_was_there_stays(tiny_disk: Path) -> None:
    bucket = open_bucket(str(tiny_disk), "scones")
    bucket.put("kept", b"kept")
    with pytest.raises(StoreFull, match="no space left; free some"):
        bucket.put("big", os.urandom(200_000))
    assert bucket.get("kept") == b"kept"
    assert not bucket.exists("big")


def test_a_read_only_disk_is_told_as_such(tiny_disk: Path) -> None:
    bucket = open_bucket(str(tiny_disk), "scones")
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(StoreReadOnly, match="no permission"):
        bucket.put("a", b"a")
    with pytest.raises(StoreReadOnly):
        open_bucket(str(tiny_disk), "other")


def test_the_folders_just_below_a_prefix_are_named(tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path), "b")
    for key in ("capture/e/two/2026/x", "capture/e/one/y", "capture/e/one/z", "capture/e/file", "capture/e-2/v/x"):
        bucket.put(key, b"")
    assert bucket.folders("capture/e") == ["one", "two"]
    assert bucket.folders("nothing") == []


def test_nothing_that_the_system_writes_lies_under_arrivals() -> None:
    # else each write would start an execution, which writes, which starts …
    written = [
        Layout.record("s", 1),
        Layout.dataset("t", "v"),
        Layout.dataset_series("t"),
        Layout.model("t", "v"),
        Layout.policy_series("t"),
        Layout.claim_series("t/d/x/a"),
        Layout.route("t/d/x/a"),
        Layout.result("t/d/x/a"),
        Layout.review("t/d/x/a"),
        Layout.answer("t/d/x/a"),
        Layout.example("t/d/x/a"),
        Layout.dead_letter("arrivals/t/d/x/a.png"),
        Layout.dead_letter_retry("arrivals/t/d/x/a.png"),
        Layout.batch("b"),
        Layout.orders("d"),
        Layout.order("d", "o", 2.5),
        Layout.order_claim("d", "o"),
        Layout.assignment_series("t/d/x/a"),
        Layout.monitor_series("e"),
        Layout.watch_series("e"),
        Layout.watch_state("e", "1.npz"),
        Layout.stance_series("e"),
        Layout.health("t", "v"),
        Layout.ground_truth("e", "f.jsonl"),
        Layout.audit("e", "a"),
        Layout.capture_day("q", "2026-11-20"),
        Layout.report("r"),
        Layout.CAPTURE,
    ]
    methods = [name for name, value in vars(Layout).items() if isinstance(value, staticmethod)]
    assert len(written) == len(methods) + 1, "a new kind of key: add it here"
    assert not [key for key in written if key.startswith(f"{Layout.ARRIVALS}/")]
