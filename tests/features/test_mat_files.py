"""MATLAB files are read in another process: whatever it meets, this one gets an answer."""

import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from scipy.io import savemat

from simgraph.features import mat_files
from simgraph.features.mat_files import read_mat_files


def cells(*values):
    row = np.empty((1, len(values)), dtype=object)
    for place, value in enumerate(values):
        row[0, place] = value
    return row


def test_values_come_as_scipy_reads_them(tmp_path):
    content = {
        "matrix": np.arange(6.0).reshape(2, 3), "single": np.ones((2, 2), np.float32),
        "cells": cells(np.ones((2, 3)), np.zeros((0, 3)), cells(np.eye(2))), "text": "hello",
    }  # fmt: skip
    savemat(tmp_path / "a.mat", content)
    savemat(tmp_path / "b.mat", {"x": np.ones((1, 1))}, do_compression=True)
    a, b = read_mat_files([tmp_path / "a.mat", tmp_path / "b.mat"])
    assert list(a) == list(content) and list(b) == ["x"]
    np.testing.assert_array_equal(a["matrix"], content["matrix"])
    assert a["single"].dtype == np.float32
    assert a["cells"].shape == (1, 3) and a["cells"][0, 2].dtype == object
    np.testing.assert_array_equal(a["cells"][0, 2][0, 0], np.eye(2))
    assert a["cells"][0, 1].shape == (0, 3)
    assert str(a["text"][0]) == "hello"


def test_what_is_no_array_is_said(tmp_path):
    odd = {"s": scipy.sparse.eye(3).tocsc(), "t": {"x": 1.0}}
    savemat(tmp_path / "a.mat", odd)
    (content,) = read_mat_files([tmp_path / "a.mat"])
    assert str(content["s"]) == "a sparse matrix"
    assert str(content["t"]) == "a structure"


def test_the_file_that_is_damaged_is_named(tmp_path):
    savemat(tmp_path / "good.mat", {"x": np.ones((2, 2))})
    (tmp_path / "bad.mat").write_bytes(b"no such thing" * 50)
    with pytest.raises(ValueError, match=r"bad\.mat: damaged or not of this format"):
        read_mat_files([tmp_path / "good.mat", tmp_path / "bad.mat"])
    with pytest.raises(FileNotFoundError, match=r"missing\.mat"):
        read_mat_files([tmp_path / "missing.mat"])


def test_a_crash_of_the_reader_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"x": np.ones((2, 2))})
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    (tmp_path / "sitecustomize.py").write_text(crash)
    environment = mat_files._environment()
    environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    monkeypatch.setattr(mat_files, "_environment", lambda: environment)
    with pytest.raises(ValueError, match=r"a\.mat: damaged: .*SIGSEGV; save it again"):
        read_mat_files([tmp_path / "a.mat"])


def test_a_file_that_grows_beyond_its_memory_is_refused():
    program = "from simgraph.features.mat_child import _limit_memory; _limit_memory({}); " \
              "bytearray(3 * 2**30)"  # fmt: skip
    for size, message in ((0, "MemoryError"), (2**27, "")):
        command = [sys.executable, "-c", program.format(size)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert message in done.stderr and (done.returncode == 0) == (not message)


def test_a_reader_without_memory_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"x": np.zeros((2**12, 2**12))}, do_compression=True)
    half_a_gib = 2**29

    def limited(*arguments, **options):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (half_a_gib, half_a_gib))

        return popen(*arguments, preexec_fn=limit, **options)

    popen = subprocess.Popen
    monkeypatch.setattr(mat_files.subprocess, "Popen", limited)
    with pytest.raises(ValueError, match=r"a\.mat: damaged"):
        read_mat_files([tmp_path / "a.mat"])
