"""What a state says of itself: a few words for its box, and lines for its tooltip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scones.workflow.diagram.text import clean

__all__ = ["state_detail", "state_notes"]

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_TARGETS = ("FunctionName", "StateMachineArn", "QueueUrl", "TopicArn", "TableName", "JobName", "Bucket")
_WAITS = {"SecondsPath": "seconds of", "TimestampPath": "until", "Timestamp": "until"}


def state_detail(state: Mapping[str, Any]) -> str:
    """What a state does, in a few words; nothing where its name and its shape say it all.

    Example:
        >>> state_detail({
        ...     "Type": "Task",
        ...     "Resource": "arn:aws:states:::lambda:invoke",
        ...     "Parameters": {"FunctionName": "${ClassifyImageFunction}"},
        ... })
        'lambda · ClassifyImageFunction'
        >>> state_detail({"Type": "Wait", "Seconds": 30})
        '30 s'
    """
    kind = state.get("Type")
    if kind == "Task":
        return clean(_task(state))
    if kind == "Wait":
        if "Seconds" in state:
            return clean(f"{state['Seconds']} s")
        return clean(next((f"{word} {state[key]}" for key, word in _WAITS.items() if key in state), ""))
    if kind == "Fail":
        return clean(str(state.get("Error", state.get("ErrorPath", ""))))
    if kind == "Map":
        return clean(_map(state))
    return ""


def _task(state: Mapping[str, Any]) -> str:
    resource = _bare(state.get("Resource", ""))
    given: Mapping[str, Any] = next(
        (state[key] for key in ("Parameters", "Arguments") if isinstance(state.get(key), Mapping)), {}
    )
    target = next((_plain(given[key]) for name in _TARGETS for key in (name, f"{name}.$") if key in given), "")
    parts = resource.split(":")
    if ":states:::" in resource:
        service = resource.split(":states:::", 1)[1].removeprefix("aws-sdk:")
        service, _, pattern = service.partition(".")
        service = {"lambda:invoke": "lambda", "states:startExecution": "start"}.get(service, service)
        waits = {"sync": "to its end", "sync:2": "to its end", "waitForTaskToken": "until called back"}
        return " · ".join(filter(None, (service, target, waits.get(pattern, pattern))))
    if ":function:" in resource:
        return f"lambda · {resource.split(':function:', 1)[1]}"
    if ":activity:" in resource:
        return f"activity · {parts[-1]}"
    return parts[-1]


def _bare(value: Any) -> str:
    """The value without what encloses a placeholder."""
    return _PLACEHOLDER.sub(lambda match: match[1].rsplit(".", 1)[0], str(value))


def _plain(value: Any) -> str:
    """The value so; of the ARN of a machine, a topic or a queue, its name."""
    text = _bare(value)
    if re.match(r"arn:[^:]*:(states|sns|sqs):[^:]+:", text):
        return text.rsplit(":", 1)[-1]
    return text


def _map(state: Mapping[str, Any]) -> str:
    items = state.get("ItemsPath", state.get("Items"))
    words = [f"each of {items}" if isinstance(items, str) else "each item"]
    if isinstance(state.get("ItemReader"), Mapping):
        words = ["each item of a file"]
    if state.get("MaxConcurrency"):
        words.append(f"{state['MaxConcurrency']} at once")
    if _distributed(state):
        words.append("distributed")
    return " · ".join(words)


def _distributed(state: Mapping[str, Any]) -> bool:
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    return isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED"


def state_notes(state: Mapping[str, Any]) -> Iterator[str]:
    """What else is worth a line in a state's tooltip."""
    for key in ("Comment", "Resource", "Cause"):
        if isinstance(state.get(key), str):
            yield clean(state[key])
    for key, words in (("TimeoutSeconds", "times out after"), ("HeartbeatSeconds", "needs a heartbeat every")):
        if key in state:
            yield clean(f"{words} {state[key]} s")
    if _distributed(state):
        yield "each item, or batch of items, is an execution of its own"
    retries = state.get("Retry")
    for retrier in retries if isinstance(retries, list) else []:
        if isinstance(retrier, Mapping):
            errors = retrier.get("ErrorEquals")
            names = ", ".join(map(str, errors)) if isinstance(errors, list) else "?"
            yield clean(f"up to {retrier.get('MaxAttempts', 3)} retries on {names}")
