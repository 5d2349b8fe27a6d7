"""Root's rights, which a container starts with and the endpoint has no use for."""

from __future__ import annotations

import logging
import os

__all__ = ["NOBODY", "give_up_root"]

NOBODY = 65534
"""The user and group that own nothing."""

_log = logging.getLogger(__name__)


def give_up_root() -> None:
    """Become nobody for good, all threads of this process, where it is root; else do nothing.

    What is open stays open: so it is to be called after the model is read, which root alone may be able to.
    A container that may not change its user is told of in the log and goes on.
    """
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except PermissionError as error:
        _log.warning("the endpoint stays root (%s): allow the container SETUID and SETGID", error)
