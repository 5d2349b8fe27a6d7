"""A child process that does one thing and ends."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress

__all__ = ["fork"]

_log = logging.getLogger(__name__)


def fork(work: Callable[[], object]) -> int:
    """Do something in a child process that ends with it, and nothing else of this one; answers its id."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    with warnings.catch_warnings():
        # of threads that a caller may have: the child uses nothing that they could have locked
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except (SystemExit, KeyboardInterrupt):  # it was told to end
        pass
    except BaseException:  # noqa: BLE001 - whatever it is, nothing of the parent may run here
        _log.exception("a process of the endpoint failed")
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)
