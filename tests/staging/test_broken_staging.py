"""A staging that is killed or cannot write leaves nothing that looks complete."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scones.errors import ObjectMissing, StoreError
from scones.staging import load_dataset, synthetic_pictures, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import Task

STAGE = """
import os, signal, sys
from scones.errors import SconesError
from scones.staging import synthetic_pictures, write_dataset
from scones.store import open_bucket
from scones.task import load_task

def progress(what, done, total):
    if (what, done) == ("writing pictures", 30) and "kill" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)

try:
    bucket = open_bucket(sys.argv[1], "scones")
    pictures = synthetic_pictures(train=40, test=10)
    write_dataset(bucket, load_task("vehicles"), pictures, source={}, progress=progress)
except SconesError as error:
    print(f"{type(error).__name__} {error}")
    sys.exit(error.exit_code)
"""


def test_a_killed_staging_is_not_complete_and_the_next_one_is(bucket: Bucket, vehicles: Task) -> None:
    assert bucket.folder is not None
    killed = subprocess.run([sys.executable, "-c", STAGE, str(bucket.folder.parent), "kill"], check=False)
    assert killed.returncode == -signal.SIGKILL
    written = list(bucket.list("datasets"))
    assert len(written) >= 30
    assert not any(key.endswith("manifest.jsonl") for key in written)
    with pytest.raises(ObjectMissing):
        load_dataset(bucket, "vehicles")
    dataset = write_dataset(bucket, vehicles, synthetic_pictures(train=40, test=10), source={})
    assert written[0].startswith(dataset.prefix)
    assert len(load_dataset(bucket, "vehicles").lines) == 100


def test_two_stagings_of_the_same_pictures_at_once_make_one_whole_version(bucket: Bucket, vehicles: Task) -> None:
    def stage_too(what: str, done: int, total: int) -> None:
        if (what, done) == ("writing pictures", 15):
            with pytest.raises(ObjectMissing):
                load_dataset(bucket, "vehicles")
            write_dataset(bucket, vehicles, pictures, source={})
            load_dataset(bucket, "vehicles").arrays("train", 32)  # whole, while the other one still writes

    pictures = list(synthetic_pictures(train=20, test=5))
    dataset = write_dataset(bucket, vehicles, pictures, source={}, progress=stage_too)
    assert {dataset.read(line) for line in dataset.lines} == {one.data for one in pictures}
    assert bucket.latest_number(Layout.dataset_series("vehicles")) == 1


def test_a_staging_that_fails_at_its_last_object_is_not_complete(
    bucket: Bucket, vehicles: Task, tmp_path: Path
) -> None:
    pictures = list(synthetic_pictures(train=20, test=5))
    version = write_dataset(open_bucket(str(tmp_path), "other"), vehicles, pictures, source={}).version
    in_the_way = f"{Layout.dataset('vehicles', version)}/manifest.jsonl/folder"
    bucket.put(in_the_way, b"")
    with pytest.raises(StoreError, match=r"cannot write .*manifest\.jsonl"):
        write_dataset(bucket, vehicles, pictures, source={})
    for wanted in (None, version):
        with pytest.raises(ObjectMissing, match="no dataset of task vehicles"):
            load_dataset(bucket, "vehicles", wanted)


def on_a_small_disk(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a mount namespace of its own, with a file system of 200 KiB at ``$DISK``."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = 'mount -t tmpfs -o size=200k none "$DISK"'
    space = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    environ = {**os.environ, "DISK": str(disk), "STAGE": STAGE, "PYTHON": sys.executable}
    if (
        not shutil.which("unshare")
        or subprocess.run([*space, mount], env=environ, capture_output=True, check=False).returncode
    ):
        pytest.skip("this system lets no user mount a file system of its own (unshare --user --mount)")
    return subprocess.run(
        [*space, f"{mount} && {script}"], env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_full_store_is_told_in_one_line_with_its_own_exit_code(tmp_path: Path) -> None:
    script = '"$PYTHON" -c "$STAGE" "$DISK"; code=$?; find "$DISK" -name "manifest*" -o -name "0*.json"; exit $code'
    ended = on_a_small_disk(script, tmp_path)
    assert ended.returncode == 31, ended.stderr
    assert ended.stdout.startswith("StoreFull cannot write datasets/vehicles/")
    assert "no space left; free some, or choose another place" in ended.stdout
    assert ended.stdout.count("\n") == 1


def test_a_read_only_store_is_told_in_one_line_with_its_own_exit_code(tmp_path: Path) -> None:
    script = 'mkdir "$DISK/scones" && mount -o remount,ro "$DISK" && "$PYTHON" -c "$STAGE" "$DISK"'
    ended = on_a_small_disk(script, tmp_path)
    assert ended.returncode == 32, ended.stderr
    assert "StoreReadOnly" in ended.stdout
    assert "choose another place" in ended.stdout


def test_a_full_place_for_temporary_files_is_told(tmp_path: Path) -> None:
    script = 'TMPDIR="$DISK" "$PYTHON" -c "$STAGE" ' + f'"{tmp_path}"'
    ended = on_a_small_disk(script, tmp_path)
    assert ended.returncode == 31, ended.stderr
    assert "name another folder in TMPDIR" in ended.stdout
