from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scones.bulk import Picture, absolute, find_pictures
from scones.errors import ObjectMissing, PictureError, SettingsError, StoreError
from scones.store import Bucket, open_bucket


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.png",
        "a.JPG",
        "sub/c.webp",
        "sub/deep/d.tiff",
        ".hidden.png",
        ".git/e.png",
        "notes.txt",
        "z[1].png",
    ):
        path = tmp_path / "trips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sources(*places: str, known: tuple[str, ...] = ()) -> list[str]:
    return [picture.source for picture in find_pictures(places, known=known)]


@contextmanager
def as_a_plain_user() -> Iterator[None]:
    """Root may read everything; be nobody for a while."""
    me = os.geteuid()
    try:
        if me == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(me)


@pytest.fixture
def locked_folder(png_bytes: Callable[..., bytes]) -> Iterator[Path]:
    """A folder for everyone, in which there is a folder and a picture for nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "locked").mkdir()
        for path in ("a.png", "b.png", "locked/c.png"):
            (folder / path).write_bytes(png_bytes())
        folder.chmod(0o755)
        (folder / "b.png").chmod(0)
        (folder / "locked").chmod(0)
        yield folder
        (folder / "locked").chmod(0o700)


def test_a_folder_is_searched_in_the_order_of_names_without_what_is_hidden_or_no_picture(folder: Path) -> None:
    skipped: list[str] = []
    found = [picture.source for picture in find_pictures(["trips/"], skipped=skipped.append)]
    assert found == ["trips/a.JPG", "trips/b.png", "trips/sub/c.webp", "trips/sub/deep/d.tiff", "trips/z[1].png"]
    assert skipped == ["trips/notes.txt"]


def test_a_file_that_is_named_is_taken_whatever_its_name(folder: Path) -> None:
    assert sources("trips/notes.txt", "trips/z[1].png") == ["trips/notes.txt", "trips/z[1].png"]
    assert sources("trips/*.*") == ["trips/a.JPG", "trips/b.png", "trips/notes.txt", "trips/z[1].png"]


def test_a_link_that_runs_in_a_circle_shows_a_pattern_no_picture_twice(folder: Path) -> None:
    (folder / "trips/up").symlink_to(".")
    assert sources("trips/**/*.webp") == ["trips/sub/c.webp"]


def test_a_place_is_made_absolute_so_that_it_means_the_same_elsewhere(folder: Path) -> None:
    assert absolute("trips/../*.png") == f"{folder}/*.png"
    assert absolute("file:///a/b") == "file:///a/b"


def test_a_disk_that_fails_ends_the_run_instead_of_marking_every_picture(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(os, "stat", stale)
    with pytest.raises(StoreError, match=r"cannot read trips/b\.png: Stale file handle"):
        Picture("trips/b.png").read()


def test_a_pattern_finds_files_at_any_depth_and_in_order(folder: Path) -> None:
    assert sources("trips/**/*.webp", "trips/**/*.tiff") == ["trips/sub/c.webp", "trips/sub/deep/d.tiff"]


def test_a_file_url_is_the_folder_it_names(folder: Path) -> None:
    (folder / "trips").rename(folder / "my trips")
    assert sources(f"file://{folder}/my%20trips/sub/deep") == [f"{folder}/my trips/sub/deep/d.tiff"]


def test_a_picture_that_several_places_name_is_found_once_however_they_write_it(folder: Path) -> None:
    found = sources("trips/b.png", "./trips", "trips/*.png", f"{folder}/trips/sub/../a.JPG", "trips/b.png")
    assert found == [
        "trips/b.png",
        "./trips/a.JPG",
        "./trips/sub/c.webp",
        "./trips/sub/deep/d.tiff",
        "./trips/z[1].png",
    ]


def test_what_is_done_with_is_not_found_again(folder: Path) -> None:
    assert sources("trips/sub", known=("trips/sub/c.webp",)) == ["trips/sub/deep/d.tiff"]


def test_links_to_pictures_are_pictures_and_links_to_folders_do_not_run_in_circles(folder: Path) -> None:
    (folder / "trips/sub/link.png").symlink_to(folder / "trips/b.png")
    (folder / "trips/sub/up").symlink_to(folder / "trips")
    (folder / "linked").symlink_to(folder / "trips/sub")
    assert sources("linked") == ["linked/c.webp", "linked/deep/d.tiff", "linked/link.png"]


@pytest.mark.parametrize(
    ("place", "fault"),
    [("nowhere", "No such file"), ("none/*.png", "matches nothing"), ("trips/pipe.png", "no plain file")],
)
def test_what_is_not_there_or_no_file_is_found_with_its_fault(folder: Path, place: str, fault: str) -> None:
    os.mkfifo(folder / "trips/pipe.png")
    (found,) = find_pictures([place])
    with pytest.raises(PictureError, match=fault):
        found.read()


def test_a_file_of_many_gigabytes_is_not_read(folder: Path) -> None:
    with (folder / "trips/b.png").open("wb") as file:
        file.truncate(2**40)
    (found,) = find_pictures(["trips/b.png"])
    with pytest.raises(PictureError, match="more than the 31,457,280 allowed"):
        found.read()


def test_a_picture_that_disappears_between_listing_and_reading_says_so(folder: Path) -> None:
    found = next(find_pictures(["trips"]))
    (folder / found.source).unlink()
    with pytest.raises(PictureError, match=r"cannot be read \(No such file or directory\)"):
        found.read()


def test_a_folder_without_permission_is_found_with_its_fault_and_the_search_goes_on(locked_folder: Path) -> None:
    with as_a_plain_user():
        found = list(find_pictures([str(locked_folder)]))
        assert [picture.source[len(str(locked_folder)) :] for picture in found] == ["/a.png", "/b.png", "/locked"]
        assert found[0].read()
        with pytest.raises(PictureError, match=r"cannot be read \(Permission denied\)"):
            found[1].read()
        with pytest.raises(PictureError, match=r"cannot be listed \(Permission denied\)"):
            found[2].read()
        (inside,) = find_pictures([str(locked_folder / "locked/c.png")])
        with pytest.raises(PictureError, match=r"cannot be read \(Permission denied\)"):
            inside.read()


class TestBucket:
    """A bucket of S3, here in a folder: the same protocol behind the same object store."""

    @pytest.fixture
    def open_one(self, tmp_path: Path) -> Callable[[str], Bucket]:
        bucket = open_bucket(str(tmp_path / "store"), "photos")
        for key in ("trips/a.png", "trips/sub/b.png", "trips/.git/c.png", "trips/notes.txt", "other/d.png"):
            bucket.put(key, key.encode())
        return lambda name: open_bucket(str(tmp_path / "store"), name, make=False)

    def test_a_prefix_is_searched_like_a_folder(self, open_one: Callable[[str], Bucket]) -> None:
        skipped: list[str] = []
        found = {
            p.source: p.read() for p in find_pictures(["s3://photos/trips/"], skipped=skipped.append, bucket=open_one)
        }
        assert found == {"s3://photos/trips/a.png": b"trips/a.png", "s3://photos/trips/sub/b.png": b"trips/sub/b.png"}
        assert skipped == ["s3://photos/trips/notes.txt"]
        assert len(list(find_pictures(["s3://photos"], bucket=open_one))) == 3

    def test_an_object_may_be_named_itself_and_counts_once(self, open_one: Callable[[str], Bucket]) -> None:
        found = find_pictures(["s3://photos/other/d.png", "s3://photos/other"], bucket=open_one)
        assert [picture.source for picture in found] == ["s3://photos/other/d.png"]

    def test_an_object_that_is_named_itself_is_taken_whatever_its_name(self, open_one: Callable[[str], Bucket]) -> None:
        (found,) = find_pictures(["s3://photos/trips/notes.txt"], bucket=open_one)
        assert found.read() == b"trips/notes.txt"

    def test_an_object_of_many_gigabytes_is_not_read(self, open_one: Callable[[str], Bucket], tmp_path: Path) -> None:
        with (tmp_path / "store/photos/other/d.png").open("wb") as file:
            file.truncate(2**40)
        (found,) = find_pictures(["s3://photos/other/d.png"], bucket=open_one)
        with pytest.raises(PictureError, match="at most 31,457,280"):
            found.read()

    def test_an_object_that_disappeared_and_an_empty_prefix_say_so(self, open_one: Callable[[str], Bucket]) -> None:
        gone, empty = find_pictures(["s3://photos/gone.png", "s3://photos/none"], bucket=open_one)
        with pytest.raises(PictureError, match=r"no object 'gone\.png'"):
            gone.read()
        with pytest.raises(PictureError, match="holds no object"):
            empty.read()

    def test_a_bucket_that_does_not_exist_and_a_pattern_are_refused(self, open_one: Callable[[str], Bucket]) -> None:
        with pytest.raises(ObjectMissing, match="no bucket 'nowhere'"):
            list(find_pictures(["s3://nowhere/trips"], bucket=open_one))
        with pytest.raises(SettingsError, match="give the prefix"):
            list(find_pictures(["s3://photos/*.png"], bucket=open_one))
