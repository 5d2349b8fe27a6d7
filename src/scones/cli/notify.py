"""``scones notify``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import JsonOption, console, print_json, whoami

__all__ = ["notify"]

notify = typer.Typer(
    name="notify",
    help="Tell people: failures, review requests, drift alarms.",
    no_args_is_help=True,
)


@notify.callback()
def _notify() -> None:
    """Tell people: failures, review requests, drift alarms."""


@notify.command(name="test")
def send_test(
    channel: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this one, switched on or not: log, console, webhook, email, sns; may be given several times",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message through each channel, once, and say which took it.

    Channels are switched on by `notify_channels` in scones.toml, as `["log", "email"]`, or by
    `SCONES_NOTIFY_CHANNELS=log,email`. Where a channel fails, the exit code is not 0 and the error says why.
    """
    import socket
    import time
    import uuid

    from scones.errors import NotificationError, SettingsError
    from scones.notifications import Digest, Message, Notification, open_channels
    from scones.settings import Settings

    settings = Settings.load()
    now = time.time()
    one = Notification(
        "test", "test", "a test of the notifications", now, f"sent by {whoami()} with `scones notify test`"
    )
    message = Message(f"msg_{uuid.uuid4().hex}", socket.gethostname(), (Digest.of(one),))
    failed: dict[str, NotificationError] = {}
    opened = open_channels(settings, channel)
    if not opened:
        raise SettingsError("no channel is switched on: name some in notify_channels, or one with --channel")
    for name, place in opened.items():
        try:
            place.send(message)
        except NotificationError as error:
            failed[name] = error
        if not as_json:
            said = f"failed: {failed[name]}" if name in failed else "took it"
            console().print(f"{name}: {said}", soft_wrap=True, markup=False)
    if as_json:
        print_json([{"channel": name, "ok": name not in failed, "error": failed.get(name)} for name in opened])
    if failed:
        name, first = next(iter(failed.items()))
        raise type(first)(f"{len(failed)} of {len(opened)} channels failed; the first, {name}: {first}")
