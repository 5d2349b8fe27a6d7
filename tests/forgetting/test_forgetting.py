"""A driver is forgotten: nothing of theirs is left, everything of the others is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scones.capture import capture_key
from scones.errors import SettingsError, WorkflowError
from scones.forgetting import Person, open_eraser, remove, search
from scones.staging import load_dataset
from scones.store import Layout
from scones.workflow.application import open_engine
from scones.workflow.arrivals import find_arrivals, start_arrival
from scones.workflow.engine import Journal

from .world import GONE, LATER, STAYS, World

KINDS = {
    "arrivals": 5,
    "capture": 9,  # four by arrival, four by the prefix, one by the manifest
    "batches": 6,
    "datasets": 1,
    "executions": 12,
    "reports": 1,
    "watch-state": 9,
    "audits": 9,
    "answers": 1,
    "assignments": 3,
    "dead-letters": 1,
    "dead-letter-retries": 1,
    "examples": 1,
    "routes": 3,
    "reviews": 2,
    "claims": 5,
}


def test_nothing_is_left_but_the_claims_on_orders(world: World) -> None:
    assert len(world.traces()) > 40
    assert len(world.pieces[GONE]) == 13
    assert world.find().counts == KINDS
    found = world.forget()
    left = world.traces()
    assert {path.partition("/")[0] for path in left} == {"order-claims"}
    assert all(seen == [GONE.encode()] for seen in left.values())
    told = [sentence for sentence in found.kept if sentence.startswith("order-claims/")]
    assert sorted(one.split(" ")[0] for one in told) == sorted(left)


def test_the_other_driver_keeps_everything(world: World) -> None:
    before = world.traces(STAYS)
    world.forget()
    after = world.traces(STAYS)
    before.pop("reports/monitor.html")
    for journal in ("journal.sqlite", "journal.sqlite-wal"):  # what was pruned of theirs has left it too
        before.pop(journal, None)
        after.pop(journal, None)
    assert {path: len(seen) for path, seen in after.items()} == {path: len(seen) for path, seen in before.items()}
    assert world.find(STAYS).counts == {kind: number for kind, number in KINDS.items() if kind != "reports"}


def test_looking_changes_nothing(world: World) -> None:
    before = world.traces()
    world.find()
    assert world.traces() == before


def test_forgetting_again_finds_nothing(world: World) -> None:
    world.forget()
    assert world.find().counts == {}


@pytest.mark.parametrize(
    "step",
    ["pictures", "captured answers", "answers of batches", "executions", "datasets", *sorted(KINDS.keys() - {
        "arrivals", "capture", "batches", "executions", "datasets", "reports",
        "watch-state", "audits"})],
)  # fmt: skip
def test_what_was_killed_half_way_is_finished_by_the_next_run(world: World, step: str) -> None:
    class Killed(BaseException):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if what == step and done * 2 >= total:
            raise Killed

    with pytest.raises(Killed):
        world.forget(report=kill)
    assert not [key for key in find_arrivals(world.bucket) if f"/{GONE}/" in key and step != "pictures"]
    world.forget()
    assert {path.partition("/")[0] for path in world.traces()} == {"order-claims"}
    assert world.find().counts == {}


def test_a_process_that_dies_in_the_midst_of_the_journal_leaves_work_for_the_next(world: World, tmp_path: Path) -> None:
    script = tmp_path / "dies.py"
    script.write_text(
        "import os, signal, sys\n"
        "from scones.forgetting import Person, open_eraser, remove, search\n"
        "from scones.store import open_bucket\n"
        "from scones.workflow.engine import Journal\n"
        "from datetime import UTC, datetime\n"
        "bucket = open_bucket(sys.argv[1], 'scones')\n"
        "eraser, journal = open_eraser(bucket), Journal(__import__('pathlib').Path(sys.argv[2]))\n"
        "found = search(bucket, eraser, journal, Person.named('driver-7'), now=datetime(2100, 1, 1, tzinfo=UTC))\n"
        "def die(what, done, total):\n"
        "    if what == 'executions' and done: os.kill(os.getpid(), signal.SIGKILL)\n"
        "remove(found, bucket, eraser, journal, report=die)\n"
    )
    words = [sys.executable, str(script), world.settings.store, str(world.settings.journal)]
    assert subprocess.run(words, check=False, timeout=60).returncode == -9
    assert world.find().counts["claims"] == 5
    world.forget()
    assert {path.partition("/")[0] for path in world.traces()} == {"order-claims"}


def test_one_arrival_alone_is_forgotten(world: World) -> None:
    found = world.forget(f"vehicles/main/{GONE}/answered")
    assert found.counts["arrivals"] == found.counts["claims"] == found.counts["examples"] == 1
    assert found.counts["capture"] == 3
    left = world.find().counts
    assert left["arrivals"] == KINDS["arrivals"] - 1
    assert left["capture"] == KINDS["capture"] - 3
    assert "datasets" not in left
    for place in (world.bucket.folder, world.settings.journal.parent):
        assert place is not None
        assert not [path for path in place.rglob("answered*") if f"{GONE}/" in str(path)]


def test_only_the_driver_of_that_depot_is_meant(world: World) -> None:
    assert world.find(depot="main").counts == KINDS
    assert world.find(depot="north").counts == {}


def test_the_dataset_can_still_be_learned_from_and_says_how_many_pictures_it_has(world: World) -> None:
    before = load_dataset(world.bucket, "vehicles", world.dataset)
    found = world.forget()
    after = load_dataset(world.bucket, "vehicles", world.dataset)
    assert len(after.lines) == len(before.lines) - 1
    for split, labels in after.counts().items():
        images, _ = after.arrays(split, 32)
        assert len(images) == sum(labels.values()) == sum(after.checks.counts[split].values())
    rows = world.bucket.get(f"{after.prefix}/train.lst").splitlines()
    assert len(rows) == sum(after.counts()["train"].values())
    assert all(world.bucket.exists(f"{after.prefix}/{row.split(chr(9).encode())[2].decode()}") for row in rows)
    assert any(sentence.startswith(f"tiny-1 of task vehicles learned from {after.prefix}") for sentence in found.kept)


def test_what_checks_say_of_a_picture_that_was_left_out_goes_too(world: World) -> None:
    prefix = Layout.dataset("vehicles", world.dataset)
    checks = world.bucket.get_json(f"{prefix}/checks.json")
    mine, other = (
        {"origin": f"arrivals/vehicles/main/{who}/answered.png", "label": "bicycle", "split": "train"}
        for who in (GONE, STAYS)
    )
    checks["dropped"] = [
        {"picture": other, "reason": "copy", "twin": other},
        {"picture": other, "reason": "copy", "twin": mine},
    ]
    world.bucket.put_json(f"{prefix}/checks.json", checks)
    world.forget()
    assert len(load_dataset(world.bucket, "vehicles", world.dataset).checks.dropped) == 1


def test_a_dataset_without_a_manifest_is_told_of(world: World) -> None:
    world.bucket.put("datasets/vehicles/half/pictures/train/bicycle/1.png", b"somebody")
    [told] = [one for one in world.find().kept if one.startswith("datasets/vehicles/half")]
    assert "has no manifest" in told


def test_a_picture_that_lies_elsewhere_goes_and_one_in_another_bucket_is_told_of(world: World) -> None:
    for name, place in (("course", "scones"), ("foreign", "other")):
        path = f"vehicles/main/{GONE}/{name}"
        claim = {"name": f"execution-of-{name}", "at": 1.8e9, "s3_bucket": place, "s3_key": f"test/{name}.png"}
        world.bucket.put_json(Layout.record(Layout.claim_series(path), 1), claim)
        world.bucket.put(f"test/{name}.png", b"a picture")
    found = world.forget()
    assert not world.bucket.exists("test/course.png")
    assert world.bucket.exists("test/foreign.png")
    assert "s3://other/test/foreign.png lies in another bucket: remove it there" in found.kept


def test_a_picture_without_a_name_goes_by_its_claim_and_one_of_anothers_name_is_told_of(world: World) -> None:
    other = f"arrivals/vehicles/main/{STAYS}/lent.png"
    for number, key in enumerate(("arrivals/loose.png", other)):
        claim = {"name": f"by-hand-{number}", "at": 1.8e9, "s3_bucket": "scones", "s3_key": key}
        world.bucket.put_json(Layout.record(Layout.claim_series(f"vehicles/main/{GONE}/{number}"), 1), claim)
        world.bucket.put(key, b"a picture")
    found = world.forget()
    assert not world.bucket.exists("arrivals/loose.png")
    assert world.bucket.exists(other)
    assert any(sentence.startswith(f"{other} has the name of another arrival") for sentence in found.kept)


def test_captured_answers_of_other_callers_are_told_of(world: World) -> None:
    line = {
        "captureData": {"endpointOutput": {"data": "0.9,0.1", "encoding": "CSV"}},
        "eventMetadata": {"eventId": "e", "inferenceId": "e", "inferenceTime": "2026-11-20T10:14:51Z"},
    }
    key = capture_key("capture", "scones", "AllTraffic", datetime(2026, 11, 20, tzinfo=UTC), "direct")
    world.bucket.put(key, f"{json.dumps(line)}\nhalf a li".encode())
    found = world.forget()
    assert any(sentence.startswith("2 captured answers went to callers") for sentence in found.kept)
    assert world.bucket.exists(key)


def test_half_written_files_of_theirs_go_too(world: World) -> None:
    assert world.bucket.folder is not None
    place = world.bucket.folder / f"arrivals/vehicles/main/{GONE}"
    for name in (".x.png.tmp", "x.png.part", "new\nline.png"):
        (place / name).write_bytes(b"half")
    world.forget()
    assert not place.exists()


def test_halves_that_a_killed_process_left_go_too(world: World) -> None:
    assert world.bucket.folder is not None
    mine = world.bucket.folder / f"claims/vehicles/main/{GONE}/sure/00000002.json#1"
    anybodys = world.bucket.folder / "capture/scones/AllTraffic/half.jsonl#1"
    for path in (mine, anybodys):
        path.write_bytes(world.pieces[GONE][0])
    world.forget()
    assert not mine.exists()
    assert not anybodys.exists()


def test_records_that_are_damaged_keep_nothing_from_going(world: World) -> None:
    path = f"vehicles/main/{GONE}/odd"
    odd = (b"half a rec", b"[1]", b'{"name": 5, "at": "soon", "s3_key": null}', b'{"at": 1e300}')
    for number, text in enumerate(odd, 1):
        world.bucket.put(Layout.record(Layout.claim_series(path), number), text)
        world.bucket.put(Layout.record(Layout.assignment_series(path), number), text)
    for key in (Layout.route(path), Layout.review(path), Layout.example(path)):
        world.bucket.put(key, odd[0])
    world.bucket.put(f"batches/{GONE}.jsonl", b"{}\nhalf a li")
    world.forget()
    assert {path.partition("/")[0] for path in world.traces()} == {"order-claims", "batches"}


def test_a_review_that_waits_is_forgotten_with_its_execution(world: World) -> None:
    world.forget()
    with open_engine(world.settings) as engine:
        assert engine.running == 1  # the other's
        with Journal.open_readonly(world.settings.journal) as journal:
            assert [one.status for one, _ in journal.concerning(lambda value: GONE + "/" in str(value))] == []


def test_a_review_that_another_engine_holds_is_waited_for(world: World) -> None:
    with Journal.open_readonly(world.settings.journal) as journal:
        asked = world.bucket.get_json(f"reviews/vehicles/main/{GONE}/waits.json")
        deadline = datetime.fromisoformat(asked["asked_at"]) + timedelta(seconds=asked["seconds"])
        eraser, person = open_eraser(world.bucket), Person.named(GONE)
        for now, number in ((deadline - timedelta(seconds=1), 1), (deadline, 0)):
            found = search(world.bucket, eraser, None, person, now=now)
            assert len(found.obstacles) == number
        assert search(world.bucket, eraser, journal, person, now=deadline - timedelta(days=1)).obstacles == []
    found = search(world.bucket, eraser, None, person, now=deadline - timedelta(seconds=1))
    with pytest.raises(WorkflowError, match=r"a person is still asked about .*waits.*nothing was removed"):
        remove(found, world.bucket, eraser, None)
    assert world.find().counts == KINDS


def test_what_arrived_just_now_is_waited_for_since_its_capture_may_be_on_its_way(world: World) -> None:
    newest = max(one.stopped for one in world.find().executions if one.stopped)
    assert world.find(now=newest + timedelta(seconds=10)).obstacles == []
    [told] = world.find(now=newest + timedelta(seconds=9)).obstacles
    assert "wait until" in told


def test_a_batch_that_has_not_ended_is_waited_for(world: World) -> None:
    settings = world.settings.model_copy(update={"endpoint_url": "http://127.0.0.1:9"})
    given = {"s3_bucket": "scones", "task": "vehicles", "prefix": "arrivals/vehicles/"}
    with open_engine(settings) as engine:
        engine.start("batch", given, name="unfinished")
        while not engine.executions(machine="batch/ClassifyPrefix", status="RUNNING"):
            pass
        engine.stop(grace=0.0)
    [told] = world.find().obstacles
    assert told.startswith("a batch that works pictures of theirs has not ended")


def test_a_forgotten_picture_that_comes_again_is_an_arrival_like_any_other(world: World) -> None:
    key = f"arrivals/vehicles/main/{GONE}/sure.png"
    picture = world.bucket.get(key)
    world.forget()
    world.bucket.put(key, picture)
    with open_engine(world.settings) as engine:
        assert start_arrival(engine, world.bucket, key)[1] == "RUNNING"


@pytest.mark.parametrize("who", ["", "..", "a/b", "a/b/c/d/e", "vehicles/main//a1", "vehicles/../d/a1", "x\ny"])
def test_what_is_nobodys_name_is_refused(who: str) -> None:
    with pytest.raises(SettingsError, match="nobody's name"):
        Person.named(who)


@pytest.mark.parametrize("depot", ["", "..", "a/b"])
def test_what_is_no_depots_name_is_refused(depot: str) -> None:
    with pytest.raises(SettingsError, match="nobody's name"):
        Person.named("driver-7", depot)


def test_an_arrival_of_another_depot_is_a_contradiction() -> None:
    with pytest.raises(SettingsError, match=re.escape("is of depot main, not north")):
        Person.named("vehicles/main/driver-7/a1", "north")
    assert str(Person.named("vehicles/main/driver-7/a1", "main")) == "arrival vehicles/main/driver-7/a1"
    assert str(Person.named("driver-7", "main")) == "driver driver-7 of depot main"
    assert LATER.tzinfo is UTC
