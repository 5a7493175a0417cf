"""`simgraph study`, run from the repository."""

try:
    from simgraph.cli import run_command
except KeyboardInterrupt:  # Ctrl-C while it is imported
    raise SystemExit(130) from None

if __name__ == "__main__":
    run_command("study")
