"""The whole way on moto's server through the command line: doctor, plan, deploy, a picture, its result, destroy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError as StackError
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint
from PIL import Image
from typer.testing import CliRunner, Result

from scones.aws import templates
from scones.aws.account import Account
from scones.aws.inventory import take_inventory
from scones.aws.names import Names
from scones.aws.packages import Package
from scones.bundle import read_bundle
from scones.cli import command_line
from scones.dispatch import add_orders, sample_orders
from scones.errors import StackFailed
from scones.monitoring.watch.records import Standing
from scones.monitoring.watch.standings import stand
from scones.registry import history, register
from scones.store import Bucket, open_bucket
from tests.aws import moto_gaps, moto_kinds
from tests.aws.account_at_work import at_work
from tests.aws.conftest import HERE

PYTHON = f"python{HERE.python}"


@pytest.fixture(autouse=True)
def _as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for gap in (
        moto_gaps.change_sets,
        moto_gaps.rollback,
        moto_gaps.kept_buckets,
        moto_gaps.emptied_repositories,
        moto_gaps.tagged_endpoint_configs,
        moto_gaps.previous_values,
        moto_kinds.missing_kinds,
        moto_kinds.definitions_in_s3,
        moto_kinds.named_endpoints,
        moto_kinds.deleted_policies,
        moto_kinds.nothing_and_zero,
        moto_kinds.conditions_of_conditions,
        moto_kinds.resources_that_come_and_go,
        moto_kinds.shadows,
    ):
        gap(monkeypatch)
    moto_gaps.builds(monkeypatch, phases=())  # nobody waits for it


@pytest.fixture(autouse=True)
def _home(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tiny_bundle: Callable[..., bytes],
    packages: dict[str, Package],
) -> None:
    """A folder with a model in production, and packages that were built before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", "http://127.0.0.1:9")  # moto has no Price List
    info, model = read_bundle(tiny_bundle())
    register(open_bucket(".scones/store", "scones"), info, model, who="Ada", now=datetime(2026, 11, 20, tzinfo=UTC))
    Path(".scones/aws").mkdir()
    Path(".scones/aws/packages").symlink_to(packages["route_driver"].path.parent)
    # the packages are to run here, where Python may be older than any that Lambda offers for them
    text = templates.template("app").replace("[python3.12, ", f"[{PYTHON}, python3.12, ")
    monkeypatch.setattr(
        templates, "template", lambda name, real=templates.template: text if name == "app" else real(name)
    )


SETS = ("--set", f"FunctionRuntime={PYTHON}", "--set", f"FunctionArchitecture={HERE.architecture}")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line("aws"), ["aws", *arguments, "--json"])


def scones(*arguments: str) -> Any:
    """Run a verb that succeeds; what it printed, as JSON."""
    done = run(*arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_a_picture_goes_through_what_was_deployed_and_nothing_is_left_of_it(
    account: Account, names: Names, tmp_path: Path, start_endpoint: Callable[..., str], aws: str
) -> None:
    scones("plan", *SETS)
    assert take_inventory(account, names) == []
    done = scones("deploy", "--yes", *SETS)
    assert done["changed"] == ["scones-bootstrap", "scones"]
    assert scones("deploy", "--yes")["changed"] == []
    bucket = open_bucket("s3://", names.bucket)
    assert [record.version for record in history(bucket, "vehicles")] == ["tiny-1"]
    add_orders(bucket, "main", sample_orders(20, seed=1))
    for colour, name in (((255, 0, 0), "sure"), ((128, 0, 128), "unsure")):
        Image.new("RGB", (32, 32), colour).save(f"{name}.png")
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": names.region,
        "AWS_DEFAULT_REGION": names.region,
        "AWS_ENDPOINT_URL": aws,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": start_endpoint(),
    }
    with at_work(account, names, tmp_path, environment):
        sure = scones("invoke", "sure.png", "--timeout", "60")
        unsure = scones("invoke", "unsure.png", "--timeout", "60")
    assert sure["kind"] == "route"
    assert (sure["record"]["label"], sure["record"]["outcome"]) == ("bicycle", "routed")
    assert unsure["kind"] == "review"
    assert not [key for key in bucket.list("arrivals") if not key.endswith(".png")]
    assert scones("status")["app"]["status"] == "CREATE_COMPLETE"
    try_a_candidate(account, bucket)
    assert scones("destroy", "--yes")["left"] == []
    assert take_inventory(account, names) == []


def try_a_candidate(account: Account, bucket: Bucket) -> None:
    """First in the shadow, then beside production, then no more."""
    bucket.put("models/vehicles/tiny-2/model.tar.gz", b"another model")
    taken: dict[str, Any] = {"threshold": 0.95, "who": "Ada", "why": "to see"}

    def served(number: int, **wanted: Any) -> tuple[dict[str, float], list[str]]:
        """The weights of what answers, and what sees the same pictures in the shadow, once a stance is in force."""
        stand(bucket, "scones", Standing(**taken, **wanted, at=datetime(2026, 11, 20, 10, number, tzinfo=UTC)), number)
        assert scones("stance", "--apply")["did"].startswith(f"stance {wanted['stance']}: ")
        config = account.sagemaker.describe_endpoint(EndpointName="scones")["EndpointConfigName"]
        found = account.sagemaker.describe_endpoint_config(EndpointConfigName=config)
        weights = {one["VariantName"]: one["InitialVariantWeight"] for one in found["ProductionVariants"]}
        return weights, [one["VariantName"] for one in found.get("ShadowProductionVariants", ())]

    assert served(0, stance="shadowing", candidate="tiny-2") == ({"main": 1}, ["candidate"])
    assert served(1, stance="canary", candidate="tiny-2", weight=0.2) == ({"main": 1, "candidate": 0.25}, [])
    assert scones("stance", "--apply")["did"] == "stance canary is in force"
    assert served(2, stance="rolled back", version="tiny-1") == ({"main": 1}, [])


def test_what_fails_on_the_way_in_or_out_leaves_nothing_and_a_second_try_works(
    account: Account, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValidationError("the account-level service limit for ml.m5.large is 0")

    def in_use(*_: Any, **__: Any) -> None:
        raise StackError("scones", "a resource of it is in use")

    with monkeypatch.context() as full:
        full.setattr(FakeEndpoint, "create_from_cloudformation_json", refuse)
        failed = run("deploy", "--yes", *SETS)
    assert isinstance(failed.exception, StackFailed)
    assert "service limit for ml.m5.large is 0; nothing of it is left" in str(failed.exception)
    first = re.compile(r"bootstrap|container|artefacts|build|training")  # what the bootstrap stack holds
    assert [one for one in take_inventory(account, names) if not first.search(one.name)] == []
    assert scones("deploy", "--yes", *SETS)["changed"] == ["scones"]

    with monkeypatch.context() as held:
        held.setattr(parsing.ResourceMap, "delete", in_use)
        assert scones("destroy", "--yes")["left"] == []  # what the stack did not take along goes by its name
    assert take_inventory(account, names) == []


def test_data_that_was_kept_is_taken_in_again(account: Account, names: Names) -> None:
    scones("deploy", "--yes", *SETS)
    account.s3.put_object(Bucket=names.bucket, Key="arrivals/vehicles/main/d/a.png", Body=b"a picture")
    scones("destroy", "--yes", "--keep-data")
    assert (
        account.s3.get_object(Bucket=names.bucket, Key="arrivals/vehicles/main/d/a.png")["Body"].read() == b"a picture"
    )
    scones("deploy", "--yes", *SETS)
    assert account.s3.list_objects_v2(Bucket=names.bucket, Prefix="arrivals")["KeyCount"] == 1
    assert scones("destroy", "--yes")["left"] == []
