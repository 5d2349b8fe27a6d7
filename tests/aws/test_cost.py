"""Estimates of what a stack costs, held to the template, the machines and the functions."""

from __future__ import annotations

import json
import re
import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from cfnlint.decode.cfn_yaml import loads
from rich.console import Console

from scones.aws.assumptions import Assumptions
from scones.aws.cost import Estimate, estimate
from scones.aws.prices import HOURS, Prices, load_prices
from scones.aws.templates import template
from scones.aws.usage import ALARM_METRICS, MEMORY, METRICS, MONITOR_MEMORY, Requests, way
from scones.cli.aws._cost_table import cost_tables
from scones.dispatch import add_orders, sample_orders
from scones.errors import AwsError
from scones.functions import watch_capture
from scones.settings import Settings
from scones.store import Bucket, open_bucket
from scones.workflow.application import open_engine
from scones.workflow.engine import Engine

RED, PURPLE = (220, 20, 20), (120, 20, 120)
"""A tiny model is sure of the first; of the second it is not."""
ROOT = Path(__file__).parents[2]
APP: dict[str, Any] = json.loads(json.dumps(loads(template("app")), default=str))
DEFAULTS = {name: str(one["Default"]) for name, one in APP["Parameters"].items() if "Default" in one}
SERVERLESS = {**DEFAULTS, "Inference": "serverless"}


@pytest.fixture
def prices() -> Prices:
    return load_prices("us-east-1")


def terms(found: Estimate) -> dict[str, float]:
    """What each term costs a month."""
    return {term.what: term.dollars for term in (*found.fixed, *found.traffic)}


def resources(kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in APP["Resources"].values() if one["Type"] == kind]


# ---- what the sums stand on ----


class Application:
    """The application on this machine, with its records in S3."""

    def __init__(self, engine: Engine, bucket: Bucket, asked: Event) -> None:
        self.engine, self.bucket, self.asked = engine, bucket, asked

    def arrive(self, picture: bytes) -> None:
        self.bucket.put("arrivals/vehicles/main/driver-1/a1.png", picture)

    def classify(self) -> tuple[str, ...]:
        """Run the arrival through classify; the states that it entered."""
        given = {"image_data": "", "s3_bucket": "scones", "s3_key": "arrivals/vehicles/main/driver-1/a1.png"}
        self.engine.start("classify", given, name="a1")
        [ended] = self.engine.wait("a1", machine="classify", timeout=60)
        assert ended.status == "SUCCEEDED", ended
        return self.entered("classify")

    def review(self) -> tuple[str, ...]:
        """Answer the question that classify led to; the states that review entered."""
        assert self.asked.wait(60)
        token = self.bucket.get_json("reviews/vehicles/main/driver-1/a1.json")["task_token"]
        said = {"label": "bicycle", "by": "Ada", "at": "2026-11-20T10:00:00+00:00"}
        self.engine.send_task_success(token, said)
        [ended] = self.engine.wait("a1", machine="review", timeout=60)
        assert ended.output["outcome"] == "routed"
        return self.entered("review")

    def entered(self, machine: str) -> tuple[str, ...]:
        return tuple(one.state or "" for one in self.engine.history("a1", machine) if one.type.endswith("StateEntered"))


@pytest.fixture
def application(aws: str, start_endpoint: Callable[..., str], tmp_path: Path) -> Iterator[Application]:
    boto3.client("s3").create_bucket(Bucket="scones", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    settings = Settings.load(
        environ={}, file=None, store="s3://", journal=tmp_path / "journal.sqlite", endpoint_url=start_endpoint()
    )
    bucket, asked = open_bucket("s3://", "scones"), Event()
    add_orders(bucket, "main", sample_orders(20, seed=1))
    with open_engine(settings, on_event=lambda one: asked.set() if one.type == "TaskSubmitted" else None) as engine:
        yield Application(engine, bucket, asked)


@contextmanager
def counted(server: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the requests to S3 by what they cost."""
    monkeypatch.chdir(folder)  # where moto keeps its record
    found: Counter[str] = Counter()
    requests.post(f"{server}/moto-api/recorder/reset-recording", timeout=10)
    requests.post(f"{server}/moto-api/recorder/start-recording", timeout=10)
    yield found
    requests.post(f"{server}/moto-api/recorder/stop-recording", timeout=10)
    for line in requests.get(f"{server}/moto-api/recorder/download-recording", timeout=10).text.splitlines():
        sent = json.loads(line)
        if sent["method"] == "DELETE":  # it is free
            continue
        lists = "list-type" in parse_qs(urlsplit(sent["url"]).query)
        found["list" if lists else {"PUT": "put", "GET": "get", "HEAD": "get"}[sent["method"]]] += 1


def test_a_sure_picture_asks_as_much_of_s3_and_passes_as_many_states_as_the_sums_say(
    aws: str, application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png_bytes: Callable[..., bytes]
) -> None:
    application.arrive(png_bytes(RED))
    said = way("classify", "vehicles")
    with counted(aws, tmp_path, monkeypatch) as found:
        assert application.classify() == said.states
    assert Requests(**found) == said.requests
    assert said.functions == ("serialize_image", "classify_image", "filter_inferences", "route_driver")


def test_an_unsure_picture_and_its_review_do_too(
    aws: str, application: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png_bytes: Callable[..., bytes]
) -> None:
    application.arrive(png_bytes(PURPLE))
    classify, review = way("classify", "vehicles", {"FilterInferences": "AskPerson"}), way("review", "vehicles")
    with counted(aws, tmp_path, monkeypatch) as found:
        assert application.classify() == classify.states
        assert application.review() == review.states
    found["get"] -= 1  # the question, which the test reads
    assert Requests(**found) == classify.requests + review.requests
    assert review.messages == 1


@pytest.mark.parametrize("task", ["social", "defects", "road", "vehicles-10"])
def test_a_task_without_drivers_writes_one_result(task: str) -> None:
    one = way("classify", task)
    assert one.states[-1] == "WriteResult"
    assert one.requests == Requests(put=2, get=1)


def test_functions_have_the_memory_that_the_template_gives_them() -> None:
    said = {one["Handler"].split(".")[-2]: one["MemorySize"] for one in resources("AWS::Lambda::Function")}
    assert said == {**MEMORY, "watch_capture": MONITOR_MEMORY}


def test_alarms_are_counted_by_the_metrics_that_they_look_at() -> None:
    alarms = resources("AWS::CloudWatch::Alarm")
    assert (
        sum(sum("MetricStat" in one for one in alarm.get("Metrics", [{"MetricStat": 1}])) for alarm in alarms)
        == ALARM_METRICS
    )
    assert len(resources("AWS::CloudWatch::Dashboard")) == len(resources("AWS::Budgets::Budget")) == 1


def test_the_monitor_publishes_as_many_metrics_as_are_counted() -> None:
    assert len(re.findall(r', "(?:Count|None)"\),', Path(watch_capture.__file__).read_text())) == METRICS


def test_functions_log_nothing_of_a_picture_that_goes_well() -> None:
    for one in resources("AWS::Lambda::Function"):
        assert one["LoggingConfig"]["SystemLogLevel"] == "WARN"  # else START, END and REPORT
    for one in resources("AWS::StepFunctions::StateMachine"):
        assert one["LoggingConfiguration"]["Level"] == "ERROR"


# ---- the sums ----


@pytest.mark.parametrize("inference", ["real-time", "serverless"])
@pytest.mark.parametrize("kind", ["EXPRESS", "STANDARD"])
@pytest.mark.parametrize("processor", ["arm64", "x86_64"])
def test_every_term_of_every_kind_of_stack_has_a_price(
    prices: Prices, inference: str, kind: str, processor: str
) -> None:
    chosen = {
        "Inference": inference,
        "ClassifyType": kind,
        "FunctionArchitecture": processor,
        "AlertEmail": "a@b.example",
    }
    for memory in APP["Parameters"]["ServerlessMemory"]["AllowedValues"]:
        found = estimate({**DEFAULTS, **chosen, "ServerlessMemory": str(memory)}, 10_000, prices)
        assert not [note for note in found.notes if "no price" in note]
        assert all(term.dollars > 0 for term in found.traffic)


def test_the_sum_is_what_the_terms_add_up_to(prices: Prices) -> None:
    found = estimate(DEFAULTS, 10_000, prices)
    said = found.as_dict()
    assert said["dollars_a_month"] == pytest.approx(sum(terms(found).values()), abs=0.01)
    assert said["traffic_per_1000"] == pytest.approx(sum(one["dollars"] for one in said["traffic"]), abs=1e-4)
    assert said["dollars_per_1000"] == pytest.approx(found.a_month / (10_000 * 365 / 12 / 1000), abs=1e-4)
    for one in (*said["fixed"], *said["traffic"]):
        assert one["dollars"] == pytest.approx(one["quantity"] * one["dollars_a_unit"], rel=1e-4)
    assert json.loads(json.dumps(said)) == said


def test_a_real_time_endpoint_costs_its_instance_whether_or_not_pictures_come(prices: Prices) -> None:
    assert terms(estimate(DEFAULTS, 1, prices))["endpoint: 1 x ml.m5.large"] == pytest.approx(730 * 0.115)
    few = estimate(SERVERLESS, 1, prices)
    assert not [what for what in terms(few) if what.startswith("endpoint: 1 x")]
    assert few.a_month < 10


def test_a_candidate_costs_instances_of_its_own(prices: Prices) -> None:
    trial = {**DEFAULTS, "CandidateKey": "models/vehicles/v2/model.tar.gz", "MinInstances": "2"}
    [term] = [term for term in estimate(trial, 1000, prices).fixed if "candidate" in term.what]
    assert (term.what, term.quantity) == ("endpoint: candidate, 2 x ml.m5.large", 2 * HOURS)
    assert not [term for term in estimate(SERVERLESS, 1000, prices).fixed if "candidate" in term.what]


def test_instances_are_counted_for_the_busiest_hour_and_an_overload_is_told(prices: Prices) -> None:
    busy = estimate(DEFAULTS, 2_000_000, prices)
    assert terms(busy)["endpoint: 2 x ml.m5.large"] == pytest.approx(2 * 730 * 0.115)
    assert not [note for note in busy.notes if "raise" in note]
    assert [
        note for note in estimate(DEFAULTS, 9_000_000, prices).notes if "MaxInstances takes 12,000: raise it" in note
    ]
    many = estimate(SERVERLESS, 9_000_000, prices)
    assert [note for note in many.notes if "raise ServerlessConcurrency, it is 10" in note]


def test_express_is_far_cheaper_than_standard(prices: Prices) -> None:
    express = terms(estimate(DEFAULTS, 10_000, prices))
    standard = terms(estimate({**DEFAULTS, "ClassifyType": "STANDARD"}, 10_000, prices))
    assert standard["workflow: states, Standard"] == pytest.approx(10_000 * 365 / 12 * 7 * 0.025 / 1000)
    ours = express["workflow: Express executions"] + express["workflow: Express time"]
    assert ours < standard["workflow: states, Standard"] / 50


def test_what_nobody_asked_for_costs_nothing(prices: Prices) -> None:
    bare = estimate(
        {**SERVERLESS, "CapturePercent": "0", "AlertEmail": ""}, 10_000, prices, Assumptions(unsure_share=0)
    )
    gone = {"S3: capture kept", "e-mails to people", "reviews: states, Standard", "messages to people", "logs taken in"}
    assert not gone & set(terms(bare))


@pytest.mark.parametrize(
    ("schedule", "runs"), [("rate(1 hour)", 730), ("rate(15 minutes)", 2920), ("cron(0 * * * ? *)", 730)]
)
def test_the_monitor_is_counted_by_its_schedule(prices: Prices, schedule: str, runs: int) -> None:
    found = estimate({**DEFAULTS, "MonitorSchedule": schedule}, 10_000, prices)
    assert next(term.quantity for term in found.fixed if term.what == "monitor: schedule") == pytest.approx(runs)


def test_an_instance_type_without_a_price_is_told_and_left_out(prices: Prices) -> None:
    found = estimate({**DEFAULTS, "InstanceType": "ml.m9.huge"}, 10_000, prices)
    assert [note for note in found.notes if "sagemaker.hosting.ml.m9.huge" in note and "not in the sum" in note]
    assert found.fixed_a_month < 10


def test_serverless_says_what_it_gives_up(prices: Prices) -> None:
    assert [one for one in estimate(SERVERLESS, 1000, prices).gives_up if "no data capture by SageMaker" in one]
    assert not [one for one in estimate(DEFAULTS, 1000, prices).gives_up if "capture" in one]


def test_a_parameter_that_is_missing_or_no_number_is_named(prices: Prices) -> None:
    with pytest.raises(AwsError, match="parameter Task of the stack is not given"):
        estimate({name: value for name, value in DEFAULTS.items() if name != "Task"}, 1000, prices)
    with pytest.raises(AwsError, match="CapturePercent is 'all': give a number"):
        estimate({**DEFAULTS, "CapturePercent": "all"}, 1000, prices)
    with pytest.raises(AwsError, match="0 pictures a day cannot be priced"):
        estimate(DEFAULTS, 0, prices)


# ---- how they are shown ----


def test_the_tables_show_each_term_the_sum_and_what_is_given_up(prices: Prices) -> None:
    found = estimate(SERVERLESS, 10_000, prices)
    console = Console(width=200, record=True)
    console.print(*cost_tables(found))
    text = console.export_text()
    for term in (*found.fixed, *found.traffic):
        assert term.what in text
    assert f"${found.a_month:,.2f} a month" in text
    assert "the table of 2026-11" in text
    assert "Given up: no data capture by SageMaker" in text
    assert "0.00004 ?" in text  # the price of a second, which no source confirms


def test_every_assumption_is_documented_and_the_other_way_round() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,.]+) \|", (ROOT / "docs/cost.md").read_text(), re.M)
    assert {name: float(value.replace(",", "")) for name, value in rows} == Assumptions().model_dump()


def test_the_documentation_shows_the_figures_of_the_benchmark(prices: Prices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    cost = runpy.run_path(str(ROOT / "benchmarks/cost.py"), run_name="imported")
    found = {day: cost["estimates"](day, prices, Assumptions()) for day in cost["TRAFFIC"]}
    page = (ROOT / "docs/cost.md").read_text()
    for line in (*cost["table"](found), *cost["term_table"](found[10_000])):
        assert line in page
    course = found[10_000]["course"].per_1000
    serverless, lean = (found[10_000][name].per_1000 / course for name in ("serverless", "lean"))
    assert f"serverless with Express costs {serverless:.0%} of the course design, lean {lean:.0%}" in page
    for what, saved in cost["levers"](10_000, prices, Assumptions()).items():
        assert f"| {what} | {saved:.4f} |" in page
    assert (ROOT / "docs/images/cost.svg").read_text() == cost["draw"](cost["TITLES"], found[10_000])
    assert {**DEFAULTS, **cost["OURS"]} == {**DEFAULTS, "AlertEmail": cost["OURS"]["AlertEmail"]}


def test_the_example_in_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/cost.md").read_text(), re.S)
    exec(compile(block, "docs/cost.md", "exec"), {})
    assert re.fullmatch(r"\$[\d.]+ a month, \$0\.\d{3} for 1,000 pictures\n", capsys.readouterr().out)
