"""No log holds a picture, whatever its level."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from scones.staging import SourcePicture

from .world import GONE, STAYS, build


def test_no_picture_is_in_the_logs_even_at_debug(
    tmp_path: Path,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    world = build(tmp_path, tiny_bundle(), red_and_blue()[115:130])
    told = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    assert "/endpoints/scones/invocations" in told  # the requests are told of, at DEBUG
    assert len(world.pieces[GONE] + world.pieces[STAYS]) > 20
    for piece in world.pieces[GONE] + world.pieces[STAYS]:
        assert piece.decode("latin-1") not in told
        assert repr(piece[:40])[2:-1] not in told
