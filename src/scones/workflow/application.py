"""The application on one machine: its state machines and functions on the embedded engine."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

from scones.functions.classify_image import classify_image
from scones.functions.filter_inferences import filter_inferences
from scones.functions.route_driver import route_driver
from scones.functions.runtime import Runtime
from scones.functions.serialize_image import serialize_image
from scones.settings import Settings

__all__ = ["FUNCTIONS", "MACHINES", "definition", "local_functions", "substitutions"]

MACHINES = ("classify", "review")
"""The state machines, each a file ``machines/{name}.asl.json`` that runs unchanged on Step Functions."""

FUNCTIONS = {
    "SerializeImageFunction": "serialize_image",
    "ClassifyImageFunction": "classify_image",
    "FilterInferencesFunction": "filter_inferences",
    "RouteDriverFunction": "route_driver",
}
"""The functions by the names that stand for them in the definitions."""


def definition(name: str) -> str:
    """The text of a state machine's definition, with its ``${Name}`` placeholders."""
    return (resources.files("scones.workflow") / "machines" / f"{name}.asl.json").read_text("utf-8")


def substitutions(settings: Settings) -> dict[str, str]:
    """What the placeholders stand for on one machine."""
    return {**FUNCTIONS, "ReviewStateMachine": "review", "RecordsBucket": settings.bucket}


def local_functions(runtime: Runtime) -> dict[str, Callable[[Any, Any], Any]]:
    """The functions as the engine calls them, with Lambda's signature."""

    return {
        "serialize_image": lambda event, _: serialize_image(event, runtime),
        "classify_image": lambda event, _: classify_image(event, runtime),
        "filter_inferences": lambda event, _: filter_inferences(event),
        "route_driver": lambda event, _: route_driver(event, runtime),
    }
