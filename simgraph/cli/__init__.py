"""The command `simgraph`: a module for each of its commands, and what all of them share.

`simgraph COMMAND --help` must not wait for torch: the modules import the library inside `main`,
after the command line is understood.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn, TextIO

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `simgraph COMMAND …`.

    Args:
        arguments: after the program's name; None takes those of the program.

    Raises:
        SystemExit: after --help, --version, an unknown command or an error.
    """
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    _print_anywhere()
    if command in COMMANDS:
        run_command(command, rest)
    elif command in ("-h", "--help"):
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
    _print_anywhere()
    try:
        if not {"-h", "--help"}.intersection(words):
            _set_up_messages()
        import_module(f"simgraph.cli.{name}").main(words)
        sys.stdout.flush()  # a reader that is gone is noticed here, not while Python ends
    except KeyboardInterrupt as stop:
        print(f"{stop}" or "stopped", file=sys.stderr)
        sys.exit(130)  # 128 + SIGINT, as shells report it
    except BrokenPipeError:  # as with `| head -1`: files are written before words
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")


def _print_anywhere() -> None:
    """Print characters that the terminal's encoding lacks, such as λ in ASCII, as `?`."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


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
