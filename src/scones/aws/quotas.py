"""Whether the account's quotas hold what a stack needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scones.aws.account import Account, explained
from scones.aws.checks import Check
from scones.aws.instances import whole
from scones.errors import AwsError

__all__ = ["check_quotas"]

_SERVERLESS = "Maximum total concurrency that can be allocated across all serverless endpoints"
_FUNCTIONS = 4
"""Functions that ReservedConcurrency is for."""
_UNRESERVED = 100
"""Lambda leaves at least so much of the account's concurrency unreserved."""
_FEW = 50
"""With fewer functions at a time, a burst of arrivals is throttled and waits."""


def check_quotas(account: Account, parameters: Mapping[str, str]) -> Iterator[Check]:
    """Compare quotas with what a stack of these parameters needs; what runs in the account already is not counted.

    Args:
        account: whose quotas.
        parameters: of ``app.yaml``, all of them.

    Raises:
        SettingsError: one that is to be a whole number is none.
    """
    if parameters["Inference"] == "serverless":
        yield _serverless(account, whole(parameters, "ServerlessConcurrency"))
    else:
        least, most = whole(parameters, "MinInstances"), whole(parameters, "MaxInstances")
        yield _instances(account, parameters["InstanceType"], least, most)
    yield _functions(account, whole(parameters, "ReservedConcurrency"))


def _instances(account: Account, kind: str, least: int, most: int) -> Check:
    name = f"{kind} for endpoint usage"
    value = _quota(
        account, "endpoint instances", name, absent="there is none of that name: is the instance type right?"
    )
    if isinstance(value, Check):
        return value
    ask = f"ask for {max(most, 2 * least)} at Service Quotas, SageMaker, {name!r}"
    says = f"the account may have {value:g} {kind} for endpoints"
    if value < least:
        return Check(
            "endpoint instances", "fail", f"{says}, and {least} must run", f"{ask}, or --set Inference=serverless"
        )
    if value < 2 * least:
        return Check(
            "endpoint instances", "warn", f"{says}: a new model needs {2 * least} for the time of its rollout", ask
        )
    if value < most:
        return Check(
            "endpoint instances",
            "warn",
            f"{says}: it cannot scale to {most}",
            f"{ask}, or --set MaxInstances={value:g}",
        )
    return Check("endpoint instances", "ok", f"{says}, {most} are wanted at most")


def _serverless(account: Account, wanted: int) -> Check:
    value = _quota(account, "serverless concurrency", _SERVERLESS, absent="there is none of that name")
    if isinstance(value, Check):
        return value
    says = f"all serverless endpoints of the account may answer {value:g} pictures at a time"
    if value < wanted:
        fix = f"ask for more at Service Quotas, SageMaker, {_SERVERLESS!r}"
        fix += f", or --set ServerlessConcurrency={value:g}" if value >= 1 else ""
        return Check("serverless concurrency", "fail", f"{says}, and {wanted} are wanted", fix)
    return Check("serverless concurrency", "ok", f"{says}, {wanted} are wanted")


def _functions(account: Account, reserved: int) -> Check:
    try:
        with explained("read the quotas of Lambda"):
            limit = account.functions.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except AwsError as error:
        return _unseen("functions at a time", "Concurrent executions", str(error))
    says = f"Lambda may run {limit} functions at a time"
    ask = "ask for 1,000 at Service Quotas, AWS Lambda, 'Concurrent executions'"
    if reserved >= 0 and limit - _FUNCTIONS * reserved < _UNRESERVED:
        says += f", and {_FUNCTIONS} with {reserved} reserved each leave less than the {_UNRESERVED} that must be free"
        return Check("functions at a time", "fail", says, f"{ask}, or --set ReservedConcurrency=-1")
    if limit < _FEW:
        return Check("functions at a time", "warn", f"{says}: of a burst, most arrivals wait", ask)
    return Check("functions at a time", "ok", says)


def _quota(account: Account, what: str, name: str, *, absent: str) -> float | Check:
    """SageMaker's quota of that name, as it holds for the account; else what keeps it from being known."""
    try:
        with explained("read the quotas of SageMaker"):
            pages = account.quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
            values = (one.get("Value") for page in pages for one in page["Quotas"] if one.get("QuotaName") == name)
            value = next(values, None)
    except AwsError as error:
        return _unseen(what, name, str(error))
    return _unseen(what, name, absent) if value is None else value


def _unseen(what: str, name: str, why: str) -> Check:
    return Check(what, "warn", f"quota {name!r} could not be read: {why}", "look it up at Service Quotas")
