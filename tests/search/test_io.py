"""An index on disk: the same answers, whole or not at all, damage noticed, readers undisturbed."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import simgraph as sg
from simgraph.search.io import read_index

PARAMS = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 4, "normalize": False}
GALLERY = torch.randn(80, 6, generator=torch.Generator().manual_seed(0))
QUERY = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def index():
    return sg.SIMIndex(**PARAMS).fit(GALLERY)


@pytest.fixture
def path(index, tmp_path):
    index.save(tmp_path / "gallery.safetensors")
    return tmp_path / "gallery.safetensors"


def same(found, expected):
    return all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_loaded_is_saved(index, path):
    loaded = sg.SIMIndex.load(path)
    assert same(loaded.search(QUERY), index.search(QUERY))
    assert loaded.state()[1] == index.state()[1]
    assert same(loaded.add(QUERY).search(QUERY), sg.SIMIndex.load(path).add(QUERY).search(QUERY))


def test_arrays_are_mapped_and_read_only(path):
    arrays, _ = read_index(path, verify=False)
    for name, array in arrays.items():
        base = array
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap), name
        assert not array.flags.writeable and array.flags.aligned


def test_other_programs_read_it_as_safetensors(index, path):
    np.testing.assert_array_equal(load_file(path)["neighbors"], index._prepared.lists.neighbors)


@pytest.mark.parametrize("place", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("bit", [1, 128])
def test_a_changed_bit_is_noticed(path, place, bit):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= bit
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"gallery\.safetensors.*(damaged|bytes)"):
        sg.SIMIndex.load(path)


def test_changed_settings_are_noticed_without_verifying(path):
    content = path.read_bytes()
    assert content.count(b'\\"k_query\\": 4') == 1
    path.write_bytes(content.replace(b'\\"k_query\\": 4', b'\\"k_query\\": 5'))
    with pytest.raises(ValueError, match="damaged"):
        sg.SIMIndex.load(path, verify=False)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.999])
def test_a_file_cut_short_is_noticed(path, keep, verify):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(ValueError, match=r"gallery\.safetensors: expected"):
        sg.SIMIndex.load(path, verify=verify)


def test_another_version_says_what_to_do(path):
    path.write_bytes(path.read_bytes().replace(b'"index-2"', b'"index-9"', 1))
    with pytest.raises(ValueError, match="expected format 'index-2', got 'index-9'; fit"):
        sg.SIMIndex.load(path)


@pytest.mark.parametrize(
    "content",
    [pickle.dumps({"a": 1}), b"PK\x03\x04 and so on", json.dumps({"k": 1}).encode(), bytes(200)],
    ids=["pickle", "zip", "json", "zeros"],
)
def test_other_files(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match=r"expected a file of SIMIndex\.save"):
        sg.SIMIndex.load(tmp_path / "other")


def test_a_missing_file_and_an_index_without_gallery(tmp_path):
    with pytest.raises(FileNotFoundError):
        sg.SIMIndex.load(tmp_path / "none")
    with pytest.raises(ValueError, match="call fit"):
        sg.SIMIndex().save(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_a_reader_keeps_what_it_has_mapped(index, path):
    reader = sg.SIMIndex.load(path, verify=False)
    expected = index.search(QUERY)
    sg.SIMIndex(**PARAMS).fit(GALLERY[:40]).save(path)
    assert same(reader.search(QUERY), expected)
    assert sg.SIMIndex.load(path).num_gallery == 40
    assert [file.name for file in path.parent.iterdir()] == [path.name]


READER = """
import sys, torch, simgraph as sg
query = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
print("ready", flush=True)
for line in sys.stdin:
    index = sg.SIMIndex.load(sys.argv[1])
    print(index.num_gallery, index.search(query)[1].tolist(), flush=True)
"""


def test_processes_read_while_one_writes(index, path):
    small = sg.SIMIndex(**PARAMS).fit(GALLERY[:40])
    answers = {f"{i.num_gallery} {i.search(QUERY)[1].tolist()}" for i in (index, small)}
    command = [sys.executable, "-c", READER, str(path)]
    readers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
        reader.stdin.write("go\n" * 30)
        reader.stdin.close()
    for writer in [small, index] * 15:
        writer.save(path)
    for reader in readers:
        lines = reader.stdout.read().splitlines()
        assert reader.wait() == 0
        assert len(lines) == 30 and set(lines) <= answers
