"""The evidence that k="auto" chooses by, in loops."""

import math

import numpy as np


def mean_log_gaps(lists):
    """Mean over rows of k · log(d_{k+1} / d_k), from ascending lists."""
    steps = []
    for k in range(1, lists.shape[1]):
        steps.append(np.mean([k * math.log(row[k] / row[k - 1]) for row in lists]))
    return steps


def agreement(d_qg, d_gg):
    """For the 1st..4th neighbors of each query's two first hits: mean nearness over the hits'."""
    near = -np.square(d_qg)
    near = near - near.mean(axis=0)
    near = near - near.mean(axis=1, keepdims=True)
    near = near / near.std(axis=1, ddof=1, keepdims=True)
    result = []
    for k in (1, 2, 3, 4):
        hits, beside = [], []
        for row in near:
            for hit in sorted(range(len(row)), key=lambda g: -row[g])[:2]:
                others = sorted((d_gg[hit][g], g) for g in range(len(row)) if g != hit)
                hits.append(row[hit])
                beside.append(row[others[k - 1][1]])
        result.append(np.mean(beside) / np.mean(hits))
    return result
