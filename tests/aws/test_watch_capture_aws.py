"""The scheduled monitor with AWS's services: its metrics, the stances it takes, and how it brings them in force."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from botocore.stub import Stubber

from scones.aws.account import Account
from scones.capture import CANDIDATE_VARIANT, CaptureRecord, capture_key, encode_line
from scones.errors import AwsError, ObjectMissing
from scones.functions.runtime import Runtime, default_runtime
from scones.functions.watch_capture import handler, watch_capture
from scones.functions.watched import Watched
from scones.monitoring.watch.records import Stance, Standing
from scones.monitoring.watch.standings import in_force, newest_standing, stand
from scones.registry.aliases import PRODUCTION, point
from scones.settings import Settings
from scones.store import Layout
from tests.aws.small_stacks import STANCES, TRIAL

REGION: Final = "eu-west-1"
TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
BUCKET = "scones-records"


class Hours:
    """A bucket in which a first day lies, and hours of drift after it, that a monitor looks at one by one."""

    def __init__(self, account: Account, **settings: Any) -> None:
        self.now = TEN + timedelta(hours=1.5)
        given = {"store": "s3://", "bucket": BUCKET, "endpoint": "scones", "stack": "spring", **settings}
        self.runtime = Runtime(Settings.load(environ={}, file=None, **given), self.clock)
        self.cloudformation = account.cloudformation
        self.lines: list[dict[str, Any]] = []

    def clock(self) -> float:
        return self.now.timestamp()

    def write(self, label: int, hour: int, variant: str = "serverless") -> None:
        time, sides = TEN + timedelta(hours=hour), ((0.8, 0.2), (0.2, 0.8))
        told = {"threshold": "0.9", "labels": "bicycle,motorcycle", "model_version": "v1"}
        line = encode_line(CaptureRecord("e", "", time, sides[label], attributes=told)) + "\n"
        self.runtime.home.put(capture_key(Layout.CAPTURE, "scones", variant, time, "u"), line.encode() * 300)

    def look(self) -> Watched | None:
        try:
            return watch_capture(self.runtime, self.cloudformation, lambda line: self.lines.append(json.loads(line)))
        finally:
            self.now += timedelta(hours=1)

    def drift(self, hours: int) -> list[Watched]:
        """A first day, seen by one run, and then hours of another label: what the runs saw of these."""
        start = self.runtime.home.latest_number("monitor/scones")
        if not start:
            for hour in (0, 1):
                self.write(0, hour)
            self.look()
            self.now = TEN + timedelta(hours=24.5)
            self.look()
        seen = []
        for _ in range(hours):
            self.write(1, int((self.now - TEN).total_seconds() // 3600) - 1)
            if (one := self.look()) is not None:
                seen.append(one)
        return seen

    def stand(self, **wanted: Any) -> None:
        """A stance that a monitor elsewhere takes, or a person."""
        given = {"who": "Ada", "why": "to see", "at": self.now - timedelta(minutes=1), **wanted}
        number, _ = newest_standing(self.runtime.home, "scones")
        stand(self.runtime.home, "scones", Standing(**given), number)


@pytest.fixture
def hours(account: Account) -> Callable[..., Hours]:
    for name in (BUCKET, STANCES["ArtefactBucket"]):
        account.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    account.cloudformation.create_stack(
        StackName="spring",
        TemplateBody=TRIAL,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in STANCES.items()],
        Tags=[{"Key": "scones:stack", "Value": "spring"}],
    )
    return lambda **settings: Hours(account, **settings)


def parameters(account: Account) -> dict[str, str]:
    """The stack's parameters that are not as they were."""
    [stack] = account.cloudformation.describe_stacks(StackName="spring")["Stacks"]
    found = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}
    assert found.keys() == STANCES.keys()
    return {name: value for name, value in found.items() if value != STANCES[name]}


def test_it_publishes_what_it_saw_and_writes_it_down(hours: Callable[..., Hours]) -> None:
    mine = hours()
    mine.write(0, 0)
    mine.write(1, 0, CANDIDATE_VARIANT)
    seen = mine.look()
    assert seen is not None
    assert (seen.records, seen.below_share, seen.did) == (300, 1.0, "nothing"), "a candidate's answers are its own"
    assert Watched.model_validate(mine.runtime.home.latest("monitor/scones")) == seen
    [line] = mine.lines
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("spring", [[]]), "as the alarm names them"
    assert {one["Name"]: (line[one["Name"]], one["Unit"]) for one in directive["Metrics"]} == {
        "Records": (300, "Count"),
        "LowConfidenceShare": (1.0, "None"),
    }, "there is nothing to compare with yet, so no drift"
    assert line["_aws"]["Timestamp"] == seen.at.timestamp() * 1000
    mine.now -= timedelta(hours=1)
    assert mine.look() is None, "no full hour has passed since"
    assert mine.runtime.home.latest_number("monitor/scones") == 1


def test_without_leave_to_act_it_says_once_what_it_would_do(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours()
    runs = mine.drift(6)
    assert [(one.in_a_row, one.decision) for one in runs[:3]] == [(1, "wait"), (2, "wait"), (0, "raise")]
    assert runs[2].did == runs[5].did == "nothing: it only watches; it would raise the floor to 0.99"
    number, said = newest_standing(mine.runtime.home, "scones")
    assert said is not None
    assert (number, said.stance, said.threshold, said.dry_run) == (1, Stance.CAUTIOUS, 0.99, True)
    assert in_force(mine.runtime.home, "scones") is None
    assert parameters(account) == {}
    assert mine.lines[-1]["Drift"] > 0.5


def test_after_three_runs_of_drift_it_raises_the_floor_and_nothing_else(
    account: Account, hours: Callable[..., Hours]
) -> None:
    mine = hours(monitor_acts=True)
    runs = mine.drift(2)
    assert parameters(account) == {}
    runs += mine.drift(1)
    assert runs[-1].did == "took the stance cautious; stance cautious: ThresholdFloor from 0 to 0.99"
    assert parameters(account) == {"ThresholdFloor": "0.99"}
    [stack] = account.cloudformation.describe_stacks(StackName="spring")["Stacks"]
    assert {one["Key"]: one["Value"] for one in stack["Tags"]} == {"scones:stack": "spring"}
    assert [one.did for one in mine.drift(2)] == ["nothing; stance cautious is in force", "nothing"]
    mine.runtime.settings = mine.runtime.settings.model_copy(update={"threshold_floor": 0.99})
    assert [(one.decision, one.did) for one in mine.drift(1)] == [("strict already", "nothing")]
    taken = in_force(mine.runtime.home, "scones")
    assert taken is not None
    assert (taken.who, taken.look) == ("scheduled monitor", 5)
    assert taken.why.startswith("the labels drifted by 0.")


def test_what_people_deploy_after_a_stance_stands(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True)
    mine.stand(stance="cautious", threshold=0.95)
    assert [mine.look() is not None for _ in range(2)] == [True, True]
    again = [{"ParameterKey": name, "ParameterValue": value} for name, value in STANCES.items()]
    account.cloudformation.update_stack(StackName="spring", UsePreviousTemplate=True, Parameters=again)  # type: ignore[arg-type]
    mine.look()
    assert parameters(account) == {}


def test_it_brings_a_stance_from_elsewhere_in_force_and_lets_a_person_decide(
    account: Account, hours: Callable[..., Hours]
) -> None:
    mine = hours(monitor_acts=True)
    mine.stand(stance="cautious", threshold=0.95, held=True)
    runs = mine.drift(3)
    assert parameters(account) == {"ThresholdFloor": "0.95"}
    assert runs[-1].did == "nothing: Ada holds the stance cautious (to see)"
    mine.stand(stance="cautious", threshold=0.97, dry_run=True)
    mine.look()
    assert parameters(account) == {"ThresholdFloor": "0.95"}, "what is only said is not done"


def test_a_monitor_never_lowers_the_threshold_and_a_person_does(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True)
    mine.stand(stance="cautious", threshold=0.95, look=7)
    mine.look()
    mine.stand(stance="observing", look=9)
    seen = mine.look()
    assert seen is not None
    assert (seen.did, parameters(account)) == ("nothing; stance observing is in force", {"ThresholdFloor": "0.95"})
    mine.stand(stance="observing")
    mine.look()
    assert parameters(account) == {}


def test_a_candidate_and_a_rollback_are_parameters_too(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True)
    artefacts = mine.runtime.bucket(STANCES["ArtefactBucket"])
    mine.runtime.home.put("models/vehicles/v2/model.tar.gz", b"a candidate")
    mine.stand(stance="shadowing", threshold=0.9, candidate="v2")
    mine.look()
    shadow = {"ThresholdFloor": "0.9", "CandidateKey": "models/vehicles/v2/model.tar.gz"}
    assert parameters(account) == shadow
    assert artefacts.get("models/vehicles/v2/model.tar.gz") == b"a candidate"
    mine.stand(stance="canary", threshold=0.9, candidate="v2", weight=0.2)
    mine.look()
    variants_come_or_go = {"Guardrails": "false"}
    assert parameters(account) == {**shadow, "CandidateWeight": "0.25", **variants_come_or_go}
    mine.stand(stance="canary", threshold=0.9, candidate="v2", weight=0.5)
    mine.look()
    assert parameters(account) == {**shadow, "CandidateWeight": "1"}
    artefacts.put("models/vehicles/v0/model.tar.gz", b"the model before")
    mine.stand(stance="rolled back", threshold=0.9, version="v0")
    mine.look()
    back = {"ThresholdFloor": "0.9", "ModelKey": "models/vehicles/v0/model.tar.gz"}
    assert parameters(account) == {**back, **variants_come_or_go}


def test_a_model_that_was_put_in_production_after_a_stance_stays(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True)
    mine.stand(stance="rolled back", threshold=0.9, version="v0", at=mine.now - timedelta(hours=1))
    point(mine.runtime.home, "vehicles", PRODUCTION, "v1", who="Ada", why="mended", now=mine.now)
    mine.look()
    assert parameters(account) == {"ThresholdFloor": "0.9"}


def test_a_model_that_lies_nowhere_is_loud(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True)
    mine.stand(stance="shadowing", threshold=0.9, candidate="v2")
    with pytest.raises(ObjectMissing, match=r"no object 'models/vehicles/v2/model\.tar\.gz'"):
        mine.look()
    assert parameters(account) == {}
    mine.runtime.home.put("models/vehicles/v2/model.tar.gz", b"a candidate")
    mine.look()
    assert parameters(account)["CandidateKey"] == "models/vehicles/v2/model.tar.gz", "the next run tries again"


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_a_candidate_that_sagemaker_cannot_run_is_refused(
    account: Account, hours: Callable[..., Hours], weight: float
) -> None:
    mine = hours(monitor_acts=True)
    said = "that is no canary; `scones promote v2`, then `scones aws deploy`"
    if weight < 1:
        said = "SageMaker has neither a shadow nor a second variant there: deploy with --set Inference=real-time"
        given = {**STANCES, "Inference": "serverless"}
        values = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
        account.cloudformation.update_stack(StackName="spring", UsePreviousTemplate=True, Parameters=values)  # type: ignore[arg-type]
    mine.stand(stance="canary" if weight else "shadowing", threshold=0.9, candidate="v2", weight=weight)
    seen = mine.look()
    assert seen is not None
    assert said in seen.did
    assert parameters(account).keys() <= {"Inference"}


def test_a_stack_that_is_not_there_is_loud_and_tried_again(hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True, stack="winter")
    mine.drift(2)
    for _ in range(2):
        with pytest.raises(AwsError, match=r"cannot look at stack winter: .*does not exist"):
            mine.drift(1)
        record = mine.runtime.home.latest("monitor/scones")
        assert record is not None
        assert "; failed: cannot look at stack winter" in record["did"]


def test_a_stack_that_is_too_old_is_told(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True, stack="old")
    body = {"Parameters": {"ThresholdFloor": {"Type": "Number"}}, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    floor = [{"ParameterKey": "ThresholdFloor", "ParameterValue": "0"}]
    account.cloudformation.create_stack(StackName="old", TemplateBody=json.dumps(body), Parameters=floor)  # type: ignore[arg-type]
    mine.stand(stance="cautious", threshold=0.9)
    with pytest.raises(AwsError, match="stack old has no parameter CandidateWeight, Guardrails: deploy it anew"):
        mine.look()


def test_a_stack_that_is_being_updated_is_left_alone_and_one_that_went_back_is_loud(
    account: Account, hours: Callable[..., Hours]
) -> None:
    mine = hours(monitor_acts=True)
    mine.stand(stance="cautious", threshold=0.9)
    statuses = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in STANCES.items()]
    with Stubber(mine.cloudformation) as stub:
        for number, status in enumerate(statuses):
            stack = {"StackName": "spring", "CreationTime": TEN, "StackStatus": status, "Parameters": given}
            stub.add_response("describe_stacks", {"Stacks": [stack]})
            if number == 1:
                stub.add_response("update_stack", {"StackId": "spring"})
        runs = [mine.look() for _ in range(3)]
        assert [one and one.did for one in runs] == [
            "nothing; stance cautious waits: stack spring is UPDATE_IN_PROGRESS",
            "nothing; stance cautious: ThresholdFloor from 0 to 0.9",
            "nothing; stance cautious waits: stack spring is UPDATE_IN_PROGRESS",
        ]
        with pytest.raises(AwsError, match="did not take the stance cautious, it is UPDATE_ROLLBACK_COMPLETE"):
            mine.look()
        last = mine.look()
    assert last is not None
    assert last.did == "nothing", "and is not ordered again and again"


def test_of_two_runs_at_the_same_time_one_writes_the_record(hours: Callable[..., Hours]) -> None:
    mine = hours()
    mine.write(0, 0)

    def overtaken(_: str) -> None:
        """Another run ends meanwhile."""
        mine.runtime.home.append("monitor/scones", {})

    assert watch_capture(mine.runtime, mine.cloudformation, overtaken) is None
    assert mine.runtime.home.latest_number("monitor/scones") == 1


def test_lambda_finds_everything_in_its_environment(
    hours: Callable[..., Hours], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hours()
    for name, value in {"STORE": "s3://", "BUCKET": BUCKET, "STACK": "spring", "MONITOR_ACTS": "true"}.items():
        monkeypatch.setenv(f"SCONES_{name}", value)
    default_runtime.cache_clear()
    try:
        seen = handler({"any": "event"})
    finally:
        default_runtime.cache_clear()
    assert seen is not None
    assert json.loads(json.dumps(seen))["records"] == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["Records"] == 0
