"""A small test set and its files, for the tests of features and their readers."""

import numpy as np
import torch

FIELDS = ("query", "gallery", "query_pids", "gallery_pids", "query_cams", "gallery_cams")


def matrix(rows, columns=4, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def example(**changes):
    values = {
        "query": matrix(3),
        "gallery": matrix(5, seed=1),
        "query_pids": np.array([1, 2, 3]),
        "gallery_pids": np.array([1, 1, 2, 3, 4]),
        "query_cams": np.array([3, 3, 6]),
        "gallery_cams": np.array([1, 2, 4, 5, 1]),
    }
    return {**values, **changes}


def keyed(values):
    """Field names to the keys of files."""
    keys = {"query": "query_feat", "gallery": "gallery_feat"}
    return {
        keys.get(name, name.removesuffix("s")): value
        for name, value in values.items()
        if value is not None
    }


def assert_same(one, two):
    for name in FIELDS:
        a, b = getattr(one, name), getattr(two, name)
        assert (a is None and b is None) or (a.dtype == b.dtype and torch.equal(a, b)), name
