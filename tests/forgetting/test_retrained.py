"""Captured pictures that a model was trained on again go with the person whom they show, wherever they were staged."""

from __future__ import annotations

import json

import pytest

from scones.capture import read_capture
from scones.picture import content_hash, decode
from scones.retraining.judged import Judged
from scones.retraining.pictures import inference_of, together
from scones.staging import Dataset, load_dataset, write_dataset
from scones.store import Layout
from scones.task import load_task

from .world import GONE, STAYS, World


@pytest.fixture
def retrained(world: World) -> World:
    """The same world, where all that was captured of both drivers was judged, and learned from."""
    theirs = world.find(GONE).inferences | world.find(STAYS).inferences
    old = load_dataset(world.bucket, "vehicles", world.dataset)
    learned = {}
    for record in read_capture(world.bucket, Layout.CAPTURE):
        if record.picture is None or record.inference_id not in theirs:
            continue
        content = content_hash(decode(record.picture))
        learned[content] = Judged(
            record.event_id, record.inference_id, "bicycle", record.picture, content, weight=1.0, held=False
        )
    # what the old dataset knows from an arrival is not taken in again by its capture
    captured = [one for one in together("scones", old, learned, []) if one.origin.startswith("scones/")]
    unseen = [one for one in together("scones", old, {}, []) if not one.origin.startswith("arrivals/")]
    write_dataset(world.bucket, load_task("vehicles"), [*unseen, *captured], source={"kind": "retraining"})
    return world


def staged(world: World, who: str) -> tuple[Dataset, list[str]]:
    """The dataset of the retraining, and the origins of a driver's pictures in it."""
    dataset = load_dataset(world.bucket, "vehicles")
    assert dataset.version != world.dataset
    inferences = world.find(who).inferences
    return dataset, [line.origin for line in dataset.lines if inference_of(line.origin) in inferences]


def test_they_are_found_by_their_inferences_and_taken_out(retrained: World) -> None:
    before, mine = staged(retrained, GONE)
    _, others = staged(retrained, STAYS)
    assert len(mine) == len(others) == 3
    assert retrained.find().counts["datasets"] == 4, "the example in the first dataset, and these"
    retrained.forget()
    after = load_dataset(retrained.bucket, "vehicles")
    kept = {line.origin for line in after.lines}
    assert kept == {line.origin for line in before.lines} - set(mine)
    assert set(others) <= kept
    assert sum(sum(labels.values()) for labels in after.checks.counts.values()) == len(after.lines)
    for split, labels in after.counts().items():
        assert len(after.arrays(split, 32)[0]) == sum(labels.values())
    assert {path.partition("/")[0] for path in retrained.traces()} == {"order-claims"}
    assert retrained.find().counts == {}
    assert len(staged(retrained, STAYS)[1]) == 3


@pytest.mark.parametrize("step", ["pictures", "captured answers", "answers of batches", "executions", "datasets"])
def test_what_was_killed_half_way_is_finished_by_the_next_run(retrained: World, step: str) -> None:
    class Killed(BaseException):
        pass

    def kill(what: str, done: int, total: int) -> None:
        if what == step and done * 2 >= total:
            raise Killed

    _, mine = staged(retrained, GONE)
    with pytest.raises(Killed):
        retrained.forget(report=kill)
    retrained.forget()
    after = load_dataset(retrained.bucket, "vehicles")
    assert not set(mine) & {line.origin for line in after.lines}
    assert all(retrained.bucket.exists(after.key(line)) for line in after.lines)
    assert retrained.find().counts == {}


def test_what_the_checks_say_of_them_goes_too(retrained: World) -> None:
    dataset, mine = staged(retrained, GONE)
    _, others = staged(retrained, STAYS)
    key = f"{dataset.prefix}/checks.json"
    checks = retrained.bucket.get_json(key)
    first, second = ({"origin": one, "label": "bicycle", "split": "train"} for one in (mine[0], others[0]))
    checks["dropped"] = [
        {"picture": second, "reason": "copy", "twin": second},
        {"picture": second, "reason": "copy", "twin": first},
    ]
    retrained.bucket.put_json(key, checks)
    retrained.forget()
    text = retrained.bucket.get(key).decode()
    assert mine[0] not in text
    assert others[0] in text


def test_a_batch_over_them_is_found_through_the_dataset(retrained: World) -> None:
    dataset, mine = staged(retrained, GONE)
    line = next(line for line in dataset.lines if line.origin in mine)
    answer = {
        "manifest": f"{dataset.prefix}/manifest.jsonl",
        "s3_key": dataset.key(line).removeprefix(f"{dataset.prefix}/"),
        "inference_id": "of-a-batch",
    }
    retrained.bucket.put(f"{Layout.batch('later')}/answers.jsonl", json.dumps(answer).encode())
    assert "of-a-batch" in retrained.find().inferences
    retrained.forget()
    assert not retrained.bucket.exists(f"{Layout.batch('later')}/answers.jsonl")
