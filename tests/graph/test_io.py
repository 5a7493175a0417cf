"""Graphs written and read: nothing lost, nothing unpickled, nothing half written."""

import copy
import json
import os
import pickle
import stat

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import simgraph as sg
import simgraph.graph.io
from simgraph.graph.edges import MATCHES
from tests.oracles.sim import CASES, EDGE_CASES


def features(rows, seed):
    return torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed))


def labeled():
    return sg.similarity_graph(
        features(3, 0), features(7, 1), k=2, lam=0.1, query_pids=[1, 2, 3],
        gallery_pids=[1, 1, 2, 2, 3, 3, 4], query_cams=[3, 6, 3], gallery_cams=[1, 2] * 3 + [4],
    )  # fmt: skip


def same_tensor_twice():
    x = features(6, 2)
    return sg.similarity_graph(x, x, k=2, normalize=False)


def of_case(name, **params):
    case = CASES[name]
    return sg.similarity_graph_from_distances(*case.tensors(), case.k, lam=case.lam, **params)


GRAPHS = {
    "complete": lambda: of_case("random"),
    "candidates": lambda: of_case("random", candidates=4),
    "one image": lambda: of_case("one gallery image"),
    "labels and features": labeled,
    "query and gallery are one tensor": same_tensor_twice,
    "of a user": lambda: EDGE_CASES["some self-loops"].graph(seed=0),
    "without edges": lambda: EDGE_CASES["no edges"].graph(),
}


def contents(graph):
    return {(store._key, key): value for store in graph.stores for key, value in store.items()}


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_comes_back_as_it_was(make, tmp_path):
    graph = make()
    sg.save_graph(graph, tmp_path / "graph.safetensors")
    loaded = sg.load_graph(tmp_path / "graph.safetensors")
    before, after = contents(graph), contents(loaded)
    assert before.keys() == after.keys()
    for key, value in before.items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == after[key].dtype
            assert torch.equal(value, after[key])
        else:
            assert value == after[key]
    assert torch.equal(sg.SGR(1)(loaded), sg.SGR(1)(graph))


def test_a_graph_with_gradient_can_be_written(tmp_path):
    case = CASES["random"]
    d_qg = torch.tensor(case.d_qg, requires_grad=True)
    graph = sg.similarity_graph_from_distances(d_qg, case.d_gg, case.k)
    sg.save_graph(graph, tmp_path / "graph")
    assert not sg.load_graph(tmp_path / "graph")[MATCHES].edge_weight.requires_grad


def test_the_index_of_a_complete_graph_is_not_written(tmp_path):
    graph = sg.similarity_graph_from_distances(torch.ones(50, 40), torch.ones(40, 40), k=1)
    sg.save_graph(graph, tmp_path / "graph")
    # 2000 weights of 4 bytes; the index alone would be 32 kB.
    assert (tmp_path / "graph").stat().st_size < 8000 + 5000


def test_names_are_taken_as_text_or_path_and_folders_are_made(tmp_path):
    sg.save_graph(of_case("random"), str(tmp_path / "a" / "b" / "graph"))
    assert sg.load_graph(str(tmp_path / "a" / "b" / "graph")).k == CASES["random"].k


@pytest.mark.parametrize("missing", ["nothing.safetensors", ""])
def test_a_missing_file(tmp_path, missing):
    with pytest.raises(FileNotFoundError, match="no such graph file"):
        sg.load_graph(tmp_path / missing)


def write_pickle(path):
    path.write_bytes(pickle.dumps({"edge_index": [1, 2]}))


def write_torch(path):
    torch.save(of_case("random").to_dict(), path)


FOREIGN = {
    "pickle": (write_pickle, "pickled graphs are not read"),
    "torch.save": (write_torch, "pickled graphs are not read"),
    "text": (lambda path: path.write_text("not a graph at all"), "safetensors"),
    "nothing": (lambda path: path.touch(), "safetensors"),
    "other tensors": (lambda path: save_file({"x": torch.ones(2)}, path), "got other tensors"),
}


@pytest.mark.parametrize(("write", "message"), FOREIGN.values(), ids=FOREIGN)
def test_other_files_are_refused(write, message, tmp_path):
    write(tmp_path / "file")
    with pytest.raises(ValueError, match=message) as error:
        sg.load_graph(tmp_path / "file")
    assert str(tmp_path / "file") in str(error.value)


def test_a_truncated_file_is_refused(tmp_path):
    sg.save_graph(of_case("random"), tmp_path / "graph")
    whole = (tmp_path / "graph").read_bytes()
    (tmp_path / "graph").write_bytes(whole[:-10])
    with pytest.raises(ValueError, match="safetensors"):
        sg.load_graph(tmp_path / "graph")


def test_an_invalid_graph_is_not_written(tmp_path):
    graph = of_case("random")
    graph[MATCHES].edge_weight[0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        sg.save_graph(graph, tmp_path / "graph")
    assert list(tmp_path.iterdir()) == []


def test_no_temporary_file_is_left(tmp_path):
    sg.save_graph(of_case("random"), tmp_path / "graph")
    sg.save_graph(of_case("ties"), tmp_path / "graph")
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    sg.save_graph(of_case("random"), tmp_path / "graph")
    before = (tmp_path / "graph").read_bytes()

    def half_written(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(simgraph.graph.io, "save_file", half_written)
    with pytest.raises(OSError, match="disk full"):
        sg.save_graph(of_case("ties"), tmp_path / "graph")
    assert (tmp_path / "graph").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["graph"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        sg.save_graph(of_case("random"), tmp_path / "graph")
        assert stat.S_IMODE((tmp_path / "graph").stat().st_mode) == 0o666 & ~umask
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_attributes_of_the_user_s_own_come_back(tmp_path):
    graph = of_case("random")
    graph["gallery"]["a.b|c"] = torch.arange(graph["gallery"].num_nodes)
    graph.note = "λ by hand"
    sg.save_graph(graph, tmp_path / "graph")
    back = sg.load_graph(tmp_path / "graph")
    assert back.note == graph.note
    assert torch.equal(back["gallery"]["a.b|c"], graph["gallery"]["a.b|c"])
    assert back.node_types == graph.node_types


def test_attributes_that_no_file_can_hold_are_refused(tmp_path):
    graph = of_case("random")
    graph.note = object()
    with pytest.raises(ValueError, match="expected tensors, numbers, strings and lists"):
        sg.save_graph(graph, tmp_path / "graph")
    assert not list(tmp_path.iterdir())


def rewrite(path, change):
    """Apply a change to the content and the tensors of a graph file."""
    with safe_open(str(path), framework="pt") as file:
        content = json.loads(file.metadata()["content"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    content = change(content, tensors)
    text = content if isinstance(content, str) else json.dumps(content)
    save_file(tensors, path, metadata={"simgraph": "graph-1", "content": text})


VALUES = [None, -1, 10**12, 1.5, "x", [], {}, ["a", "b"], [[1]], {"a": 1}, 2**70, True]


@pytest.mark.parametrize("name", ["complete", "candidates", "labels and features"])
@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("field", ["place", "key", "tensor", "value", "complete", "entries"])
def test_a_field_of_another_type_is_refused_or_harmless(tmp_path, name, field, value):
    path = tmp_path / "graph"
    sg.save_graph(GRAPHS[name](), path)
    before = path.read_bytes()
    with safe_open(str(path), framework="pt") as file:
        count = len(json.loads(file.metadata()["content"])["entries"])
    for i in range(count if field not in ("complete", "entries") else 1):
        path.write_bytes(before)

        def change(content, tensors, i=i):
            entry = content["entries"][i]
            if field in ("complete", "entries"):
                content[field] = value
            elif field == "value":
                entry.pop("tensor", None)
                entry["value"] = copy.deepcopy(value)
            else:
                entry[field] = copy.deepcopy(value)
            return content

        rewrite(path, change)
        try:
            graph = sg.load_graph(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            assert torch.isfinite(sg.SGR(1)(graph)).any()


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "7", "null", "[]"], ids=lambda t: t[:3])
def test_a_content_that_is_no_object_is_refused(tmp_path, text):
    sg.save_graph(of_case("random"), tmp_path / "graph")
    rewrite(tmp_path / "graph", lambda content, tensors: text)
    with pytest.raises(ValueError, match=r"graph: (content|complete|entries): expected"):
        sg.load_graph(tmp_path / "graph")


@pytest.mark.parametrize("size", [0, -3, 10**9, 10**12, 2**63, 2.0, "7", None, True])
@pytest.mark.parametrize("name", ["complete", "candidates"])
def test_a_wild_number_of_nodes_is_refused_before_memory_is_taken(tmp_path, name, size):
    def change(content, tensors):
        for entry in content["entries"]:
            if entry["key"] == "num_nodes":
                entry["value"] = size
        return content

    sg.save_graph(GRAPHS[name](), tmp_path / "graph")
    rewrite(tmp_path / "graph", change)
    if (name, size) == ("candidates", 10**9):
        pytest.skip("a graph may have as many nodes without edges")
    with pytest.raises(ValueError, match=r"graph: .*nodes"):
        sg.load_graph(tmp_path / "graph")


@pytest.mark.parametrize("seed", range(60))
def test_a_fuzzed_tensor_is_refused_or_in_range(tmp_path, seed):
    generator = torch.Generator().manual_seed(seed)

    def change(content, tensors):
        name = sorted(tensors)[seed % len(tensors)]
        flat = tensors[name].reshape(-1)
        if not flat.numel():
            return content
        place = int(torch.randint(flat.numel(), (), generator=generator))
        wild = [-5, 10**8, 0] if not flat.is_floating_point() else [torch.nan, -1, 1e38]
        flat[place] = wild[seed % 3]
        return content

    sg.save_graph(list(GRAPHS.values())[seed % 4](), tmp_path / "graph")
    rewrite(tmp_path / "graph", change)
    try:
        graph = sg.load_graph(tmp_path / "graph")
    except ValueError as error:
        assert str(error).startswith(f"{tmp_path / 'graph'}: ")
    else:
        assert not torch.isnan(sg.SGR(1)(graph)).any()
