"""The newest look and stance as other monitors read them: Prometheus' text, and CloudWatch's embedded metric format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from scones.monitoring.watch.records import Look, Stance, Standing

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["embedded_metrics", "prometheus_text"]

_ENDS = (
    ("", "share", "The"),
    ("_low", "low", "Low end of the 95 % interval of the"),
    ("_high", "high", "High end of the 95 % interval of the"),
)
_Samples = list[tuple[Mapping[str, str], float | None]]


class _Figure(NamedTuple):
    """A metric: its name without the prefix, what it tells, and by labels its samples; None is not known."""

    name: str
    told: str
    samples: _Samples
    kind: Literal["gauge", "counter"] = "gauge"


def prometheus_text(endpoint: str, look: Look | None, standing: Standing | None, now: datetime) -> str:
    """Write the figures in Prometheus' text format 0.0.4 (``prometheus_client.CONTENT_TYPE_PLAIN_0_0_4``).

    Times are told as such, not as seconds since then: so they stay right between two looks. What is not known has no
    sample. docs/metrics.md lists all names.

    Args:
        endpoint: its name, a label of every sample.
        look: the newest; None before the first.
        standing: the newest; None as long as nobody decided anything: the endpoint is run as it was promoted to.
        now: when it is told. A look is only taken where something is new: so this tells that the monitor is alive.

    Example:
        >>> from datetime import UTC
        >>> print(prometheus_text("scones", None, None, datetime.now(UTC)).splitlines()[-1])
        scones_stance_dry_run{endpoint="scones"} 0.0
    """
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

    class Told(Collector):
        def collect(self) -> Iterator[Metric]:
            told = _Figure("watch_told_timestamp_seconds", "When the monitor told this", [({}, now.timestamp())])
            for figure in (told, *(() if look is None else _of_look(look)), *_of_standing(standing)):
                metric = Metric(f"scones_{figure.name}", figure.told, figure.kind)
                for labels, value in figure.samples:
                    if value is not None:
                        suffix = "_total" if figure.kind == "counter" else ""
                        metric.add_sample(f"{metric.name}{suffix}", {"endpoint": endpoint, **labels}, float(value))
                yield metric

    registry = CollectorRegistry()
    registry.register(Told())
    return generate_latest(registry).decode()


def _of_look(look: Look) -> Iterator[_Figure]:
    alarm = look.alarm

    def one(name: str, told: str, value: float | None) -> _Figure:
        return _Figure(f"watch_{name}", told, [({}, value)])

    def by(label: str, name: str, told: str, values: Mapping[str, float]) -> _Figure:
        return _Figure(f"watch_{name}", told, [({label: key}, value) for key, value in values.items()])

    model = {"task": look.task, "version": look.version}
    yield _Figure("watch_model_info", "The model whose answers are watched; always 1", [(model, 1)])
    yield one("look_timestamp_seconds", "When the monitor last saw something new", look.at.timestamp())
    newest = None if look.newest is None else look.newest.timestamp()
    yield one("newest_record_timestamp_seconds", "Time of the newest captured record", newest)
    yield one("gap_seconds", "How long nothing had been captured when that went over the limit, else 0", look.gap or 0)
    for name, told in (
        ("records", "Captured records that were read"),
        ("pictures", "Pictures that were shown to the detector"),
        ("duplicates", "Records left out, as their event had been read before"),
        ("repeats", "Pictures that were not shown again, as they are byte for byte one of the latest"),
        ("unreadable", "Lines, files and pictures that could not be used"),
    ):
        yield one(name, told, getattr(look.totals, name))._replace(kind="counter")
    yield by("channel", "evidence", "Evidence for a drift; the strongest channel counts", look.evidence)
    yield one("evidence_alarm_line", "The evidence at which there is an alarm", look.alarm_line)
    yield one("drift_alarm", "1 while a drift stands, else 0", alarm is not None)
    began = {} if alarm is None else {entry.channel: entry.began.timestamp() for entry in alarm.channels}
    yield by("channel", "drift_began_timestamp_seconds", "When the drift that stands likely began", began)
    outside = None if alarm is None else alarm.outside
    yield one("outside_ratio", "Share of the pictures since then that lie outside of all reference pictures", outside)
    yield one("confidence_ratio", "Mean confidence of the new records", look.confidence)
    for ending, end, of in _ENDS:
        kinds = (("unlabelled", look.accuracy), ("reviewed", look.reviewed))
        values = {kind: getattr(estimate, end) for kind, estimate in kinds if estimate is not None}
        yield by("kind", f"accuracy{ending}_ratio", f"{of} estimated accuracy", values)
    yield one("expected_accuracy_ratio", "Accuracy on the calibration pictures", look.expected)
    for ending, end, of in _ENDS:
        values = {label: getattr(share, end) for label, share in look.mix.items()}
        yield by("label", f"class_share{ending}_ratio", f"{of} estimated share of a class among the pictures", values)
    yield one("class_mix_doubtful", "1 where the shares of the classes should not be believed", bool(look.mix_warning))


def _of_standing(standing: Standing | None) -> Iterator[_Figure]:
    def one(name: str, told: str, value: float | None) -> _Figure:
        return _Figure(f"stance{name}", told, [({}, value)])

    stance = Stance.OBSERVING if standing is None else standing.stance
    decided = None if standing is None else standing.at.timestamp()
    states: _Samples = [({"stance": each}, each is stance) for each in Stance]
    yield _Figure("stance", "1 for how the endpoint is to be run, 0 for the other ways", states)
    yield one("_timestamp_seconds", "When that was decided", decided)
    floor = None if standing is None else standing.threshold
    yield one("_threshold_floor_ratio", "The least threshold in force; none where the model's own is", floor)
    weight = 0 if standing is None else standing.weight
    yield one("_candidate_weight_ratio", "Share of the pictures that a candidate answers", weight)
    held = standing is not None and standing.held
    yield one("_held", "1 where a person decided and the monitor changes nothing", held)
    dry_run = standing is not None and standing.dry_run
    yield one("_dry_run", "1 where the newest decision was only said, not done", dry_run)


def embedded_metrics(namespace: str, endpoint: str, look: Look, standing: Standing | None, now: datetime) -> str:
    """Write the figures as a line of log from which CloudWatch makes metrics ("Specification: Embedded metric format").

    A metric costs money each month, so that the evidence by channel, the class mix and words are told as plain members
    of the line, which Logs Insights finds. Evidence is told as its logarithm (to base 10, of 1 more): CloudWatch takes
    no number beyond 2 to the 360th. What is not known is left out. docs/metrics.md lists all names.

    Args:
        namespace: of the metrics, as a stack's name.
        endpoint: its name, the only dimension.
        look: the newest.
        standing: the newest; None as long as nobody decided anything.
        now: the time that the figures are of.

    Returns:
        JSON without a line end.
    """
    stance = Stance.OBSERVING if standing is None else standing.stance
    figures: dict[str, tuple[float | None, str]] = {
        "Records": (look.records, "Count"),
        "Pictures": (look.pictures, "Count"),
        "Duplicates": (look.duplicates, "Count"),
        "Repeats": (look.repeats, "Count"),
        "Unreadable": (look.unreadable, "Count"),
        "SecondsSinceRecord": (
            None if look.newest is None else max(0.0, (now - look.newest).total_seconds()),
            "Seconds",
        ),
        "CaptureGap": (look.gap is not None, "None"),
        "DriftEvidence": (math.log10(1 + look.strongest), "None"),
        "DriftAlarmLine": (math.log10(1 + look.alarm_line), "None"),
        "DriftAlarm": (look.alarm is not None, "None"),
        "Confidence": (look.confidence, "None"),
        "ExpectedAccuracy": (look.expected, "None"),
        "StanceLevel": (list(Stance).index(stance), "None"),
        "ThresholdFloor": (None if standing is None else standing.threshold, "None"),
    }
    for name, estimate in (("UnlabelledAccuracy", look.accuracy), ("ReviewedAccuracy", look.reviewed)):
        if estimate is not None:
            figures |= {name: (estimate.share, "None"), f"{name}Low": (estimate.low, "None"),
                        f"{name}High": (estimate.high, "None")}  # fmt: skip
    known = {name: (float(value), unit) for name, (value, unit) in figures.items() if value is not None}
    directive = {
        "Namespace": namespace,
        "Dimensions": [["Endpoint"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in known.items()],
    }
    line: dict[str, Any] = {
        "_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        "Endpoint": endpoint,
        **{name: value for name, (value, _) in known.items()},
        "task": look.task,
        "version": look.version,
        "stance": stance,
        "why": "" if standing is None else standing.why,
        "evidence": look.evidence,
        "alarm": None if look.alarm is None else look.alarm.model_dump(mode="json"),
        "mix": {label: share.share for label, share in look.mix.items()},
    }
    return json.dumps(line, allow_nan=False, separators=(",", ":"))
