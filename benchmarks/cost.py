"""What a thousand pictures cost on AWS: the common course design, and ours in four shapes.

Prices are the dated table's, of us-east-1. What is measured here (the rate of `scones classify`, the processor's time
of the functions and of the model) stands in the detail beside what the estimates assume.

With --chart FILE a chart is written too; with --quick nothing is measured.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from bulk import product_rate, train, write_pictures
from cost_chart import draw
from harness import Claim, emit, progress

from scones.aws.assumptions import Assumptions
from scones.aws.cost import Estimate, Term, estimate
from scones.aws.prices import HOURS, Prices, load_prices
from scones.aws.quantities import DAYS

TRAFFIC = (1_000, 10_000, 1_000_000)
"""Pictures a day."""
GOAL = 0.1
_GB = 1e9

OURS: dict[str, str] = {
    "Task": "vehicles",
    "FunctionArchitecture": "arm64",
    "ClassifyType": "EXPRESS",
    "Inference": "real-time",
    "InstanceType": "ml.m5.large",
    "MinInstances": "1",
    "MaxInstances": "4",
    "CandidateKey": "",
    "InvocationsPerInstance": "3000",
    "ServerlessMemory": "2048",
    "ServerlessConcurrency": "10",
    "CapturePercent": "100",
    "PictureDays": "30",
    "CaptureDays": "30",
    "LogDays": "30",
    "AlertEmail": "people@example.com",
    "MonitorSchedule": "rate(1 hour)",
    "ShowDashboard": "true",
}
"""The template's defaults, with people who get mail."""
SHAPES: dict[str, Mapping[str, str]] = {
    "real_time_standard": {**OURS, "ClassifyType": "STANDARD"},
    "real_time": OURS,
    "serverless": {**OURS, "Inference": "serverless"},
    "lean": {
        **OURS,
        "Inference": "serverless",
        "ServerlessMemory": "1024",
        "CapturePercent": "10",
        "ShowDashboard": "false",
        "AlertEmail": "",
    },
}
TITLES = {
    "course": "course design: three functions, Standard, one ml.m5.xlarge",
    "real_time_standard": "ours: real-time (ml.m5.large), Standard",
    "real_time": "ours: real-time (ml.m5.large), Express",
    "serverless": "ours: serverless, Express",
    "lean": "ours: serverless, Express, lean",
    "bulk": "ours: `scones classify` once a day",
}
COURSE_LACKS = (
    "no order and no bay: it ends with the label",
    "nobody is asked about an unsure picture: the execution fails",
    "a picture that is delivered twice is worked twice",
    "no alarms, no budget, no dashboard, nothing that starts it when a picture arrives, nothing that cleans up",
)
BULK_LACKS = (
    "no answer before the day's run ends: no driver can wait for it",
    "no workflow: no orders, no people for the unsure ones, which are marked in the table",
)
COURSE_SECONDS = 0.4 + 0.3 + 0.05
"""Its functions together, at Lambda's default of 128 MB: picture to base64, endpoint, threshold."""
COURSE_LOG_BYTES = 3 * 500
"""START, END and REPORT of each function."""
BULK_A_SECOND = 100
"""Pictures of 90 kB a second on two cores; 108 to 167 were measured beside other work."""
BULK_START_SECONDS = 120


def course(pictures_per_day: float, prices: Prices, assumed: Assumptions) -> Estimate:
    """The design of the common course, as its notebook deploys it; what it keeps, it keeps as long as ours here."""
    pictures = pictures_per_day * DAYS
    capture_files = min(pictures, assumed.capture_files * DAYS)
    days = float(OURS["PictureDays"]), float(OURS["CaptureDays"])
    traffic = [
        ("S3: objects written", pictures + capture_files, "s3.put"),
        ("S3: objects read", pictures, "s3.get"),
        ("S3: pictures kept", pictures * assumed.picture_bytes / _GB * days[0] / DAYS, "s3.storage"),
        ("S3: capture kept", pictures * assumed.picture_bytes * 4 / 3 / _GB * days[1] / DAYS, "s3.storage"),
        ("functions: calls", 3 * pictures, "lambda.requests.x86_64"),
        ("functions: time", pictures * COURSE_SECONDS * 128 / 1024, "lambda.duration.x86_64"),
        ("workflow: states, Standard", 3 * pictures, "states.transitions"),
        ("endpoint: pictures in", pictures * assumed.picture_bytes / _GB, "sagemaker.data"),
        ("logs taken in", pictures * COURSE_LOG_BYTES / _GB, "cloudwatch.logs"),
    ]
    fixed = Term("endpoint: 1 x ml.m5.xlarge", HOURS, prices["sagemaker.hosting.ml.m5.xlarge"])
    return _estimate(pictures_per_day, [fixed], traffic, COURSE_LACKS, prices)


def bulk(pictures_per_day: float, prices: Prices, assumed: Assumptions) -> Estimate:
    """One machine of two cores that classifies a day's pictures in S3, and is gone."""
    pictures = pictures_per_day * DAYS
    hours = (pictures / BULK_A_SECOND + DAYS * BULK_START_SECONDS) / 3600
    kept = pictures * assumed.picture_bytes / _GB * float(OURS["PictureDays"]) / DAYS
    traffic = [
        ("S3: objects written", pictures + DAYS, "s3.put"),
        ("S3: lists", pictures / 1000, "s3.put"),
        ("S3: objects read", pictures, "s3.get"),
        ("S3: pictures kept", kept, "s3.storage"),
        ("endpoint: a machine, while it works", hours, "ec2.c6i.large"),
    ]
    return _estimate(pictures_per_day, [], traffic, BULK_LACKS, prices)


def _estimate(
    pictures_per_day: float,
    fixed: list[Term],
    traffic: list[tuple[str, float, str]],
    lacks: tuple[str, ...],
    prices: Prices,
) -> Estimate:
    terms = tuple(Term(what, quantity, prices[key]) for what, quantity, key in traffic)
    return Estimate(pictures_per_day, tuple(fixed), terms, lacks, prices.notes, prices.origin)


def estimates(pictures_per_day: float, prices: Prices, assumed: Assumptions) -> dict[str, Estimate]:
    """Every design at this traffic."""
    return {
        "course": course(pictures_per_day, prices, assumed),
        **{name: estimate(parameters, pictures_per_day, prices, assumed) for name, parameters in SHAPES.items()},
        "bulk": bulk(pictures_per_day, prices, assumed),
    }


LEVERS: dict[str, tuple[dict[str, str], dict[str, float]]] = {
    "capture a tenth of the answers": ({"CapturePercent": "10"}, {}),
    "keep pictures for 7 days": ({"PictureDays": "7"}, {}),
    "no dashboard": ({"ShowDashboard": "false"}, {}),
    "no e-mail for each review": ({"AlertEmail": ""}, {}),
    "a model that asks about 5 % instead of 9 %": ({}, {"unsure_share": 0.05}),
}
"""What makes serverless and Express cheaper: parameters of the stack, assumptions."""


def levers(pictures_per_day: float, prices: Prices, assumed: Assumptions) -> dict[str, float]:
    """Dollars for 1,000 pictures that each lever saves, alone."""
    shape = SHAPES["serverless"]
    now = estimate(shape, pictures_per_day, prices, assumed).per_1000
    return {
        what: round(
            now - estimate({**shape, **given}, pictures_per_day, prices, assumed.model_copy(update=other)).per_1000, 4
        )
        for what, (given, other) in LEVERS.items()
    }


def table(all_of_them: Mapping[int, Mapping[str, Estimate]]) -> list[str]:
    """Dollars for 1,000 pictures, as a table in Markdown."""
    lines = [f"| dollars for 1,000 pictures | {' | '.join(f'{day:,} a day' for day in all_of_them)} |"]
    lines.append("| --- |" + " ---: |" * len(all_of_them))
    for name, title in TITLES.items():
        lines.append(f"| {title} | {' | '.join(f'{found[name].per_1000:.3f}' for found in all_of_them.values())} |")
    return lines


def term_table(found: Mapping[str, Estimate], least: float = 0.0005) -> list[str]:
    """Each term in dollars for 1,000 pictures, as a table in Markdown, without those that are nowhere ``least``."""
    names = ("course", "real_time", "serverless", "lean")
    columns = [
        {term.what: term.dollars / found[name].thousands for term in (*found[name].fixed, *found[name].traffic)}
        for name in names
    ]
    most = {what: max(column.get(what, 0.0) for column in columns) for column in columns for what in column}
    lines = [
        "| term | course | real-time, Express | serverless, Express | lean |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for what in sorted(most, key=lambda what: (-most[what], what)):
        if most[what] >= least:
            cells = (f"{column[what]:.4f}" if what in column else "" for column in columns)
            lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def photograph(seed: int) -> bytes:
    """A JPEG of 800x600 pixels and some 90 kB."""
    rng = np.random.default_rng(seed)
    shapes = PIL.Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8))
    image = np.asarray(shapes.resize((800, 600), PIL.Image.Resampling.BICUBIC), dtype=np.int16)
    image = image + rng.normal(0, 5, (600, 800, 1)).astype(np.int16)
    data = io.BytesIO()
    PIL.Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(data, "JPEG", quality=80)
    return data.getvalue()


def measured(count: int = 2_000) -> dict[str, float]:
    """What can be measured without AWS: processor milliseconds a picture, pictures a second in bulk."""
    from scones.classifier import Classifier
    from scones.functions.runtime import Runtime
    from scones.functions.serialize_image import serialize_image
    from scones.picture import model_input
    from scones.settings import Settings

    photos = [photograph(seed) for seed in range(8)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress("training a model …")
        model = train(folder)
        runtime = Runtime(Settings.load(environ={}, file=None, store=str(folder)))
        runtime.home.put("arrivals/vehicles/main/d/a.jpg", photos[0])
        event = {"image_data": "", "s3_bucket": "scones", "s3_key": "arrivals/vehicles/main/d/a.jpg"}
        classifier = Classifier.load(model)
        size = classifier.info.input_size
        found = {
            "picture_bytes": statistics.mean(map(len, photos)),
            "serialize_ms": _processor_ms(lambda: serialize_image(event, runtime)),
            "model_ms": _processor_ms(lambda: classifier.predict(np.stack([model_input(photos[0], size)]))),
        }
        progress(f"classifying {count:,} pictures …")
        write_pictures(folder / "photos", photos, ".jpg", count)
        found["bulk_a_second"] = product_rate(folder / "photos", model, count)
    return {name: round(value, 1) for name, value in found.items()}


def _processor_ms(do: Callable[[], Any], times: int = 30) -> float:
    took = []
    for _ in range(times):
        begun = time.process_time()
        do()
        took.append(1000 * (time.process_time() - begun))
    return statistics.median(took)


def claims(found: Mapping[str, Estimate]) -> Iterator[Claim]:
    """Of 10,000 pictures a day."""
    most = found["course"].per_1000
    yield Claim("cost_ratio_10k", round(found["lean"].per_1000 / most, 3), "of the course design", f"<= {GOAL}")
    for name in ("serverless", "real_time", "real_time_standard", "bulk"):
        yield Claim(f"cost_ratio_10k_{name}", round(found[name].per_1000 / most, 3), "of the course design", "<= 1")
    for name in TITLES:
        wanted = GOAL * most if name == "lean" else most
        yield Claim(f"dollars_per_1000_{name}", round(found[name].per_1000, 4), "USD", f"<= {wanted:.4f}")


def main() -> None:
    started = time.monotonic()
    words = argparse.ArgumentParser()
    words.add_argument("--chart", type=Path)
    words.add_argument("--quick", action="store_true")
    given = words.parse_args()
    prices, assumed = load_prices("us-east-1"), Assumptions()
    found = {day: estimates(day, prices, assumed) for day in TRAFFIC}
    saved = levers(TRAFFIC[1], prices, assumed)
    for line in (*table(found), "", *term_table(found[TRAFFIC[1]]), ""):
        print(line, file=sys.stderr)
    for what, dollars in saved.items():
        print(f"| {what} | {dollars:.4f} |", file=sys.stderr)
    if given.chart:
        given.chart.write_text(draw(TITLES, found[TRAFFIC[1]]), encoding="utf-8")
    detail: dict[str, Any] = {
        "measured": None if given.quick else measured(),
        "assumed": {**assumed.model_dump(), "bulk_a_second": BULK_A_SECOND, "course_seconds": COURSE_SECONDS},
        "saved_per_1000_at_10000_a_day": saved,
        "a_day": {f"{day}": {name: one.as_dict() for name, one in each.items()} for day, each in found.items()},
    }
    emit("cost", started, list(claims(found[TRAFFIC[1]])), detail)


if __name__ == "__main__":
    main()
