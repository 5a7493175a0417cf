"""The README and the docs hold: blocks run, commands parse, examples print what pages show."""

import inspect
import re
import runpy
import shlex
import sys
from functools import wraps
from pathlib import Path

import nbformat
import pytest
import tyro
from nbclient import NotebookClient

import simgraph as sg
import simgraph.cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
EXAMPLES = ROOT / "docs/examples"
FENCE = r"^```{}\n(.*?)^```"
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# What an example prints stands in a block of text, after the example's name.
SHOWN = re.compile(r"examples/(\w+\.py)(?:(?!examples/|```text).)*```text\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"-?\d+\.\d+")


def blocks(language, pages=PAGES):
    pattern = re.compile(FENCE.format(language), re.MULTILINE | re.DOTALL)
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in pages
        for number, block in enumerate(pattern.findall(page.read_text(encoding="utf-8")))
    ]


def commands():
    """Every command of the docs' shell blocks that calls `simgraph` or a tool of ours."""
    found = []
    for block in blocks("bash"):
        for line in block.values[0].replace("\\\n", " ").splitlines():
            command = our_command(shlex.split(line, comments=True))
            if command:
                found.append(pytest.param(command, id=f"{block.id}-{' '.join(command[:2])}"))
    return found


def our_command(words):
    """The words from `simgraph` or tools/X.py on; none for a line that calls neither."""
    for place, word in enumerate(words):
        module = place > 0 and words[place - 1] == "-m"
        calls = (word == "simgraph" and (place == 0 or module)) or word.endswith("bin/simgraph")
        if calls or re.fullmatch(r"tools/\w+\.py", word):
            rest = words[place + 1 :]
            ends = [number for number, word in enumerate(rest) if word in ("|", "&&", ">", "2>&1")]
            return [word if word.endswith(".py") else "simgraph", *rest[: min(ends, default=None)]]
    return []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "docs"}
    # A page is read from its top: a block knows what those before it made.
    for block in blocks("python", [page]):
        exec(compile(block.values[0], block.id, "exec"), names)


def test_no_python_goes_by_another_name():
    others = re.compile(r"^```(py|pycon|python3|ipython)\b", re.MULTILINE)
    assert not [page.name for page in PAGES if others.search(page.read_text(encoding="utf-8"))]


def test_there_are_blocks():
    assert len(blocks("python")) >= 5
    assert len(commands()) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [
        link
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not missing


class Parsed(Exception):
    """The command line was understood: the work behind it is for other tests."""


@pytest.mark.parametrize("command", commands())
def test_command_is_understood(command, monkeypatch):
    cli, subcommands = tyro.cli, tyro.extras.subcommand_cli_from_dict

    def instead(work):
        @wraps(work)
        def stop(*_, **__):
            raise Parsed

        return stop

    def parse(target, **options):
        cli(instead(target) if inspect.isfunction(target) else target, **options)
        raise Parsed

    monkeypatch.setattr(tyro, "cli", parse)
    monkeypatch.setattr(
        tyro.extras,
        "subcommand_cli_from_dict",
        lambda tools, **options: subcommands(
            {name: instead(tool) for name, tool in tools.items()}, **options
        ),
    )
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("simgraph.cli._set_up_messages", lambda: None)
    if {"--help", "--version"}.intersection(command):
        call(command)
    else:
        with pytest.raises(Parsed):
            call(command)


def call(command):
    """Run a command in this process; one that prints its help ends well."""
    try:
        if command[0] == "simgraph":
            simgraph.cli.main()
        else:
            runpy.run_path(command[0], run_name="__main__")
    except SystemExit as end:
        assert not end.code, end.code


def test_make_targets_are_there():
    made = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shell = "\n".join(block.values[0] for block in blocks("bash"))
    asked = set(re.findall(r"^make ([\w-]+)", shell, re.MULTILINE))
    assert {"demo", "test"} <= asked <= made


SAID = {
    name: text for page in PAGES for name, text in SHOWN.findall(page.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_prints_what_its_page_shows(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    printed = capsys.readouterr().out
    if name in SAID:  # others write a file or a long table
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", SAID[name])
        figures, said = ([float(n) for n in NUMBER.findall(t)] for t in (printed, SAID[name]))
        # Another machine rounds differently: half a point, where a mistake moves many.
        assert figures == pytest.approx(said, abs=0.5)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()


def test_every_public_name_is_in_the_reference():
    listed = (ROOT / "docs/api/index.md").read_text(encoding="utf-8")
    missing = [name for name in sg.__all__ if f"`{name}`" not in listed]
    assert not missing


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")}
    assert {page for page in pages if page not in navigation} == set()
