"""The command `simgraph` in a process of its own."""

import subprocess
import sys


def run(*arguments, cwd=None):
    """Run `simgraph ARGUMENTS…` and return what it printed and how it ended."""
    command = [sys.executable, "-m", "simgraph", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd)
