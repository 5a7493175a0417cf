"""Draw one trial, or write the explorer page: `simgraph visualize`, from a checkout."""

import sys

from simgraph.cli import main

main(["visualize", *sys.argv[1:]])
