"""Progress is shown as a bar, or as lines where there is no terminal."""

import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

import simgraph._progress as progress
from simgraph._progress import no_progress, show_progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_each_slow_step_gives_a_line(clock, capsys):
    for _ in show_progress(iter("abc"), 3, "experiment"):
        clock[0] += 60
    assert capsys.readouterr().err.splitlines() == [
        "experiment 1/3, 60 s",
        "experiment 2/3, 120 s",
        "experiment 3/3, 180 s",
    ]


def test_quick_steps_give_a_line_every_few_seconds_and_the_last(clock, capsys):
    for _ in show_progress(range(100), 100, "epoch 3/16, batch"):
        clock[0] += 0.25
    assert capsys.readouterr().err.splitlines() == [
        "epoch 3/16, batch 20/100, 5 s",
        "epoch 3/16, batch 40/100, 10 s",
        "epoch 3/16, batch 60/100, 15 s",
        "epoch 3/16, batch 80/100, 20 s",
        "epoch 3/16, batch 100/100, 25 s",
    ]


def test_words_that_change_give_a_line_a_minute_and_none_at_the_end(clock, capsys):
    loss = iter(range(100))
    for _ in show_progress(range(10), 10, lambda: f"loss {next(loss)}, batch"):
        clock[0] += 25
    assert capsys.readouterr().err.splitlines() == [
        "loss 0, batch 3/10, 75 s",
        "loss 1, batch 6/10, 150 s",
        "loss 2, batch 9/10, 225 s",
    ]


@pytest.mark.parametrize("words", ["experiment", lambda: "loss 5, batch"])
@pytest.mark.parametrize("track", [no_progress, show_progress])
def test_steps_come_through_unchanged(track, words):
    assert list(track(iter("abc"), 3, words)) == ["a", "b", "c"]


def test_a_loop_that_ends_early_says_nothing_more(capsys):
    for _ in show_progress(range(3), 3):
        break
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress.messages.cache_clear()
    assert list(show_progress(range(3), 3, "experiment")) == [0, 1, 2]
    assert "experiment" in capsys.readouterr().err
    assert list(show_progress(range(3), 3, lambda: "loss 5, batch")) == [0, 1, 2]
    assert "loss 5, batch" in capsys.readouterr().err
    progress.messages.cache_clear()


PIPED = """
from simgraph._progress import show_progress
for _ in show_progress(range(3), 3, "epoch"):
    pass
"""


def test_a_pipe_gets_plain_lines():
    done = subprocess.run([sys.executable, "-c", PIPED], capture_output=True, text=True, check=True)
    assert done.stderr == "epoch 3/3, 0 s\n"
    assert done.stdout == ""


def test_a_notebook_shows_a_bar(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PIPED)])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    (shown,) = notebook.cells[0].outputs
    assert shown.output_type == "display_data"
    assert '<progress value="3" max="3"></progress> epoch 3/3' in shown.data["text/html"]
