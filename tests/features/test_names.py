"""Names of images: in memory, in files of both forms, and what is refused."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from simgraph.features import Features, load_features, save_features
from simgraph.features.names import checked_names, decode_names, encode_names
from tests.features.example_features import example, keyed

HARD = ("test/a b/ü.png", '\udcff\n"', "")
GALLERY = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_names_come_back_from_files(tmp_path, suffix):
    features = Features(**example(), query_names=HARD, gallery_names=list(GALLERY))
    save_features(features, tmp_path / f"f{suffix}")
    back = load_features(tmp_path / f"f{suffix}")
    assert (back.query_names, back.gallery_names) == (HARD, GALLERY)
    assert back.select([2, 0], [1]).query_names == (HARD[2], HARD[0])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_one_side_or_none_may_have_names(tmp_path, suffix):
    save_features(Features(**example(), gallery_names=GALLERY), tmp_path / f"f{suffix}")
    back = load_features(tmp_path / f"f{suffix}")
    assert back.query_names is None and back.gallery_names == GALLERY
    assert back.select([0], [4]).gallery_names == ("e",)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_arrays_of_text_are_names(tmp_path, kind):
    names = np.array(["x.png", "y", "zé"])
    given = names if kind == "U" else np.char.encode(names, "utf-8")
    np.savez(tmp_path / "f.npz", **keyed(example()), query_name=given)
    assert load_features(tmp_path / "f.npz").query_names == ("x.png", "y", "zé")


def test_features_take_arrays_of_text_and_objects():
    assert checked_names(np.array(["a", "b"]), 2, "n") == ("a", "b")
    assert checked_names(np.array(["a", "bc"], dtype=object), 2, "n") == ("a", "bc")
    assert checked_names(None, 2, "n") is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "n: expected 2 strings, one per row, got 1"),
        (["a", 3], "n: expected strings, row 1 is int"),
        ("ab", "n: expected 2 strings, got str"),
        (7, "n: expected 2 strings, got int"),
    ],
)
def test_bad_names(names, message):
    with pytest.raises(ValueError, match=message):
        checked_names(names, 2, "n")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3), np.zeros((2, 2), np.uint8), np.frombuffer(b"[1", np.uint8),
        np.frombuffer(b'{"a": 1}', np.uint8), np.frombuffer(b"[" * 10**5, np.uint8),
        np.array([["a"]]), np.frombuffer(b"\xff\xfe[]", np.uint8),
    ],
)  # fmt: skip
def test_arrays_that_are_no_names_are_refused_with_the_key(array):
    with pytest.raises(ValueError, match="query_name: expected"):
        decode_names(array, "query_name")


def test_names_of_a_file_are_counted(tmp_path):
    save_file(keyed(example()) | {"query_name": encode_names(("a",))}, tmp_path / "f.safetensors")
    with pytest.raises(
        ValueError, match=r"f\.safetensors: query_name: expected 3 strings, .* got 1"
    ):
        load_features(tmp_path / "f.safetensors")
