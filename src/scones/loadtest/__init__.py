"""How much an endpoint can take: loads from processes of their own, latencies, the knee, and what size that means.

A load is for this machine's own endpoints unless it is said otherwise, and always ends. The names are loaded on
first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Answer": "scones.loadtest.caller",
    "Counts": "scones.loadtest.counts",
    "Curve": "scones.loadtest.knee",
    "Generator": "scones.loadtest.generator",
    "Load": "scones.loadtest.counts",
    "Plan": "scones.loadtest.plan",
    "Rate": "scones.loadtest.plan",
    "Sample": "scones.loadtest.requests",
    "Sizing": "scones.loadtest.knee",
    "Step": "scones.loadtest.step",
    "Target": "scones.loadtest.target",
    "advise": "scones.loadtest.advice",
    "ask_once": "scones.loadtest.plan",
    "drawn_samples": "scones.loadtest.requests",
    "encode_request": "scones.loadtest.requests",
    "find_knee": "scones.loadtest.knee",
    "find_target": "scones.loadtest.target",
    "folder_samples": "scones.loadtest.requests",
    "load_page": "scones.loadtest.report",
    "send_load": "scones.loadtest.loop",
    "size_for": "scones.loadtest.knee",
    "step_of": "scones.loadtest.step",
    "sweep": "scones.loadtest.plan",
}

__all__ = [
    "Answer",
    "Counts",
    "Curve",
    "Generator",
    "Load",
    "Plan",
    "Rate",
    "Sample",
    "Sizing",
    "Step",
    "Target",
    "advise",
    "ask_once",
    "drawn_samples",
    "encode_request",
    "find_knee",
    "find_target",
    "folder_samples",
    "load_page",
    "send_load",
    "size_for",
    "step_of",
    "sweep",
]

if TYPE_CHECKING:
    from scones.loadtest.advice import advise
    from scones.loadtest.caller import Answer
    from scones.loadtest.counts import Counts, Load
    from scones.loadtest.generator import Generator
    from scones.loadtest.knee import Curve, Sizing, find_knee, size_for
    from scones.loadtest.loop import send_load
    from scones.loadtest.plan import Plan, Rate, ask_once, sweep
    from scones.loadtest.report import load_page
    from scones.loadtest.requests import Sample, drawn_samples, encode_request, folder_samples
    from scones.loadtest.step import Step, step_of
    from scones.loadtest.target import Target, find_target


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
