"""Root's rights, given up for good: in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from scones.serving.root import NOBODY

TWICE = """
import os, threading
from scones.serving import give_up_root
gone, told = threading.Event(), []
other = threading.Thread(target=lambda: (gone.wait(60), told.extend(os.getresuid())))
other.start()
give_up_root()
give_up_root()
gone.set()
other.join()
print(*os.getresuid(), *os.getresgid(), *told, os.getgroups())
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving up root needs root")


@needs_root
def test_all_threads_become_nobody_and_doing_it_again_does_nothing() -> None:
    shown = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.split() == [*[str(NOBODY)] * 9, "[]"]
    assert shown.stderr == ""


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="taking a right from root needs setpriv")
def test_a_container_that_may_not_change_its_user_goes_on_and_says_so() -> None:
    bound = ("setpriv", "--bounding-set", "-setuid,-setgid")
    shown = subprocess.run(
        [*bound, sys.executable, "-c", TWICE], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.split()[0] == "0"
    assert "the endpoint stays root" in shown.stderr
    assert "allow the container SETUID and SETGID" in shown.stderr
