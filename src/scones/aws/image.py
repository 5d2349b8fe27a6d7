"""The container's image: built from this checkout by CodeBuild, once for each content, so that nobody needs Docker."""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

import scones
from scones.aws.account import Account, error_code, explained
from scones.aws.builds import follow_build
from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_codebuild.type_defs import EnvironmentVariableTypeDef, StartBuildInputTypeDef

    from scones.aws.names import Names

__all__ = ["Image", "checkout", "ensure_image", "find_image", "image_tag", "source"]

_LATELY: Final = 20
"""Builds, newest first, among which one that still runs is looked for."""
_TUNING_MINUTES: Final = 60
"""For the build of the large image."""


@dataclass(frozen=True)
class Image:
    """An image of the container.

    Attributes:
        uri: its address, with its tag, for SageMaker.
        there: it is in the repository; else it has still to be built.
    """

    uri: str
    there: bool


def checkout() -> Path:
    """The folder that the image is built from: the one with the Dockerfile, above this package.

    Raises:
        AwsError: Scones was installed without it.
    """
    root = Path(scones.__file__).parents[2]
    if not (root / "Dockerfile").is_file():
        raise AwsError(
            f"the container is built from a checkout of Scones, and {root} is none: clone the repository, and "
            "install from there with `pip install -e .`"
        )
    return root


def source(root: Path) -> bytes:
    """What Docker builds the image from, as a zip; the same files give the same bytes, on any machine.

    Args:
        root: holds Dockerfile and .dockerignore. The latter leaves out all (``*``), takes in names at the top
            (``!name``), and leaves out names anywhere (``**/name``).
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # not compressed: each version of zlib does it in its own way
        for path in sorted(_context(root), key=Path.as_posix):
            member = zipfile.ZipInfo(path.as_posix())  # of 1980: the files' own times are not the content's
            member.create_system, member.external_attr = 3, 0o100644 << 16
            archive.writestr(member, (root / path).read_bytes())
    return packed.getvalue()


def image_tag(source: bytes, *, fine_tuning: bool = False) -> str:
    """The tag of the image that is built from a source: it follows from the content.

    Args:
        source: from :func:`source`.
        fine_tuning: of the large image, with torch.
    """
    return hashlib.sha256(source).hexdigest()[:16] + ("-train" if fine_tuning else "")


def find_image(account: Account, names: Names, tag: str) -> Image:
    """Look for an image in the stack's repository.

    Raises:
        AwsError: there is no repository.
    """
    with explained(f"look for image {tag}"):
        try:
            [repository] = account.ecr.describe_repositories(repositoryNames=[names.repository])["repositories"]
            uri = f"{repository['repositoryUri']}:{tag}"
            account.ecr.describe_images(repositoryName=names.repository, imageIds=[{"imageTag": tag}])
        except ClientError as error:
            if error_code(error) == "ImageNotFoundException":
                return Image(uri, there=False)
            if error_code(error) == "RepositoryNotFoundException":
                raise AwsError(
                    f"there is no repository {names.repository} in {names.region} for the container: "
                    f"`scones aws deploy --stack {names.stack}` makes it"
                ) from error
            raise
    return Image(uri, there=True)


def ensure_image(
    account: Account,
    names: Names,
    *,
    fine_tuning: bool = False,
    root: Path | None = None,
    report: Callable[[str], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Make sure that the image of this checkout is in the stack's repository: CodeBuild builds it where it is not.

    A build of the same content that runs already is followed, and not started again. One that this process leaves
    goes on, and the next call follows it.

    Args:
        account, names: whose, and what the repository, the build and the bucket are called.
        fine_tuning: the large image, with torch.
        root: where the Dockerfile is; by default the checkout that this package is in.
        report: called with what goes on, a line at a time.
        pause: waits for so many seconds.

    Returns:
        The image's address.

    Raises:
        AwsError: there is no checkout or no repository, or the build failed: with the first cause in its log.
    """
    packed = source(root or checkout())
    tag = image_tag(packed, fine_tuning=fine_tuning)
    image = find_image(account, names, tag)
    if image.there:
        return image.uri
    key = f"source/{tag}.zip"
    build = _running(account, names, key)
    if build is None:
        build = _start(account, names, key, packed, tag, fine_tuning=fine_tuning)
        report(f"build {build}: the container from {len(packed) / 1e6:.1f} MB of source; this takes some minutes, once")
    else:
        report(f"build {build} is on the way already")
    fault = follow_build(account, build, report=report, pause=pause)
    if find_image(account, names, tag).there:  # another build may have been first: what counts is the image
        return image.uri
    raise fault or AwsError(
        f"build {build} succeeded, but {image.uri} is not there: does project {names.build} push $IMAGE_TAG? "
        f"`scones aws deploy --stack {names.stack}` puts it in order"
    )


def _context(root: Path) -> Iterator[Path]:
    """The files that Docker would be sent; Dockerfile and .dockerignore it is sent in any case."""
    rules = (root / ".dockerignore").read_text("utf-8").split()
    taken_in = [rule[1:] for rule in rules if rule.startswith("!")]
    left_out = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    for name in ("Dockerfile", ".dockerignore", *taken_in):
        for path in sorted((root / name).rglob("*")) if (root / name).is_dir() else [root / name]:
            place = path.relative_to(root)
            if path.is_file() and not any(fnmatchcase(part, rule) for part in place.parts for rule in left_out):
                yield place


def _running(account: Account, names: Names, key: str) -> str | None:
    """The build of a source that runs already."""
    with explained(f"look for builds of project {names.build}"):
        ids = account.codebuild.list_builds_for_project(projectName=names.build, sortOrder="DESCENDING")["ids"]
        builds = account.codebuild.batch_get_builds(ids=ids[:_LATELY])["builds"] if ids else []
    for build in builds:
        location = build.get("source", {}).get("location", "")
        if build.get("buildStatus") == "IN_PROGRESS" and location == f"{names.artefacts}/{key}":
            return build.get("id")
    return None


def _start(account: Account, names: Names, key: str, packed: bytes, tag: str, *, fine_tuning: bool) -> str:
    with explained("upload the container's source"):
        account.s3.put_object(Bucket=names.artefacts, Key=key, Body=packed)
    variables: list[EnvironmentVariableTypeDef] = [{"name": "IMAGE_TAG", "value": tag}]
    request: StartBuildInputTypeDef = {
        "projectName": names.build,
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{names.artefacts}/{key}",
        "environmentVariablesOverride": variables,
    }
    if fine_tuning:  # some gigabytes more
        variables.append({"name": "EXTRA", "value": "train"})
        request |= {"computeTypeOverride": "BUILD_GENERAL1_MEDIUM", "timeoutInMinutesOverride": _TUNING_MINUTES}
    with explained("start the container's build"):
        started = account.codebuild.start_build(**request)
    return started["build"]["id"]
