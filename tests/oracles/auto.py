"""The evidence that k="auto" chooses by, in loops."""

import math

import numpy as np


def neighborhood(row, own, k):
    """An image and its k nearest others, ties to the lower index."""
    others = sorted((d, g) for g, d in enumerate(row) if g != own)
    return [own, *(g for _, g in others[:k])]


def overlap_within(d_gg, k):
    """Mean share of the neighborhoods of each image and of one of its neighbors.

    The rank of the neighbor is the golden ratio's multiple of the image's number, spread over 1..k.
    """
    shares = []
    for image, row in enumerate(d_gg):
        own = neighborhood(row, image, k)
        partner = own[1 + int(image * 0.618034 % 1 * k)]
        shares.append(len(set(own) & set(neighborhood(d_gg[partner], partner, k))) / (k + 1))
    return np.mean(shares)


def overlap_across(d_qg, d_gg, k):
    """Mean share of each query's k + 1 nearest images and its first hit's neighborhood."""
    shares = []
    for row in d_qg:
        near = [g for _, g in sorted((d, g) for g, d in enumerate(row))][: k + 1]
        shares.append(len(set(near) & set(neighborhood(d_gg[near[0]], near[0], k))) / (k + 1))
    return np.mean(shares)


def contrast(rows, exclude_own):
    """Mean and standard error of (mean D² − smallest D²) / standard deviation of D²."""
    z = []
    for image, row in enumerate(rows):
        squared = [d * d for g, d in enumerate(row) if not (exclude_own and g == image)]
        mean = sum(squared) / len(squared)
        deviation = math.sqrt(sum((s - mean) ** 2 for s in squared) / len(squared))
        z.append((mean - min(squared)) / deviation)
    return np.mean(z), np.std(z) / math.sqrt(len(z))
