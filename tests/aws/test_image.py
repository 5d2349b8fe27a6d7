"""The container's image: what it is built from, when it is built, and why it was not."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

import scones
from scones.aws.account import Account
from scones.aws.image import checkout, ensure_image, find_image, image_tag, source
from scones.aws.names import Names
from scones.errors import AwsError
from tests.aws import moto_gaps

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout in small, with what does not belong into the image."""
    root = tmp_path / "checkout"
    for name, text in {
        "Dockerfile": "FROM nothing\n",
        "README.md": "read me",
        "pyproject.toml": "",
        "docs/README.md": "another",
        "src/scones/a.py": "a = 1",
        "src/scones/__pycache__/a.pyc": "compiled",
        ".env": "secret",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / ".dockerignore").write_text("*\n!pyproject.toml\n!README.md\n!src\n**/__pycache__\n")
    return root


def nothing(_: float) -> None:
    """Do not wait."""


def builds_of(account: Account, names: Names) -> list[str]:
    return account.codebuild.list_builds_for_project(projectName=names.build)["ids"]


def test_the_source_is_what_dockerignore_leaves_and_the_dockerfile(root: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(source(root))) as archive:
        assert archive.namelist() == [".dockerignore", "Dockerfile", "README.md", "pyproject.toml", "src/scones/a.py"]
        assert archive.read("README.md") == b"read me"


def test_the_same_files_give_the_same_bytes_whenever_and_wherever_they_were_written(root: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(root, tmp_path / "again"))
    os.utime(again / "README.md", (1_700_000_000, 1_700_000_000))
    (again / "README.md").chmod(0o600)
    assert source(again) == source(root)
    (again / "src/scones/a.py").write_text("a = 2")
    assert image_tag(source(again)) != image_tag(source(root))


def test_the_rules_of_our_dockerignore_are_of_the_kinds_that_are_understood() -> None:
    first, *rules = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    for rule in rules:
        name = rule.removeprefix("!") if rule.startswith("!") else rule.removeprefix("**/")
        assert name != rule
        assert not set(name) & set("*?[]!/")
    assert checkout() == ROOT


def test_without_a_checkout_the_way_to_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scones, "__file__", str(tmp_path / "lib/site-packages/scones/__init__.py"))
    with pytest.raises(AwsError, match="clone the repository"):
        checkout()


@pytest.mark.usefixtures("bootstrapped")
def test_an_image_is_built_once_for_a_content(
    account: Account, names: Names, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_gaps.builds(monkeypatch)
    said: list[str] = []
    uri = ensure_image(account, names, root=root, report=said.append, pause=nothing)
    tag = image_tag(source(root))
    assert uri == f"{names.account}.dkr.ecr.eu-west-1.amazonaws.com/scones-container:{tag}"
    assert find_image(account, names, tag).there
    [build] = builds_of(account, names)
    assert said == [
        f"build {build}: the container from 0.0 MB of source; this takes some minutes, once",
        f"build {build}: queued",
        f"build {build}: download source",
        f"build {build}: build",
    ]
    assert ensure_image(account, names, root=root, report=said.append, pause=nothing) == uri
    assert builds_of(account, names) == [build]
    (root / "src/scones/a.py").write_text("a = 2")
    assert ensure_image(account, names, root=root, pause=nothing) != uri
    assert len(builds_of(account, names)) == 2


@pytest.mark.usefixtures("bootstrapped")
def test_the_image_for_fine_tuning_is_another_one(
    account: Account, names: Names, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_gaps.builds(monkeypatch)
    uri = ensure_image(account, names, root=root, fine_tuning=True, pause=nothing)
    assert uri.endswith(f":{image_tag(source(root))}-train")
    [build] = account.codebuild.batch_get_builds(ids=builds_of(account, names))["builds"]
    told = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
    assert told == {"IMAGE_TAG": uri.rpartition(":")[2], "EXTRA": "train"}
    assert not find_image(account, names, image_tag(source(root))).there


@pytest.mark.usefixtures("bootstrapped")
def test_a_build_that_runs_already_is_followed(
    account: Account, names: Names, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_gaps.builds(monkeypatch)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_image(account, names, root=root, pause=interrupt)
    [build] = builds_of(account, names)
    said: list[str] = []
    uri = ensure_image(account, names, root=root, report=said.append, pause=nothing)
    assert said[0] == f"build {build} is on the way already"
    assert builds_of(account, names) == [build]
    assert find_image(account, names, uri.rpartition(":")[2]).there


@pytest.mark.usefixtures("bootstrapped")
def test_a_build_that_fails_is_told_with_the_first_cause_in_its_log(
    account: Account, names: Names, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = [
        "[Container] Running command docker build …",
        "ERROR: Could not find a version that satisfies the requirement torch==9",
        "[Container] Command did not exit successfully docker build … exit status 1",
        "[Container] Phase complete: BUILD State: FAILED",
    ]
    moto_gaps.builds(monkeypatch, log=log)
    said: list[str] = []
    with pytest.raises(AwsError, match="failed in phase build: ERROR: Could not find a version") as told:
        ensure_image(account, names, root=root, report=said.append, pause=nothing)
    assert "its whole log: https://console" in str(told.value)
    assert said[-4:] == [f"  {line}" for line in log]
    moto_gaps.builds(monkeypatch)
    ensure_image(account, names, root=root, pause=nothing)  # and a second try works
    assert len(builds_of(account, names)) == 2


@pytest.mark.usefixtures("bootstrapped")
def test_a_build_that_fails_because_another_was_first_is_no_failure(
    account: Account, names: Names, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_gaps.builds(monkeypatch, log=["tag invalid: The image tag already exists and cannot be overwritten"])
    tag = image_tag(source(root))

    def other(_: float) -> None:
        if not find_image(account, names, tag).there:
            manifest = '{"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
            account.ecr.put_image(repositoryName=names.repository, imageManifest=manifest, imageTag=tag)

    assert ensure_image(account, names, root=root, pause=other).endswith(tag)


@pytest.mark.usefixtures("bootstrapped")
def test_a_build_that_pushes_nothing_is_told(account: Account, names: Names, root: Path) -> None:
    with pytest.raises(AwsError, match=r"succeeded, but .* is not there"):  # moto's builds, as they are
        ensure_image(account, names, root=root, pause=nothing)


@pytest.mark.usefixtures("bootstrapped")
def test_a_build_that_does_not_end_is_left_with_how_to_go_on(
    account: Account, names: Names, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto_gaps.builds(monkeypatch)
    monkeypatch.setattr("scones.aws.builds._LOOKS", 2)
    with pytest.raises(AwsError, match="still runs: the same command follows it further"):
        ensure_image(account, names, root=root, pause=nothing)


def test_without_the_bootstrap_stack_the_way_to_it_is_told(account: Account, names: Names, root: Path) -> None:
    with pytest.raises(AwsError, match="`scones aws deploy --stack scones` makes it"):
        ensure_image(account, names, root=root, pause=nothing)
