"""What ``plan`` and ``deploy`` share: what is taken along, and the plan on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import results

if TYPE_CHECKING:
    from scones.aws.account import Account
    from scones.aws.cargo import Cargo
    from scones.aws.changes import ChangeSet
    from scones.aws.cost import Estimate
    from scones.aws.names import Names
    from scones.aws.plan import Plan
    from scones.settings import Settings
    from scones.staging.source import Progress

__all__ = [
    "DatasetOption",
    "PicturesOption",
    "SetOption",
    "open_cargo",
    "parse_sets",
    "plan_as_json",
    "price",
    "show_plan",
]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the templates, as Inference=serverless; may be given several times; what was set stays",
    ),
]
PicturesOption = Annotated[
    int, typer.Option("--pictures-per-day", metavar="N", min=1, help="The traffic that the cost is estimated for")
]
DatasetOption = Annotated[
    bool, typer.Option("--with-dataset", help="Upload the task's newest dataset too, as `scones aws train` does")
]
_WORK = Path(".scones/aws")
"""Where wheels are kept and packages are built."""


def open_cargo(
    account: Account,
    names: Names,
    settings: Settings,
    sets: Sequence[str],
    *,
    with_dataset: bool,
    progress: Progress,
) -> Cargo:
    """Gather what is taken to AWS: packages, definitions, the model in production.

    Raises:
        SettingsError: ``--set`` names no parameter, or no value.
        BundleError: no model is in production.
        AwsError: a package cannot be built, or as AWS answers.
    """
    from functools import partial

    from scones.aws.cargo import Templates, load_cargo
    from scones.aws.image import checkout
    from scones.aws.packages import build_packages
    from scones.aws.templates import template

    task_file = Path(settings.task) if settings.task.endswith(".toml") else None
    build = partial(build_packages, folder=_WORK, task_file=task_file, depot_file=settings.depot_file, report=progress)
    return load_cargo(
        account,
        names,
        settings,
        parse_sets(sets),
        templates=Templates(template("bootstrap"), template("app")),
        root=checkout(),
        build=build,
        with_dataset=with_dataset,
    )


def parse_sets(sets: Sequence[str]) -> dict[str, str]:
    """Read what ``--set`` gives.

    Raises:
        SettingsError: one is no NAME=VALUE.
    """
    from scones.errors import SettingsError

    found = {}
    for text in sets:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise SettingsError(f"--set {text!r} gives no value: write NAME=VALUE, as Inference=serverless")
        found[name] = value
    return found


def price(account: Account, plan: Plan, pictures_per_day: int) -> Estimate:
    """What the application would cost, by the plan's parameters.

    Raises:
        AwsError: a parameter is no number.
    """
    from scones.aws.cost import estimate
    from scones.aws.prices import load_prices

    parameters = plan.app.parameters
    prices = load_prices(account.region, account, instance_type=parameters["InstanceType"])
    return estimate(parameters, pictures_per_day, prices)


def show_plan(plan: Plan, cost: Estimate) -> None:
    """Print what would become of each stack, resource by resource, which parameters change, and what it costs."""
    from rich.table import Column, Table
    from rich.text import Text

    from scones.cli.aws._cost_table import cost_tables

    out = results()
    for change_set in (plan.bootstrap, plan.app):
        title = f"stack {change_set.stack}" + (", which is new" if change_set.creates else "")
        if not change_set.changes:
            out.print(f"{title}: nothing to change" if change_set.empty else f"{title}: no resource changes")
        else:
            resources = Table(
                "what happens", "resource", Column("kind", overflow="fold"), title=title, title_justify="left"
            )
            for one in change_set.changes:
                words = Text(one.words, style=_colour(one.action, one.replacement))
                resources.add_row(words, one.logical_id, one.type.removeprefix("AWS::"))
            out.print(resources)
        if change_set.parameter_changes:
            values = Table("parameter", Column("now", overflow="fold"), Column("then", overflow="fold"))
            for change in change_set.parameter_changes:
                values.add_row(change.name, Text("" if change.old is None else change.old), Text(change.new))
            out.print(values)
    for table in cost_tables(cost):
        out.print(table)


def _colour(action: str, replacement: str) -> str:
    if action == "Remove" or replacement in ("True", "Conditional"):
        return "yellow"
    return "green" if action in ("Add", "Import") else ""


def plan_as_json(plan: Plan, cost: Estimate) -> dict[str, Any]:
    """The plan for a program."""
    return {"bootstrap": _as_json(plan.bootstrap), "app": _as_json(plan.app), "cost": cost.as_dict()}


def _as_json(change_set: ChangeSet) -> dict[str, Any]:
    return {
        "stack": change_set.stack,
        "creates": change_set.creates,
        "empty": change_set.empty,
        "changes": [{**asdict(one), "words": one.words} for one in change_set.changes],
        "parameters": dict(change_set.parameters),
        "parameter_changes": [asdict(one) for one in change_set.parameter_changes],
    }
