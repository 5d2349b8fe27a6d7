"""``scones answer``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    WhoOption,
    console,
    print_json,
    whoami,
)


def answer(
    arrival: Annotated[str, typer.Argument(metavar="ARRIVAL", help="As `scones reviews` shows it; or its id alone")],
    label: Annotated[str, typer.Argument(metavar="LABEL", help="What the picture shows: a label of the task")],
    who: WhoOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer for a picture that the model was not sure of; `scones reviews` lists those that wait.

    The first answer stands. `scones run` takes it up within a second, or when it is next started; on AWS it goes to
    Step Functions at once. The arrival then ends as its task ends: the driver gets a bay and an order, a scone is
    accepted or rejected. The picture becomes a labelled example, which `scones stage --examples` takes into the next
    dataset.

    When nobody answers in time (`review_seconds`), the safe default is taken: a driver goes to the manual bay.

    Example:  `scones answer vehicles/main/driver-7/a42 bicycle`
    """
    from datetime import UTC, datetime

    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.workflow.reviews import answer_review, find_review, waits_on_aws

    settings = Settings.load(task=task, store=store, bucket=bucket)
    place = open_bucket(settings.store, settings.bucket)
    review = find_review(place, arrival)
    asked = load_task(settings.task)
    if asked.name != review.task:
        asked = load_task(review.task)
    by = whoami() if who is None else who
    now, goes_on = datetime.now(UTC), "`scones run`"
    if waits_on_aws(place, review):
        from scones.aws.account import connect
        from scones.aws.answers import answer_on_aws

        given = answer_on_aws(connect(), place, review, label, labels=asked.labels, by=by, now=now)
        goes_on = "Step Functions"
    else:
        given = answer_review(place, review, label, labels=asked.labels, by=by, now=now)
    if as_json:
        print_json({"arrival": review.path, **given.model_dump()})
    else:
        console().print(f"{review.path} is {label}, says {by}; {goes_on} goes on with it", soft_wrap=True)
