"""A command that does not outlive who asked for it: `python -m textgan.sweep.follower PARENT train ...`.

Where the process PARENT is killed, this one is sent SIGINT, at which training saves and stops. Linux alone has this;
elsewhere it goes on.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1  # the option of prctl(2) that asks for a signal when the parent dies


def follow(parent: int) -> None:
    """Ask for SIGINT when the parent dies, and exit if it has died by now."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    follow(int(sys.argv.pop(1)))
    runpy.run_module("textgan", run_name="__main__", alter_sys=True)
