"""`simgraph extract` checks what it is given before it works."""

from tests.cli.commands import run


def test_asks_for_a_checkpoint_and_an_output():
    done = run("extract", "--dataset.name", "folder")
    assert done.returncode == 1
    assert done.stderr == "error: expected --checkpoint and --output FILE (.npz or .safetensors)\n"
