"""A look at what lies under ``arrivals/``, whatever else lies there."""

import os
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from obstore.store import MemoryStore, S3Store
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scones.errors import StoreError
from scones.http_server import background_server
from scones.store import Bucket, open_bucket
from scones.workflow.intake.listing import Lister, Listing

from .conftest import HandClock

KEY = "arrivals/vehicles/main/driver-1/a1.png"


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


def list_arrivals(bucket: Bucket, known: Collection[str]) -> Listing:
    return Lister(bucket, now=time.time, clock=time.monotonic).look(known)


def folder(bucket: Bucket) -> Path:
    assert bucket.folder is not None
    place = bucket.folder / "arrivals/vehicles/main/driver-1"
    place.mkdir(parents=True, exist_ok=True)
    return place


@pytest.fixture(params=["folder", "store"])
def either(request: pytest.FixtureRequest, bucket: Bucket) -> Bucket:
    return bucket if request.param == "folder" else Bucket("scones", MemoryStore())


def test_pictures_are_found_and_what_is_none_is_named(either: Bucket) -> None:
    for key in (KEY, KEY.replace("a1", "ü"), "arrivals/loose.JPG", "arrivals/test.lst", "reports/x.png"):
        either.put(key, b"x")
    found = list_arrivals(either, ())
    assert {entry.key for entry in found.fresh} == {KEY, KEY.replace("a1", "ü"), "arrivals/loose.JPG"}
    assert found.keys == {entry.key for entry in found.fresh}
    assert found.odd == ["arrivals/test.lst"]


def test_hidden_and_temporary_names_are_passed_over(either: Bucket) -> None:
    for name in (".a.png", "a.png.part", "a.png.tmp", "a.png~", ".git/a.png", "a.png.crdownload"):
        either.put(f"arrivals/vehicles/{name}", b"x")
    found = list_arrivals(either, ())
    assert (found.fresh, found.odd) == ([], [])


def test_what_is_known_is_not_asked_for_again(either: Bucket) -> None:
    either.put(KEY, b"x")
    found = list_arrivals(either, {KEY})
    assert (found.fresh, found.keys) == ([], {KEY})


def test_a_mark_that_the_console_of_s3_leaves_for_a_folder_is_passed_over() -> None:
    bucket = Bucket("scones", MemoryStore())
    bucket.put("arrivals/vehicles", b"")
    assert list_arrivals(bucket, ()).odd == []


def test_a_name_that_no_key_can_have_hides_no_other(bucket: Bucket) -> None:
    # obstore refuses the whole list because of one of them
    place = folder(bucket)
    (place / "a1.png").write_bytes(b"x")
    (place / "new\nline.png").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(place) + b"/\xff.png")).write_bytes(b"x")
    found = list_arrivals(bucket, ())
    assert [entry.key for entry in found.fresh] == [KEY]
    assert sorted(name.rpartition("/")[2] for name in found.odd) == [r"\udcff.png", r"new\nline.png"]
    "".join(found.odd).encode()  # they can be printed


def test_a_key_of_s3_that_keeps_the_prefix_from_being_listed_is_named_with_what_to_do() -> None:
    listed = """<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>arrivals//x.png</Key><Size>7</Size>
        <LastModified>2026-11-20T10:00:00.000Z</LastModified><ETag>"e"</ETag></Contents></ListBucketResult>"""

    async def answer(request: Request) -> Response:
        return Response(listed, media_type="application/xml")

    with background_server(Starlette(routes=[Route("/scones", answer)])) as url:
        store = S3Store(
            "scones",
            endpoint=url,
            access_key_id="id",
            secret_access_key="key",
            region="eu-central-1",
            client_options={"allow_http": True},
        )
        with pytest.raises(StoreError, match=r'bucket scones cannot be .* \(Path "arrivals//x\.png" .*: remove that'):
            list_arrivals(Bucket("scones", store), ())


def test_links_pipes_and_folders_named_as_pictures_hold_up_nothing(bucket: Bucket) -> None:
    place = folder(bucket)
    (place / "a1.png").write_bytes(b"x")
    (place / "again.png").symlink_to(place / "a1.png")
    (place / "loop").symlink_to(place)
    (place / "nothing.png").symlink_to(place / "gone")
    (place / "folder.png").mkdir()
    os.mkfifo(place / "pipe.png")
    found = list_arrivals(bucket, ())
    assert {entry.key for entry in found.fresh} == {KEY, KEY.replace("a1", "again")}
    assert found.odd == [KEY.replace("a1", "pipe")]


def test_a_folder_that_may_not_be_read_is_named_and_the_others_are_looked_at(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(bucket)
    (place / "a1.png").write_bytes(b"x")
    locked = place.with_name("driver-2")
    locked.mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:  # this user may be root, who may read anything
        if path == str(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list_arrivals(bucket, ())
    assert [entry.key for entry in found.fresh] == [KEY]
    assert found.odd == ["arrivals/vehicles/main/driver-2 (a folder that may not be read)"]


def test_a_folder_that_is_gone_is_an_error_and_one_where_nothing_arrived_is_not(bucket: Bucket) -> None:
    assert bucket.folder is not None
    assert list_arrivals(bucket, ()).keys == set()
    bucket.folder.rename(bucket.folder.with_name("away"))
    with pytest.raises(StoreError, match=r"there is no folder .* any more"):
        list_arrivals(bucket, ())


def test_a_file_in_the_place_of_the_folder_is_an_error(bucket: Bucket) -> None:
    bucket.put("arrivals", b"x")
    with pytest.raises(StoreError, match=r"cannot list .*arrivals"):
        list_arrivals(bucket, ())


def test_a_folder_of_which_all_was_known_is_not_read_again_until_its_time_changes(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, read = folder(bucket), []
    (place / "a1.png").write_bytes(b"x")
    for path in (place, *place.parents[:3]):
        os.utime(path, (1_700_000_000,) * 2)
    now, clock = HandClock(1_800_000_000.0), HandClock(0.0)
    lister, scandir = Lister(bucket, now=now, clock=clock), os.scandir

    def count(path: str) -> object:
        read.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", count)
    assert [entry.key for entry in lister.look(()).fresh] == [KEY]
    assert [entry.key for entry in lister.look(()).fresh] == [KEY], "there was something new in it"
    lister.look({KEY})
    read.clear()
    assert lister.look({KEY}).keys == {KEY}
    assert read == []
    assert [entry.key for entry in lister.look(()).fresh] == [KEY], "it is not known any more"

    lister.look({KEY})
    (place / "a2.png").write_bytes(b"x")
    assert [entry.key for entry in lister.look({KEY}).fresh] == [KEY.replace("a1", "a2")]


def test_a_folder_whose_time_stands_still_is_read_all_the_same_after_a_while(bucket: Bucket) -> None:
    # as on network disks that do not move it
    place = folder(bucket)
    (place / "a1.png").write_bytes(b"x")
    os.utime(place, (1_700_000_000,) * 2)
    now, clock = HandClock(1_800_000_000.0), HandClock(0.0)
    lister = Lister(bucket, now=now, clock=clock)
    lister.look({KEY})
    (place / "a2.png").write_bytes(b"x")
    os.utime(place, (1_700_000_000,) * 2)
    assert lister.look({KEY}).fresh == []
    clock.move(31)
    assert [entry.key for entry in lister.look({KEY}).fresh] == [KEY.replace("a1", "a2")]


def test_a_folder_that_was_changed_just_now_is_read_again(bucket: Bucket) -> None:
    place = folder(bucket)
    (place / "a1.png").write_bytes(b"x")
    moment = place.stat().st_mtime
    lister = Lister(bucket, now=HandClock(moment + 1), clock=HandClock(0.0))
    lister.look({KEY})
    (place / "a2.png").write_bytes(b"x")
    os.utime(place, (moment, moment))  # within what the disk can tell apart
    assert len(lister.look({KEY}).fresh) == 1
