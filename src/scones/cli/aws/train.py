"""``scones aws train``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
    progress_report,
    repeated,
    whoami,
)
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account

if TYPE_CHECKING:
    from scones.aws.account import Account
    from scones.aws.jobs import Ended
    from scones.aws.names import Names
    from scones.aws.training import Order
    from scones.registry.models import Registered
    from scones.settings import Settings
    from scones.store import Bucket

_HEADS, _NETWORKS = "ml.m5.large", "ml.g4dn.xlarge"


def train(
    task: TaskOption = None,
    backbone: Annotated[str, typer.Option(metavar="NAME", help="small, nano, or hf:ORG/NAME of the hub")] = "small",
    dataset: Annotated[
        str | None, typer.Option(metavar="VERSION", help="A staged dataset  [the one staged last]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same data, same seed: same model")] = 0,
    fine_tune: Annotated[bool, typer.Option("--fine-tune", help="Let the backbone learn too")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of fine-tuning, at most  [12]")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Of fine-tuning: the learning rate  [3e-5]")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Of fine-tuning: pictures a step  [32]")] = None,
    instance_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help=f"The machine  [{_HEADS}; with --fine-tune {_NETWORKS}]")
    ] = None,
    spot: Annotated[
        bool, typer.Option("--spot/--no-spot", help="On spare machines: cheaper, and may have to wait")
    ] = True,
    max_minutes: Annotated[int, typer.Option(min=1, max=7200, help="Of training; then the job is ended")] = 60,
    detach: Annotated[bool, typer.Option("--detach", help="Start the job and do not wait for it")] = False,
    follow: Annotated[
        str | None, typer.Option(metavar="JOB", help="Start none: wait for this job, and take its model in")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what SageMaker would be asked for, and end")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a task's model in a SageMaker training job, with the container that also serves it.

    The dataset that was staged last is copied into the stack's bucket, as far as it is not there; the container is
    built by CodeBuild, once for each version of Scones; the job's steps and its log are shown as they come. Its model
    is then taken into the store as the candidate, as that of `scones train` is.

    Ctrl+C leaves the job running: the same command goes on with it, and takes the model of a job that has ended. It
    starts another job only where pictures, options or Scones itself are other ones, or the last job failed.

    A job costs money as long as it runs, `--max-minutes` at most. `--dry-run` starts nothing.

    First: `scones aws deploy`. Next: `scones evaluate`, then `scones promote`, then `scones aws deploy`.
    """
    from scones.aws.jobs import follow_job
    from scones.errors import SettingsError
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.training import FineTuning

    if follow is not None and (dry_run or detach):
        raise SettingsError("--follow waits for a job that there is: leave out --dry-run and --detach, or --follow")
    told: dict[str, Any] = {"epochs": epochs, "rate": rate, "batch": batch}
    given = {name: value for name, value in told.items() if value is not None}
    if given and not fine_tune:
        raise SettingsError(f"--{next(iter(given))} is of fine-tuning: add --fine-tune, or leave it out")
    FineTuning(**given)  # refuses what nothing can be learned with
    settings = Settings.load(task=task, store=store, bucket=bucket)
    place = open_bucket(settings.store, settings.bucket)
    account, names = open_account(stack, region, profile)
    same = repeated(stack=stack, region=region, profile=profile)
    job = follow
    if job is None:
        given |= {"backbone": backbone, "seed": seed, "fine_tune": fine_tune}
        machine = instance_type or (_NETWORKS if fine_tune else _HEADS)
        order = _order(settings, place, dataset, given, machine, spot=spot, minutes=max_minutes)
        if dry_run:
            _show(account, names, order)
            return
        with _interruptible(f"stopped; what CodeBuild builds goes on: scones aws train{same} with the same options"):
            job = _start(account, names, order, quiet=as_json)
    onward = f"scones aws train --follow {job}{same}"
    if detach:
        console().print(f"started; to wait for it: {onward}", soft_wrap=True, markup=False)
        print_json({"job": job}) if as_json else typer.echo(job)
        return

    def log(line: str) -> None:
        console().print(f"  {line}", style="dim", soft_wrap=True, markup=False)

    end = f"aws sagemaker stop-training-job --training-job-name {job} --region {names.region}"
    with _interruptible(f"the job goes on; to follow it again: {onward}; to end it: {end}"):
        ended = follow_job(account, job, report=_say, log=log)
        saved = _take_in(account, ended, place)
    seconds, dollars = _cost(ended, names.region)
    if as_json:
        costs = {"billable_seconds": ended.billable_seconds, "dollars": dollars}
        own = {"job": job, "bundle": place.url(saved.key), "in_production": saved.in_production}
        print_json({**own, **costs, **saved.info.model_dump()})
        return
    _say(seconds)
    from scones.cli._trained import tell_trained

    tell_trained(saved, repeated(task=task, store=store, bucket=bucket))
    typer.echo(place.url(saved.key))


def _say(text: str) -> None:
    console().print(text, soft_wrap=True, markup=False)


@contextmanager
def _interruptible(onward: str) -> Iterator[None]:
    """Ctrl+C says how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        _say(onward)
        raise typer.Exit(130) from None


def _order(
    settings: Settings,
    place: Bucket,
    version: str | None,
    given: dict[str, Any],
    machine: str,
    *,
    spot: bool,
    minutes: int,
) -> Order:
    from scones.aws.training import Order
    from scones.staging import load_dataset
    from scones.task import load_task
    from scones.training.container import Hyperparameters
    from scones.training.trainer import check_labels

    task = load_task(settings.task)
    own = Path(settings.task).read_bytes() if settings.task.endswith(".toml") else None
    dataset = load_dataset(place, task.name, version)
    check_labels(dataset, task)  # a job that is bound to fail costs some minutes
    return Order(dataset, Hyperparameters(task=task.name, **given), own, machine, spot, minutes)


def _show(account: Account, names: Names, order: Order) -> None:
    from scones.aws.image import checkout, find_image, image_tag, source
    from scones.aws.training import find_attempt, training_request

    image = find_image(account, names, image_tag(source(checkout()), fine_tuning=order.needs_torch))
    if not image.there:
        _say(f"CodeBuild would build {image.uri} first")
    attempt = find_attempt(account, names, order, image.uri)
    if attempt.state != "new":
        _say(f"job {attempt.job} {'has done this already' if attempt.state == 'done' else 'does this already'}")
    print_json(training_request(names, order, image.uri, attempt))


def _start(account: Account, names: Names, order: Order, *, quiet: bool) -> str:
    from scones.aws.channel import upload_dataset
    from scones.aws.image import ensure_image
    from scones.aws.training import find_attempt, start_job, training_request

    image = ensure_image(account, names, fine_tuning=order.needs_torch, report=_say)
    attempt = find_attempt(account, names, order, image)
    if attempt.state == "done":
        _say(f"job {attempt.job} has made this model already: nothing is to be paid")
        return attempt.job
    if attempt.state == "running":
        _say(f"job {attempt.job} is on the way already")
        return attempt.job
    with progress_report(quiet) as report:
        copied = upload_dataset(account, names, order.dataset, order.extra_files, report)
    _say(f"dataset {order.dataset.version} is in bucket {names.artefacts} ({copied} objects copied)")
    start_job(account, training_request(names, order, image, attempt))
    kind = f"{order.instance_type}{', spot' if order.spot else ''}"
    _say(f"job {attempt.job} on {kind}, {order.minutes} minutes at most")
    return attempt.job


def _take_in(account: Account, ended: Ended, place: Bucket) -> Registered:
    """Register the job's model, with its learning curve where it has one."""
    from datetime import UTC, datetime

    from scones.aws.jobs import fetch_model, read_curve
    from scones.bundle import read_bundle
    from scones.classifier import Classifier
    from scones.registry import register
    from scones.training import save_curve

    data = fetch_model(account, ended)
    info, model = read_bundle(data, ended.model)
    Classifier(info, model)  # what cannot answer is told now, and not taken in
    saved = register(place, info, model, who=whoami(), now=datetime.now(UTC), why=f"trained by job {ended.job}")
    if rows := read_curve(data):
        _say(f"learning curve: {place.url(save_curve(place, saved.info, rows))}")
    return saved


def _cost(ended: Ended, region: str) -> tuple[str, float | None]:
    """What is to be paid, in words and in US dollars; None: nobody knows."""
    from scones.aws.prices import load_prices

    if ended.billable_seconds is None:
        return "AWS does not say for how many seconds it is to be paid", None
    prices = load_prices(region)
    price = prices.get(f"sagemaker.training.{ended.instance_type}")
    words = f"{ended.billable_seconds} s are to be paid, of {ended.seconds} s of {ended.instance_type}"
    if price is None:
        return f"{words}; its price is not known here", None
    dollars = ended.billable_seconds / 3600 * price.usd
    return f"{words}: about ${dollars:.4f}, at ${price.usd} an hour ({prices.origin})", dollars
