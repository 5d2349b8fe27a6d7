"""The application's state machines: files that run unchanged here and on Step Functions."""

from __future__ import annotations

from importlib import resources

from scones.settings import Settings

__all__ = ["FUNCTIONS", "MACHINES", "definition", "substitutions"]

MACHINES = ("classify", "review", "batch")
"""The state machines, each a file ``machines/{name}.asl.json``."""

FUNCTIONS = {
    "SerializeImageFunction": "serialize_image",
    "ClassifyImageFunction": "classify_image",
    "FilterInferencesFunction": "filter_inferences",
    "RouteDriverFunction": "route_driver",
}
"""The functions by the names that stand for them in the definitions."""

_LOCAL_TOPIC = "notifications"
"""Stands where the definitions name a topic of SNS: on one machine people are told from the engine's events."""


def definition(name: str) -> str:
    """The text of a state machine's definition, with its ``${Name}`` placeholders."""
    return (resources.files("scones.workflow") / "machines" / f"{name}.asl.json").read_text("utf-8")


def substitutions(settings: Settings) -> dict[str, str]:
    """What the placeholders stand for on one machine."""
    return {
        **FUNCTIONS,
        "ReviewStateMachine": "review",
        "RecordsBucket": settings.bucket,
        "NotificationsTopic": _LOCAL_TOPIC,
        "ReviewSeconds": str(settings.review_seconds),
    }
