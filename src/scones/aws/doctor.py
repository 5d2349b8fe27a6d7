"""The doctor: whether a deployment can work, and what to do where it cannot. It changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from typing import Any

import boto3
from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.artefacts import model_artefact
from scones.aws.cargo import check_sets
from scones.aws.change_sets import declared_parameters
from scones.aws.checks import Check
from scones.aws.image import checkout, find_image, image_tag, source
from scones.aws.instances import check_instances
from scones.aws.names import TAG, Names
from scones.aws.permissions import check_permissions
from scones.aws.quotas import check_quotas
from scones.aws.stacks import Stack, describe
from scones.aws.templates import template
from scones.errors import AwsAccess, AwsError, SconesError, SettingsError
from scones.settings import Settings
from scones.store import open_bucket
from scones.task import load_task

__all__ = ["examine"]

_SKEW = 300.0
"""Seconds that AWS lets a clock be wrong."""


def examine(
    account: Account, settings: Settings, sets: Mapping[str, str], now: Callable[[], datetime]
) -> Iterator[Check]:
    """Check one thing after the other; where AWS does not know who asks, the rest is left out.

    Args:
        account: where the deployment would go.
        settings: tell the stack's name, the task and the store.
        sets: values of parameters that it would be given.
        now: the time, UTC.
    """
    credentials, clock = _who(account, now)
    if clock is not None:
        yield clock
    yield credentials
    if credentials.state == "fail":
        return
    names = Names(settings.stack, account.id, account.region)
    yield _region(names)
    yield check_permissions(account)
    stacks = {}
    for name in (names.bootstrap, names.stack):
        stacks[name], check = _stack(account, name)
        yield check
    yield from _parameters(account, stacks[names.stack], sets)
    for bucket in (names.artefacts, names.bucket):
        yield _bucket(account, names, bucket)
    yield _image(account, names, there=stacks[names.bootstrap] is not None)
    yield _model(settings)
    yield _pip()


def _who(account: Account, now: Callable[[], datetime]) -> tuple[Check, Check | None]:
    """Who asks, and what AWS's clock says: signatures are good for some minutes only."""
    answer: Any = {}
    try:
        with explained("ask AWS who you are"):
            try:
                answer = account.sts.get_caller_identity()
            except ClientError as error:
                answer = error.response
                raise
    except AwsError as error:
        return Check("credentials", "fail", str(error), "sign in, or name another --profile"), _clock(answer, now)
    return Check("credentials", "ok", f"{answer['Arn']} in account {answer['Account']}"), _clock(answer, now)


def _clock(answer: Any, now: Callable[[], datetime]) -> Check | None:
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if date is None:
        return None
    skew = (now() - parsedate_to_datetime(date)).total_seconds()
    says = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    if abs(skew) > _SKEW:
        return Check("clock", "fail", f"{says}: AWS refuses what it signs", "set it, as by switching on NTP")
    if abs(skew) > _SKEW / 5:
        return Check("clock", "warn", says, "set it, as by switching on NTP")
    return Check("clock", "ok", says)


def _region(names: Names) -> Check:
    known = boto3.Session().get_available_regions("sagemaker", names.partition)
    if names.region not in known:
        return Check(
            "region", "warn", f"SageMaker is not known to be in {names.region}", f"use one of {', '.join(known)}"
        )
    return Check("region", "ok", names.region)


def _stack(account: Account, name: str) -> tuple[Stack | None, Check]:
    what = f"stack {name}"
    try:
        found = describe(account, name)
    except AwsError as error:
        return None, Check(what, "fail", str(error), "have cloudformation:DescribeStacks allowed")
    if found is None:
        return None, Check(what, "ok", "is not there yet")
    if found.busy:
        return found, Check(what, "warn", f"is in {found.status}", "wait: a deployment would, too")
    if found.status.endswith("_FAILED") or found.status in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"):
        reason = f": {found.reason}" if found.reason else ""
        return found, Check(what, "warn", f"is in {found.status}{reason}", "`scones aws deploy` puts that right")
    return found, Check(what, "ok", f"is in {found.status}")


def _parameters(account: Account, app: Stack | None, sets: Mapping[str, str]) -> Iterator[Check]:
    """Whether the parameters go together, and the quotas hold what they ask for."""
    try:
        bootstrap, declared = (declared_parameters(account, template(name)) for name in ("bootstrap", "app"))
    except AwsError as error:
        yield Check("quotas", "warn", str(error), "have cloudformation:GetTemplateSummary allowed")
        return
    now = {} if app is None or app.planned else app.parameters
    then = {name: one.default or "" for name, one in declared.items()} | dict(now) | dict(sets)
    try:
        check_sets(sets, {**bootstrap, **declared})
        check_instances(now, then)
        yield from check_quotas(account, then)
    except SettingsError as error:
        yield Check("parameters", "fail", str(error), "correct --set")


def _bucket(account: Account, names: Names, bucket: str) -> Check:
    what = f"bucket {bucket}"
    other = "use another --stack"
    try:
        with explained(f"look at bucket {bucket}"):
            try:
                account.s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=names.account)
                tags = account.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchBucket"):
                    return Check(what, "ok", "the name is free")
                if error_code(error) == "NoSuchTagSet":
                    tags = []
                else:
                    raise
    except AwsAccess:
        return Check(what, "fail", "is somebody else's, or you may not look at it", other)
    except AwsError as error:
        return Check(what, "fail", str(error), other)
    if {"Key": TAG, "Value": names.stack} in tags:
        return Check(what, "ok", "is the stack's")
    return Check(what, "warn", f"is yours, but not tagged as stack {names.stack}'s", f"see what it is, and {other}")


def _image(account: Account, names: Names, *, there: bool) -> Check:
    try:
        tag = image_tag(source(checkout()))
        if not there or not find_image(account, names, tag).there:
            return Check(
                "container", "ok", f"{tag} is not built yet: `scones aws deploy` has it built, in some minutes"
            )
    except AwsError as error:
        return Check("container", "fail", str(error), "see what the message says")
    return Check("container", "ok", f"{tag} is built")


def _model(settings: Settings) -> Check:
    try:
        task = load_task(settings.task).name
        found = model_artefact(open_bucket(settings.store, settings.bucket), task)
    except SconesError as error:
        return Check("model", "fail", str(error), "`scones train`, then `scones promote`")
    return Check("model", "ok", f"{found.key}, {found.size / 1e6:.1f} MB, is in production of task {task}")


def _pip() -> Check:
    if find_spec("pip") is None:
        return Check(
            "pip", "fail", f"{sys.executable} has no pip, which fetches the functions' wheels", "`python -m ensurepip`"
        )
    return Check("pip", "ok", "is there, to fetch the functions' wheels")
