"""`simgraph extract`, run from the repository."""

from simgraph.cli import run_command

if __name__ == "__main__":
    run_command("extract")
