"""People judge a few pictures of the latest, and their answers tell how good the model is on all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from scones.errors import MonitorError
from scones.monitoring.audit_page import audit_page
from scones.monitoring.truth import read_truths
from scones.monitoring.watch.audit import (
    Audit,
    answer,
    draw,
    new_audit_name,
    read_audit,
    read_audits,
    reviewed,
    save_audit,
)
from scones.monitoring.watch.health import health_of
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.look import Watcher
from scones.monitoring.watch.state import load_state
from scones.monitoring.watch.window import Window
from scones.store import Layout
from tests.monitoring.watch.world import ENDPOINT, START, TASK, Shop

NOW = START + timedelta(hours=1)


def drawn(shop: Shop, count: int = 20, *, last: int = 500) -> Audit:
    look = newest_look(shop.bucket, ENDPOINT)[1]
    assert look is not None
    state = load_state(shop.bucket, look.state)
    assert state is not None
    health = health_of(shop.bucket, TASK, state.version)
    return draw(state.window, health, count, last=last, now=NOW, rng=np.random.default_rng(1))


@pytest.fixture
def watched(shop: Shop) -> Shop:
    shop.capture(60)
    Watcher(shop.bucket, ENDPOINT, TASK).look(NOW)
    return shop


def said(audit: Audit, *, wrong: int = 0) -> dict[str, str]:
    """What people say: that the model is right, but for the first few."""
    labels = audit.labels
    return {
        audit.events[k]: labels[(audit.answers[k] + (number < wrong)) % len(labels)]
        for number, k in enumerate(audit.drawn)
    }


def test_a_draw_is_of_the_latest_pictures_and_tells_each_ones_chance(watched: Shop) -> None:
    audit = drawn(watched, 20, last=40)
    assert audit.events == tuple(f"event-{k}" for k in range(20, 60))
    assert len(audit.drawn) == len(audit.inclusion) == 20
    assert all(0 < chance <= 1 for chance in audit.inclusion)
    assert sum(1 / chance for chance in audit.inclusion) == pytest.approx(40, rel=0.3)


def test_a_draw_is_of_captured_pictures_since_a_time_and_heeds_how_likely_answers_are_right(watched: Shop) -> None:
    look = newest_look(watched.bucket, ENDPOINT)[1]
    assert look is not None
    state = load_state(watched.bucket, look.state)
    assert state is not None
    health, rng = health_of(watched.bucket, TASK, state.version), np.random.default_rng(1)
    embeddings = state.window.embeddings.copy()
    embeddings[::2] = np.nan
    window = replace(state.window, embeddings=embeddings)
    since = START + timedelta(seconds=30)
    audit = draw(window, health, 10, last=500, since=since, now=NOW, rng=rng)
    assert audit.events == tuple(f"event-{k}" for k in range(31, 60, 2))
    chance = health.right_chance.of(window.probabilities[31::2], embeddings[31::2])
    assert audit.right == pytest.approx(chance, abs=1e-5)
    with pytest.raises(MonitorError, match=r"none since 2024-11-20 11:00:00 UTC was captured with its picture"):
        draw(window, health, 10, last=500, since=NOW, now=NOW, rng=rng)


def test_answers_tell_the_accuracy_at_the_next_look(watched: Shop) -> None:
    audit = drawn(watched)
    save_audit(watched.bucket, ENDPOINT, new_audit_name(NOW), audit)
    watcher = Watcher(watched.bucket, ENDPOINT, TASK)
    assert reviewed(watched.bucket, ENDPOINT, audit.version) is None
    answer(watched.bucket, ENDPOINT, audit, said(audit, wrong=10), who="ada", now=NOW)
    look = watcher.look(NOW).look
    assert look is not None, "answers are news, though no picture came"
    assert look.reviewed is not None
    assert look.reviewed.answers == 20
    assert look.reviewed.low < 0.5 < look.reviewed.high


def test_answers_to_another_models_pictures_or_to_old_ones_do_not_count(watched: Shop) -> None:
    audit = drawn(watched)
    save_audit(watched.bucket, ENDPOINT, new_audit_name(NOW), audit)
    answer(watched.bucket, ENDPOINT, audit, said(audit), who="ada", now=NOW)
    assert reviewed(watched.bucket, ENDPOINT, audit.version) is not None
    assert reviewed(watched.bucket, ENDPOINT, "another") is None
    assert reviewed(watched.bucket, ENDPOINT, audit.version, since=NOW) is None


def test_of_a_picture_that_is_answered_twice_the_latest_answer_counts(watched: Shop) -> None:
    audit = drawn(watched)
    for minute, wrong in enumerate((20, 0)):
        now = NOW + timedelta(minutes=minute)
        answer(watched.bucket, ENDPOINT, audit, said(audit, wrong=wrong), who="ada", now=now)
    save_audit(watched.bucket, ENDPOINT, "a", audit)
    found = reviewed(watched.bucket, ENDPOINT, audit.version)
    assert found is not None
    assert found.high == 1


def test_answers_are_ground_truth_as_sagemaker_writes_it_and_others_may_write_it_too(watched: Shop) -> None:
    audit = drawn(watched)
    key = answer(watched.bucket, ENDPOINT, audit, said(audit), who="ada", now=NOW)
    assert key.startswith(f"{Layout.ground_truth(ENDPOINT)}/2024/11/20/11/00-00-000-")
    line = json.loads(watched.bucket.get(key).splitlines()[0])
    assert line["groundTruthData"] == {"data": audit.labels[audit.answers[audit.drawn[0]]], "encoding": "CSV"}
    assert line["eventMetadata"]["eventId"] == audit.events[audit.drawn[0]]
    assert line["eventMetadata"]["by"] == "ada"

    theirs = {"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": audit.inferences[0]}}
    watched.bucket.put(f"{Layout.ground_truth(ENDPOINT)}/2024/11/20/12/theirs.jsonl", json.dumps(theirs).encode())
    truths = read_truths(watched.bucket, Layout.ground_truth(ENDPOINT))
    assert audit.truth(0, truths) == audit.labels[1], "a caller's own id names the picture as well"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({}, "there is no answer"),
        ({"event-0": "bicycle", "never": "bicycle"}, "was not drawn in this audit"),
        (None, "'tandem' is no label"),
    ],
)
def test_wrong_answers_are_refused_and_nothing_is_written(
    watched: Shop, answers: dict[str, str] | None, told: str
) -> None:
    audit = drawn(watched, 60)
    given = answers if answers is not None else {audit.events[audit.drawn[0]]: "tandem"}
    with pytest.raises(MonitorError, match=told):
        answer(watched.bucket, ENDPOINT, audit, given, who="ada", now=NOW)
    assert not list(watched.bucket.list(Layout.ground_truth(ENDPOINT)))


def test_few_answers_give_no_estimate_and_a_damaged_audit_is_left_out(watched: Shop) -> None:
    audit = drawn(watched)
    save_audit(watched.bucket, ENDPOINT, "a", audit)
    watched.bucket.put(Layout.audit(ENDPOINT, "b"), b"{")
    few = dict(list(said(audit).items())[:9])
    answer(watched.bucket, ENDPOINT, audit, few, who="ada", now=NOW)
    assert reviewed(watched.bucket, ENDPOINT, audit.version) is None
    assert read_audits(watched.bucket, ENDPOINT) == [audit]
    with pytest.raises(MonitorError, match="audit b of endpoint scones is damaged"):
        read_audit(watched.bucket, ENDPOINT)
    with pytest.raises(MonitorError, match="no audit c of endpoint scones: there are a, b"):
        read_audit(watched.bucket, ENDPOINT, "c")
    with pytest.raises(MonitorError, match="drawn in this second"):
        save_audit(watched.bucket, ENDPOINT, "a", audit)


def test_nothing_can_be_drawn_where_nothing_was_looked_at(shop: Shop) -> None:
    health = health_of(shop.bucket, TASK, shop.classifier.info.version)
    with pytest.raises(MonitorError, match="look first"):
        draw(Window.none(), health, 5, last=5, now=NOW, rng=np.random.default_rng(0))


def test_the_page_asks_without_telling_what_the_model_said(watched: Shop) -> None:
    audit = drawn(watched, 5)
    page = audit_page("20241120T110000Z", audit, {audit.events[audit.drawn[0]]: b"not a picture"})
    assert page.count("<select") == 5
    assert page.count("<option>bicycle</option>") == 5
    assert "selected" not in page.split("<body>")[1].split("<script")[0]
    assert "scones monitor answer --audit 20241120T110000Z" in page
