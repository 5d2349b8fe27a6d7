"""The log and the terminal."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from scones.notifications import ConsoleChannel, LogChannel, Message, Notification

News = Callable[..., Notification]


def test_the_log_gets_a_record_a_group_at_its_level_with_all_of_it(
    news: News, message_of: Callable[..., Message], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    LogChannel().send(message_of(news(detail="no\nanswer", subject="a1"), news("review", "vehicles"), news("drift")))
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("scones.notifications", "ERROR"),
        ("scones.notifications", "INFO"),
        ("scones.notifications", "WARNING"),
    ]
    first: Any = caplog.records[0]
    assert first.getMessage() == "failure: classify EndpointBusy happens: a1: no answer"
    assert first.notification["source"] == "depot-7"
    assert first.notification["examples"][0]["subject"] == "a1"


def test_the_terminal_shows_text_as_it_is_and_obeys_none_of_it(news: News, message_of: Callable[..., Message]) -> None:
    out = io.StringIO()
    text = "[red]danger[/] \x1b[2J"
    ConsoleChannel(Console(file=out, width=40)).send(message_of(news(title=text, detail=text, subject="a1")))
    assert out.getvalue() == ("failure: [red]danger[/] [2J\n  1970-01-01 00:00:00 UTC  a1: [red]danger[/] [2J\n")
