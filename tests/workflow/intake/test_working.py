"""Arrivals are worked once, as many as there is room for, and those that fail for good get a dead letter."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from scones.errors import EndpointBusy, MessageError, StoreError, ThresholdConfidenceNotMet
from scones.settings import Settings
from scones.store import Bucket, Layout
from scones.workflow.arrivals import execution_name
from scones.workflow.intake import Watcher, read_letters, want_again
from scones.workflow.reviews import answer_review, find_review

from ..conftest import BLUE, PURPLE, RED
from .conftest import Gate, HandClock, Worker, write

Wait = Callable[[Callable[[], object]], None]
Start = Callable[..., Worker]
Drop = Callable[..., str]
Picture = Callable[..., bytes]


def path(bucket: Bucket, key: str) -> Path:
    assert bucket.folder is not None
    return bucket.folder / key


def refuse(error: Exception) -> Callable[[Any, Any], Any]:
    def function(event: Any, _: Any) -> Any:
        raise error

    return function


def test_what_lies_there_is_worked_and_a_run_that_does_not_watch_ends(
    start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket
) -> None:
    for number in range(5):
        drop(png_bytes(RED), f"a{number}")
    worker = start(watch=False)
    worker.join()
    assert worker.outcomes == {"routed": 5}
    assert (worker.intake.worked_before, worker.intake.waiting, worker.error) == (0, 0, None)
    assert len(list(bucket.list("routes"))) == 5


def test_a_run_that_does_not_watch_waits_for_no_person_but_for_the_question(
    start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket, settings: Settings, start_endpoint: Any
) -> None:
    from scones.functions.classify_image import classify_image
    from scones.functions.runtime import Runtime

    drop(png_bytes(PURPLE))
    runtime = Runtime(settings)
    worker = start(watch=False, classify_image=lambda event, _: classify_image(event, runtime))
    worker.join()
    assert worker.outcomes == {"review": 1}
    assert worker.engine.running == 1, "the review waits for its person"
    assert list(bucket.list("reviews")) == ["reviews/vehicles/main/driver-1/a1.json"]
    worker.stop()

    review = find_review(bucket, "a1")
    answer_review(bucket, review, "bicycle", labels=("bicycle", "motorcycle"), by="Ada", now=datetime.now(UTC))
    again = start(watch=False)
    again.join()
    assert again.outcomes == {}
    assert bucket.get_json("routes/vehicles/main/driver-1/a1.json")["outcome"] == "routed", "the answer was delivered"


def test_new_arrivals_are_taken_while_it_watches(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    worker = start()
    drop(png_bytes(RED), "a1")
    wait_until(lambda: worker.outcomes == {"routed": 1})
    path(bucket, "arrivals/vehicles/main/driver-2").mkdir()
    bucket.put("arrivals/vehicles/main/driver-2/a2.png", png_bytes(BLUE))  # just now
    wait_until(lambda: sum(worker.outcomes.values()) == 2)
    assert len(worker.started) == 2


def test_another_process_on_the_journal_works_nothing_again(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait
) -> None:
    for number in range(4):
        drop(png_bytes(RED), f"a{number}")
    start(watch=False).end()
    drop(png_bytes(RED), "new")
    worker = start(watch=False)
    worker.join()
    assert (worker.intake.worked_before, worker.outcomes) == (4, {"routed": 1})


def test_what_a_process_did_not_finish_is_finished_by_the_next(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait
) -> None:
    gate = Gate()
    for number in range(3):
        drop(png_bytes(RED), f"a{number}")
    first = start(classify_image=gate)
    wait_until(lambda: len(gate.calls) == 3)
    first.intake.stop()
    first.join()
    first.engine.stop(grace=0)
    gate.open.set()
    drop(png_bytes(RED), "a3")
    second = start(watch=False)
    second.join()
    assert (second.outcomes, len(second.started)) == ({"routed": 4}, 1)
    assert second.intake.worked_before == 0


def test_no_more_are_begun_than_there_is_room_for_and_the_rest_waits_where_it_is(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    gate = Gate()
    keys = [drop(png_bytes(RED), f"a{number}", age=100 - number) for number in range(7)]
    worker = start(queue=3, classify_image=gate)
    wait_until(lambda: len(gate.calls) == 3)
    wait_until(lambda: worker.intake.waiting == 4)
    assert sorted(gate.calls) == keys[:3], "the oldest"
    assert worker.admission.running == 3
    assert worker.admission.full
    assert all(bucket.exists(key) for key in keys)
    gate.open.set()
    wait_until(lambda: worker.outcomes.get("routed", 0) + worker.outcomes.get("wait", 0) == 7)
    assert len(worker.started) == 7


def test_a_poison_picture_gets_a_dead_letter_that_says_why_and_stays_where_it_is(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    key = drop(b"hello", "bad")
    drop(png_bytes(RED), "good")
    worker = start()
    wait_until(lambda: len(worker.letters) == 1)
    wait_until(lambda: worker.outcomes == {"failed": 1, "routed": 1})
    [(letter, again)] = read_letters(bucket)
    assert not again
    assert (letter.key, letter.error, letter.execution) == (key, "PictureError", execution_name(bucket, key))
    assert "bad.png is no picture" in letter.cause
    assert "scones dead-letters --retry vehicles/main/driver-1/bad.png" in letter.hint
    assert abs(datetime.fromisoformat(letter.at).timestamp() - time.time()) < 60
    assert bucket.get(key) == b"hello"
    assert worker.intake.dead == 1


def test_a_poison_arrival_that_is_delivered_again_does_not_run_again(
    start: Start, drop: Drop, bucket: Bucket, settings: Settings, tmp_path: Path
) -> None:
    key = drop(b"hello")
    first = start(watch=False)
    first.join()
    assert first.desk.take_object(key).status == "FAILED"
    first.stop()
    other = settings.model_copy(update={"journal": tmp_path / "new.sqlite"})
    second = start(watch=False, place=other)
    second.join()
    assert second.desk.take_object(key).status == "FAILED", "also where the journal knows nothing of it"
    assert (first.started, second.started) == ([execution_name(bucket, key)], [])
    assert second.intake.failed_before == 1


def test_a_dead_letter_is_worked_anew_when_a_person_wants_it_and_each_wish_counts_once(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    key = drop(b"hello")
    worker = start()
    wait_until(lambda: len(worker.letters) == 1)
    drop(b"still broken")
    [(letter, _)] = read_letters(bucket)
    want_again(bucket, letter)
    want_again(bucket, letter)
    wait_until(lambda: worker.outcomes == {"failed": 2})
    wait_until(lambda: [one.execution for one, again in read_letters(bucket) if not again] == [f"{letter.execution}.2"])

    want_again(bucket, letter)  # it comes late: that execution was worked anew already
    wait_until(lambda: list(bucket.list(Layout.RETRIES)) == [])
    assert len(worker.started) == 2
    assert key in worker.letters, "and the newer letter stays"

    drop(png_bytes(RED))
    [(letter, _)] = read_letters(bucket)
    want_again(bucket, letter)
    wait_until(lambda: worker.outcomes == {"failed": 2, "routed": 1})
    wait_until(lambda: read_letters(bucket) == [])
    assert list(bucket.list(Layout.RETRIES)) == []
    assert bucket.exists("routes/vehicles/main/driver-1/a1.json")


def test_a_wish_waits_where_there_is_no_room(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    drop(b"hello", "bad")
    start(watch=False).end()
    gate = Gate()
    drop(png_bytes(RED), "good", age=200)
    worker = start(queue=1, classify_image=gate)
    wait_until(lambda: gate.calls)
    [(letter, _)] = read_letters(bucket)
    drop(png_bytes(BLUE), "bad")
    want_again(bucket, letter)
    assert [again for _, again in read_letters(bucket)] == [True]
    gate.open.set()
    wait_until(lambda: sum(worker.outcomes.values()) == 2)
    wait_until(lambda: read_letters(bucket) == [])


def test_retry_failed_works_dead_letters_too(start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket) -> None:
    drop(b"hello")
    start(watch=False).end()
    drop(png_bytes(RED))
    worker = start(watch=False, retry_failed=True)
    worker.join()
    assert worker.outcomes == {"routed": 1}
    assert read_letters(bucket) == []


def test_a_dead_letter_that_a_killed_process_did_not_write_is_written_by_the_next(
    start: Start, drop: Drop, bucket: Bucket
) -> None:
    key = drop(b"hello")
    start(watch=False).end()
    bucket.delete(Layout.dead_letter(key))
    worker = start(watch=False)
    worker.join()
    assert worker.started == []
    [(letter, _)] = read_letters(bucket)
    assert (letter.key, letter.error) == (key, "PictureError")


def test_a_dead_letter_that_a_killed_process_did_not_remove_is_removed_by_the_next(
    start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket
) -> None:
    drop(b"hello")
    start(watch=False).end()
    [(letter, _)] = read_letters(bucket)
    drop(png_bytes(RED))
    start(watch=False, retry_failed=True).end()
    bucket.put_json(Layout.dead_letter(letter.key), letter.model_dump())
    start(watch=False).end()
    assert read_letters(bucket) == []


def test_what_may_pass_is_no_dead_letter(start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket) -> None:
    drop(png_bytes(RED))
    failing = start(watch=False, classify_image=refuse(ValueError("a bug")))
    failing.join()
    assert (failing.outcomes, read_letters(bucket)) == ({"failed": 1}, [])
    failing.stop()
    worker = start(watch=False, retry_failed=True)
    worker.join()
    assert worker.outcomes == {"routed": 1}


def test_a_name_that_is_no_arrivals_and_a_name_that_is_taken_are_dead_letters(
    start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket
) -> None:
    drop(png_bytes(RED), "a1")
    start(watch=False).end()
    drop(png_bytes(RED), "a1", ext="jpg")
    drop(png_bytes(RED), "ü b")
    worker = start(watch=False)
    worker.join()
    assert worker.outcomes == {"failed": 2}
    assert {letter.arrival: letter.error for letter, _ in read_letters(bucket)} == {
        "vehicles/main/driver-1/a1.jpg": "MessageError",
        "vehicles/main/driver-1/ü b.png": "MessageError",
    }


def test_a_file_that_was_still_being_written_when_it_was_taken_is_worked_anew_by_itself(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    picture = png_bytes(RED, size=(400, 400))
    key = drop(picture[:50], age=10)

    finish = threading.Event()

    def serialize(event: Any, context: Any) -> Any:
        from scones.functions.runtime import Runtime
        from scones.functions.serialize_image import serialize_image

        try:
            return serialize_image(event, Runtime(worker_settings))
        except Exception:
            if not finish.is_set():  # the rest comes while the half is looked at
                write(path(bucket, key), picture, age=5)
                finish.set()
            raise

    worker_settings = Settings.load(environ={}, file=None, store=str(path(bucket, "").parent))
    worker = start(serialize_image=serialize)
    wait_until(lambda: worker.outcomes == {"failed": 1, "routed": 1})
    assert finish.is_set()
    assert read_letters(bucket) == []
    assert len(worker.started) == 2


def test_while_the_endpoint_does_not_answer_arrivals_wait_where_they_are(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket, settings: Settings
) -> None:
    down = threading.Event()
    down.set()

    def check() -> None:
        if down.is_set():
            raise EndpointBusy("no endpoint answers")

    # in a state that does not try it again, so that the test need not wait
    worker = start(check_endpoint=check, filter_inferences=refuse(EndpointBusy("after all retries")))
    drop(png_bytes(RED), "a1")
    wait_until(lambda: worker.outcomes == {"failed": 1})
    wait_until(lambda: worker.said == ["the endpoint does not answer: arrivals wait where they are"])
    drop(png_bytes(RED), "a2")
    wait_until(lambda: worker.intake.waiting == 1)
    assert len(worker.started) == 1
    assert read_letters(bucket) == [], "this is no fault of the picture's"
    down.clear()
    wait_until(lambda: worker.outcomes == {"failed": 2})
    assert "the endpoint answers again" in worker.said
    worker.stop()
    again = start(watch=False, retry_failed=True)
    again.join()
    assert again.outcomes == {"routed": 2}, "nothing is lost"


def test_a_folder_that_cannot_be_listed_is_tried_again_and_told_once(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    assert bucket.folder is not None
    away = bucket.folder.with_name("away")
    worker = start()
    bucket.folder.rename(away)
    wait_until(lambda: any("arrivals: cannot list arrivals" in text for text in worker.said))
    away.rename(bucket.folder)
    drop(png_bytes(RED))
    wait_until(lambda: worker.outcomes == {"routed": 1})
    assert len([text for text in worker.said if "cannot list" in text]) == 1
    assert "arrivals: all is well again" in worker.said


def test_a_run_that_does_not_watch_raises_what_it_cannot_list(start: Start, bucket: Bucket) -> None:
    bucket.put("arrivals", b"a file")
    worker = start(watch=False)
    worker.join()
    assert isinstance(worker.error, StoreError)


def test_answers_that_cannot_be_delivered_hold_up_no_arrival(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    def unsure_of_a1(event: Any, _: Any) -> Any:
        if event["body"]["arrival_id"] == "a1":
            raise ThresholdConfidenceNotMet("0.5 is less than 0.9")
        return event

    worker = start(filter_inferences=unsure_of_a1)
    drop(png_bytes(RED), "a1")
    wait_until(lambda: list(bucket.list("reviews")))
    loop = path(bucket, "answers")
    loop.symlink_to(loop)  # whatever is looked up below it, the disk refuses
    wait_until(lambda: worker.said)
    drop(png_bytes(RED), "a2")
    wait_until(lambda: worker.outcomes == {"review": 1, "routed": 1})
    [said] = worker.said
    assert said.startswith("answers of people: cannot look up answers/vehicles/main/driver-1/a1.json")
    assert said.endswith("; it is tried again")
    loop.unlink()
    review = find_review(bucket, "a1")
    answer_review(bucket, review, "bicycle", labels=("bicycle", "motorcycle"), by="Ada", now=datetime.now(UTC))
    wait_until(lambda: bucket.exists("routes/vehicles/main/driver-1/a1.json"))
    wait_until(lambda: "answers of people: all is well again" in worker.said)


def test_after_the_clock_was_set_back_arrivals_are_worked_once(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    now = HandClock(time.time() - 86_400)
    worker = start(watcher=Watcher(bucket, now=now, clock=time.monotonic))
    drop(png_bytes(RED), age=-3600)
    wait_until(lambda: worker.outcomes == {"routed": 1})
    now.move(-86_400)
    drop(png_bytes(RED), "a2", age=0)
    wait_until(lambda: worker.outcomes == {"routed": 2})
    assert len(worker.started) == 2


def test_what_is_no_picture_is_told_once(start: Start, bucket: Bucket, wait_until: Wait) -> None:
    for number in range(7):
        bucket.put(f"arrivals/notes-{number}.txt", b"x")
    worker = start()
    wait_until(lambda: worker.said)
    bucket.put("arrivals/late.txt", b"x")
    wait_until(lambda: len(worker.said) == 2)
    assert worker.said[0].startswith("skipped, no pictures: arrivals/notes-")
    assert worker.said[0].endswith(" and 2 more")
    assert worker.said[1] == "skipped, no pictures: arrivals/late.txt"


def test_a_folder_and_a_caller_that_bring_the_same_arrival_at_once_start_one_execution(
    start: Start, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    worker = start()
    receipts: list[str] = []
    together = threading.Barrier(5)

    def bring(number: int) -> None:
        together.wait()
        for one in range(10):
            key = f"arrivals/vehicles/main/driver-1/a{one}.png"
            if number == 0:
                write(path(bucket, key), png_bytes(RED))
            else:
                wait_until(partial(bucket.exists, key))
                receipts.append(worker.desk.take_object(key).execution)

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: sum(worker.outcomes.values()) == 10)
    assert len(worker.started) == len(set(worker.started)) == 10
    assert len(receipts) == 40
    assert set(receipts) <= set(worker.started)
    assert worker.outcomes == {"routed": 10}
    wait_until(lambda: worker.intake.waiting == 0)
    assert worker.intake.worked_before == 0


def test_the_end_of_the_process_begins_nothing_more_and_sees_to_what_has_failed(
    start: Start, drop: Drop, png_bytes: Picture, wait_until: Wait, bucket: Bucket
) -> None:
    gate = Gate()

    def fail_late(event: Any, context: Any) -> Any:
        gate(event, context)
        raise MessageError("of the arrival itself")

    drop(png_bytes(RED), "a1")
    worker = start(queue=1, classify_image=fail_late)
    wait_until(lambda: gate.calls)
    drop(png_bytes(RED), "a2")
    worker.intake.stop()
    worker.join()
    gate.open.set()
    worker.engine.wait(worker.started[0], machine="classify", timeout=60)
    worker.engine.stop()
    assert read_letters(bucket) == []
    worker.intake.finish()
    assert [letter.arrival for letter, _ in read_letters(bucket)] == ["vehicles/main/driver-1/a1.png"]
    assert len(worker.started) == 1


def test_the_system_writes_nothing_under_arrivals(start: Start, drop: Drop, png_bytes: Picture, bucket: Bucket) -> None:
    keys = [drop(png_bytes(RED), "a1"), drop(b"hello", "bad")]
    start(watch=False).end()
    assert sorted(bucket.list("arrivals")) == sorted(keys)
    assert json.loads(bucket.get(Layout.dead_letter(keys[1])))["key"] == keys[1]
