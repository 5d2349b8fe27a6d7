"""The load test as one page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from scones.loadtest.advice import advise, load_name, milliseconds, per_second
from scones.loadtest.knee import SAFETY, Curve
from scones.loadtest.plots import latency_by_connections, latency_by_rate, throughput_by_connections
from scones.loadtest.step import Step
from scones.page import Chart, Column, Key, Note, Section, Table, Tile, render_page
from scones.page.numbers import NONE, count, percent, plural

__all__ = ["load_page"]


def load_page(curve: Curve, *, url: str, pictures: str, at: datetime, expected: float | None = None) -> str:
    """Draw what was measured, and what it means for size.

    Args:
        curve: as it was measured.
        url: whose.
        pictures: what was sent, in a few words.
        at: when, with time zone.
        expected: requests a second at the busiest.

    Returns:
        One HTML file.
    """
    said, sizing = advise(curve, expected)
    knee, peak = curve.knee, curve.peak
    tiles = [
        Tile(
            "the knee",
            per_second(knee.throughput) if knee else NONE,
            plural(knee.connections, "caller") if knee else f"no p99 within {milliseconds(curve.limit_ms)}",
            "plain" if knee else "warn",
        ),
        Tile(
            "p99 at the knee",
            milliseconds(knee.latency.p99) if knee and knee.latency else NONE,
            f"limit {milliseconds(curve.limit_ms)}",
        ),
        Tile("the most", per_second(peak.throughput), plural(peak.connections, "caller")),
        Tile(
            "InvocationsPerInstance",
            count(sizing.target) if sizing else NONE,
            f"{per_second(sizing.per_instance)}, {percent(SAFETY, 0)} of the knee" if sizing else "",
        ),
    ]
    return render_page(
        "What the endpoint can take",
        [_closed(curve, said), *([_open(curve)] if curve.open_steps else [])],
        kind="Load test",
        lead=said[0].capitalize() + ".",
        facts=[("endpoint", url), ("pictures", pictures), ("measured", f"{at:%Y-%m-%d %H:%M} UTC")],
        tiles=tiles,
        footer="Measured by scones bench endpoint.",
    )


def _closed(curve: Curve, said: Sequence[str]) -> Section:
    knee = [Key("the knee", "green", "dashes")] if curve.knee else []
    return Section(
        "With ever more callers",
        [
            Chart(
                "Throughput",
                throughput_by_connections(curve),
                "Answers with status 200. Where it is flat, more callers only wait longer.",
                [Key("answers a second", "blue", "line"), *knee],
                f"At most {per_second(curve.peak.throughput)}, with {plural(curve.peak.connections, 'caller')}.",
            ),
            Chart(
                "Latency",
                latency_by_connections(curve),
                "From sending a request to the end of its answer.",
                [
                    Key("half of the answers", "blue", "line"),
                    Key("99 of 100", "orange", "line"),
                    Key("limit", "quiet", "dashes"),
                    *knee,
                ],
                said[0],
            ),
            Note("What it means", [sentence[0].upper() + sentence[1:] + "." for sentence in said]),
            _table("Every step", curve.steps),
        ],
        "Each caller sends a picture, waits for the answer, and sends the next. One that is refused (503) rests as "
        "long as it is told to.",
    )


def _open(curve: Curve) -> Section:
    return Section(
        "At a given rate",
        [
            Chart(
                "Latency",
                latency_by_rate(curve),
                "From the moment at which a request was due: a slow endpoint cannot put off what is to come.",
                [
                    Key("half of the answers", "blue", "line"),
                    Key("99 of 100", "orange", "line"),
                    Key("limit", "quiet", "dashes"),
                ],
            ),
            _table("Every rate", curve.open_steps),
        ],
        "Requests come at random times, as those of many independent callers, whether others were answered or not. A "
        "refused one is not sent again.",
    )


def _table(title: str, steps: Sequence[Step]) -> Table:
    titles = ("load", "answers", "p50", "p90", "p99", "99.9 %", "longest", "refused", "failed", "generator")
    rows = []
    for step in steps:
        one = step.latency
        times = [one.p50, one.p90, one.p99, one.p999, one.most] if one else []
        rows.append([
            load_name(step),
            per_second(step.throughput),
            *([milliseconds(value) for value in times] or [NONE] * 5),
            count(step.refused),
            count(step.failed),
            percent(step.cpu, 0),
        ])  # fmt: skip
    return Table(
        title,
        [Column(titles[0]), *(Column(name, numeric=True) for name in titles[1:])],
        rows,
        "Refused: 503. Failed: no answer, or another one. Generator: of a core, each process that sends.",
        wide=True,
    )
