"""AWS refuses: the real client gets an answer that moto would not give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from botocore.client import BaseClient

__all__ = ["answer", "on_call", "refuse"]

_Hook = Callable[[Mapping[str, Any]], dict[str, Any] | None]


def on_call(client: BaseClient, operation: str, hook: _Hook) -> Callable[[], None]:
    """Have a function called before an operation goes out; answers how to end that.

    Args:
        client: whose operation.
        operation: as ``DeleteBucket``.
        hook: gets the parameters of the request as botocore made them; what it returns is the answer, None: ask AWS.
    """

    def handle(params: Mapping[str, Any], **_: Any) -> Any:
        found = hook(params)
        return None if found is None else (SimpleNamespace(status_code=400 if "Error" in found else 200), found)

    event = f"before-call.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    client.meta.events.register_first(event, handle)
    return lambda: client.meta.events.unregister(event, handle)


def answer(client: BaseClient, operation: str, found: dict[str, Any]) -> Callable[[], None]:
    """Have an operation answer this, without AWS; answers how to end that."""
    return on_call(client, operation, lambda _: {**found, "ResponseMetadata": {}})


def refuse(client: BaseClient, operation: str, code: str = "AccessDeniedException") -> Callable[[], None]:
    """Have an operation refused; answers how to end that."""
    return answer(client, operation, {"Error": {"Code": code, "Message": "not for you"}})
