"""A model learns from what people said of captured pictures, and is measured on those that it did not see."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
import PIL.Image
import pytest

from scones.bundle import read_bundle
from scones.capture import CaptureRecord, capture_key, encode_line, read_capture
from scones.errors import MonitorError, TrainingError
from scones.monitoring.watch.audit import Audit, answer, save_audit
from scones.picture import encode_png
from scones.registry import current_policy, load_model, promote, register
from scones.registry.aliases import PRODUCTION, point
from scones.registry.models import save_model
from scones.retraining import Retrained, judged_pictures, retrain
from scones.retraining.judged import is_held
from scones.retraining.measuring import measure_on_new
from scones.retraining.pictures import Counts
from scones.staging import SourcePicture, load_dataset, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import load_task
from scones.training import load_backbone, train

ENDPOINT, TASK = "scones", load_task("vehicles")
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model in production that knows red bicycles and blue motorcycles."""
    folder = tmp_path_factory.mktemp("trained")
    bucket = open_bucket(str(folder), "scones")
    pictures = [
        SourcePicture(f"{k}", TASK.labels[k % 2], coloured(k, 2 * (k % 2)), "test" if k < 120 else "train")
        for k in range(240)
    ]
    dataset = write_dataset(bucket, TASK, pictures, source={"kind": "test"})
    register(bucket, *train(dataset, TASK, load_backbone("nano"), now=NOW), who="a test", now=NOW)
    return folder


@pytest.fixture
def bucket(trained: Path, tmp_path: Path) -> Bucket:
    shutil.copytree(trained, tmp_path / "store")
    return open_bucket(str(tmp_path / "store"), "scones")


def coloured(number: int, *channels: int) -> bytes:
    rng = np.random.default_rng(number)
    values = rng.integers(0, 60, (32, 32, 3))
    values[..., channels] += rng.integers(90, 190)
    return encode_png(PIL.Image.fromarray(values.astype(np.uint8)))


def other_colours(number: int) -> tuple[bytes, str]:
    """A green bicycle or a yellow motorcycle: production has seen neither, and takes the one for the other."""
    return coloured(1000 + number, *((0, 1) if number % 2 else (1,))), TASK.labels[number % 2]


def another_camera(number: int) -> tuple[bytes, str]:
    """What production knows well, as a camera that is dark, flat and noisy takes it."""
    values = np.asarray(PIL.Image.open(io.BytesIO(coloured(2000 + number, 2 * (number % 2)))), np.float64)
    values = 40 + 0.2 * values + np.random.default_rng(number).normal(0, 12, values.shape)
    return encode_png(PIL.Image.fromarray(values.round().clip(0, 255).astype(np.uint8))), TASK.labels[number % 2]


def judge(
    bucket: Bucket, count: int, *, say: int | None = None, picture: Callable[[int], tuple[bytes, str]] = other_colours
) -> Audit:
    """Capture pictures, draw all of them, and say what the first ``say`` show."""
    model = load_model(bucket, TASK.name)
    pictures = [picture(number) for number in range(count)]
    key = capture_key(Layout.CAPTURE, ENDPOINT, "AllTraffic", NOW, "u")
    answers = model.classify([data for data, _ in pictures])
    records = [
        CaptureRecord(f"event-{k}", "", NOW + timedelta(seconds=k), tuple(row), "image/png", data)
        for k, (row, (data, _)) in enumerate(zip(answers, pictures, strict=True))
    ]
    bucket.put(key, "".join(f"{encode_line(record)}\n" for record in records).encode())
    audit = Audit(
        at=NOW,
        task=TASK.name,
        version=model.info.version,
        labels=TASK.labels,
        events=tuple(record.event_id for record in records),
        inferences=("",) * count,
        files=(key,) * count,
        until=NOW,
        answers=tuple(int(np.argmax(row)) for row in answers),
        right=tuple(max(row) for row in answers),
        stratum=(0,) * count,
        drawn=tuple(range(count)),
        inclusion=(1.0,) * count,
    )
    save_audit(bucket, ENDPOINT, f"{count}", audit)
    said = {f"event-{k}": label for k, (_, label) in enumerate(pictures[:say])}
    answer(bucket, ENDPOINT, audit, said, who="ada", now=NOW)
    return audit


def learn(bucket: Bucket) -> Retrained:
    def other(name: str) -> Bucket:
        raise AssertionError(name)

    return retrain(bucket, TASK, ENDPOINT, who="ada", now=NOW, open_other=other)


def test_a_candidate_learns_from_answers_and_is_better_on_pictures_that_it_never_saw(bucket: Bucket) -> None:
    judge(bucket, 120)
    before = current_policy(bucket, TASK.name)
    found = learn(bucket)
    assert found.verdict == "promote", found.reasons
    assert found.on_new is not None
    assert found.on_new.candidate > found.on_new.production + 0.2
    assert found.on_new.difference_interval[0] > 0
    assert found.info is not None
    assert current_policy(bucket, TASK.name, "candidate").version == found.info.version
    assert current_policy(bucket, TASK.name) == before, "nothing is promoted by itself"
    assert "on 49 new pictures that it never saw" in found.reasons[0]

    again = learn(bucket)  # as after a kill: the same pictures make the same dataset and the same model
    assert again.info is not None
    assert (again.dataset, again.info.version) == (found.dataset, found.info.version)

    assert found.considered is not None
    promote(bucket, again.considered or found.considered, who="ada", why="better", now=NOW)
    third = learn(bucket)
    assert third.verdict == "not enough answers"
    assert "production has learned from all of these already, but for 49 that are held back" in third.reasons[0]


def test_what_is_held_back_is_in_no_dataset_and_old_pictures_keep_their_splits(bucket: Bucket) -> None:
    judge(bucket, 60)
    production = load_model(bucket, TASK.name).info
    found = learn(bucket)
    new, old = (load_dataset(bucket, TASK.name, version) for version in (found.dataset, production.dataset))
    more = {line.origin for line in new.lines} - {line.origin for line in old.lines}
    learned = {f"{ENDPOINT}/event-{k}" for k in range(60) if not is_held(f"event-{k}")}
    assert more <= learned
    assert len(more) > 0.9 * len(learned), "but for what is nearly the same as another"
    assert {line.split for line in new.lines if line.origin in more} == {"train"}
    splits = {line.hash: line.split for line in old.lines}
    assert {line.hash: line.split for line in new.lines if line.origin not in more} == splits
    assert new.source["from"] == production.dataset


@pytest.fixture(scope="module")
def learned(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Retrained, list[str]]:
    """A store in which a candidate has learned from 60 pictures, what came of it, and what was written, in order."""
    folder = tmp_path_factory.mktemp("learned") / "store"
    shutil.copytree(trained, folder)
    bucket = open_bucket(str(folder), "scones")
    judge(bucket, 60)
    before = set(bucket.list(""))
    found = learn(bucket)
    assert bucket.folder is not None
    times = {key: (bucket.folder / key).stat().st_mtime_ns for key in set(bucket.list("")) - before}
    return folder, found, sorted(times, key=lambda key: times[key])


@pytest.mark.parametrize("killed", [0.1, 0.9, -5, -3, -1])
def test_killed_between_two_writes_it_does_the_same_again(
    learned: tuple[Path, Retrained, list[str]], tmp_path: Path, killed: float
) -> None:
    folder, whole, written = learned
    shutil.copytree(folder, tmp_path / "store")
    bucket = open_bucket(str(tmp_path / "store"), "scones")
    for key in written[int(len(written) * killed if killed > 0 else killed) :]:  # as if they had never been written
        bucket.delete(key)
    again = learn(bucket)
    assert again.info is not None
    assert whole.info is not None
    assert (again.dataset, again.info.version) == (whole.dataset, whole.info.version)
    assert set(written) <= set(bucket.list(""))
    assert current_policy(bucket, TASK.name, "candidate").version == whole.info.version


def test_where_another_camera_took_the_judged_pictures_the_old_ones_are_learned_from_as_it_takes_them(
    bucket: Bucket,
) -> None:
    judge(bucket, 120, picture=another_camera)
    found = learn(bucket)
    assert found.info is not None
    assert found.on_new is not None
    camera = found.info.parameters["camera"]
    for colour in (0, 2):  # nothing is green here, so that its gain is anybody's guess
        assert camera["gain"][colour] == pytest.approx(0.2, abs=0.05)
        assert camera["noise"][colour] == pytest.approx(12, abs=1)
    assert found.info.metrics["training_pictures"] > found.info.metrics["calibration_pictures"]
    assert found.on_new.candidate >= max(0.9, found.on_new.production)
    again = learn(bucket)
    assert again.info is not None
    assert again.info.version == found.info.version, "what is random is so by the seed"


def test_few_answers_are_no_verdict(bucket: Bucket) -> None:
    judge(bucket, 120, say=30)
    found = learn(bucket)
    assert found.verdict == "not enough answers"
    assert found.on_new is None
    assert "have some" in found.reasons[0]
    assert found.learned == sum(not is_held(f"event-{k}") for k in range(30))


def test_without_answers_there_is_nothing_to_learn_from(bucket: Bucket) -> None:
    with pytest.raises(MonitorError, match=r"nobody has judged a picture of endpoint scones yet: .*monitor audit"):
        learn(bucket)


def test_a_picture_whose_capture_is_gone_is_left_out(bucket: Bucket) -> None:
    audit = judge(bucket, 30)
    assert len(judged_pictures(bucket, ENDPOINT, TASK.name, TASK.labels)) == 30
    bucket.delete(audit.files[0])
    assert not judged_pictures(bucket, ENDPOINT, TASK.name, TASK.labels)


def test_what_shows_the_same_as_a_held_back_picture_is_not_learned_from_either(bucket: Bucket) -> None:
    audit = judge(bucket, 60)
    held = [k for k in range(60) if is_held(f"event-{k}")]
    data, label = other_colours(held[0])
    bucket.put("arrivals/vehicles/main/d/a.png", data)  # the very picture, as a driver's arrival
    large, _ = other_colours(1000)
    bucket.put("arrivals/vehicles/main/d/b.png", large)  # one that was made smaller on its way to the endpoint
    bucket.put("arrivals/vehicles/main/d/c.png", other_colours(1001)[0])
    named = audit.model_copy(update={"inferences": tuple(f"inference-{k}" for k in range(60))})
    bucket.put(Layout.audit(ENDPOINT, "60"), named.model_dump_json().encode())
    records = [
        replace(record, inference_id=f"inference-{k}") for k, record in enumerate(read_capture(bucket, Layout.CAPTURE))
    ]
    bucket.put(audit.files[0], "".join(f"{encode_line(record)}\n" for record in records).encode())
    for name, inference in (("a", "another"), ("b", f"inference-{held[1]}"), ("c", "one more")):
        example = {
            "task": TASK.name, "depot": "main", "driver_id": "d", "arrival_id": name, "s3_bucket": bucket.name,
            "s3_key": f"arrivals/vehicles/main/d/{name}.png", "label": label, "by": "ada", "at": "", "guess": label,
            "confidence": 0.5, "model_version": "", "inference_id": inference,
        }  # fmt: skip
        bucket.put_json(Layout.example(f"vehicles/main/d/{name}"), example)
    found = learn(bucket)
    origins = {line.origin for line in load_dataset(bucket, TASK.name, found.dataset).lines}
    assert {origin for origin in origins if origin.startswith("arrivals/")} == {"arrivals/vehicles/main/d/c.png"}


def test_ground_truth_from_elsewhere_is_learned_from_and_nothing_is_measured_with_it(bucket: Bucket) -> None:
    judge(bucket, 40, say=1)
    bucket.delete(Layout.audit(ENDPOINT, "40"))
    lines = [
        {"groundTruthData": {"data": str(k % 2), "encoding": "CSV"}, "eventMetadata": {"eventId": f"event-{k}"}}
        for k in range(30)
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    bucket.put(f"{Layout.ground_truth(ENDPOINT)}/2026/11/21/00/theirs.jsonl", text.encode())
    judged = judged_pictures(bucket, ENDPOINT, TASK.name, TASK.labels)
    assert [(one.event, one.label) for one in judged] == [(f"event-{k}", TASK.labels[k % 2]) for k in range(30)]
    assert {(one.held, one.weight) for one in judged} == {(False, None)}
    found = learn(bucket)
    assert (found.learned, found.on_new, found.verdict) == (30, None, "not enough answers")


def test_what_people_say_now_goes_before_the_label_of_an_old_training_picture(bucket: Bucket) -> None:
    old = load_dataset(bucket, TASK.name)
    line = next(line for line in old.lines if line.split == "train" and line.label == "bicycle")
    record = CaptureRecord("event-old", "", NOW, (0.9, 0.1), "image/png", old.read(line))
    key = capture_key(Layout.CAPTURE, ENDPOINT, "AllTraffic", NOW, "old")
    broken = replace(record, event_id="event-broken", picture=b"no picture")
    bucket.put(key, f"{encode_line(record)}\n{encode_line(broken)}\n".encode())
    truths = [
        {"groundTruthData": {"data": "motorcycle", "encoding": "CSV"}, "eventMetadata": {"eventId": one.event_id}}
        for one in (record, broken)
    ]
    text = "".join(f"{json.dumps(truth)}\n" for truth in truths)
    bucket.put(f"{Layout.ground_truth(ENDPOINT)}/a.jsonl", text.encode())
    found = learn(bucket)
    labels = {one.hash: one.label for one in load_dataset(bucket, TASK.name, found.dataset).lines}
    assert labels[line.hash] == "motorcycle"
    assert found.judged == 1, "one that cannot be decoded teaches nothing"


def test_a_few_judged_pictures_count_for_more_than_old_ones_and_many_do_not_drown_these(bucket: Bucket) -> None:
    judge(bucket, 120)
    found = learn(bucket)
    assert found.info is not None
    dataset = load_dataset(bucket, TASK.name, found.dataset)
    train = [line for line in dataset.lines if line.split == "train"]
    assert found.info.parameters["judged_count_as"] == 1.0, "71 beside 91 are no few"
    judged = judged_pictures(bucket, ENDPOINT, TASK.name, TASK.labels)
    few = [one for one in judged if not one.held][:5]
    counts = Counts.of(dataset, few)
    assert counts.each == 3
    assert sum(map(counts, train)) == len(train) + 2 * 5
    some = Counts.of(dataset, [one for one in judged if not one.held][:20])
    assert 20 * some.each == pytest.approx(0.25 * (len(train) - 20))


def test_few_pictures_of_very_unlike_weights_can_be_measured_with(bucket: Bucket) -> None:
    judge(bucket, 60)
    held = [one for one in judged_pictures(bucket, ENDPOINT, TASK.name, TASK.labels) if one.held]
    production = load_model(bucket, TASK.name)
    for heavy in (1.0, 3.0, 1000.0):
        weighted = [replace(one, weight=heavy if k == 0 else 1.0) for k, one in enumerate(held)]
        found = measure_on_new(production, production, weighted, TASK.labels)
        assert found.difference == 0
        assert found.difference_interval[0] <= 0 <= found.difference_interval[1]
        assert 1 <= found.worth <= len(held) + 1e-9


def test_a_model_without_a_head_of_ours_is_refused_with_the_reason(
    bucket: Bucket, tiny_bundle: Callable[..., bytes]
) -> None:
    judge(bucket, 30)
    info, model = read_bundle(tiny_bundle(version="strange", dataset=load_dataset(bucket, TASK.name).version))
    graph = onnx.load_from_string(model)
    graph.graph.node[-1].name = "same"
    graph.graph.node[-2].output[0] = graph.graph.node[-1].input[0] = "other"
    save_model(bucket, info, graph.SerializeToString())
    point(bucket, TASK.name, PRODUCTION, "strange", who="ada", why="a test", now=NOW)
    with pytest.raises(TrainingError, match="model strange was not made by `scones train`"):
        learn(bucket)


def test_doubtful_pictures_that_are_drawn_more_often_count_for_less(bucket: Bucket) -> None:
    audit = judge(bucket, 30)
    rare = audit.model_copy(update={"inclusion": (0.1,) * 15 + (1.0,) * 15})
    save_audit(bucket, ENDPOINT, "rare", rare)
    weights = {one.event: one.weight for one in judged_pictures(bucket, ENDPOINT, TASK.name, TASK.labels)}
    assert weights["event-0"] == pytest.approx(10)
    assert weights["event-20"] == pytest.approx(1)
