import json
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from scones.monitoring.watch.metrics import embedded_metrics, prometheus_text
from scones.monitoring.watch.records import (
    Alarm,
    ChannelEvidence,
    Estimate,
    Look,
    MixShare,
    Stance,
    Standing,
    Totals,
)
from scones.serving.figures import Figures

DOCS = Path(__file__).parents[3] / "docs"
NOW = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)
BEGAN = NOW - timedelta(hours=1)

BARE = Look(at=NOW, task="vehicles", version="v1", state="watch-state/scones/1", alarm_line=250_000)
FULL = BARE.model_copy(
    update={
        "records": 60,
        "pictures": 59,
        "duplicates": 1,
        "repeats": 3,
        "unreadable": 2,
        "totals": Totals(records=600, pictures=590, duplicates=10, repeats=30, unreadable=20),
        "newest": NOW - timedelta(seconds=30),
        "gap": 30.0,
        "confidence": 0.875,
        "evidence": {"sharpness": 1e250, 'like "blur"': 0.5, "size": 0.0},
        "alarm": Alarm(
            at=NOW,
            picture=580,
            began=BEGAN,
            channels=(ChannelEvidence(channel="sharpness", evidence=1e250, began=BEGAN),),
            outside=0.25,
            responsible=("e1", "e2"),
        ),
        "accuracy": Estimate(share=0.9, low=0.875, high=0.925, warning="it cannot see"),
        "reviewed": Estimate(share=0.8, low=0.75, high=0.85, answers=50),
        "expected": 0.95,
        "mix": {"bicycle": MixShare(share=0.25, low=0.125, high=0.5)},
        "mix_warning": "no mix explains these answers",
    }
)
CANARY = Standing(
    stance=Stance.CANARY,
    threshold=0.97,
    candidate="v2",
    weight=0.1,
    held=True,
    who="asha",
    why="it is better",
    at=BEGAN,
)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by its name and labels, the endpoint's apart, which must be there."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("endpoint") == "scones"
            found[sample.name, frozenset(labels.items())] = sample.value
    return found


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[f"scones_{name}", frozenset(labels.items())]


def test_prometheus_text_tells_what_the_look_saw() -> None:
    text = prometheus_text("scones", FULL, CANARY, NOW)
    assert value(text, "watch_told_timestamp_seconds") == NOW.timestamp()
    assert value(text, "watch_model_info", task="vehicles", version="v1") == 1
    assert value(text, "watch_look_timestamp_seconds") == NOW.timestamp()
    assert value(text, "watch_newest_record_timestamp_seconds") == NOW.timestamp() - 30
    assert value(text, "watch_gap_seconds") == 30
    assert value(text, "watch_evidence", channel="sharpness") == 1e250
    assert value(text, "watch_evidence", channel='like "blur"') == 0.5
    assert value(text, "watch_evidence_alarm_line") == 250_000
    assert value(text, "watch_drift_alarm") == 1
    assert value(text, "watch_drift_began_timestamp_seconds", channel="sharpness") == BEGAN.timestamp()
    assert value(text, "watch_outside_ratio") == 0.25
    assert value(text, "watch_confidence_ratio") == 0.875
    assert value(text, "watch_accuracy_high_ratio", kind="unlabelled") == 0.925
    assert value(text, "watch_accuracy_ratio", kind="reviewed") == 0.8
    assert value(text, "watch_accuracy_low_ratio", kind="reviewed") == 0.75
    assert value(text, "watch_class_share_low_ratio", label="bicycle") == 0.125
    assert value(text, "watch_class_mix_doubtful") == 1


def test_counters_count_all_looks_and_nothing_else_is_called_total() -> None:
    families = list(text_string_to_metric_families(prometheus_text("scones", FULL, CANARY, NOW)))
    counted = {
        sample.name: sample.value for family in families if family.type == "counter" for sample in family.samples
    }
    assert counted == {
        "scones_watch_records_total": 600,
        "scones_watch_pictures_total": 590,
        "scones_watch_duplicates_total": 10,
        "scones_watch_repeats_total": 30,
        "scones_watch_unreadable_total": 20,
    }
    assert not [family.name for family in families if family.type != "counter" and "total" in family.name]
    assert all(family.documentation for family in families)


def test_prometheus_text_tells_the_stance_as_one_of_all() -> None:
    text = prometheus_text("scones", FULL, CANARY, NOW)
    assert {stance: value(text, "stance", stance=stance) for stance in Stance} == {
        stance: float(stance is Stance.CANARY) for stance in Stance
    }
    assert value(text, "stance_threshold_floor_ratio") == 0.97
    assert value(text, "stance_candidate_weight_ratio") == 0.1
    assert value(text, "stance_held") == 1
    assert value(text, "stance_dry_run") == 0
    assert value(text, "stance_timestamp_seconds") == BEGAN.timestamp()


def test_what_is_not_known_has_no_sample() -> None:
    names = {name for name, _ in samples(prometheus_text("scones", BARE, None, NOW))}
    for name in ("newest_record_timestamp_seconds", "confidence_ratio", "accuracy_ratio", "expected_accuracy_ratio",
                 "class_share_ratio", "outside_ratio", "drift_began_timestamp_seconds", "evidence"):  # fmt: skip
        assert f"scones_watch_{name}" not in names
    assert value(prometheus_text("scones", BARE, None, NOW), "watch_drift_alarm") == 0


def test_before_the_first_look_there_are_the_time_and_the_stance_alone_and_it_is_observing() -> None:
    text = prometheus_text("scones", None, None, NOW)
    assert {name for name, _ in samples(text)} == {
        "scones_watch_told_timestamp_seconds", "scones_stance", "scones_stance_candidate_weight_ratio",
        "scones_stance_held", "scones_stance_dry_run",
    }  # fmt: skip
    assert value(text, "stance", stance="observing") == 1


def test_every_prometheus_metric_is_documented_and_the_other_way_round() -> None:
    rows = re.findall(r"^\| `(scones_\w+)` \| (\w+) \| ([^|]*)\|", (DOCS / "metrics.md").read_text("utf-8"), re.M)
    documented = {name: (kind, frozenset(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    told = {}
    for family in text_string_to_metric_families(prometheus_text("scones", FULL, CANARY, NOW)):
        for sample in family.samples:
            told[sample.name] = (family.type, frozenset(sample.labels) - {"endpoint"})
    assert documented == told


def test_the_alert_rules_ask_for_metrics_and_labels_that_exist() -> None:
    rules = [rule for group in yaml.safe_load((DOCS / "prometheus-alerts.yml").read_text("utf-8"))["groups"]
             for rule in group["rules"]]  # fmt: skip
    told: dict[str, set[str]] = {}
    text = prometheus_text("scones", FULL, CANARY, NOW) + Figures(1).exposition("scones", {})
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            told.setdefault(sample.name, set()).update(sample.labels)
    kinds = {dict(labels).get("kind") for _, labels in samples(prometheus_text("scones", FULL, CANARY, NOW))}
    for rule in rules:
        text = rule["expr"] + "".join(rule["annotations"].values())
        asked = re.findall(r"(scones_\w+)(?:\{([^}]*)\})?", text)
        assert asked
        for name, selector in asked:
            assert set(re.findall(r"(\w+)=", selector)) <= told[name], rule["alert"]
        assert set(re.findall(r'kind="(\w+)"', text)) <= kinds
        assert {"summary", "description"} == set(rule["annotations"])


def test_every_alert_is_explained_and_the_other_way_round() -> None:
    rules = [rule for group in yaml.safe_load((DOCS / "prometheus-alerts.yml").read_text("utf-8"))["groups"]
             for rule in group["rules"]]  # fmt: skip
    rows = re.findall(r"^\| `(Scones\w+)` \|", (DOCS / "metrics.md").read_text("utf-8"), re.M)
    assert rows == [rule["alert"] for rule in rules]


def line(look: Look, standing: Standing | None) -> dict[str, Any]:
    text = embedded_metrics("scones-prod", "scones", look, standing, NOW)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)  # NaN and Infinity are no JSON
    return found


@pytest.mark.parametrize(("look", "standing"), [(FULL, CANARY), (BARE, None)])
def test_the_embedded_line_keeps_the_rules_of_cloudwatchs_schema(look: Look, standing: Standing | None) -> None:
    found = line(look, standing)
    assert len(json.dumps(found)) < 256_000
    about = found["_aws"]
    assert set(about) == {"Timestamp", "CloudWatchMetrics"}
    assert about["Timestamp"] == int(NOW.timestamp() * 1000)
    [directive] = about["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 1024
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 30
        for name in dimensions:  # a reference to a member whose value is a text
            assert 1 <= len(name) <= 250
            assert isinstance(found[name], str)
            assert 1 <= len(found[name]) <= 1024
    assert 1 <= len(directive["Metrics"]) <= 100
    units = {"Count", "Seconds", "None"}
    for metric in directive["Metrics"]:  # a reference to a member whose value is a number
        assert set(metric) == {"Name", "Unit"}
        assert 1 <= len(metric["Name"]) <= 1024
        assert metric["Unit"] in units
        assert isinstance(found[metric["Name"]], float)
        assert abs(found[metric["Name"]]) <= 2**360
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(set(names)) == len(names)


def test_the_embedded_line_tells_the_figures_and_which_channels_since_when() -> None:
    found = line(FULL, CANARY)
    assert found["Records"] == 60
    assert found["SecondsSinceRecord"] == 30
    assert found["DriftEvidence"] == pytest.approx(250)
    assert found["DriftAlarmLine"] == pytest.approx(math.log10(250_001))
    assert (found["DriftAlarm"], found["CaptureGap"]) == (1, 1)
    assert (found["ReviewedAccuracyLow"], found["ReviewedAccuracyHigh"]) == (0.75, 0.85)
    assert (found["StanceLevel"], found["ThresholdFloor"], found["stance"]) == (3, 0.97, "canary")
    assert found["alarm"]["channels"] == [
        {"channel": "sharpness", "evidence": 1e250, "began": BEGAN.isoformat().replace("+00:00", "Z")}
    ]
    assert found["mix"] == {"bicycle": 0.25}


def test_the_embedded_line_leaves_out_what_is_not_known() -> None:
    found = line(BARE, None)
    assert not {"Confidence", "SecondsSinceRecord", "ThresholdFloor", "UnlabelledAccuracy"} & set(found)
    assert (found["DriftEvidence"], found["StanceLevel"], found["alarm"]) == (0, 0, None)


def test_every_cloudwatch_metric_is_documented_with_its_unit_and_the_other_way_round() -> None:
    text = (DOCS / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (Count|Seconds|None) \|", text, re.M)
    documented = {name: unit for names, unit in rows for name in re.findall(r"`(\w+)`", names)}
    metrics = line(FULL, CANARY)["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert documented == {metric["Name"]: metric["Unit"] for metric in metrics}
    stances = re.search(r"^\| `StanceLevel` \| None \| (.*) \|$", text, re.M)
    assert stances is not None
    assert stances[1] == ", ".join(f"{place} {stance}" for place, stance in enumerate(Stance))
