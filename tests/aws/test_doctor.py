"""The doctor, on moto's server; what moto does not know of is answered on the real client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from scones.aws.account import Account
from scones.aws.checks import Check
from scones.aws.doctor import examine
from scones.aws.names import Names
from scones.aws.quotas import check_quotas
from scones.errors import AwsAccess, AwsError
from tests.aws.refusing import answer, refuse
from tests.aws.small_stacks import Yard

REAL_TIME = {
    "Inference": "real-time",
    "InstanceType": "ml.m5.large",
    "MinInstances": "1",
    "MaxInstances": "4",
    "ReservedConcurrency": "-1",
}
SERVERLESS = REAL_TIME | {"Inference": "serverless", "ServerlessConcurrency": "10"}
TOTAL = "Maximum total concurrency that can be allocated across all serverless endpoints"


def quotas(account: Account, values: dict[str, float], concurrency: int = 1000) -> None:
    """The account's quotas: moto has neither SageMaker's nor Lambda's."""
    listed = [{"QuotaName": name, "Value": value} for name, value in values.items()]
    answer(account.quotas, "ListServiceQuotas", {"Quotas": listed})
    answer(account.functions, "GetAccountSettings", {"AccountLimit": {"ConcurrentExecutions": concurrency}})


@pytest.fixture
def yard(tmp_path: Path, account: Account, tiny_bundle: Callable[..., bytes]) -> Yard:
    return Yard(tmp_path, account, tiny_bundle)


@pytest.fixture
def names(yard: Yard) -> Names:
    return yard.names


def checks(
    yard: Yard, sets: dict[str, str] | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dict[str, Check]:
    return {check.name: check for check in examine(yard.account, yard.settings, sets or {}, now)}


def test_where_all_is_well_nothing_fails(account: Account, yard: Yard) -> None:
    yard.promote("tiny-1")
    quotas(account, {"ml.m5.large for endpoint usage": 4})
    found = checks(yard)
    assert {check.state for check in found.values()} == {"ok"}, found
    assert list(found) == [
        "clock",
        "credentials",
        "region",
        "permissions",
        "stack scones-bootstrap",
        "stack scones",
        "endpoint instances",
        "functions at a time",
        "bucket scones-artefacts-123456789012-eu-west-1",
        "bucket scones-123456789012-eu-west-1",
        "container",
        "model",
        "pip",
    ]
    assert "in account 123456789012" in found["credentials"].says
    assert found["model"].says.startswith("models/vehicles/tiny-1/model.tar.gz")


def test_it_leaves_the_account_as_it_is(account: Account, yard: Yard) -> None:
    checks(yard)
    assert account.cloudformation.list_stacks()["StackSummaries"] == []
    assert account.s3.list_buckets()["Buckets"] == []


def test_without_good_credentials_the_rest_is_left_out(account: Account, yard: Yard) -> None:
    refuse(account.sts, "GetCallerIdentity", "ExpiredToken")
    found = checks(yard)
    assert list(found) == ["credentials"]
    assert found["credentials"].state == "fail"
    assert "sign in anew" in found["credentials"].says


@pytest.mark.parametrize(("seconds", "state"), [(-2, "ok"), (90, "warn"), (600, "fail"), (-600, "fail")])
def test_a_clock_that_is_wrong_is_told(yard: Yard, seconds: int, state: str) -> None:
    found = checks(yard, now=lambda: datetime.now(UTC) + timedelta(seconds=seconds))["clock"]
    assert found.state == state
    assert ("ahead of" if seconds > 0 else "behind") in found.says or state == "ok"


def test_a_clock_that_makes_signatures_bad_is_told_with_the_refusal(account: Account, yard: Yard) -> None:
    headers = {"HTTPHeaders": {"date": "Fri, 20 Nov 2026 10:00:00 GMT"}}
    with Stubber(account.sts) as stub:
        stub.add_client_error(
            "get_caller_identity", "SignatureDoesNotMatch", "Signature expired", response_meta=headers
        )
        found = checks(yard, now=lambda: datetime(2026, 11, 20, 10, 20, tzinfo=UTC))
    assert [(check.name, check.state) for check in found.values()] == [("clock", "fail"), ("credentials", "fail")]
    assert found["clock"].says == "this machine's clock is 1200 s ahead of AWS's: AWS refuses what it signs"


def test_services_that_may_not_be_looked_at_are_named(account: Account, yard: Yard) -> None:
    refuse(account.budgets, "DescribeBudgets")
    found = checks(yard)["permissions"]
    assert (found.state, "no permission to look at Budgets" in found.says) == ("warn", True)
    refuse(account.s3, "ListBuckets", "AccessDenied")
    found = checks(yard)["permissions"]
    assert (found.state, "no permission to look at S3, Budgets" in found.says) == ("fail", True)


def test_services_that_do_not_answer_are_named(account: Account, yard: Yard) -> None:
    refuse(account.scheduler, "ListSchedules", "InternalFailure")
    found = checks(yard)["permissions"]
    assert (found.state, "EventBridge Scheduler cannot be looked at" in found.says) == ("warn", True)


@pytest.mark.parametrize(
    ("value", "state", "fix"),
    [
        (0, "fail", "ask for 4 at Service Quotas, SageMaker, 'ml.m5.large for endpoint usage', or --set Inference"),
        (1, "warn", "ask for 4"),
        (2, "warn", "or --set MaxInstances=2"),
        (4, "ok", ""),
    ],
)
def test_the_quota_of_instances_is_held_against_what_the_stack_needs(
    account: Account, value: float, state: str, fix: str
) -> None:
    quotas(account, {"ml.m5.large for training job usage": 9, "ml.m5.large for endpoint usage": value})
    instances, _ = check_quotas(account, REAL_TIME)
    assert instances.state == state
    assert fix in instances.fix


@pytest.mark.parametrize(("value", "state"), [(5, "fail"), (10, "ok")])
def test_the_quota_of_serverless_endpoints_is_held_against_what_the_stack_needs(
    account: Account, value: float, state: str
) -> None:
    quotas(account, {TOTAL: value})
    serverless, _ = check_quotas(account, SERVERLESS)
    assert serverless.state == state
    assert ("--set ServerlessConcurrency=5" in serverless.fix) == (state == "fail")


@pytest.mark.parametrize(
    ("limit", "reserved", "state"), [(1000, "-1", "ok"), (10, "-1", "warn"), (1000, "225", "ok"), (1000, "226", "fail")]
)
def test_lambdas_concurrency_is_held_against_what_is_reserved(
    account: Account, limit: int, reserved: str, state: str
) -> None:
    quotas(account, {}, limit)
    *_, functions = check_quotas(account, REAL_TIME | {"ReservedConcurrency": reserved})
    assert functions.state == state


@pytest.mark.parametrize("parameters", [REAL_TIME, SERVERLESS])
def test_quotas_that_cannot_be_read_are_to_be_looked_up(account: Account, parameters: dict[str, str]) -> None:
    refuse(account.quotas, "ListServiceQuotas")
    refuse(account.functions, "GetAccountSettings")
    found = list(check_quotas(account, parameters))
    assert [check.state for check in found] == ["warn", "warn"]
    assert all("could not be read" in check.says for check in found)


@pytest.mark.parametrize("parameters", [REAL_TIME | {"InstanceType": "ml.m5.small"}, SERVERLESS])
def test_a_quota_that_does_not_exist_is_told(account: Account, parameters: dict[str, str]) -> None:
    quotas(account, {"ml.m5.large for endpoint usage": 4})
    first, _ = check_quotas(account, parameters)
    assert (first.state, "there is none of that name" in first.says) == ("warn", True)


def test_what_would_be_set_counts(account: Account, yard: Yard) -> None:
    quotas(account, {"ml.c5.large for endpoint usage": 0, TOTAL: 10})
    assert checks(yard, {"InstanceType": "ml.c5.large"})["endpoint instances"].state == "fail"
    assert checks(yard, {"Inference": "serverless"})["serverless concurrency"].state == "ok"


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ({"Inferense": "serverless"}, "Inferense is no parameter"),
        ({"Inference": "none"}, "use one of real-time, serverless"),
        ({"MinInstances": "9"}, "MinInstances=9 is more than MaxInstances=4"),
        ({"ReservedConcurrency": "many"}, "ReservedConcurrency=many: use a whole number"),
    ],
)
def test_what_cannot_be_set_is_told(yard: Yard, sets: dict[str, str], said: str) -> None:
    found = checks(yard, sets)
    assert found["parameters"].state == "fail"
    assert said in found["parameters"].says
    assert "model" in found


def test_a_bucket_of_that_name_is_the_stacks_or_not(account: Account, yard: Yard, names: Names) -> None:
    name = f"bucket {names.bucket}"
    account.s3.create_bucket(Bucket=names.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert checks(yard)[name].state == "warn"
    account.s3.put_bucket_tagging(Bucket=names.bucket, Tagging={"TagSet": [{"Key": "scones:stack", "Value": "scones"}]})
    assert (checks(yard)[name].state, checks(yard)[name].says) == ("ok", "is the stack's")
    refuse(account.s3, "HeadBucket", "403")
    assert (checks(yard)[name].state, checks(yard)[name].fix) == ("fail", "use another --stack")


def found_stack(status: str) -> dict[str, Any]:
    then = datetime(2026, 11, 20, tzinfo=UTC)
    return {"StackName": "scones", "StackId": "arn", "StackStatus": status, "CreationTime": then}


@pytest.mark.parametrize(
    ("status", "state", "fix"),
    [
        ("UPDATE_COMPLETE", "ok", ""),
        ("UPDATE_ROLLBACK_COMPLETE", "ok", ""),
        ("UPDATE_IN_PROGRESS", "warn", "wait"),
        ("ROLLBACK_COMPLETE", "warn", "`scones aws deploy` puts that right"),
        ("UPDATE_ROLLBACK_FAILED", "warn", "`scones aws deploy` puts that right"),
        ("REVIEW_IN_PROGRESS", "warn", "`scones aws deploy` puts that right"),
    ],
)
def test_the_state_of_a_stack_is_told(account: Account, yard: Yard, status: str, state: str, fix: str) -> None:
    answer(account.cloudformation, "DescribeStacks", {"Stacks": [found_stack(status)]})
    found = checks(yard)["stack scones"]
    assert found.state == state
    assert fix in found.fix


def test_without_a_model_in_production_the_way_to_one_is_told(yard: Yard) -> None:
    found = checks(yard)["model"]
    assert (found.state, found.fix) == ("fail", "`scones train`, then `scones promote`")


@pytest.fixture
def shown(aws: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scones", "aws", "doctor", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)

    return run


def test_the_verb_shows_each_check_and_fails_with_the_first_that_fails(
    shown: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    found = shown()
    assert found.returncode == AwsError.exit_code
    assert "ok   credentials: " in found.stderr
    assert "      → `scones train`, then `scones promote`" in found.stderr
    assert found.stderr.splitlines()[-1].startswith("scones: 1 of 13 checks failed; the first, model: ")


def test_the_verb_prints_json(shown: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    found = shown("--json", "--set", "Inference=serverless")
    assert found.returncode == AwsError.exit_code
    listed = {one["name"]: one for one in json.loads(found.stdout)}
    assert listed["model"]["state"] == "fail"
    assert "serverless concurrency" in listed


def test_without_a_region_the_verb_says_how_to_name_one(
    shown: Callable[..., subprocess.CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    found = shown()
    assert found.returncode == AwsAccess.exit_code
    assert "no AWS region is named: say --region" in found.stderr
