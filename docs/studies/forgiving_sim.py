"""SIM and rank_sim at one k for all sets: the figures of docs/studies/forgiving_sim.md.

python docs/studies/forgiving_sim.py ../shared/data/real
"""

import sys
from pathlib import Path

import numpy as np

import simgraph as sg
from simgraph.distances import l2_distance
from simgraph.results import markdown

KS = (1, 2, 4, 8, 15, 20, 30)
MOST_QUERIES = 300
EXPONENTS, MIXED = (0.5, 1, 2), (0, 0.3, 0.5)


def read(file):
    """The features of a file, and of at most MOST_QUERIES queries."""
    f = sg.load_features(file)
    rows = np.unique(np.linspace(0, len(f.query) - 1, MOST_QUERIES).astype(int))
    return f.select(rows, np.arange(len(f.gallery)))


def rank_weighted(d_qg, d_gg, exponent, k=20, alpha=0.3):
    """rank_sim with the weight (1 + r)^-exponent, with dense matrices."""

    def codes(d):
        order = np.argsort(d, axis=1, kind="stable")[:, : k + 1]
        weights = np.zeros(d.shape)
        np.put_along_axis(weights, order, np.arange(1.0, k + 2) ** -exponent, axis=1)
        return weights

    np.fill_diagonal(d_gg, -1)
    v, w = codes(d_qg), codes(d_gg)
    total = w[0].sum()
    shared = np.array([np.minimum(row, w).sum(1) for row in v])
    return alpha * d_qg @ w.T / total + (1 - alpha) * (1 - shared / (2 * total - shared))


def variant_gains(file):
    """The gain of each exponent and share of the baseline, in points."""
    f = read(file)
    unit = [x / x.norm(dim=1, keepdim=True) for x in (f.query.double(), f.gallery.double())]
    d_qg, d_gg = (l2_distance(x, unit[1]).numpy() for x in unit)

    def score(d):
        return 100 * sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP

    def standard(d):
        return (d - d.mean(1, keepdims=True)) / d.std(1, keepdims=True)

    base, found = score(d_qg), []
    for exponent in EXPONENTS:
        d = standard(rank_weighted(d_qg, d_gg.copy(), exponent))
        found += [score((1 - m) * d + m * standard(d_qg)) - base for m in MIXED]
    return found


def left_out(gains, families):
    """For each set the gain of the column that is best on the other families."""
    chosen = [gains[families != family].mean(0).argmax() for family in families]
    return gains[np.arange(len(gains)), chosen], chosen


def gains(file):
    """The baseline's mAP, and the gains of rank_sim at 20 and of SIM at each k, in points."""
    f = read(file)

    def score(method, **params):
        d = sg.rerank(f.query, f.gallery, method, **params)
        return 100 * sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP

    base = score("baseline")
    of_sim = [score("sim", k=k, num_paths=(k + 2) // 2, k_query=k, k_gallery=k) - base for k in KS]
    return [base, score("rank_sim") - base, *of_sim]


def print_table(head, names, values):
    """A row per set, and their mean."""
    lines = [[name, *(f"{x:.2f}" for x in row)] for name, row in zip(names, values, strict=True)]
    print(markdown([head, *lines]), end="\n\n")


if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("*.npz"))
    families = np.array([file.stem.split("_")[0] for file in files])
    table = np.array([gains(file) for file in files])
    names = [*(file.stem for file in files), "mean"]
    head = ["set", "baseline", "rank_sim", *(f"SIM {k}" for k in KS)]
    print_table(head, names, [*table, table.mean(0)])
    held_out, _ = left_out(table[:, 2:], families)
    print(f"SIM, its k chosen on the other families: {held_out.mean():+.2f}")

    variants = np.array([variant_gains(file) for file in files])
    head = ["exponent, share of the baseline", "mean", "worst"]
    names = [f"{e:g}, {m:g}" for e in EXPONENTS for m in MIXED]
    print_table(head, names, np.c_[variants.mean(0), variants.min(0)])
    held_out, chosen = left_out(variants, families)
    print(
        f"the variant chosen on the other families: {held_out.mean():+.2f}",
        {names[i] for i in chosen},
    )
