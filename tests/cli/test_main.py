"""What all commands share: dispatch, help, errors, interruptions, messages."""

import logging
import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import simgraph.cli
from simgraph._deprecation import warn_renamed
from simgraph._memory import blocks
from simgraph.cli import COMMANDS, main, run_command
from tests.cli.commands import run

HEAVY = ("torch", "torch_geometric", "numba", "scipy", "pandas", "matplotlib", "sklearn")
LOADED = f"""
import sys
from simgraph.cli import main
try:
    main(sys.argv[1:])
except SystemExit as done:
    assert not done.code, done.code
sys.exit(", ".join(name for name in {HEAVY!r} if name in sys.modules) or None)
"""


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Levels and handlers as they were: the tests run commands in this process."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    levels = {name: logging.getLogger(name).level for name in ("simgraph", "simgraph.sim.auto")}
    handlers = list(logging.getLogger().handlers)
    with warnings.catch_warnings():
        yield
    logging.getLogger().handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_help_lists_every_command_with_a_line(capsys):
    main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for name, does in COMMANDS.items():
        assert any(line.split() == [name, *does.split()] for line in lines)
        assert len(does) < 70


def test_the_version_is_the_package_s(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"simgraph {simgraph.cli.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_a_main(name):
    if name != "visualize":
        assert callable(import_module(f"simgraph.cli.{name}").main)


def test_an_unknown_command_names_the_nearest(capsys):
    with pytest.raises(SystemExit) as end:
        main(["tset"])
    assert end.value.code == 2
    text = capsys.readouterr().err
    assert "got 'tset'; did you mean 'test'?" in text
    assert len(text.splitlines()) == 1


def test_no_command_shows_the_usage(capsys):
    with pytest.raises(SystemExit) as end:
        main([])
    assert end.value.code == 2
    assert "usage: simgraph COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("k: expected an integer"), "error: k: expected an integer"),
        (FileNotFoundError("a.npz: no such file"), "error: a.npz: no such file"),
        (ImportError("needs ray"), "error: needs ray"),
    ],
)
def test_an_error_is_one_line_and_a_failure(raised, said, monkeypatch):
    def fail(arguments):
        raise raised

    monkeypatch.setattr("simgraph.cli.extract.main", fail)
    with pytest.raises(SystemExit) as end:
        run_command("extract", [])
    assert end.value.code == said  # text: python prints it to stderr and exits with 1


def test_a_mistake_in_the_program_keeps_its_traceback(monkeypatch):
    def fail(arguments):
        raise TypeError("a mistake")

    monkeypatch.setattr("simgraph.cli.extract.main", fail)
    with pytest.raises(TypeError, match="a mistake"):
        run_command("extract", [])


def test_warnings_about_old_names_are_shown_as_messages(monkeypatch, capsys):
    def use_an_old_name(arguments):
        warn_renamed("option --old", "--new")

    logging.getLogger().handlers[:] = []
    monkeypatch.setattr("simgraph.cli.extract.main", use_an_old_name)
    run_command("extract", [])
    line = "WARNING option --old is now --new; the old name goes with the next release"
    assert capsys.readouterr().err.splitlines()[0].endswith(line)


def test_of_several_processes_the_first_one_speaks(monkeypatch):
    monkeypatch.setattr("simgraph.cli.extract.main", lambda arguments: None)
    for rank, level in (("0", logging.INFO), ("1", logging.WARNING)):
        monkeypatch.setenv("RANK", rank)
        run_command("extract", [])
        assert logging.getLogger("simgraph").level == level


def test_the_predicted_peak_of_a_method_is_told_once(monkeypatch, capsys):
    def score(arguments):
        for method in ("sgr", "sim", "sgr", "sim"):
            list(blocks(method, "1 GB", 0, 1, 5))

    for _ in range(2):  # each command anew
        logging.getLogger().handlers[:] = []
        monkeypatch.setattr("simgraph.cli.extract.main", score)
        run_command("extract", [])
        lines = capsys.readouterr().err.splitlines()
        assert [line.split()[2] for line in lines] == ["sgr:", "sim:"]
        assert all("predicted peak" in line for line in lines)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_no_help_waits_for_torch(name):
    if name == "visualize":
        pytest.importorskip("simgraph.cli.visualize")
    command = [sys.executable, "-c", LOADED, *filter(None, [name]), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"--help loads {done.stderr}"
    assert "usage: simgraph" in done.stdout


@pytest.mark.parametrize("module", ["simgraph", "simgraph.config", "simgraph.studies.settings"])
def test_settings_are_read_without_torch(module):
    loaded = f"', '.join(sys.modules.keys() & {set(HEAVY)!r})"
    program = f"import sys, {module}; sys.exit({loaded} or None)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"import {module} loads {done.stderr}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "visualize"])
def test_the_tool_is_the_command(name):
    tool = Path(__file__).parents[2] / "tools" / f"{name}.py"
    done = subprocess.run(
        [sys.executable, tool, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == run(name, "--help").stdout
    assert f"usage: simgraph {name}" in done.stdout


@pytest.mark.parametrize(("words", "said"), [("", "stopped"), ("stopped; go on", "stopped; go on")])
def test_ctrl_c_ends_with_a_word_and_the_code_of_the_signal(words, said, monkeypatch, capsys):
    def stop(arguments):
        raise KeyboardInterrupt(words)

    monkeypatch.setattr("simgraph.cli.extract.main", stop)
    with pytest.raises(SystemExit) as end:
        run_command("extract", [])
    assert end.value.code == 130
    assert capsys.readouterr().err == f"{said}\n"


# Output in ASCII, and a terminal of one column, in which tyro's help never ends.
_POOR = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "1"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_printed_in_ascii_and_in_one_column(name):
    command = [sys.executable, "-m", "simgraph", name, "--help"]
    done = subprocess.run(
        command, env=os.environ | _POOR, capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert f"usage: simgraph {name}".encode() in done.stdout


def test_a_command_runs_where_warnings_are_errors():
    strict = os.environ | {"PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "simgraph", "test", "--features", "none.npz"]
    done = subprocess.run(command, env=strict, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: none.npz")


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OSError(36, "File name too long", "a.npz"), "error: a.npz: File name too long"),
        (PermissionError(13, "Permission denied", "b"), "error: b: Permission denied"),
        (OSError(28, "No space left on device"), "error: No space left on device"),
    ],
)
def test_errors_of_the_system_have_no_number(raised, said, monkeypatch):
    def fail(arguments):
        raise raised

    monkeypatch.setattr("simgraph.cli.extract.main", fail)
    with pytest.raises(SystemExit) as end:
        run_command("extract", [])
    assert end.value.code == said


@pytest.mark.parametrize("option", ["--features", "--config"])
def test_a_pipe_is_called_a_pipe(option, tmp_path):
    os.mkfifo(tmp_path / "f.npz")
    done = run("test", option, tmp_path / "f.npz")
    assert done.returncode == 1
    assert "f.npz: expected a file, got a pipe or a device" in done.stderr


@pytest.mark.parametrize("words", [("--help",), ("test", "--help")], ids=" ".join)
def test_a_reader_that_is_gone_is_no_error(words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "simgraph", *words]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", [("--help",), ("test", "--help")], ids=" ".join)
@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_device_is_an_error_of_one_line(words, buffered):
    command = [sys.executable, "-m", "simgraph", *words]
    env = os.environ | {"PYTHONUNBUFFERED": "" if buffered else "1"}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=env, check=False)
    assert done.returncode == 1
    assert done.stderr == b"error: No space left on device\n"


_TOOLS = Path(__file__).parents[2] / "tools"
_STOPPED = """
import runpy, sys

class Stop:
    def find_spec(self, name, *rest):
        if name == "simgraph.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stop())
sys.argv[1:] = ["--help"]
"""


@pytest.mark.parametrize(
    "start",
    [
        'runpy.run_module("simgraph", run_name="__main__")',
        "from simgraph.__main__ import main",
        *(f'runpy.run_path("{_TOOLS}/{name}.py", run_name="__main__")' for name in COMMANDS),
    ],
)
def test_ctrl_c_during_the_import_has_no_traceback(start):
    done = subprocess.run(
        [sys.executable, "-c", _STOPPED + start], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_stream_is_no_error(stream):
    for words in (["--help"], ["rerank", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "simgraph", *words],
            stderr=subprocess.PIPE, text=True, timeout=60,
            preexec_fn=lambda: os.close({"stdout": 1, "stderr": 2}[stream]),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
