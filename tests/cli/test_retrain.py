"""From a drift to a better model on the command line: pictures are drawn, judged, and learned from."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import pytest

from scones import errors
from scones.capture import read_capture
from scones.picture import decode, encode_png
from scones.registry import current_policy
from scones.staging import SourcePicture
from scones.store import Bucket, Layout
from tests.monitoring.watch.world import ENDPOINT, TASK, Shop, build

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> Bucket:
    clear = [one for one in red_and_blue() if one.split == "train" or int(one.origin) % 20 not in (0, 1)]
    return build(tmp_path_factory.mktemp("built"), tiny_bundle(strength=3.2), clear)


@pytest.fixture
def shop(built: Bucket, tmp_path: Path, tiny_bundle: Callable[..., bytes]) -> Shop:
    return Shop.copy_of(built, tmp_path / ".scones/store", tiny_bundle(strength=3.2))


def done(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def in_blue_light(data: bytes) -> bytes:
    """A picture as a lamp shows it that the model does not know: it takes red things for blue ones there."""
    values = np.asarray(decode(data)).astype(int)
    values[..., 2] += 180
    return encode_png(PIL.Image.fromarray(values.clip(0, 255).astype(np.uint8)))


def capture_in_blue_light(shop: Shop, count: int, start: datetime) -> None:
    records = []
    for record in shop.answer(count, start=start):
        assert record.picture is not None
        data = in_blue_light(record.picture)
        records.append(replace(record, picture=data, probabilities=tuple(shop.classifier.classify([data])[0])))
    shop.write(records, "lamp")


def seen(shop: Shop) -> dict[str, str]:
    """What a person would say of each captured picture: the red ones are bicycles, whatever the light."""
    found = {}
    for record in read_capture(shop.bucket, f"{Layout.CAPTURE}/{ENDPOINT}"):
        assert record.picture is not None
        found[record.event_id] = "bicycle" if np.asarray(decode(record.picture))[..., 0].mean() > 75 else "motorcycle"
    return found


def test_pictures_are_drawn_judged_and_learned_from(scones: Run, shop: Shop, tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(hours=1)
    shop.capture(60, start=start)
    capture_in_blue_light(shop, 120, start + timedelta(minutes=20))
    assert scones("monitor", "watch", cwd=tmp_path).returncode == 0
    since = f"{start + timedelta(minutes=20):%Y-%m-%dT%H:%M:%S}"
    draw = ("monitor", "audit", "--since", since, "--count", "100", "--json")
    planned = done(scones(*draw, "--dry-run", cwd=tmp_path))
    assert (len(planned["drawn"]), planned["of"], planned["dry_run"]) == (100, 120, True)
    assert not list(shop.bucket.list(Layout.audit(ENDPOINT)))
    drawn = done(scones(*draw, "--out", "page.html", cwd=tmp_path))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 100
    assert "http" not in page.split("<body>")[1]

    truth = seen(shop)
    (tmp_path / "answers.csv").write_text(
        "event,label\n" + "".join(f"{event},{truth[event]}\n" for event in drawn["drawn"][:95]), encoding="utf-8"
    )
    told = done(scones("monitor", "answer", "--file", "answers.csv", "--json", "--dry-run", cwd=tmp_path))
    assert (told["answers"], told["answered"]) == (95, 0)
    told = done(scones("monitor", "answer", "--file", "answers.csv", "--json", cwd=tmp_path))
    assert (told["answers"], told["answered"], told["drawn"]) == (95, 95, 100)
    last = [f"{event}={truth[event]}" for event in drawn["drawn"][95:]]
    told = done(scones("monitor", "answer", *last, "--json", cwd=tmp_path))
    right = told["accuracy"]
    assert (told["answered"], right["answers"]) == (100, 100)
    assert right["low"] < right["share"] < 0.8, "the model is often wrong in that light"

    before = current_policy(shop.bucket, TASK).version
    assert done(scones("retrain", "--dry-run", "--json", cwd=tmp_path))["judged"] == 100
    assert current_policy(shop.bucket, TASK, "candidate").version == before
    own = resources.files("scones.tasks").joinpath("vehicles.toml").read_text(encoding="utf-8")
    (tmp_path / "strict.toml").write_text(f"{own}\n[gates]\nece_excess = 0.0\n", encoding="utf-8")
    refused = done(scones("retrain", "--task", "strict.toml", "--promote", "--json", cwd=tmp_path))
    assert (refused["verdict"], refused["promoted"]) == ("do not promote", False)
    assert "calibration error" in refused["reasons"][0], "a head on three numbers is not calibrated to the last"
    assert current_policy(shop.bucket, TASK).version == before
    (tmp_path / "lenient.toml").write_text(f"{own}\n[gates]\nece_excess = 0.2\n", encoding="utf-8")
    found = done(scones("retrain", "--task", "lenient.toml", "--promote", "--json", cwd=tmp_path))
    assert (found["verdict"], found["promoted"]) == ("promote", True), found["reasons"]
    assert found["on_new"]["candidate"] > found["on_new"]["production"] + 0.1
    assert current_policy(shop.bucket, TASK).version == found["version"] != before
    again = scones("retrain", cwd=tmp_path)
    assert again.returncode == 0
    assert "not enough answers" in again.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["event-0=tandem"], "'tandem' is no label for picture event-0: use one of bicycle, motorcycle"),
        (["event-99=bicycle"], "'event-99' was not drawn in this audit"),
        (["bicycle"], "'bicycle' is no answer: write EVENT=LABEL"),
        (["--file", "none.csv"], "cannot read none.csv"),
        (["--file", "strange.csv"], "strange.csv has the columns picture, what: it needs event and label"),
        ([], "there is no answer"),
        (["--audit", "never", "event-0=bicycle"], "there is no audit never of endpoint scones"),
    ],
)
def test_an_answer_that_cannot_be_taken_is_told_with_the_fix_and_none_is_written(
    scones: Run, shop: Shop, tmp_path: Path, words: list[str], told: str
) -> None:
    shop.capture(20, start=datetime.now(UTC) - timedelta(minutes=5))
    (tmp_path / "strange.csv").write_text("picture,what\n1,2\n", encoding="utf-8")
    assert scones("monitor", "watch", cwd=tmp_path).returncode == 0
    assert scones("monitor", "audit", cwd=tmp_path).returncode == 0
    ended = scones("monitor", "answer", *words, cwd=tmp_path)
    assert ended.returncode == errors.MonitorError.exit_code
    assert told in ended.stderr
    assert not list(shop.bucket.list(Layout.ground_truth(ENDPOINT)))


def test_before_anybody_looked_or_judged_it_is_told_what_to_do_first(scones: Run, shop: Shop, tmp_path: Path) -> None:
    ended = scones("monitor", "audit", cwd=tmp_path)
    assert ended.returncode == errors.MonitorError.exit_code
    assert "look first, with `scones monitor watch`" in ended.stderr
    ended = scones("retrain", cwd=tmp_path)
    assert ended.returncode == errors.MonitorError.exit_code
    assert "draw some with `scones monitor audit`" in ended.stderr
    assert shop.made == 0
