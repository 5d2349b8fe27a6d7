"""The third function: only sure answers pass."""

import json
from typing import Any

import pytest

from scones.errors import MessageError, ThresholdConfidenceNotMet
from scones.functions.filter_inferences import filter_inferences, handler


def event(inferences: list[float], threshold: Any = 0.93, **more: Any) -> dict[str, Any]:
    body = {"inferences": inferences, "label": "bicycle", "confidence": max(inferences), "threshold": threshold}
    return {"statusCode": 200, "body": {**body, **more}}


def test_a_sure_answer_passes_untouched() -> None:
    given = event([0.95, 0.05], extra="kept")
    assert filter_inferences(given) == given


def test_an_answer_at_the_threshold_passes() -> None:
    assert filter_inferences(event([0.93, 0.07]))["statusCode"] == 200


def test_the_body_may_be_json_text() -> None:
    given = event([0.95, 0.05])
    assert filter_inferences({"body": json.dumps(given["body"])}) == given


def test_low_confidence_is_an_exception_and_never_a_success() -> None:
    with pytest.raises(ThresholdConfidenceNotMet, match=r"^THRESHOLD_CONFIDENCE_NOT_MET") as caught:
        handler(event([0.7, 0.3]))
    assert type(caught.value).__name__ == "ThresholdConfidenceNotMet", "Step Functions matches the class name"


def test_the_probability_is_compared_and_not_its_index() -> None:
    # others compared the index of the largest value, 1, with the threshold: always "sure"
    with pytest.raises(ThresholdConfidenceNotMet):
        filter_inferences(event([0.4, 0.6], label="motorcycle"))


def test_the_threshold_comes_from_the_message_alone() -> None:
    assert filter_inferences(event([0.6, 0.4], threshold=0.5))
    with pytest.raises(MessageError, match="field threshold"):
        filter_inferences({"body": {"inferences": [0.6, 0.4], "label": "bicycle", "confidence": 0.6}})


@pytest.mark.parametrize("bad", [[], [1.5, -0.5], [float("nan"), 0.5]])
def test_inferences_that_are_no_probabilities_are_refused(bad: list[float]) -> None:
    with pytest.raises(MessageError, match="inferences"):
        filter_inferences({"body": {"inferences": bad, "label": "a", "confidence": 0.99, "threshold": 0.9}})


def test_a_confidence_that_contradicts_the_inferences_is_refused() -> None:
    with pytest.raises(MessageError, match="not the largest"):
        filter_inferences(event([0.6, 0.4], confidence=0.99))
