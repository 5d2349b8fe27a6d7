"""What the process that `crash.py` kills runs: machines with every kind of state, and what each execution must give.

Every piece of work takes and gives `{"number": …}`, one more each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scones.workflow.engine import Listed

__all__ = ["CHILDREN", "KINDS", "MACHINES", "Items", "expected", "given", "machine_of", "sizes"]

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:{}"


def task(state: str, then: str = "", item: str = "", function: str = "work", **more: Any) -> dict[str, Any]:
    """A Task that is told which call it is, so that the log can say so."""
    key: dict[str, Any] = {"execution.$": "$$.Execution.Id", "state": state, "attempt.$": "$$.State.RetryCount"}
    key |= {"item.$": item} if item else {"item": -1}
    return {
        "Type": "Task",
        "Resource": FUNCTION.format(function),
        "Parameters": {**key, "number.$": "$.number"},
        "ResultSelector": {"number.$": "$.number"},
        "Retry": [
            {"ErrorEquals": ["FlakyError"], "IntervalSeconds": 1, "MaxAttempts": 2, "JitterStrategy": "FULL"}
        ],
        **({"Next": then} if then else {"End": True}),
        **more,
    }  # fmt: skip


def steps(*names: str, item: str = "") -> dict[str, Any]:
    """Tasks one after the other."""
    following = zip(names, [*names[1:], ""], strict=True)
    return {"StartAt": names[0], "States": {name: task(name, then, item) for name, then in following}}


def many(mode: str, names: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """A Map whose items go through Tasks."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {"Mode": mode}
    item = "$$.Map.Item.Index" if mode == "INLINE" else ""
    processor = {"ProcessorConfig": config, **steps(*names, item=item)}
    return {"Type": "Map", "MaxConcurrency": 3, "ItemProcessor": processor, "Next": "Done", **more}


def ending(**output: str) -> dict[str, Any]:
    return {"Type": "Pass", "Parameters": {f"{name}.$": path for name, path in output.items()}, "End": True}


ASK = {
    **task("Ask", "After", function="ask"),
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "ResultPath": "$.answer",
}
ASK["Parameters"] = {
    "FunctionName": FUNCTION.format("ask"),
    "Payload": {**ASK["Parameters"], "token.$": "$$.Task.Token"},
}
ASK["ResultSelector"] = {"number.$": "$.number", "life.$": "$.life"}
NEST = {
    "Type": "Task",
    "Resource": "arn:aws:states:::states:startExecution.sync:2",
    "Parameters": {"StateMachineArn": "leaf", "Input": {"number.$": "$.number"}},
    "ResultSelector": {"number.$": "$.Output.number"},
    "Next": "After",
}
PAUSE = {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Bake"}
BAKE = many("INLINE", ("Mix", "Heat"), ItemsPath="$.items")
del BAKE["Next"]
SPLIT = {
    "Type": "Parallel",
    "Branches": [
        steps("Weigh", "Pack"),
        {"StartAt": "Pause", "States": {"Pause": PAUSE, "Bake": {**BAKE, "End": True}}},
    ],
    "ResultPath": "$.split",
    "Next": "Done",
}
KEEP = {"Type": "Pass", "Assign": {"kept.$": "$.number"}, "Next": "Split"}
READ = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "JSON"},
    "Parameters": {"Bucket": "items", "Key.$": "States.Format('{}', $.number)"},
}

KINDS: dict[str, dict[str, Any]] = {
    "split": {
        "StartAt": "Keep",
        "States": {"Keep": KEEP, "Split": SPLIT, "Done": ending(kept="$kept", split="$.split")},
    },
    "bulk": {
        "StartAt": "Each",
        "States": {
            "Each": many("DISTRIBUTED", ("Load", "Store"), ItemsPath="$.items", ResultPath="$.each"),
            "Done": ending(each="$.each"),
        },
    },
    "read": {
        "StartAt": "Each",
        "States": {
            "Each": many("DISTRIBUTED", ("Load",), ItemReader=READ, ResultPath="$.each"),
            "Done": ending(each="$.each"),
        },
    },
    "ask": {
        "StartAt": "Ask",
        "States": {"Ask": ASK, "After": task("After", "Done", ResultPath="$.after"),
                   "Done": ending(answer="$.answer", after="$.after")},
    },
    "nest": {"StartAt": "Nest", "States": {"Nest": NEST, "After": task("After")}},
}  # fmt: skip
LEAF = {
    "StartAt": "Sprout",
    "States": {
        "Sprout": task("Sprout", "Rest"),
        "Rest": {"Type": "Wait", "Seconds": 0, "Next": "Grow"},
        "Grow": task("Grow"),
    },
}
MACHINES = {**KINDS, "leaf": LEAF}
CHILDREN = {"bulk": "bulk/Each", "read": "read/Each", "nest": "leaf"}
"""Of which machine the executions are that those of a machine start."""


def machine_of(number: int) -> str:
    """The machine that an execution is of."""
    return list(KINDS)[number % len(KINDS)]


def sizes(number: int) -> int:
    """How many items an execution has."""
    return number % 4 + 1


def items(number: int) -> list[Any]:
    return [{"number": 10 * number + item} for item in range(sizes(number))]


def given(number: int) -> dict[str, Any]:
    return {"number": number, "items": items(number), "pause": int(number % 3 == 0)}


def expected(number: int) -> Any:
    """What an execution gives; of an answer by token, all but the life that gave it."""

    def more(by: int) -> list[Any]:
        return [{"number": item["number"] + by} for item in items(number)]

    return {
        "split": {"kept": number, "split": [{"number": number + 2}, more(2)]},
        "bulk": {"each": more(2)},
        "read": {"each": more(1)},
        "ask": {"answer": {"number": number + 1}, "after": {"number": number + 1}},
        "nest": {"number": number + 3},
    }[machine_of(number)]


class Items:
    """The objects that machines read: lists of items."""

    def get(self, bucket: str, key: str) -> bytes:
        assert bucket == "items"
        return json.dumps(items(int(key))).encode()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        raise NotImplementedError

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        raise NotImplementedError
