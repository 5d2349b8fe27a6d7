"""Who answers: by weight, by name, in the shadow; and the models that a process keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.capture import CANDIDATE_VARIANT, is_sampled, read_capture
from scones.classifier import Classifier
from scones.errors import BundleError
from scones.serving import VARIANT, CaptureWriter, Endpoint, Lineup, Slot, Terms, background_endpoint
from scones.serving.plan import Models, Plan, Post
from scones.store import Bucket

Bundle = Callable[..., bytes]
Send = Callable[..., Any]


@pytest.fixture
def slots(tiny_bundle: Bundle) -> tuple[Slot, Slot]:
    """Production takes red for the first label, the candidate for the last."""
    production = Classifier(*read_bundle(tiny_bundle(version="v1")))
    candidate = Classifier(*read_bundle(tiny_bundle(version="v2", strength=-8.0)))
    return Slot(VARIANT, production, 0.9), Slot(CANDIDATE_VARIANT, candidate, 0.8)


def test_the_same_event_is_always_answered_by_the_same_and_the_share_is_the_weight(slots: tuple[Slot, Slot]) -> None:
    lineup = Lineup(*slots, weight=0.25)
    events = [f"event-{number}" for number in range(4000)]
    chosen = [lineup.choose(event) for event in events]
    assert chosen == [lineup.choose(event) for event in events]
    assert sum(slot is slots[1] for slot in chosen) == pytest.approx(1000, abs=100)
    more = replace(lineup, weight=0.5)
    assert all(more.choose(event) is slots[1] for event, slot in zip(events, chosen, strict=True) if slot is slots[1])


def test_who_is_chosen_does_not_hang_on_who_is_sampled_by_the_monitor(slots: tuple[Slot, Slot]) -> None:
    lineup = Lineup(*slots, weight=0.25)
    sampled = [event for number in range(4000) if is_sampled(event := f"event-{number}", 0.25)]
    assert sum(lineup.choose(event) is slots[1] for event in sampled) == pytest.approx(250, abs=60)


def test_a_weight_of_one_leaves_production_nothing_and_of_none_everything(slots: tuple[Slot, Slot]) -> None:
    events = [f"event-{number}" for number in range(100)]
    assert {Lineup(*slots, weight=1.0).choose(event) for event in events} == {slots[1]}
    assert {Lineup(*slots, weight=0.0).choose(event) for event in events} == {slots[0]}
    assert Lineup(*slots, weight=0.0).shadow is slots[1]
    assert Lineup(*slots, weight=0.1).shadow is None


def test_a_canary_answers_as_a_variant_of_its_own_that_can_be_asked_for(
    slots: tuple[Slot, Slot], send: Send, png_bytes: Callable[..., bytes], bucket: Bucket
) -> None:
    captures = {name: CaptureWriter(bucket, "capture", "scones", name) for name in (VARIANT, CANDIDATE_VARIANT)}
    served = Endpoint(Lineup(*slots, weight=0.5), Terms("scones"), captures=captures)
    with background_endpoint(served) as url:

        def ask(**headers: str) -> tuple[Any, str, Any]:
            reply = send(
                url,
                "/invocations",
                png_bytes(),
                {f"X-Amzn-SageMaker-{n.replace('_', '-')}": v for n, v in headers.items()},
            )
            return reply, reply.headers.get("x-amzn-invoked-production-variant", ""), json.loads(reply.body)

        found = [ask(Inference_Id=f"i{number}") for number in range(20)]
        for reply, variant, (first, _) in found:
            version, threshold = ("v1", "0.9") if variant == VARIANT else ("v2", "0.8")
            attributes = reply.headers["x-amzn-sagemaker-custom-attributes"]
            assert attributes.startswith(f"model_version={version};threshold={threshold};")
            assert (first > 0.5) == (variant == VARIANT)
        assert {variant for _, variant, _ in found} == {VARIANT, CANDIDATE_VARIANT}
        for number in (1, 2, 3):
            assert ask(Target_Variant=CANDIDATE_VARIANT, Inference_Id=f"i{number}")[1] == CANDIDATE_VARIANT
            assert ask(Target_Variant=VARIANT, Inference_Id=f"i{number}")[1] == VARIANT
        reply, _, answer = ask(Target_Variant="Third")
        assert reply.status == 400
        assert "has AllTraffic and candidate" in answer["message"]
    for capture in captures.values():
        capture.close()
    kept = {
        name: {r.attributes["model_version"] for r in read_capture(bucket, f"capture/scones/{name}")}
        for name in captures
    }
    assert kept == {VARIANT: {"v1"}, CANDIDATE_VARIANT: {"v2"}}


def test_a_shadow_is_compared_where_no_caller_sees_it(
    slots: tuple[Slot, Slot], send: Send, png_bytes: Callable[..., bytes], wait_until: Callable[..., None]
) -> None:
    with background_endpoint(Endpoint(Lineup(*slots), Terms("scones"))) as url:
        for colour in ((220, 20, 20), (20, 20, 220), (90, 90, 90)):  # of grey both are unsure, and name the first
            reply = send(url, "/invocations", png_bytes(colour))
            assert reply.headers["x-amzn-invoked-production-variant"] == VARIANT
            assert "model_version=v1;" in reply.headers["x-amzn-sagemaker-custom-attributes"]

        def told(result: str) -> bytes:
            return f'shadow_total{{endpoint="scones",result="{result}"}}'.encode()

        for result, count in (("different", 2), ("same", 1)):
            wanted = told(result) + f" {count}".encode()
            wait_until(lambda: wanted in send(url, "/metrics", method="GET").body)  # noqa: B023 - it waits here
        refused = send(url, "/invocations", png_bytes(), {"X-Amzn-SageMaker-Target-Variant": CANDIDATE_VARIANT})
        assert refused.status == 400


def test_a_process_keeps_the_models_of_its_plan_and_loads_no_other_twice(tiny_bundle: Bundle) -> None:
    bundles = {version: read_bundle(tiny_bundle(version=version)) for version in ("v1", "v2")}
    models = Models()
    first = models.lineup(Plan(Post("v1", 0.9), bundles={"v1": bundles["v1"]}))
    both = Plan(Post("v2", 0.7), Post("v1", 0.9), 0.1, bundles={"v2": bundles["v2"]})
    models.batches["v2"] = 4
    lineup = models.lineup(both)
    assert lineup.candidate is not None
    assert lineup.candidate.classifier is first.production.classifier
    assert (lineup.production.threshold, lineup.production.batch, lineup.candidate.batch) == (0.7, 4, 1)
    models.keep(Plan(Post("v2", 0.7)))
    with pytest.raises(KeyError):
        models.lineup(Plan(Post("v1", 0.9)))


def test_a_candidate_with_other_labels_cannot_stand_in(tiny_bundle: Bundle) -> None:
    bundles = {
        "v1": read_bundle(tiny_bundle(version="v1")),
        "v2": read_bundle(tiny_bundle(("motorcycle", "bicycle"), version="v2")),
    }
    with pytest.raises(BundleError, match="candidate v2 knows motorcycle, bicycle, production bicycle, motorcycle"):
        Models().lineup(Plan(Post("v1", 0.9), Post("v2", 0.9), bundles=bundles))
