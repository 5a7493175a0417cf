"""How good k="auto" is: its gain against the best fixed k, on real and synthetic sets.

python docs/studies/auto.py --shared ../shared/data/features --features runs/omniglot.npz

Writes docs/images/auto_gain.png and auto_curves.png, and prints the tables of
docs/studies/auto_results.md. A fixed k has k_q = k_g = k and half of the k + 1 paths.
"""

import logging
import tempfile
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
import tyro
from rich.progress import track
from sklearn.datasets import load_digits

import simgraph as sg
from simgraph.results import markdown
from simgraph.sim.auto import choose
from simgraph.sim.gap_statistics import neighborhood_gaps
from simgraph.sim.params import SIMParams
from simgraph.synthetic.features import write_sysu_mm01

KS = (*range(11), 12, 15, 20, 25, 30, 40, 60)
FOLLOW = {"num_paths": "auto", "k_query": "auto", "k_gallery": "auto"}
IMAGES = Path(__file__).parents[1] / "images"


class Case(NamedTuple):
    """A query and a gallery set, with identities to score by."""

    query: np.ndarray
    gallery: np.ndarray
    query_pids: np.ndarray
    gallery_pids: np.ndarray

    def turned(self):
        """The same case with queries and gallery swapped."""
        return Case(self.gallery, self.query, self.gallery_pids, self.query_pids)

    def thinned(self, sizes, rng):
        """At most `size` gallery images per identity, with a size drawn from `sizes` for each."""
        keep = [
            rng.permutation(np.flatnonzero(self.gallery_pids == p))[: rng.choice(sizes)]
            for p in np.unique(self.gallery_pids)
        ]
        rows = np.sort(np.concatenate(keep))
        return Case(self.query, self.gallery[rows], self.query_pids, self.gallery_pids[rows])


def read(path):
    """A feature file as one case."""
    f = sg.load_features(path)
    return Case(*(x.numpy() for x in (f.query, f.gallery, f.query_pids, f.gallery_pids)))


def cca(x, y, dim, shrink=1e-2):
    """Canonical correlation of two views: the two projections."""
    maps = []
    for view in (x, y):
        values, vectors = np.linalg.eigh(np.cov(view.T))
        values = values + shrink * values.mean()
        maps.append(vectors / np.sqrt(values) @ vectors.T)
    cross = (x - x.mean(0)).T @ (y - y.mean(0)) / len(x)
    left, _, right = np.linalg.svd(maps[0] @ cross @ maps[1])
    return (
        lambda v: (v - x.mean(0)) @ maps[0] @ left[:, :dim],
        lambda v: (v - y.mean(0)) @ maps[1] @ right.T[:, :dim],
    )


def half_digits(rng):
    """Digits of scikit-learn: left halves query right halves; CCA is fitted on other digits."""
    digits = load_digits()
    halves = [digits.images[:, :, s].reshape(-1, 32) for s in (slice(4), slice(4, 8))]
    fit, queries, gallery = np.split(rng.permutation(len(digits.target))[:1500], [800, 1100])
    left, right = cca(halves[0][fit], halves[1][fit], 16)
    sides = left(halves[0][queries]), right(halves[1][gallery])
    return Case(*(s.astype("f4") for s in sides), digits.target[queries], digits.target[gallery])


def drawn(rng, images, noise, gap, uneven=False, cameras=0.0, alike=0.0, dim=64):
    """Identities are points, gallery images lie around them, queries farther away and shifted."""

    def points(rows):
        return rng.normal(size=(rows, dim)) / dim**0.5

    people = max(15, 400 // images) if images > 1 else 200
    who = (1 - alike) ** 0.5 * points(people) + alike**0.5 * points(people)[np.arange(people) // 5]
    sizes = np.full(people, images)
    if uneven:
        sizes = np.maximum(1, np.round(images * rng.uniform(0.3, 1.7, people))).astype(int)
    pid, qid = np.arange(people).repeat(sizes), np.arange(people).repeat(4)
    seen = cameras * points(people * 4)[pid * 4 + rng.integers(0, 4, len(pid))]
    gallery = who[pid] + noise * points(len(pid)) + seen
    query = who[qid] + gap * points(len(qid)) + 0.7 * points(1)
    return Case(query.astype("f4"), gallery.astype("f4"), qid, pid)


def sysu_like(rng, shots):
    """500 queries and one drawn gallery of the synthetic stand-in for SYSU-MM01."""
    with tempfile.TemporaryDirectory() as folder:
        f = sg.load_features(write_sysu_mm01(folder))
    pid, cam = f.gallery_pids.numpy(), f.gallery_cams.numpy()
    places = [np.flatnonzero((pid == p) & (cam == c)) for p in np.unique(pid) for c in (1, 2, 4, 5)]
    rows = np.concatenate([rng.permutation(place)[:shots] for place in places])
    queries = rng.permutation(len(f.query))[:500]
    case = f.query[queries], f.gallery[rows], f.query_pids[queries], f.gallery_pids[rows]
    return Case(*(x.numpy() for x in case))


def real_cases(shared, files, rng):
    """Name → (family, case)."""
    thin = {"mfeat": (1, 2, 4, 7, 10, 15), "pku": (1,), "digits": (1, 2, 4, 10, 20)}
    whole = {}
    for name in ("mfeat_fou2kar_cca", "mfeat_kar2fou_cca", "pku_sketch_alt"):
        case, family = read(shared / f"{name}.npz"), name.split("_")[0]
        whole[name] = (family, case)
        whole[f"{name}, turned"] = (family, case.turned())
    whole |= {file.stem: ("network", read(file)) for file in files}
    whole["half digits"] = ("digits", half_digits(rng))
    cases = {}
    for name, (family, case) in whole.items():
        cases[name] = (family, case)
        for size in thin.get(family, (1, 2, 4, 6)):
            if size < np.unique(case.gallery_pids, return_counts=True)[1].max():
                cases[f"{name}, {size} per identity"] = (family, case.thinned([size], rng))
        if family == "network":
            cases[f"{name}, 1, 3 or 10 per identity"] = ("mixed", case.thinned([1, 3, 10], rng))
    return cases


def synthetic_cases(rng):
    """Name → (family, case)."""
    cases = {
        f"drawn, {n} per identity, {name}": ("synthetic", drawn(rng, n, noise, gap))
        for n in (1, 2, 4, 10, 30, 40)
        for name, noise, gap in (
            ("clean", 0.4, 1.5), ("middling", 1.0, 1.5), ("messy", 1.6, 1.6), ("worst", 2.5, 2.0)
        )
    }  # fmt: skip
    for n in (2, 4, 10, 30):
        for name, more in (
            ("uneven", {"uneven": True}),
            ("cameras", {"cameras": 0.9}),
            ("look-alikes", {"alike": 0.6}),
        ):
            cases[f"drawn, {n} per identity, {name}"] = (
                "synthetic",
                drawn(rng, n, 0.8, 1.2, **more),
            )
    cases["drawn, 1 per identity, look-alikes"] = ("synthetic", drawn(rng, 1, 0.8, 1.2, alike=0.6))
    for shots, name in ((1, "single-shot"), (10, "multi-shot")):
        cases[f"SYSU-like, {name}"] = ("SYSU-like", sysu_like(rng, shots))
    return cases


def mean_ap(case, **params):
    """mAP in percent."""
    d = sg.rerank(case.query, case.gallery, **params)
    return 100 * sg.evaluate(d, case.query_pids, case.gallery_pids, protocol="plain").mAP


class Row(NamedTuple):
    """The results of one set."""

    family: str
    baseline: float
    gains: dict[int, float]
    choice: SIMParams
    gain: float

    @property
    def best(self):
        """The fixed k with the largest gain."""
        return max(self.gains, key=self.gains.get)


def measure(family, case):
    """The gain at every fixed k, and at the k that auto chooses."""
    base = mean_ap(case, method="baseline")
    choice = choose(case.query, case.gallery)

    def gain(k):
        return mean_ap(case, method="sim", k=k, **FOLLOW) - base

    gains = {k: gain(k) for k in KS if k < len(case.gallery) - 1}
    return Row(family, base, gains, choice, gains.get(choice.k, gain(choice.k)))


def table(rows):
    """One row per set."""
    head = ["set", "baseline mAP", "best fixed k", "its gain", "auto's k", "its gain"]
    lines = [
        [name, f"{r.baseline:.1f}", str(r.best), f"{r.gains[r.best]:.1f}", str(r.choice.k),
         f"{r.gain:.1f}"]
        for name, r in rows.items()
    ]  # fmt: skip
    return markdown([head, *lines])


def summary(rows):
    """One row per family: auto's share of the best fixed k's gain, and its worst case."""
    lines = [
        ["sets", "number", "mean gain of the best fixed k", "of auto", "share", "worst of auto"]
    ]
    families = dict.fromkeys(r.family for r in rows.values())
    for family in [*families, "all but mixed"]:
        own = [
            r
            for r in rows.values()
            if family in (r.family, "all but mixed" * (r.family != "mixed"))
        ]
        best, auto = (
            np.mean(x) for x in zip(*((r.gains[r.best], r.gain) for r in own), strict=True)
        )
        worst = min(r.gain for r in own)
        share = f"{100 * auto / best:.0f} %"
        lines.append([family, str(len(own)), f"{best:.2f}", f"{auto:.2f}", share, f"{worst:.1f}"])
    return markdown(lines)


def plot_gains(rows, path):
    """One point per set: the gain of the best fixed k and the gain of auto."""
    figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
    for family in dict.fromkeys(r.family for r in rows.values()):
        own = [r for r in rows.values() if r.family == family]
        axes.scatter(
            [r.gains[r.best] for r in own], [r.gain for r in own], s=28, alpha=0.7, label=family
        )
    top = max(r.gains[r.best] for r in rows.values())
    axes.plot([0, top], [0, top], color="0.4", lw=1, label="as the best fixed k")
    axes.plot([0, top], [0, 0.9 * top], color="0.4", lw=1, ls="--", label="90 % of it")
    axes.axhline(0, color="0.4", lw=1, ls=":")
    axes.set(
        xlabel="gain of the best fixed k, points of mAP", ylabel="gain of k = auto, points of mAP"
    )
    axes.legend()
    figure.savefig(path, dpi=110)


def plot_curves(cases, rows, names, path):
    """For each set the gaps over k, and below them the gain; a line marks the choice."""
    columns = 3
    shape = 2 * -(-len(names) // columns), columns
    figure, axes = plt.subplots(*shape, figsize=(10, 2.7 * shape[0]), layout="constrained")
    for place, name in enumerate(names):
        upper, lower = (axes[2 * (place // columns) + i, place % columns] for i in (0, 1))
        row, (_, case) = rows[name], cases[name]
        unit = (torch.nn.functional.normalize(torch.tensor(x), dim=1) for x in case[:2])
        found = neighborhood_gaps(*unit, normalize=True)
        k = np.arange(1, len(found.gallery) + 1)
        upper.plot(k, np.exp(found.gallery), label="gallery: from k to k + 1")
        upper.plot(np.r_[0, k], np.exp(found.query), label="query: from k + 1 to k + 2")
        lower.plot(list(row.gains), list(row.gains.values()), color="C2")
        for axis, level in ((upper, 1), (lower, 0)):
            axis.axhline(level, color="0.6", lw=0.8)
            axis.axvline(row.choice.k, color="C3", ls="--", lw=1.2, label="auto")
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlim(-0.3, 66)
            axis.set_xticks([0, 1, 2, 5, 10, 20, 50], ["0", "1", "2", "5", "10", "20", "50"])
        upper.set_title(f"{name}: k = {row.choice.k}", fontsize=10)
        lower.set(xlabel="k", ylim=(-12, None))
        if place % columns == 0:
            upper.set_ylabel("step, times chance")
            lower.set_ylabel("gain in mAP")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main(shared: Path, features: tuple[Path, ...] = (), seed: int = 1) -> None:
    """Measure all sets, print the tables, draw the figures.

    Args:
        shared: folder of mfeat_*.npz and pku_sketch_alt.npz.
        features: feature files of networks, with ten gallery images per identity.
        seed: of the random sets.
    """
    logging.disable(logging.WARNING)
    rng = np.random.default_rng(seed)
    cases = real_cases(shared, features, rng) | synthetic_cases(rng)
    rows = {name: measure(*case) for name, case in track(cases.items(), total=len(cases))}
    print(summary(rows), table(rows), sep="\n\n")
    plot_gains(rows, IMAGES / "auto_gain.png")
    network = [f"{file.stem}{size}" for file in features[:1] for size in ("", ", 1 per identity")]
    names = [
        "mfeat_fou2kar_cca",
        "mfeat_fou2kar_cca, 4 per identity",
        "pku_sketch_alt",
        *network,
        "half digits",
    ]
    plot_curves(cases, rows, names, IMAGES / "auto_curves.png")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
