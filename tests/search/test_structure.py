"""Index files with right checksums and wrong content: refused by name, never searched."""

import copy
import hashlib
import json

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.search.io import write_index
from simgraph.search.structure import check_state
from tests.search.galleries import SMALL, clustered

GALLERY, QUERY = clustered(60, 6, 0), clustered(5, 6, 1)


def with_lists(index):
    """The same index with three lists, without the library that finds centers."""
    arrays, settings = index.state()
    centers = GALLERY[:3].numpy().copy()
    file = {"centers": centers, "list_ptr": np.array([0, 20, 20, 60]),
            "list_members": np.arange(60, dtype=np.int32)}  # fmt: skip
    return arrays | file, settings | {"probes": 2, "recall": 0.5}


PLAIN = sg.SIMIndex(**SMALL, normalize=False).fit(GALLERY).state()
LISTS = with_lists(sg.SIMIndex(**SMALL, normalize=False).fit(GALLERY))


def load(path, state, verify):
    write_index(path, *state)
    return sg.SIMIndex.load(path, verify=verify)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [0, 1, 5, 39])
def test_every_index_that_fit_and_add_make_passes(dtype, k):
    x = torch.cat([clustered(38, 3, 2, dtype=dtype), torch.zeros(2, 3, dtype=dtype)])
    p = {"k": k, "num_paths": 1, "k_query": 2, "k_gallery": k}
    index = sg.SIMIndex(**p).fit(x)
    check_state(*index.state())
    check_state(*index.add(x[:7]).state())
    check_state(*sg.SIMIndex(**p, normalize=False).fit(x * 1e-20).state())


def test_one_image_passes():
    index = sg.SIMIndex(k=0, num_paths=1, k_query=1, k_gallery=0).fit(GALLERY[:1])
    check_state(*index.state())


WILD = {
    "neighbors": [-5, 10**8],
    "near": [-5, 10**8],
    "owner": [-5, 10**8],
    "list_members": [-5, 10**8],
    "near_ptr": [-1, 10**9],
    "owner_ptr": [-1, 10**9],
    "list_ptr": [-1, 10**9],
    "size": [np.nan, 0, 3.5],
    "features": [np.nan, np.inf, 1e30],
    "center": [np.nan, 7],
    "columns": [np.nan, 7],
    "squares": [np.nan, -1],
    "distances": [np.nan, np.inf, -1],
    "centers": [np.nan, 1e30],
}


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("place", [0, -1, 7])
@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in WILD.items() for v in vs])
def test_a_wild_number_is_refused_by_name(tmp_path, name, value, place, verify):
    arrays, settings = LISTS
    array = arrays[name].copy()
    array.reshape(-1)[place % array.size] = value
    if np.array_equal(array, arrays[name]):
        pytest.skip("the value stood there")
    with pytest.raises(ValueError, match=rf"index: .*\b{name}\b|index: columns") as error:
        load(tmp_path / "index", (arrays | {name: array}, settings), verify)
    assert str(tmp_path / "index") in str(error.value)


@pytest.mark.parametrize("name", LISTS[0])
@pytest.mark.parametrize("change", ["missing", "dtype", "longer", "shorter", "flat", "deeper"])
def test_an_array_of_another_form_is_refused_by_name(name, change):
    arrays, settings = dict(LISTS[0]), LISTS[1]
    array = arrays.pop(name)
    other = np.int64 if array.dtype != np.int64 else np.int32
    changed = {
        "dtype": lambda: array.astype(other),
        "longer": lambda: np.concatenate([array, array[-1:]]),
        "shorter": lambda: array[:-1],
        "flat": lambda: array.reshape(-1) if array.ndim > 1 else array[0],
        "deeper": lambda: array[..., None],
    }
    if change != "missing":
        arrays[name] = np.asarray(changed[change]())
    with pytest.raises(ValueError, match="expected"):
        check_state(arrays, settings)


SETTINGS = {
    "k": [4, 6, -1, 10**9, 5.0, "auto", None, True],
    "num_paths": [0, 7, 10**9, 2.0, "auto", None],
    "k_query": [0, 61, 10**9, "4", None],
    "k_gallery": [-1, 6, 2.5, None],
    "lam": [-0.1, 1.1, float("nan"), "0.1", None, True],
    "alpha": [-0.1, 1.1, float("nan"), float("inf"), None, []],
    "expand": [0, None, "true"],
    "normalize": [0, None, "true"],
    "probes": [0, None, 2.0, "2", True],
    "recall": [-0.1, 1.1, float("nan"), None, "1"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in SETTINGS.items() for v in vs])
def test_a_setting_out_of_range_is_refused_by_name(tmp_path, name, value):
    arrays, settings = LISTS
    with pytest.raises(ValueError, match=rf"index: .*\b{name}\b"):
        load(tmp_path / "index", (arrays, settings | {name: value}), True)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_missing_setting_is_refused_by_name(tmp_path, name):
    arrays, settings = PLAIN
    fewer = {key: value for key, value in settings.items() if key != name}
    with pytest.raises(ValueError, match=f"index: settings: .*'{name}' is missing"):
        load(tmp_path / "index", (arrays, fewer), True)


def test_names_that_no_index_has_are_refused(tmp_path):
    arrays, settings = PLAIN
    with pytest.raises(ValueError, match="'seed' too"):
        load(tmp_path / "index", (arrays, settings | {"seed": 1}), True)
    with pytest.raises(ValueError, match="'other' too"):
        load(tmp_path / "index", (arrays | {"other": arrays["size"]}, settings), True)


def rewritten(path, change):
    """Apply a change to the header, and make its checksum right again."""
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    layout = json.loads(whole[8 : 8 + length])
    metadata = layout.pop("__metadata__")
    content = json.loads(metadata["content"])
    content, layout = change(content, layout)
    text = content if isinstance(content, str) else json.dumps(content)
    metadata |= {"content": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    header = json.dumps({"__metadata__": metadata, **layout}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + whole[8 + length :])


VALUES = [None, -1, 10**30, 1.5, "x", [], {}, [1, 2, 3], {"a": 1}, True]


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("key", ["settings", "layout", "sha256"])
def test_a_header_field_of_another_type_is_refused(tmp_path, key, value, verify):
    if key == "sha256" and isinstance(value, dict) and not verify:
        pytest.skip("checksums are not read")
    write_index(tmp_path / "index", *PLAIN)
    rewritten(tmp_path / "index", lambda content, layout: (content | {key: value}, layout))
    with pytest.raises(ValueError, match="index: "):
        sg.SIMIndex.load(tmp_path / "index", verify=verify)


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("field", ["dtype", "shape", "data_offsets", "whole"])
def test_a_layout_entry_of_another_type_is_refused(tmp_path, field, value):
    def change(content, layout):
        if field == "whole":
            layout["near"] = value
        else:
            layout["near"][field] = value
        return content | {"layout": copy.deepcopy(layout)}, layout

    write_index(tmp_path / "index", *PLAIN)
    rewritten(tmp_path / "index", change)
    with pytest.raises(ValueError, match="index: 'near': expected dtype"):
        sg.SIMIndex.load(tmp_path / "index", verify=False)


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "7", "null"], ids=lambda t: t[:3])
def test_a_header_that_is_no_object_is_refused(tmp_path, text):
    write_index(tmp_path / "index", *PLAIN)
    rewritten(tmp_path / "index", lambda content, layout: (text, layout))
    with pytest.raises(ValueError, match="index: "):
        sg.SIMIndex.load(tmp_path / "index")


def test_overlapping_arrays_are_refused(tmp_path):
    def change(content, layout):
        layout["near"]["data_offsets"] = layout["neighbors"]["data_offsets"]
        return content | {"layout": layout}, layout

    write_index(tmp_path / "index", *PLAIN)
    rewritten(tmp_path / "index", change)
    with pytest.raises(ValueError, match="index: data_offsets: expected an array at"):
        sg.SIMIndex.load(tmp_path / "index", verify=False)


def swapped(rng, array):
    flat = array.copy().reshape(-1)
    i, j = rng.integers(0, flat.size, 2)
    flat[[i, j]] = flat[[j, i]]
    return flat.reshape(array.shape)


def another(rng, array):
    flat = array.copy().reshape(-1)
    wild = [-1, 0, 1, 59, 60, 2**31 - 1] if array.dtype.kind == "i" else [0, -1, 1e9, np.nan]
    flat[rng.integers(0, flat.size)] = rng.choice(wild)
    return flat.reshape(array.shape)


def bits(rng, array):
    raw = array.copy().reshape(-1).view(np.uint8)
    raw[rng.integers(0, raw.size)] ^= np.uint8(1 << rng.integers(0, 8))
    return raw.view(array.dtype).reshape(array.shape)


# Arrays that other plausible numbers can stand in: only a checksum notices them. Sets are not built
# again, which takes longer than reading all features.
BELIEVED = {"distances", "squares", "centers", "owner", "owner_ptr", "size"}


@pytest.mark.parametrize("seed", range(150))
def test_a_fuzzed_index_is_refused_or_answers_the_same(tmp_path, seed):
    rng = np.random.default_rng(seed)
    arrays, settings = LISTS if seed % 2 else PLAIN
    name = sorted(arrays)[seed // 2 % len(arrays)]
    changed = [swapped, another, bits][seed % 3](rng, arrays[name])
    expected = sg.SIMIndex.of_state(arrays, settings).search(QUERY, 60)
    try:
        index = load(tmp_path / "index", (arrays | {name: changed}, settings), bool(seed % 2))
    except ValueError as error:
        assert str(error).startswith(f"{tmp_path / 'index'}: ")
        return
    found = index.search(QUERY, 60)
    if name == "list_members" and not np.array_equal(changed, arrays[name]):
        return  # another partition into lists is an index too
    assert not torch.isnan(found[0]).any() and (found[0] >= 0).all()
    if name not in BELIEVED:
        assert all(map(torch.equal, found, expected)), name
