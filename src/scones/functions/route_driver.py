"""Send a driver to a bay and give them an order: the last function of the workflow, for vehicles."""

from __future__ import annotations

from typing import Any

from scones.contracts import Body, Classified, parse, unwrap
from scones.dispatch import load_depot, route
from scones.functions.runtime import Runtime, default_runtime

__all__ = ["handler", "route_driver"]


def route_driver(event: Any, runtime: Runtime) -> dict[str, Any]:
    """Route the driver who arrived.

    Args:
        event: what ``filter_inferences`` returned; its body may be an object or JSON text.
        runtime: settings and buckets.

    Returns:
        ``{"statusCode": 200, "body": {"bay", "order", "outcome": "routed" or "wait", …}}``

    Raises:
        MessageError: the event lacks a field.
        DispatchError: the depot has no bay for this label, or its files are wrong.
    """
    fields = unwrap(event)
    body = parse(Body, fields, "the event of route_driver")
    label = parse(Classified, fields, "the event of route_driver").label
    depot = load_depot(runtime.settings.depot_file)
    result = route(runtime.home, depot, body, label)
    return {"statusCode": 200, "body": result.model_dump()}


def handler(event: Any, context: Any = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """AWS Lambda's entry point."""
    return route_driver(event, default_runtime())
