"""`python -m simgraph` is the command `simgraph`."""

from simgraph.cli import main

if __name__ == "__main__":
    main()
