"""`simgraph` and `python -m simgraph`."""

try:
    from simgraph.cli import main
except KeyboardInterrupt:  # Ctrl-C while it is imported
    raise SystemExit(130) from None

__all__ = ["main"]

if __name__ == "__main__":
    main()
