"""What a deployment takes to AWS: the templates, the values of their parameters, and what those name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scones.aws.account import Account
from scones.aws.artefacts import (
    Artefact,
    definition_artefact,
    known_artefacts,
    model_artefact,
    package_artefact,
)
from scones.aws.change_sets import Declared, declared_parameters
from scones.aws.image import image_tag, source
from scones.aws.instances import check_instances
from scones.aws.names import Names
from scones.aws.packages import Package, Target
from scones.aws.stacks import describe
from scones.aws.templates import with_bucket_name
from scones.contracts import Policy
from scones.errors import SettingsError
from scones.registry.aliases import current_policy
from scones.settings import Settings
from scones.staging import Dataset, load_dataset
from scones.store import open_bucket
from scones.task import load_task
from scones.workflow.definitions import MACHINES

__all__ = ["Cargo", "Templates", "check_sets", "load_cargo"]

_OWN = {"AppStack", "ArtefactBucket", "CandidateWeight", "Guardrails", "ImageUri", "Task"}
"""Parameters that the deployment or a stance gives, besides the keys of what they upload."""


@dataclass(frozen=True)
class Templates:
    """The texts of the templates of both stacks."""

    bootstrap: str
    app: str


@dataclass(frozen=True)
class Cargo:
    """What a deployment takes to AWS. Making it changes nothing there.

    Attributes:
        templates: of both stacks.
        bootstrap: values of parameters of the bootstrap stack.
        app: values of parameters of the application's stack.
        artefacts: what those name, for the bucket of artefacts.
        known: of the model, for the application's bucket.
        policy: the record that the model is in production.
        root: what the container is built from.
        slow_start: why the functions start slower than they could, and what to do; empty: they do not.
        dataset: to take along; None: none.
    """

    templates: Templates
    bootstrap: Mapping[str, str]
    app: Mapping[str, str]
    artefacts: tuple[Artefact, ...]
    known: tuple[Artefact, ...]
    policy: Policy
    root: Path
    slow_start: str
    dataset: Dataset | None


def load_cargo(
    account: Account,
    names: Names,
    settings: Settings,
    sets: Mapping[str, str],
    *,
    templates: Templates,
    root: Path,
    build: Callable[[Target], Sequence[Package]],
    with_dataset: bool = False,
) -> Cargo:
    """Gather what a deployment takes to AWS.

    Args:
        account, names: whose stacks, and what they are called.
        settings: tell the task, and the store with its model in production.
        sets: values of parameters, of either stack or both.
        templates: of both stacks.
        root: holds the Dockerfile.
        build: builds the functions' packages for a target.
        with_dataset: take the task's newest dataset too.

    Raises:
        SettingsError: there is no such parameter to set, it may not have that value, or values do not go together.
        BundleError: no model of the task is in production.
        ObjectMissing: there is no dataset, and it was asked for.
        AwsError: as AWS answers.
    """
    bootstrap = declared_parameters(account, templates.bootstrap)
    app = declared_parameters(account, templates.app)
    task = load_task(settings.task)
    bucket = open_bucket(settings.store, settings.bucket)
    model = model_artefact(bucket, task.name)
    definitions = {name: definition_artefact(name) for name in MACHINES}
    tag = image_tag(source(root))
    own = {
        "ArtefactBucket": names.artefacts,
        "ImageUri": f"{_registry(names)}/{names.repository}:{tag}",
        "ModelKey": model.key,
        "Task": task.name,
        **{f"{name.title()}MachineKey": one.key for name, one in definitions.items()},
    }
    check_sets(sets, {**bootstrap, **app})
    given = {key: value for key, value in sets.items() if key in app}
    stack = describe(account, names.stack)
    now = {} if stack is None or stack.planned else stack.parameters
    # where nothing is said, functions run on this Python, whose byte code packages can hold
    here = _here(app)
    first = {"FunctionRuntime": here} if here else {}
    then = {key: one.default or "" for key, one in app.items()} | first | dict(now) | given
    check_instances(now, then)
    if now.get("Guardrails") == "false" and now["ModelKey"] != model.key:
        own["Guardrails"] = "true"  # a stance let them go; a new model is to be watched
    target = Target(then["FunctionRuntime"].removeprefix("python"), then["FunctionArchitecture"])
    packages = build(target)
    own |= {f"{_camel(package.function)}Key": package.key for package in packages}
    artefacts = [model, *definitions.values(), *map(package_artefact, packages)]
    return Cargo(
        templates=Templates(*(with_bucket_name(text, names) for text in (templates.bootstrap, templates.app))),
        bootstrap={key: value for key, value in sets.items() if key in bootstrap} | {"AppStack": names.stack},
        app=given | {"FunctionRuntime": f"python{target.python}"} | own,
        artefacts=tuple(artefacts),
        known=known_artefacts(bucket, model),
        policy=current_policy(bucket, task.name),
        root=root,
        slow_start="" if all(package.compiled for package in packages) else _slow_start(target, here),
        dataset=load_dataset(bucket, task.name) if with_dataset else None,
    )


def check_sets(sets: Mapping[str, str], declared: Mapping[str, Declared]) -> None:
    """Check what ``--set`` gives.

    Args:
        sets: values of parameters, by name.
        declared: the parameters of both templates.

    Raises:
        SettingsError: there is no such parameter to set, or it may not have that value.
    """
    for name, value in sets.items():
        free = sorted(key for key in declared if key not in _OWN and not key.endswith("Key"))
        if name not in free:
            why = "is set by the deployment or a stance" if name in declared else "is no parameter"
            raise SettingsError(f"--set {name}={value}: {name} {why}: there are {', '.join(free)}")
        allowed = declared[name].allowed
        if allowed and value not in allowed:
            raise SettingsError(f"--set {name}={value}: use one of {', '.join(allowed)}")


def _here(app: Mapping[str, Declared]) -> str:
    """This Python as Lambda names it; empty where Lambda lacks it."""
    here = "python{}.{}".format(*sys.version_info)
    return here if here in app["FunctionRuntime"].allowed else ""


def _slow_start(target: Target, here: str) -> str:
    """Why packages without byte code are slow, and how they get it."""
    other = f", or add --set FunctionRuntime={here}" if here else ""
    return (
        "functions start some 150 ms slower cold: byte code for their Python is made by the same version alone: "
        f"run scones with Python {target.python}{other}"
    )


def _registry(names: Names) -> str:
    """The address of the account's registry of containers."""
    domain = "amazonaws.com.cn" if names.partition == "aws-cn" else "amazonaws.com"
    return f"{names.account}.dkr.ecr.{names.region}.{domain}"


def _camel(function: str) -> str:
    return "".join(part.title() for part in function.split("_"))
