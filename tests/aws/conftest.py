"""An AWS account that moto plays, over real HTTP."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import requests
from botocore.loaders import create_loader
from moto.server import ThreadedMotoServer

from scones.aws.account import Account, connect
from scones.aws.names import Names
from scones.aws.packages import Package, Target, build_packages
from scones.errors import AwsError
from tests.aws import moto_gaps

REGION = "eu-west-1"
HERE = Target(
    python=".".join(platform.python_version_tuple()[:2]),
    architecture="arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
)
"""What this machine is."""


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of moto's server; one for all tests of a process."""
    moto_gaps.sampling_rules()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


_read_once = cache(create_loader)
"""Reads AWS's models, once for all tests of a process: that takes longer than most tests."""


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty account: every client that is made without more finds it; the server's address."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ALLOW_HTTP": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(botocore.session, "create_loader", _read_once)
    requests.post(f"{moto_server}/moto-api/reset", timeout=10)
    return moto_server


@pytest.fixture
def account(aws: str) -> Account:
    """The account as the verbs see it."""
    return connect()


@pytest.fixture
def names(account: Account) -> Names:
    """What the parts of the stack ``scones`` are called."""
    return Names("scones", account.id, account.region)


@pytest.fixture
def bootstrapped(account: Account, names: Names) -> None:
    """What the stack ``scones-bootstrap`` holds of it."""
    where = {"LocationConstraint": "eu-west-1"}
    account.s3.create_bucket(Bucket=names.artefacts, CreateBucketConfiguration=where)  # type: ignore[arg-type]
    account.ecr.create_repository(repositoryName=names.repository, imageTagMutability="IMMUTABLE")
    account.codebuild.create_project(
        name=names.build,
        source={"type": "S3", "location": f"{names.artefacts}/source/none.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "standard", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=f"arn:aws:iam::{names.account}:role/build",
    )


def build_or_skip(target: Target, folder: Path, config: pytest.Config, **files: Any) -> list[Package]:
    """Build packages in an empty folder. Wheels are kept in pytest's cache: only the first build needs the index."""
    (folder / "wheels").symlink_to(config.cache.mkdir("wheels"))
    try:
        return build_packages(target, folder, **files)
    except AwsError as error:
        if "does not answer" not in str(error):
            raise
        pytest.skip(f"packages need wheels: {error}")


@pytest.fixture(scope="session")
def packages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    """The functions' packages for this machine, by function; built once for all processes that test."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "packages-here"
    built = folder / "built.json"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            folder.mkdir()
            found = build_or_skip(HERE, folder, request.config)
            built.write_text(json.dumps([asdict(package) for package in found], default=str))
    listed = [Package(**{**one, "path": Path(one["path"])}) for one in json.loads(built.read_text())]
    return {package.function: package for package in listed}


@pytest.fixture(scope="session")
def package_folders(packages: dict[str, Package], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Where a function's package lies unpacked: ``package_folders("serialize_image")``."""
    root = tmp_path_factory.mktemp("unpacked")

    @cache
    def unpack(function: str) -> Path:
        with zipfile.ZipFile(packages[function].path) as packed:
            packed.extractall(root / function)
        return root / function

    return unpack
