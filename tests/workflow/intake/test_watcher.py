"""Which pictures are new and whole, by clocks that are set by hand."""

import os
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from scones.store import Bucket, Entry, open_bucket
from scones.workflow.intake import Watcher

from .conftest import HandClock


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


@pytest.fixture
def now() -> HandClock:
    return HandClock(1_800_000_000.0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(5.0)


@pytest.fixture
def watcher(bucket: Bucket, now: HandClock, clock: HandClock) -> Watcher:
    return Watcher(bucket, now=now, clock=clock)


def put(bucket: Bucket, name: str, modified: float, data: bytes = b"x") -> str:
    assert bucket.folder is not None
    key = f"arrivals/{name}.png"
    (bucket.folder / key).parent.mkdir(exist_ok=True)
    (bucket.folder / key).write_bytes(data)
    os.utime(bucket.folder / key, (modified, modified))
    return key


def keys(found: list[Entry]) -> list[str]:
    return [entry.key for entry in found]


def test_the_oldest_come_first(watcher: Watcher, bucket: Bucket, now: HandClock) -> None:
    for name, age in (("b", 20), ("c", 10), ("a", 30)):
        put(bucket, name, now() - age)
    assert keys(watcher.look()) == ["arrivals/a.png", "arrivals/b.png", "arrivals/c.png"]


def test_what_was_taken_is_not_found_again(watcher: Watcher, bucket: Bucket, now: HandClock) -> None:
    put(bucket, "a", now() - 10)
    key = put(bucket, "b", now() - 5)
    watcher.take(watcher.look()[0], at_work=True)
    assert keys(watcher.look()) == keys(watcher.look()) == [key]


def test_a_file_that_is_younger_than_a_moment_is_taken_when_it_has_stayed_as_it_is(
    watcher: Watcher, bucket: Bucket, now: HandClock, clock: HandClock
) -> None:
    key = put(bucket, "a", now() - 0.1)
    assert watcher.look() == []
    assert watcher.unsettled == {key}
    clock.move(0.6)
    now.move(0.6)
    assert keys(watcher.look()) == [key]
    assert watcher.unsettled == set()


def test_a_file_that_grows_is_not_taken_whatever_time_it_bears(
    watcher: Watcher, bucket: Bucket, now: HandClock, clock: HandClock
) -> None:
    key = put(bucket, "a", now())
    assert watcher.look() == []
    for size in (10, 20, 30):
        clock.move(5)
        now.move(5)
        put(bucket, "a", now() - 100, b"x" * size)  # as a tool does that keeps the times
        assert watcher.look() == []
    clock.move(5)
    assert keys(watcher.look()) == [key]


def test_after_the_clock_was_set_back_files_are_taken_all_the_same(
    watcher: Watcher, bucket: Bucket, now: HandClock, clock: HandClock
) -> None:
    key = put(bucket, "a", now())
    now.move(-86_400)
    assert watcher.look() == []
    clock.move(1)
    now.move(1)
    assert keys(watcher.look()) == [key]
    assert keys(watcher.look()) == [key], "also where there was no room for it"


def test_an_object_of_s3_is_whole_as_soon_as_it_is_seen(now: HandClock, clock: HandClock) -> None:
    bucket = Bucket("scones", MemoryStore())
    bucket.put("arrivals/a.png", b"x")
    assert keys(Watcher(bucket, now=now, clock=clock).look()) == ["arrivals/a.png"]


def test_what_is_no_picture_is_news_once(watcher: Watcher, bucket: Bucket) -> None:
    bucket.put("arrivals/test.lst", b"x")
    watcher.look()
    assert watcher.odd_news() == ["arrivals/test.lst"]
    watcher.look()
    assert (watcher.odd_news(), watcher.odd) == ([], ["arrivals/test.lst"])


def test_a_file_that_was_half_written_when_it_was_taken_is_found_again(
    watcher: Watcher, bucket: Bucket, now: HandClock
) -> None:
    key = put(bucket, "a", now() - 10)
    watcher.take(watcher.look()[0], at_work=True)
    assert not watcher.put_back_if_changed(key), "it has not changed"
    assert watcher.look() == []

    other = put(bucket, "b", now() - 10)
    watcher.take(watcher.look()[0], at_work=True)
    put(bucket, "b", now() - 5, b"more")
    assert watcher.put_back_if_changed(other)
    assert keys(watcher.look()) == [other]


def test_what_has_gone_is_forgotten_and_may_come_again(watcher: Watcher, bucket: Bucket, now: HandClock) -> None:
    key = put(bucket, "a", now() - 10)
    watcher.take(watcher.look()[0], at_work=False)
    bucket.delete(key)
    assert watcher.look() == []
    assert not watcher.is_taken(key)
    put(bucket, "a", now() - 10)
    assert keys(watcher.look()) == [key], "the journal knows whether it was worked"
