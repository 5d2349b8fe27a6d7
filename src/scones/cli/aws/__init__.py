"""``scones aws``: one thin module a verb."""

from __future__ import annotations

import typer

from scones.cli.aws.deploy import deploy
from scones.cli.aws.destroy import destroy
from scones.cli.aws.doctor import doctor
from scones.cli.aws.invoke import invoke
from scones.cli.aws.logs import logs
from scones.cli.aws.plan import plan
from scones.cli.aws.stance import stance
from scones.cli.aws.status import status
from scones.cli.aws.train import train

__all__ = ["aws"]

aws = typer.Typer(
    name="aws",
    help="Take the application to an AWS account, watch it there, and take it away again.",
    no_args_is_help=True,
)


@aws.callback()
def _aws() -> None:
    """Take the application to an AWS account, watch it there, and take it away again.

    Step by step:  `scones aws doctor` → `plan` → `deploy` → `invoke` → `status` → `logs` → `destroy`

    `doctor`, `plan`, `status`, `logs` and `stance` change nothing; `deploy`, `train` and `stance --apply` cost money
    until `destroy`.
    """


for _verb in (doctor, plan, deploy, invoke, status, logs, stance, train, destroy):
    aws.command()(_verb)
