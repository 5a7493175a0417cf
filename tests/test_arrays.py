"""Arrays of the caller become tensors, and results come back in the caller's kind.

What is refused, and how the errors read, is in test_bad_inputs.py.
"""

import re

import numpy as np
import pytest
import scipy.sparse
import torch

import simgraph as sg
from simgraph._arrays import common_dtype, feature_pair, label_vector, like_inputs, to_tensor


def test_a_numpy_array_is_shared_and_a_tensor_is_itself():
    array, tensor = np.zeros((2, 3), "f4"), torch.zeros(2)
    assert to_tensor(array, "x").data_ptr() == array.ctypes.data
    assert to_tensor(tensor, "x") is tensor


@pytest.mark.parametrize("dtype", [">f4", "<f8", "f2"])
def test_values_survive_any_byte_order(dtype):
    array = np.array([[1.5, -2.0]], dtype)
    assert to_tensor(array, "x").tolist() == [[1.5, -2.0]]


def test_a_result_is_numpy_only_if_every_input_is():
    result, array = torch.ones(2), np.ones(2)
    assert isinstance(like_inputs(result, array, array), np.ndarray)
    assert like_inputs(result, array, torch.ones(2)) is result


def test_two_sides_meet_in_the_wider_dtype():
    a, b = common_dtype(torch.ones(1), "a", torch.ones(1, dtype=torch.float64), "b")
    assert a.dtype == b.dtype == torch.float64


def test_rows_are_normalized_if_asked_and_rows_of_zeros_stay():
    query = np.array([[3.0, 4.0], [0.0, 0.0]])
    q, g = feature_pair(query, query[:1], normalize=True)
    torch.testing.assert_close(q, torch.tensor([[0.6, 0.8], [0.0, 0.0]]).double())
    assert torch.equal(feature_pair(query, query, normalize=False)[0], torch.from_numpy(query))
    assert g.shape == (1, 2)


def test_labels_become_int64():
    assert label_vector([3, 1], 2, "pids").dtype == torch.int64
    assert label_vector(np.array([3, 1], np.uint8), None, "pids").tolist() == [3, 1]


# Kinds of arrays that nothing here computes with, in every entry point that takes arrays.

ROWS = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
TENSOR = torch.from_numpy(ROWS)
ODD_ARRAYS = {
    "sparse": (TENSOR.to_sparse(), "expected a dense tensor.*to_dense"),
    "csr": (TENSOR.to_sparse_csr(), "expected a dense tensor.*to_dense"),
    "float8": (TENSOR.to(torch.float8_e4m3fn), "got torch.float8_e4m3fn; call its .float"),
    "masked": (np.ma.array(ROWS, mask=ROWS > 1), "got a masked array with 16 masked"),
    "complex": (ROWS.astype(complex), "expected an array of real numbers, got dtype complex128"),
    "complex tensor": (torch.complex(TENSOR, TENSOR), "expected real .* got torch.complex64"),
    "object": (ROWS.astype(object), "got dtype object; an object array"),
    "text": (ROWS.astype(str), "expected an array of real numbers"),
    "quantized": (torch.quantize_per_tensor(TENSOR, 0.1, 0, torch.qint8), "got a quantized tensor"),
    "meta": (TENSOR.to("meta"), "got a meta tensor"),
    "nested": (torch.nested.nested_tensor([TENSOR]), "got a nested one"),
    "scipy": (scipy.sparse.csr_matrix(ROWS), "got csr_matrix; call its .toarray"),
}
ENTRIES = {
    "rerank": lambda x: sg.rerank(x, ROWS, "baseline"),
    "evaluate": lambda x: sg.evaluate(x, [0] * 20, [0] * 4),
    "Features": lambda x: sg.Features(ROWS, x),
    "similarity_graph": lambda x: sg.similarity_graph(x, ROWS),
    "SIMIndex": lambda x: sg.SIMIndex(k=3, num_paths=2, k_query=3, k_gallery=3).fit(x),
    "rerank_distances": lambda x: sg.rerank_distances(x, np.zeros((4, 4)), "baseline"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", ODD_ARRAYS)
def test_odd_arrays_get_a_clear_error_everywhere(entry, kind):
    value, message = ODD_ARRAYS[kind]
    with pytest.raises(ValueError, match=message):
        ENTRIES[entry](value)


@pytest.mark.parametrize("value", [np.ma.array(ROWS), TENSOR.bfloat16(), TENSOR.half()])
def test_arrays_that_only_look_odd_are_taken(value):
    assert sg.rerank(value, ROWS, "baseline").shape == (20, 20)
    assert sg.evaluate(value, [0] * 20, [0, 1, 2, 3]).num_valid == 20


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1, 2**63 + 5], np.uint64), "below 2.63, got 9223372036854775813 in row 1"),
        ([2**63 + 4, 2**63 + 5], "below 2.63, got 9223372036854775812 in row 0"),
        (np.array([1, 2**63], np.ulonglong), "below 2.63, got 9223372036854775808 in row 1"),
        (torch.tensor([1, -1]).view(torch.uint64), "below 2.63, got 18446744073709551615 in row 1"),
        ([1, 2**70], "expected integers, got int"),
        (["0001", "0002"], "got str.*number the labels of both sides together"),
        (np.array(["0001", "2"]), "got str.*number the labels of both sides together"),
        (np.array([b"a", b"b"]), "got bytes.*number the labels of both sides together"),
        (np.array(["a", 1], object), "got str such as 'a'.*both sides together"),
        ([None, 1], "got NoneType such as None"),
        ([float("nan"), 1.0], "got torch.float64"),
        ([True, False], "got torch.bool"),
        (torch.tensor([1, 2]).to_sparse(), "expected a dense tensor"),
        (np.ma.array([1, 2], mask=[0, 1]), "masked array with 1 masked"),
        (np.array([1j, 2]), "complex"),
    ],
)
def test_labels_of_other_types_are_refused(labels, message):
    with pytest.raises(ValueError, match=f"query_pids: .*{message}"):
        sg.evaluate(np.zeros((2, 3)), labels, [0, 1, 2])
    with pytest.raises(ValueError, match=f"query_pids: .*{message}"):
        sg.Features(ROWS[:2], ROWS, query_pids=labels)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.uint32, np.uint64, np.ulonglong, np.longlong, ">i4"]
)
def test_labels_of_every_integer_type_are_taken(dtype):
    values = label_vector(np.array([0, 7, 250], dtype), 3, "pids")
    assert values.tolist() == [0, 7, 250] and values.dtype == torch.int64


def test_the_advice_for_text_labels_numbers_both_sides_alike():
    query, gallery = np.array(["b", "a"]), np.array(["a", "c", "b"])
    both = np.unique(np.concatenate([query, gallery]).astype(str), return_inverse=True)[1]
    assert both.tolist() == [1, 0, 0, 2, 1]
    advice = "np.unique(np.concatenate([query, gallery]).astype(str), return_inverse=True)[1]"
    with pytest.raises(ValueError, match=re.escape(advice)):
        label_vector(query, 2, "pids")
