"""From settings to channels; secrets stay secret."""

from __future__ import annotations

import base64
import traceback
from pathlib import Path
from typing import Any

import pytest

from scones.errors import SettingsError
from scones.notifications import Notification, open_channels, open_notifier
from scones.settings import Settings

SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()
EVERYTHING = {
    "SCONES_NOTIFY_CHANNELS": "log, console,webhook,email,sns",
    "SCONES_NOTIFY_WEBHOOK_URL": "https://hooks.example.com/s3cret-path",
    "SCONES_NOTIFY_WEBHOOK_SECRET": SECRET,
    "SCONES_NOTIFY_EMAIL_HOST": "mail.example.com",
    "SCONES_NOTIFY_EMAIL_USER": "robot",
    "SCONES_NOTIFY_EMAIL_PASSWORD": "s3cret-word",
    "SCONES_NOTIFY_EMAIL_FROM": "scones@example.com",
    "SCONES_NOTIFY_EMAIL_TO": "ops@example.com, dispatch@example.com",
    "SCONES_NOTIFY_SNS_TOPIC": "arn:aws:sns:eu-central-1:123456789012:scones",
}


def settings(environ: dict[str, str], file: Path | None = None) -> Settings:
    return Settings.load(environ=environ, file=file)


def test_by_default_there_is_the_log_alone() -> None:
    assert list(open_channels(settings({}))) == ["log"]


def test_every_channel_opens_with_its_settings() -> None:
    assert list(open_channels(settings(EVERYTHING))) == ["log", "console", "webhook", "email", "sns"]


def test_the_file_says_the_same_with_lists(tmp_path: Path) -> None:
    file = tmp_path / "scones.toml"
    file.write_text('notify_channels = ["log", "email"]\nnotify_email_to = ["a@b.c", "d@e.f"]\n')
    found = settings({}, file)
    assert found.notify_channels == ("log", "email")
    assert found.notify_email_to == ("a@b.c", "d@e.f")


@pytest.mark.parametrize(
    ("channel", "missing"),
    [
        ("webhook", "WEBHOOK_URL"),
        ("webhook", "WEBHOOK_SECRET"),
        ("email", "EMAIL_HOST"),
        ("email", "EMAIL_FROM"),
        ("email", "EMAIL_TO"),
        ("email", "EMAIL_PASSWORD"),
        ("sns", "SNS_TOPIC"),
    ],
)
def test_a_channel_says_which_setting_it_lacks(channel: str, missing: str) -> None:
    environ = {name: value for name, value in EVERYTHING.items() if not name.endswith(missing)}
    wanted = f"the channel {channel} needs notify_{missing.lower()}: .* SCONES_NOTIFY_{missing}$"
    with pytest.raises(SettingsError, match=wanted):
        open_channels(settings(environ))


def test_a_channel_that_does_not_exist_is_told_the_others() -> None:
    with pytest.raises(SettingsError, match=r"'lgo'.*'log', 'console', 'webhook', 'email' or 'sns'"):
        settings({"SCONES_NOTIFY_CHANNELS": "lgo"})
    with pytest.raises(SettingsError, match="unknown channel 'fax'"):
        open_channels(settings({}), ["fax"])


def test_secrets_are_in_no_text_of_the_settings() -> None:
    found = settings(EVERYTHING)
    for text in (repr(found), str(found), str(found.model_dump()), found.model_dump_json()):
        assert "s3cret" not in text
        assert SECRET not in text


def test_a_secret_of_the_wrong_kind_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "scones.toml"
    file.write_text("notify_email_password = 31415926\n")
    with pytest.raises(SettingsError, match=r"notify_email_password=\(a secret\): .* string") as caught:
        settings({}, file)
    assert "31415926" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("address", ["ops", "a@b\nBcc: c@d.e", "a@b, c@d", "Ops <a@b.c>", "a@b\x00.c", "@", "a@b\n"])
def test_what_is_no_plain_address_is_refused(address: str, tmp_path: Path) -> None:
    for given in ({"notify_email_from": address}, {"notify_email_to": [address]}):
        values: dict[str, Any] = given
        with pytest.raises(SettingsError, match="notify_email"):
            Settings.load(environ={}, file=None, **values)


def test_a_notifier_opens_with_window_and_rate_and_tells_through_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with open_notifier(settings({"SCONES_NOTIFY_WINDOW": "5", "SCONES_NOTIFY_RATE": "2"})) as notifier:
        notifier.add(Notification("failure", "a", "classify fails", 0.0, "because"))
    assert caplog.messages == ["failure: classify fails: because"]
    assert notifier.lost == {"log": 0}
