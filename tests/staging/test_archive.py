from __future__ import annotations

import os
import pickle
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.errors import ArchiveCorrupt, ArchiveUnsafe, SourceMissing
from scones.staging.archive import MAX_ARCHIVE_BYTES, read_tables
from scones.staging.cifar100 import class_names, read_split

MakeArchive = Callable[..., Path]


class Hostile:
    """What this pickles to runs a command when it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_a_pickle_that_calls_os_system_is_refused_and_runs_nothing(make_archive: MakeArchive, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    archive = make_archive(pickles={"meta": pickle.dumps(Hostile(f"touch {witness}"), protocol=2)})
    with pytest.raises(ArchiveUnsafe, match=r"asks for (posix|nt)\.system"):
        class_names(archive)
    assert not witness.exists()


@pytest.mark.parametrize("name", ["builtins\neval", "numpy\nload", "numpy.core.multiarray\n_reconstruct.__globals__"])
def test_other_callables_are_refused_too(make_archive: MakeArchive, name: str) -> None:
    with pytest.raises(ArchiveUnsafe, match="asks for"):
        class_names(make_archive(pickles={"meta": b"c" + name.encode() + b"\n."}))


def _member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


@pytest.mark.parametrize(
    "info",
    [
        _member("../outside"),
        _member("/etc/cron.d/evil"),
        _member("cifar-100-python/link", tarfile.SYMTYPE, link="/etc/passwd"),
        _member("cifar-100-python/near", tarfile.SYMTYPE, link="meta"),
        _member("cifar-100-python/hard", tarfile.LNKTYPE, link="../../etc/passwd"),
        _member("cifar-100-python/device", tarfile.CHRTYPE),
        _member("cifar-100-python/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: info.name,
)
def test_a_tar_with_odd_members_is_refused(make_archive: MakeArchive, info: tarfile.TarInfo) -> None:
    with pytest.raises(ArchiveUnsafe, match="do not use this archive"):
        read_split(make_archive(extra=lambda tar: tar.addfile(info)), "train")


def test_an_odd_member_behind_the_wanted_ones_is_found_as_well(make_archive: MakeArchive) -> None:
    archive = make_archive()
    with tarfile.open(archive) as tar:
        members = [(info, tar.extractfile(info)) for info in tar]
        with tarfile.open(archive.with_suffix(".new"), "w:gz") as new:
            for info, stream in members:
                new.addfile(info, stream)
            new.addfile(_member("../outside"))
    with pytest.raises(ArchiveUnsafe, match="outside"):
        class_names(archive.with_suffix(".new"))


def test_a_header_that_claims_a_huge_member_is_refused(make_archive: MakeArchive) -> None:
    def lie(tar: tarfile.TarFile) -> None:
        tar.addfile(_member("cifar-100-python/train", size=10**12))

    with pytest.raises(ArchiveUnsafe, match="sane name and size"):
        read_split(make_archive(extra=lie), "train")


def test_a_header_that_claims_more_than_there_is_means_a_damaged_archive(make_archive: MakeArchive) -> None:
    def lie(tar: tarfile.TarFile) -> None:
        tar.addfile(_member("cifar-100-python/train", size=10**8))

    with pytest.raises(ArchiveCorrupt, match="damaged"):
        read_split(make_archive(extra=lie), "train")


def test_many_members_that_unpack_to_too_much_together_are_refused(
    make_archive: MakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scones.staging.archive.MAX_ARCHIVE_BYTES", 100_000)
    with pytest.raises(ArchiveUnsafe, match="unpacks to more than 100,000 bytes"):
        read_split(make_archive(), "train")
    assert MAX_ARCHIVE_BYTES > 187_000_000


def test_a_pickle_that_is_no_table_is_refused(make_archive: MakeArchive) -> None:
    with pytest.raises(ArchiveCorrupt, match="holds a list, not a table"):
        class_names(make_archive(pickles={"meta": pickle.dumps([1, 2, 3])}))


@pytest.mark.parametrize("data", [b"", b"not a pickle", b"\x80\x02}q", b"\x80\x02.", b"(lp0\nI1\na"])
def test_a_damaged_pickle_is_refused(make_archive: MakeArchive, data: bytes) -> None:
    with pytest.raises(ArchiveCorrupt, match="get it again"):
        class_names(make_archive(pickles={"meta": data}))


_GOOD: dict[bytes, Any] = {
    b"data": np.zeros((2, 3072), np.uint8),
    b"fine_labels": [8, 48],
    b"coarse_labels": [18, 18],
    b"filenames": [b"a", b"b"],
}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({b"data": np.zeros((2, 3000), np.uint8)}, "shape (2, 3000)"),
        ({b"data": np.zeros((2, 3072), np.float32)}, "type float32"),
        ({b"data": b"bytes"}, "no attribute"),
        ({b"data": np.zeros((3, 3072), np.uint8)}, "with 2 names"),
        ({b"fine_labels": [8]}, "2 whole numbers"),
        ({b"fine_labels": [8, 100]}, "outside 0 to 99"),
        ({b"fine_labels": [[8], [48]]}, "2 whole numbers"),
        ({b"fine_labels": [8.5, 48.0]}, "2 whole numbers"),
        ({b"fine_labels": [8, 10**30]}, "CIFAR-100"),
        ({b"coarse_labels": [18, 20]}, "outside 0 to 19"),
        ({b"filenames": [1, 2]}, "no attribute"),
    ],
)
def test_tables_of_the_wrong_shape_are_refused(make_archive: MakeArchive, change: dict[bytes, Any], fault: str) -> None:
    archive = make_archive(pickles={"train": pickle.dumps(_GOOD | change, protocol=3)})
    with pytest.raises(ArchiveCorrupt, match=re.escape(fault)):
        read_split(archive, "train")


def test_a_table_without_labels_is_refused(make_archive: MakeArchive) -> None:
    with pytest.raises(ArchiveCorrupt, match="2 whole numbers"):
        read_split(make_archive(pickles={"train": pickle.dumps({**_GOOD, b"fine_labels": None}, protocol=3)}), "train")


@pytest.mark.parametrize("names", [[b"one"], [b"\xff"] * 100, [1] * 100, None])
def test_wrong_class_names_are_refused(make_archive: MakeArchive, names: Any) -> None:
    meta = pickle.dumps({b"fine_label_names": names}, protocol=3)
    with pytest.raises(ArchiveCorrupt, match="fine_label_names"):
        class_names(make_archive(pickles={"meta": meta}))


def test_a_missing_archive_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"no archive at .*gone\.tar\.gz: give the path .* with --archive"):
        read_split(tmp_path / "gone.tar.gz", "train")


def test_a_truncated_archive_is_damaged(make_archive: MakeArchive) -> None:
    archive = make_archive()
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(ArchiveCorrupt, match="damaged or no gzipped tar"):
        read_split(archive, "train")


def test_a_text_file_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_text("hello")
    with pytest.raises(ArchiveCorrupt, match="no gzipped tar"):
        read_split(path, "train")


def test_another_archive_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(_member("readme.txt"))
    with pytest.raises(ArchiveCorrupt, match=r"holds no cifar-100-python/train"):
        read_tables(path, ["cifar-100-python/train"])
