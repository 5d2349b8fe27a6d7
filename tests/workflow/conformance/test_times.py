"""Timestamps in Choice rules, and the four forms of Wait.

Developer Guide, "Choice workflow state" and "Wait workflow state"; States Language, "Timestamps" (RFC 3339).
"""

from collections.abc import Callable
from typing import Any

import pytest

NOON = "2026-03-14T12:00:00Z"
EARLIER = "2026-03-14T11:59:59Z"
PAST = "2016-03-14T01:59:00Z"


def yes(**words: Any) -> dict[str, Any]:
    """``$.v`` fits: 0; words that begin with a capital are of the rule, the others of the input."""
    given = {word: value for word, value in words.items() if word[0].islower()}
    rule = {"Variable": "$.v", "Next": "yes"} | {word: value for word, value in words.items() if word not in given}
    states = {
        "A": {"Type": "Choice", "Choices": [rule], "Default": "no"},
        "yes": {"Type": "Pass", "Result": 0, "End": True},
        "no": {"Type": "Pass", "Result": -1, "End": True},
    }
    return {"machine": {"StartAt": "A", "States": states}, "given": given, "output": 0}


def no(**words: Any) -> dict[str, Any]:
    """``$.v`` does not fit: -1."""
    return {**yes(**words), "output": -1}


CASES: dict[str, dict[str, Any]] = {
    "TimestampEquals": yes(v=NOON, TimestampEquals=NOON),
    "TimestampEquals in another zone": yes(v="2026-03-14T13:00:00+01:00", TimestampEquals=NOON),
    "TimestampEquals in a zone on the other side": yes(v="2026-03-14T07:30:00-04:30", TimestampEquals=NOON),
    "TimestampEquals with zero as fraction": yes(v="2026-03-14T12:00:00.000Z", TimestampEquals=NOON),
    "TimestampEquals tells fractions apart": no(v="2026-03-14T12:00:00.001Z", TimestampEquals=NOON),
    "TimestampEquals of a text that is no time does not match": no(v="noon", TimestampEquals=NOON),
    "TimestampEquals of a number does not match": no(v=0, TimestampEquals=NOON),
    "TimestampEqualsPath": yes(v=NOON, w=NOON, TimestampEqualsPath="$.w"),
    "TimestampEqualsPath in another zone": yes(v=NOON, w="2026-03-14T10:00:00-02:00", TimestampEqualsPath="$.w"),
    "TimestampEqualsPath to a text that is no time does not match": no(v=NOON, w="noon", TimestampEqualsPath="$.w"),
    "TimestampLessThan": yes(v=EARLIER, TimestampLessThan=NOON),
    "TimestampLessThan in another zone": yes(v="2026-03-14T12:30:00+01:00", TimestampLessThan=NOON),
    "TimestampLessThan with fractions": yes(v="2026-03-14T11:59:59.999Z", TimestampLessThan=NOON),
    "TimestampLessThan of the same": no(v=NOON, TimestampLessThan=NOON),
    "TimestampLessThanPath": no(v=NOON, w=EARLIER, TimestampLessThanPath="$.w"),
    "TimestampLessThanEquals": yes(v=NOON, TimestampLessThanEquals=NOON),
    "TimestampLessThanEqualsPath": yes(v=EARLIER, w=NOON, TimestampLessThanEqualsPath="$.w"),
    "TimestampGreaterThan": yes(v=NOON, TimestampGreaterThan=EARLIER),
    "TimestampGreaterThan with fractions": yes(v="2026-03-14T12:00:00.5Z", TimestampGreaterThan=NOON),
    "TimestampGreaterThan of a text that is no time does not match": no(v="z", TimestampGreaterThan=NOON),
    "TimestampGreaterThanPath": yes(v=NOON, w=EARLIER, TimestampGreaterThanPath="$.w"),
    "TimestampGreaterThanEquals": yes(v=NOON, TimestampGreaterThanEquals=NOON),
    "TimestampGreaterThanEqualsPath": no(v=EARLIER, w=NOON, TimestampGreaterThanEqualsPath="$.w"),
    "IsTimestamp": yes(v=NOON, IsTimestamp=True),
    "IsTimestamp with a fraction": yes(v="2026-03-14T12:00:00.123456Z", IsTimestamp=True),
    "IsTimestamp in a zone": yes(v="2026-03-14T12:00:00+05:30", IsTimestamp=True),
    "IsTimestamp of a date": no(v="2026-03-14", IsTimestamp=True),
    "IsTimestamp without a zone": no(v="2026-03-14T12:00:00", IsTimestamp=True),
    "IsTimestamp with a small t": no(v="2026-03-14t12:00:00Z", IsTimestamp=True),
    "IsTimestamp with a small z": no(v="2026-03-14T12:00:00z", IsTimestamp=True),
    "IsTimestamp with a blank in the place of the T": no(v="2026-03-14 12:00:00Z", IsTimestamp=True),
    "IsTimestamp of a day that there is not": no(v="2026-02-30T12:00:00Z", IsTimestamp=True),
    "IsTimestamp of a number": no(v=1773489600, IsTimestamp=True),
    "IsTimestamp false of a text": yes(v="noon", IsTimestamp=False),
    # Wait
    "Wait of Seconds": {"state": {"Type": "Wait", "Seconds": 0}, "given": {"a": 1}, "output": {"a": 1}},
    "Wait of SecondsPath": {
        "state": {"Type": "Wait", "SecondsPath": "$.s"}, "given": {"s": 0}, "output": {"s": 0},
    },
    "Wait until a Timestamp that is past": {
        "state": {"Type": "Wait", "Timestamp": PAST}, "given": {"a": 1}, "output": {"a": 1},
    },
    "Wait until a Timestamp in a zone": {
        "state": {"Type": "Wait", "Timestamp": "2016-03-14T01:59:00+01:00"}, "given": 1, "output": 1,
    },
    "Wait until a Timestamp with a fraction": {
        "state": {"Type": "Wait", "Timestamp": "2016-03-14T01:59:00.123Z"}, "given": 1, "output": 1,
    },
    "Wait until a TimestampPath that is past": {
        "state": {"Type": "Wait", "TimestampPath": "$.t"}, "given": {"t": PAST}, "output": {"t": PAST},
    },
    "Wait until a TimestampPath in a zone": {
        "state": {"Type": "Wait", "TimestampPath": "$.t", "OutputPath": "$.a"},
        "given": {"t": "2016-03-14T01:59:00-08:00", "a": 1}, "output": 1,
    },
    "a Wait has InputPath and OutputPath": {
        "state": {"Type": "Wait", "SecondsPath": "$.s", "InputPath": "$.a", "OutputPath": "$.b"},
        "given": {"a": {"s": 0, "b": 2}}, "output": 2,
    },
    "a Wait may read the context object": {
        "state": {"Type": "Wait", "TimestampPath": "$$.Execution.StartTime"}, "given": 1, "output": 1,
    },
    "a Wait goes on to the next state": {
        "machine": {"StartAt": "A", "States": {
            "A": {"Type": "Wait", "Seconds": 0, "Next": "B"}, "B": {"Type": "Pass", "Result": 2, "End": True},
        }}, "output": 2,
    },
    "a SecondsPath that leads nowhere is States.Runtime": {
        "state": {"Type": "Wait", "SecondsPath": "$.s"}, "given": {}, "error": "States.Runtime",
    },
    "a SecondsPath to a text is States.Runtime": {
        "state": {"Type": "Wait", "SecondsPath": "$.s"}, "given": {"s": "1"}, "error": "States.Runtime",
    },
    "a SecondsPath to a negative number is States.Runtime": {
        "state": {"Type": "Wait", "SecondsPath": "$.s"}, "given": {"s": -1}, "error": "States.Runtime",
    },
    "a SecondsPath to a fraction is States.Runtime": {
        "state": {"Type": "Wait", "SecondsPath": "$.s"}, "given": {"s": 0.5}, "error": "States.Runtime",
    },
    "a TimestampPath that leads nowhere is States.Runtime": {
        "state": {"Type": "Wait", "TimestampPath": "$.t"}, "given": {}, "error": "States.Runtime",
    },
    "a TimestampPath to a text that is no time is States.Runtime": {
        "state": {"Type": "Wait", "TimestampPath": "$.t"}, "given": {"t": "noon"}, "error": "States.Runtime",
    },
    "a TimestampPath to a time without a zone is States.Runtime": {
        "state": {"Type": "Wait", "TimestampPath": "$.t"}, "given": {"t": "2016-03-14T01:59:00"},
        "error": "States.Runtime",
    },
    "a TimestampPath to a number is States.Runtime": {
        "state": {"Type": "Wait", "TimestampPath": "$.t"}, "given": {"t": 0}, "error": "States.Runtime",
    },
    "an execution that takes longer than its TimeoutSeconds has timed out": {
        "machine": {"StartAt": "A", "TimeoutSeconds": 1, "States": {"A": {"Type": "Wait", "Seconds": 5, "End": True}}},
        "status": "TIMED_OUT",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_both_interpreters_do_what_aws_documents(name: str, conform: Callable[..., None]) -> None:
    conform(name, CASES[name])


def test_every_disagreement_is_about_a_case_of_this_file(disagreements: dict[str, Any]) -> None:
    assert not disagreements.keys() - CASES.keys()
