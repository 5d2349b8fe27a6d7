"""Whether the instances that are asked for go together. AWS would say so after minutes, with an endpoint half made."""

from __future__ import annotations

from collections.abc import Mapping

from scones.errors import SettingsError

__all__ = ["check_instances", "whole"]


def check_instances(now: Mapping[str, str], then: Mapping[str, str]) -> None:
    """Check the parameters of an endpoint against each other and against what is there.

    Args:
        now: the parameters of ``app.yaml`` in force; empty: there is no stack yet.
        then: those that would be, all of them.

    Raises:
        SettingsError: there would be more instances at least than at most; or the instance type would change while
            the endpoint scales, or a candidate be served without instances, both of which SageMaker refuses.
    """
    if then["Inference"] != "real-time":
        if candidate := then.get("CandidateKey"):
            raise SettingsError(
                f"Inference={then['Inference']}: {candidate} is on trial, and serverless inference has neither a "
                "shadow nor a second variant: end the trial first with `scones monitor override cautious`, then "
                "`scones aws stance --apply`"
            )
        return
    least, most = whole(then, "MinInstances"), whole(then, "MaxInstances")
    if least > most:
        raise SettingsError(f"MinInstances={least} is more than MaxInstances={most}: change one of them with --set")
    scales = now.get("Inference") == "real-time" and now["MinInstances"] != now["MaxInstances"]
    if scales and then["InstanceType"] != now["InstanceType"]:
        raise SettingsError(
            f"InstanceType={then['InstanceType']}: SageMaker changes no instance type while the endpoint scales: "
            f"deploy with --set MaxInstances={now['MinInstances']}, which ends the scaling, then with "
            f"--set InstanceType={then['InstanceType']} --set MaxInstances={most}"
        )


def whole(parameters: Mapping[str, str], name: str) -> int:
    """A parameter that is a whole number.

    Raises:
        SettingsError: it is none.
    """
    try:
        return int(parameters[name])
    except ValueError as error:
        raise SettingsError(f"{name}={parameters[name]}: use a whole number") from error
