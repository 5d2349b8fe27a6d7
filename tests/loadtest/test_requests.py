from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scones.errors import SourceEmpty, SourceMissing
from scones.loadtest import Sample, drawn_samples, encode_request, find_target, folder_samples


def test_the_drawn_pictures_are_png_and_the_same_each_time() -> None:
    first = drawn_samples()
    assert len(first) == 32
    assert {one.content_type for one in first} == {"image/png"}
    assert len({one.data for one in first}) == 32
    assert first == drawn_samples()


def test_a_folders_pictures_are_sent_by_their_kind_and_other_files_are_left_out(
    tmp_path: Path, png_bytes: Callable[..., bytes]
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.PNG", "deep/a.jpg", "c.webp", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(png_bytes())
    found = [(one.name, one.content_type) for one in folder_samples(tmp_path)]
    assert found == [("b.PNG", "image/png"), ("c.webp", "image/webp"), ("deep/a.jpg", "image/jpeg")]


def test_of_many_files_some_from_everywhere_are_taken(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number:03d}.png").write_bytes(b"x")
    names = [one.name for one in folder_samples(tmp_path)]
    assert (len(names), names[0], names[-1]) == (200, "000.png", "597.png")


def test_a_folder_that_is_missing_or_has_no_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"no folder at .*--pictures"):
        folder_samples(tmp_path / "none")
    with pytest.raises(SourceEmpty, match="holds no file that ends in"):
        folder_samples(tmp_path)


def test_a_request_says_how_long_its_body_is_and_what_it_is() -> None:
    request = encode_request(find_target("http://127.0.0.1:8080"), Sample("a.jpg", b"12345", "image/jpeg"))
    head, body = request.split(b"\r\n\r\n")
    assert body == b"12345"
    assert b"\r\nHost: 127.0.0.1:8080\r\n" in head
    assert b"\r\nContent-Type: image/jpeg\r\nContent-Length: 5" in head
