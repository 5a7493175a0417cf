"""SIM and rank_sim at one k for all sets: the table of docs/studies/forgiving_sim.md.

python docs/studies/forgiving_sim.py ../shared/data/real
"""

import sys
from pathlib import Path

import numpy as np

import simgraph as sg
from simgraph.results import markdown

KS = (1, 2, 4, 8, 15, 20, 30)
MOST_QUERIES = 300


def gains(file):
    """The baseline's mAP, and the gains of SIM at each k and of rank_sim at 20, in points."""
    f = sg.load_features(file)
    rows = np.unique(np.linspace(0, len(f.query) - 1, MOST_QUERIES).astype(int))
    f = f.select(rows, np.arange(len(f.gallery)))

    def score(method, **params):
        d = sg.rerank(f.query, f.gallery, method, **params)
        return 100 * sg.evaluate(d, f.query_pids, f.gallery_pids, protocol="plain").mAP

    base = score("baseline")
    of_sim = [score("sim", k=k, num_paths=(k + 2) // 2, k_query=k, k_gallery=k) - base for k in KS]
    return [base, *of_sim, score("rank_sim") - base]


if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("*.npz"))
    table = np.array([gains(file) for file in files])
    families = np.array([file.stem.split("_")[0] for file in files])
    head = ["set", "baseline", *(f"SIM {k}" for k in KS), "rank_sim"]
    names = [*(file.stem for file in files), "mean"]
    values = [*table, table.mean(0)]
    print(
        markdown(
            [head, *([n, *(f"{x:.2f}" for x in v)] for n, v in zip(names, values, strict=True))]
        )
    )
    sim = table[:, 1:-1]
    held_out = [sim[i, sim[families != families[i]].mean(0).argmax()] for i in range(len(files))]
    print(f"SIM, its k chosen on the other families: {np.mean(held_out):+.2f}")
