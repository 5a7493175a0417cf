"""The tree is the architecture: imports run one way, few modules at the top, docs list the tree."""

import ast
import re
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "simgraph"
PACKAGES = {
    "cli", "datasets", "features", "graph", "kernels", "reports", "rerankers", "search", "sim",
    "studies", "synthetic", "training", "visualization",
}  # fmt: skip


def modules():
    """Dotted name → file, of every module of the library."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def offered(package):
    """Name → module, of the names that a lazy package offers by its stub."""
    stub = MODULES[package].with_suffix(".pyi")
    names = {}
    for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))) if stub.exists() else ():
        if isinstance(node, ast.ImportFrom):
            source = f"{package}.{node.module}" if node.module else package
            for alias in node.names:
                names[alias.asname or alias.name] = resolve(source, alias.name)
    return names


def resolve(module, name):
    """The module that `from module import name` reads."""
    if f"{module}.{name}" in MODULES:
        return f"{module}.{name}"
    names = offered(module) if module in MODULES and MODULES[module].stem == "__init__" else {}
    return names.get(name, module)


def for_types_only(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports(tree):
    """Every import of a module, those inside functions too, but not those for types only."""
    for node in ast.iter_child_nodes(tree):
        if for_types_only(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (resolve(node.module, alias.name) for alias in node.names)
        yield from imports(node)


def import_graph():
    graph = nx.DiGraph()
    for name, file in MODULES.items():
        for imported in imports(ast.parse(file.read_text(encoding="utf-8"))):
            # The root's own names are its packages'; __version__ is read there.
            if imported in MODULES and imported != name and imported != "simgraph":
                graph.add_edge(name, imported)
    return graph


def test_no_module_imports_itself_by_a_circle():
    assert list(nx.simple_cycles(import_graph())) == []


def test_few_modules_are_at_the_top():
    public = {file.stem for file in PACKAGE.glob("[a-z]*.py")}
    assert public == {
        "config", "distances", "distributed", "evaluation", "pipeline", "results", "trials",
    }  # fmt: skip
    assert {folder.parent.name for folder in PACKAGE.glob("*/__init__.py")} == PACKAGES


def test_the_architecture_page_lists_every_package_and_module():
    page = (ROOT / "docs/concepts/architecture.md").read_text(encoding="utf-8")
    tree = re.search(r"```text\nsimgraph/\n(.*?)```", page, re.DOTALL)[1]
    missing = [
        name
        for name, file in MODULES.items()
        if file.stem != "__init__" and not re.search(rf"\b{file.stem}\b", tree)
    ]
    assert missing == []


def test_every_module_says_what_it_is():
    silent = [
        n for n, f in MODULES.items() if not ast.get_docstring(ast.parse(f.read_text("utf-8")))
    ]
    assert silent == []
