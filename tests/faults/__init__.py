"""A fault campaign: damaged files, killed processes and odd terminals, seeded and repeatable.

`python -m tests.faults --inputs 1000 --kills 200 --seed 0` runs it; docs/reliability.md has the
figures. damage of bytes, of trees, of tensor files → one file per kind of input → `judge` names
the outcome of each → `guard` runs them in processes that may die → a table.
"""
