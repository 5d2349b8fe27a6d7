"""Deploying: the bootstrap stack, what is uploaded and built, the application's stack."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from scones.aws.account import Account
from scones.aws.artefacts import upload
from scones.aws.cargo import Cargo
from scones.aws.change_sets import execute
from scones.aws.changes import ChangeSet
from scones.aws.channel import upload_dataset
from scones.aws.image import ensure_image
from scones.aws.names import Names
from scones.aws.plan import Plan, Telling, planned
from scones.aws.serving_model import note_model
from scones.aws.stacks import Stack, describe
from scones.errors import AwsError

__all__ = ["Deployment", "deploy"]


@dataclass(frozen=True)
class Deployment:
    """What became of a deployment.

    Attributes:
        changed: the stacks that were made or changed.
        app: the application's stack as it is now.
    """

    changed: tuple[str, ...]
    app: Stack


def deploy(
    account: Account,
    names: Names,
    cargo: Cargo,
    *,
    agree: Callable[[Plan], bool],
    tell: Telling,
    pause: Callable[[float], None] = time.sleep,
) -> Deployment | None:
    """Take the application to AWS, or bring what is there up to date. A second time it finds nothing to change.

    What failed or was killed at any point is put right by the next call. A first try that fails leaves nothing of the
    application; the bootstrap stack, with what was uploaded and built, stays for the next.

    Args:
        account, names: whose stacks, and what they are called.
        cargo: what to deploy.
        agree: shown the plan, says whether to go on; not asked where there is nothing to change.
        tell: who is told.
        pause: waits for a number of seconds.

    Returns:
        What became of it; None: it was not agreed to.

    Raises:
        StackFailed: a stack could not be made or changed, with the first real cause.
        AwsError: as AWS answers, or the container's build failed.
    """
    with planned(account, names, cargo, clear=True, tell=tell, pause=pause) as plan:
        if not plan.empty and not agree(plan):
            return None
        changed = []

        def bring_about(change_set: ChangeSet) -> None:
            if change_set.empty:
                return
            tell.say(f"{'making' if change_set.creates else 'changing'} stack {change_set.stack}")
            plan.open.remove(change_set)
            execute(account, change_set, report=tell.event, pause=pause)
            changed.append(change_set.stack)

        bring_about(plan.bootstrap)
        for artefact in upload(account, names.artefacts, cargo.artefacts, tell.progress):
            tell.say(f"uploaded {artefact.key}")
        if cargo.dataset is not None:
            upload_dataset(account, names, cargo.dataset, {}, tell.progress)
        image = ensure_image(account, names, root=cargo.root, report=tell.say, pause=pause)
        if image != cargo.app["ImageUri"]:
            raise AwsError(f"the container is {image}, and {cargo.app['ImageUri']} was planned: deploy again")
        bring_about(plan.app)
    note_model(account, names, cargo.app["Task"], cargo.known, cargo.policy)
    app = describe(account, names.stack)
    if app is None:
        raise AwsError(f"stack {names.stack} is gone: somebody deleted it meanwhile; deploy again")
    return Deployment(tuple(changed), app)
