"""What a Task's Resource names, and the parameters that each takes.

The names are those of the Step Functions Developer Guide, "Integrating services".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["ARN_PREFIX", "PARAMETERS", "Kind", "Resource", "function_name", "parse_resource"]

ARN_PREFIX: Final = "local:000000000000"
"""Stands where an ARN has region and account: no machine of this engine is one of AWS's."""

Kind: TypeAlias = Literal["function", "invoke", "start", "put", "publish"]
Pattern: TypeAlias = Literal["", "token", "sync", "sync2"]

PARAMETERS: Final[Mapping[Kind, tuple[frozenset[str], frozenset[str]]]] = {
    "invoke": (frozenset({"FunctionName"}), frozenset({"Payload"})),
    "start": (frozenset({"StateMachineArn"}), frozenset({"Input", "Name"})),
    "put": (frozenset({"Bucket", "Key", "Body"}), frozenset()),
    "publish": (frozenset({"Message", "TopicArn"}), frozenset({"MessageAttributes", "MessageStructure", "Subject"})),
}
"""The Parameters that a resource must have, and those that it may have; a plain function takes any."""

_SERVICES: Final[Mapping[str, tuple[Kind, Pattern]]] = {
    "lambda:invoke": ("invoke", ""),
    "lambda:invoke.waitForTaskToken": ("invoke", "token"),
    "sns:publish": ("publish", ""),
    "sns:publish.waitForTaskToken": ("publish", "token"),
    "states:startExecution": ("start", ""),
    "states:startExecution.sync": ("start", "sync"),
    "states:startExecution.sync:2": ("start", "sync2"),
    "aws-sdk:s3:putObject": ("put", ""),
    "aws-sdk:s3:putObject.waitForTaskToken": ("put", "token"),
}
_SERVICE_ARN = re.compile(r"arn:aws[\w-]*:states:::(.+)")
_FUNCTION_ARN = re.compile(r"arn:aws[\w-]*:lambda:[^:]*:[^:]*:function:[\w-]+(?::[\w$-]+)?")
_FUNCTION_NAME = re.compile(r"(?:(?:arn:aws[\w-]*:lambda:[^:]*:)?[^:]*:function:)?([\w-]+)(?::[\w$-]+)?")


@dataclass(frozen=True, slots=True)
class Resource:
    """A Task's Resource: what kind of call, for a plain function ARN which function, and how it is waited for.

    ``pattern`` is empty where the call's answer is the result, ``token`` where somebody sends it with the task
    token, ``sync`` or ``sync2`` where it is what the started execution gives (as JSON text, or as JSON).
    """

    kind: Kind
    function: str = ""
    pattern: Pattern = ""


def parse_resource(text: str) -> Resource:
    """Read a Resource.

    Raises:
        ValueError: this engine cannot call it.
    """
    if _FUNCTION_ARN.fullmatch(text):
        return Resource("function", function_name(text))
    service = _SERVICE_ARN.fullmatch(text)
    if service and service[1] in _SERVICES:
        kind, pattern = _SERVICES[service[1]]
        return Resource(kind, pattern=pattern)
    known = ", ".join(f"arn:aws:states:::{name}" for name in _SERVICES)
    raise ValueError(f"{text!r} is not supported; this engine calls {known} and function ARNs")


def function_name(text: str) -> str:
    """A function's name, of its name or its ARN, with or without a version."""
    match = _FUNCTION_NAME.fullmatch(text)
    return match[1] if match else text
