"""Let only sure answers pass: the third function of the workflow."""

from __future__ import annotations

import math
from typing import Any

from scones.contracts import Classified, parse, unwrap
from scones.errors import MessageError, ThresholdConfidenceNotMet

__all__ = ["filter_inferences", "handler"]


def filter_inferences(event: Any) -> dict[str, Any]:
    """Pass the message on when the model is sure enough; otherwise fail, loudly and by name.

    The threshold comes from the message alone: the endpoint that answered said it.

    Args:
        event: what ``classify_image`` returned; its body may be an object or JSON text.

    Returns:
        ``{"statusCode": 200, "body": <the body, untouched>}``

    Raises:
        ThresholdConfidenceNotMet: a person decides. The text starts ``THRESHOLD_CONFIDENCE_NOT_MET``.
        MessageError: the event lacks a field, or contradicts itself.

    Example:
        >>> filter_inferences({"body": {"inferences": [0.6, 0.4], "label": "bicycle", "confidence": 0.6,
        ...                             "threshold": 0.9}})
        Traceback (most recent call last):
        ...
        scones.errors.ThresholdConfidenceNotMet: THRESHOLD_CONFIDENCE_NOT_MET: bicycle at 0.6000 is under 0.9000
    """
    body = unwrap(event)
    answer = parse(Classified, body, "the event of filter_inferences")
    if not math.isclose(answer.confidence, max(answer.inferences), abs_tol=1e-6):
        raise MessageError(
            f"the event's confidence {answer.confidence} is not the largest of its inferences "
            f"({max(answer.inferences)}): correct the sender"
        )
    if answer.confidence < answer.threshold:
        raise ThresholdConfidenceNotMet(
            f"THRESHOLD_CONFIDENCE_NOT_MET: {answer.label} at {answer.confidence:.4f} is under {answer.threshold:.4f}"
        )
    return {"statusCode": 200, "body": body}


def handler(event: Any, context: Any = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point."""
    return filter_inferences(event)
