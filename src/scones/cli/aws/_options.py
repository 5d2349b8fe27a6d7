"""What the verbs of ``scones aws`` share: whose account, which region, which stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scones.aws.account import Account
    from scones.aws.names import Names

__all__ = ["ProfileOption", "RegionOption", "StackOption", "open_account"]

StackOption = Annotated[
    str | None,
    typer.Option("--stack", metavar="NAME", help="The application's stack; all it holds is named after it  [scones]"),
]
RegionOption = Annotated[
    str | None,
    typer.Option("--region", metavar="NAME", help="The region, as eu-west-1  [the profile's, or AWS_REGION]"),
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="The profile in ~/.aws/config  [AWS_PROFILE, default]")
]


def open_account(stack: str | None, region: str | None, profile: str | None) -> tuple[Account, Names]:
    """The account that the options name, and what the stack's parts are called there.

    Raises:
        AwsAccess: no good credentials, no such profile, or no region.
        SettingsError: the stack's name is none.
    """
    from scones.aws.account import connect
    from scones.aws.names import Names
    from scones.settings import Settings

    settings = Settings.load(stack=stack)
    account = connect(region, profile)
    return account, Names(settings.stack, account.id, account.region)
