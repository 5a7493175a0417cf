"""Arrays of the caller become tensors, and results come back in the caller's kind.

What is refused, and how the errors read, is in test_bad_inputs.py.
"""

import numpy as np
import pytest
import torch

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
