"""The public surface: what `import simgraph` offers, and that importing does nothing else."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import simgraph as sg

# The names that users rely on; more may come, none may go.
PROMISED = {
    "KSmallestMean", "MNNR", "SGR", "SIM", "SIMIndex", "evaluate", "load_features", "load_graph",
    "reference",
    "rerank", "rerankers", "save_features", "save_graph", "sim_distance", "similarity_graph",
    "similarity_graph_from_distances", "validate_graph",
}  # fmt: skip


def isort_style(name):
    """The order of ruff's RUF022: CONSTANTS, Classes, the rest."""
    return (not name.isupper(), not name[0].isupper(), name)


def public_members(name):
    value = getattr(sg, name)
    if inspect.isclass(value) and value.__module__.startswith("simgraph"):
        for key, member in vars(value).items():
            # PyG writes some methods into its subclasses; those are not of this package.
            ours = inspect.isfunction(member) and member.__module__ == value.__module__
            if ours and not key.startswith("_"):
                yield f"{name}.{key}", member
    if not isinstance(value, str):
        yield name, value


MEMBERS = {
    path: member
    for name in sg.__all__
    if hasattr(sg, name)
    for path, member in public_members(name)
}
FUNCTIONS = {
    path: member
    for path, member in MEMBERS.items()
    if inspect.isfunction(member) or inspect.isclass(member)
}


def test_all_is_sorted_and_without_repeats():
    assert sg.__all__ == sorted(set(sg.__all__), key=isort_style)


def test_all_has_what_was_promised():
    assert set(sg.__all__) >= PROMISED


@pytest.mark.parametrize("name", sg.__all__)
def test_every_name_is_there(name):
    assert hasattr(sg, name)


@pytest.mark.parametrize("path", MEMBERS)
def test_every_member_has_a_docstring(path):
    assert inspect.getdoc(MEMBERS[path])


@pytest.mark.parametrize("path", FUNCTIONS)
def test_signatures_say_what_they_take(path):
    kinds = [p.kind for p in inspect.signature(FUNCTIONS[path]).parameters.values()]
    if path not in ("rerank", "rerank_distances"):
        assert inspect.Parameter.VAR_KEYWORD not in kinds


def test_no_public_name_but_those_and_the_modules():
    names = {name for name in vars(sg) if not name.startswith("_")}
    others = {name for name in names - set(sg.__all__) if not inspect.ismodule(getattr(sg, name))}
    assert others == set()


IMPORT = """
import random, socket, sys, threading
import numpy, torch, torch_geometric

def refuse(*args, **kwargs):
    raise AssertionError("import simgraph must not open a connection")

socket.socket.connect = refuse
state = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state()
settings = lambda: (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(),
                    torch.are_deterministic_algorithms_enabled(), threading.active_count())
before = settings()
import simgraph
assert random.getstate() == state[0], "import seeds random"
assert numpy.random.get_state()[1].tolist() == state[1], "import seeds numpy"
assert torch.equal(torch.get_rng_state(), state[2]), "import seeds torch"
assert settings() == before, f"import changes settings: {before} -> {settings()}"
for name in ("matplotlib", "sklearn", "pandas"):
    assert name not in sys.modules or name in ALREADY, f"import loads {name}"
"""


def test_import_does_no_work():
    program = IMPORT.replace("import simgraph\n", "ALREADY = set(sys.modules)\nimport simgraph\n")
    done = subprocess.run(
        [sys.executable, "-W", "error:::simgraph", "-c", program],
        cwd=Path(sg.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("simgraph.training", "kornia", "train"),
        ("simgraph.training", "tensorboard", "train"),
        ("simgraph.visualization.plots", "matplotlib", "viz"),
        ("simgraph.studies.run", "matplotlib", "viz"),
        ("simgraph.distributed", "ray", "scale"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(module, library, extra):
    program = f"import sys; sys.modules[{library!r}] = None; import {module}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert library in last.lower() and f"simgraph[{extra}]" in last


def test_the_stub_for_type_checkers_offers_the_same_names():
    stub = Path(sg.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    offered = next(
        node.value
        for node in ast.parse(stub).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    assert ast.literal_eval(offered) == sg.__all__
