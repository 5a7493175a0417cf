"""The command `simgraph`: a module for each of its commands, and what all of them share.

`simgraph COMMAND --help` must not wait for torch: the modules import the library inside `main`,
after the command line is understood.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn, TextIO

from simgraph._files import reason
from simgraph._version import __version__

__all__ = ["COMMANDS", "main", "run_command"]

COMMANDS = {
    "test": "score features or a trained network under a test set's protocol",
    "rerank": "rank a gallery for queries without labels",
    "train": "train a network on a two-modality dataset",
    "extract": "write the features of a test set's images to a file",
    "study": "measure ablations, sweeps and comparisons, and write a report",
    "visualize": "draw a ranking: strips, graphs, distances, curves, an explorer page",
    "synthesize": "write a synthetic test set",
}
"""Name → what it does, in the order of --help. Each is a module of this package."""


_NARROWEST = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `simgraph COMMAND …`.

    Args:
        arguments: after the program's name; None takes those of the program.

    Raises:
        SystemExit: after --help, --version, an unknown command or an error.
    """
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    if command in COMMANDS:
        run_command(command, rest)
    else:
        with _plain_ends():
            _answer(command)


def _answer(command: str) -> None:
    _print_anywhere()
    if command in ("-h", "--help"):
        print(_usage())
    elif command == "--version":
        print(f"simgraph {__version__}")
    else:
        _refuse(command)


def run_command(name: str, arguments: Sequence[str] | None = None) -> None:
    """Run one command; an error ends the program in a line, without a traceback.

    Args:
        name: a key of `COMMANDS`.
        arguments: after the command's name; None takes those of the program.

    Raises:
        SystemExit: for an error, and for what ends the command early: --help, Ctrl-C.
    """
    words = sys.argv[1:] if arguments is None else arguments
    with _plain_ends():
        _print_anywhere()
        if not {"-h", "--help"}.intersection(words):
            _set_up_messages()
        import_module(f"simgraph.cli.{name}").main(words)


@contextmanager
def _plain_ends() -> Iterator[None]:
    """End the program on Ctrl-C, a gone reader or an error in a line, without a traceback."""
    try:
        yield
        sys.stdout.flush()  # a full disk is noticed here, not while Python ends
    except KeyboardInterrupt as stop:
        print(f"{stop}" or "stopped", file=sys.stderr)
        sys.exit(130)  # 128 + SIGINT, as shells report it
    except BrokenPipeError:  # as with `| head -1`: files are written before words
        _drop_output()
        sys.exit(0)
    except OSError as error:
        _drop_output()
        sys.exit(f"error: {reason(error)}")
    except (ValueError, ImportError) as error:
        sys.exit(f"error: {error}")


def _drop_output() -> None:
    """Drop what standard output still holds if it cannot take it: Python would fail at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_anywhere() -> None:
    """Print characters that the terminal's encoding lacks, such as λ in ASCII, as `?`.

    A width below 40 columns is taken as 40: tyro's help never ends in one column.
    """
    _replace_closed_streams()
    if shutil.get_terminal_size().columns < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _replace_closed_streams() -> None:
    """Write to nowhere where standard output or error is closed (`>&-`): Python has None there.

    The null device also takes the number of the closed stream, which the next file that is opened
    would have, and what a library prints would go into it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _usage() -> str:
    lines = [f"  {name:<11} {does}" for name, does in COMMANDS.items()]
    return "\n".join(
        [
            "usage: simgraph COMMAND …",
            "",
            "Graph-based re-ranking for cross-modality retrieval.",
            "",
            *lines,
            "",
            "simgraph COMMAND --help lists the options of a command; simgraph --version.",
        ]
    )


def _refuse(command: str) -> NoReturn:
    from simgraph._params import unknown_name

    why = unknown_name("command", command, COMMANDS) if command else _usage()
    print(why, file=sys.stderr)
    sys.exit(2)


def _set_up_messages() -> None:
    """Log messages and warnings about old names go to stderr; of several processes, one speaks."""
    logging.basicConfig(level="WARNING", handlers=[_handler()])
    first = os.environ.get("RANK", "0") == "0"
    logging.getLogger("simgraph").setLevel("INFO" if first else "WARNING")
    logging.getLogger("simgraph._memory").filters[:] = [_FirstOfEachMethod()]
    # PyG says this of its own import: with PYTHONWARNINGS=error no command could start.
    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
    warnings.filterwarnings("default", ".* old name goes ", DeprecationWarning)
    warnings.showwarning = _show_warning


class _FirstOfEachMethod(logging.Filter):
    """Lets a method's first message through: each call of it logs its predicted peak."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        method = str(record.args[0]) if isinstance(record.args, tuple) and record.args else ""
        new = method not in self._seen
        self._seen.add(method)
        return new or record.levelno > logging.INFO


def _handler() -> logging.Handler:
    from simgraph._progress import messages

    if sys.stderr.isatty():
        from rich.logging import RichHandler

        handler: logging.Handler = RichHandler(console=messages(), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    return handler


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if issubclass(category, DeprecationWarning):
        logging.getLogger("simgraph").warning("%s", message)
    else:
        (file or sys.stderr).write(
            warnings.formatwarning(message, category, filename, lineno, line)
        )
