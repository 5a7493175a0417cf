"""How good k="auto" is: its gain against the best fixed k, on real and synthetic sets.

python docs/studies/auto.py --shared ../shared/data --features network.npz

Prints the tables of docs/studies/auto_results.md, and draws docs/images/auto_gain.png and
auto_curves.png. A fixed k has k_q = k_g = k and half of the k + 1 paths.
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
from simgraph.sim import auto
from simgraph.sim.neighborhood_agreement import neighborhood_agreement
from simgraph.synthetic.features import write_sysu_mm01

KS = (*range(11), 12, 14, 17, 20, 24, 29, 36, 43, 52, 64)
ERRORS = (1, 2, 3, 4, 5)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FOLLOW = {"num_paths": "auto", "k_query": "auto", "k_gallery": "auto"}
LOSS = -0.5  # points of mAP that count as a loss
SHARED = (
    "coil20", "office", "omniglot", "pku", "roadscene", "usps2mnist", "veri", "viper", "wiki",
    "yaleb", "mfeat",
)  # fmt: skip
IMAGES = Path(__file__).parents[1] / "images"


class Case(NamedTuple):
    """A query and a gallery set, with identities to score by."""

    query: np.ndarray
    gallery: np.ndarray
    query_pids: np.ndarray
    gallery_pids: np.ndarray

    @property
    def images(self):
        """Median number of gallery images per identity."""
        return float(np.median(np.unique(self.gallery_pids, return_counts=True)[1]))

    def of_gallery(self, rows):
        """A part of the gallery."""
        return self._replace(gallery=self.gallery[rows], gallery_pids=self.gallery_pids[rows])

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
        return self.of_gallery(rows)


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
    """Name → (family, case): as given, turned, and thinned to a few gallery images."""
    cases = {}
    for file in sorted((shared / "real").glob("*.npz")):
        add(cases, file.stem, read(file), file.stem.split("_")[0], (1, 2, 4, 10, 30), rng)
    for file in sorted((shared / "features").glob("[mp]*.npz")):
        add(cases, file.stem, read(file), file.stem.split("_")[0], (1, 2, 4, 7, 10, 15), rng)
    add(cases, "half digits", half_digits(rng), "digits", (1, 2, 4, 10, 20), rng)
    for file in files:
        add(cases, file.stem, read(file), "network", (1, 2, 4, 6), rng)
        cases[f"{file.stem}, 1, 3 or 10"] = ("mixed", read(file).thinned([1, 3, 10], rng))
    return cases | small_cases(shared, rng)


def add(cases, name, case, family, sizes, rng):
    """The case, the turned case, and the case with fewer images per identity."""
    cases[name] = (family, case)
    cases[f"{name}, turned"] = (family, case.turned())
    for size in sizes:
        if size < case.images:
            cases[f"{name}, {size} per identity"] = (family, case.thinned([size], rng))


def small_cases(shared, rng):
    """Identities of 1, 3 or 10 images, and galleries of 20 to 60 images."""
    digits = read(shared / "features" / "mfeat_fou2kar_cca.npz")
    letters = read(shared / "real" / "omniglot_img2stroke.npz")
    cases = {"mfeat, 1, 3 or 10": ("mixed", digits.thinned([1, 3, 10], rng))}
    for size in (20, 40, 60):
        rows = rng.permutation(len(digits.gallery))[:size]
        cases[f"mfeat, gallery of {size}"] = ("tiny", digits.of_gallery(rows))
        few = letters.thinned([5], rng)
        rows = np.flatnonzero(np.isin(few.gallery_pids, np.unique(few.gallery_pids)[: size // 5]))
        cases[f"omniglot, gallery of {size}"] = ("tiny", few.of_gallery(rows))
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
    """What was measured on one set.

    gains: of each fixed k, in points of mAP. most_agreed: the k of the highest agreement.
    lead: of the contrast inside the gallery, in standard errors.
    """

    family: str
    shared: bool
    images: float
    baseline: float
    gains: dict[int, float]
    most_agreed: int
    lead: float
    chosen: int
    published: float | None

    @property
    def best(self):
        """The fixed k with the largest gain, of those that all sets try."""
        return max((k for k in self.gains if k in KS), key=self.gains.get)

    def by_agreement(self, errors=auto.ERRORS):
        """k of the rule with another number of standard errors."""
        return self.most_agreed if self.lead >= errors else 0

    def by_images(self, share=auto.SHARE):
        """k of the rule for given images per identity, with another share."""
        return self.size(share * (self.images - 1))

    def size(self, k):
        """k as far as the gallery allows."""
        return min(round(k), max(self.gains))


def measure(family, case):
    """The gain at every k that a table needs."""
    base, largest = mean_ap(case, method="baseline"), len(case.gallery) - 2
    most_agreed, lead = agreement(case)
    chosen = auto.choose(case.query, case.gallery).k
    ks = {*KS, most_agreed, chosen, *(round(share * (case.images - 1)) for share in SHARES)}
    gains = {
        k: mean_ap(case, method="sim", k=k, **FOLLOW) - base for k in sorted(ks) if k <= largest
    }
    published = mean_ap(case, method="sim") - base if largest >= 20 else None
    return Row(
        family,
        family in SHARED,
        case.images,
        base,
        gains,
        most_agreed,
        lead,
        chosen,
        published,
    )


def agreement(case):
    """The k at which neighborhoods agree most, and the lead of the gallery's contrast."""
    found = evidence(case)
    if found is None or len(case.gallery) < auto.MIN_GALLERY or len(case.query) < auto.MIN_QUERIES:
        return 0, -np.inf
    inside, across = found.gallery_contrast, found.query_contrast
    score = np.maximum(found.gallery, 0) * np.maximum(found.query, 0)
    k = int(found.sizes[score.argmax()]) if score.any() else 0
    return k, (inside.mean - across.mean) / np.hypot(inside.error, across.error)


def evidence(case):
    """What the rule looks at."""
    if len(case.gallery) < 5:
        return None
    unit = (torch.nn.functional.normalize(torch.tensor(x), dim=1) for x in case[:2])
    return neighborhood_agreement(*unit, normalize=True)


def table(rows):
    """One row per set."""
    head = ["set", "images per identity", "baseline mAP", "best fixed k", "gain", "auto's k",
            "gain", "k by images", "gain", "published k = 20"]  # fmt: skip
    lines = [
        [name, f"{r.images:g}", f"{r.baseline:.1f}", str(r.best), f"{r.gains[r.best]:+.1f}",
         str(r.chosen), f"{r.gains[r.chosen]:+.1f}", str(r.by_images()),
         f"{r.gains[r.by_images()]:+.1f}",
         "" if r.published is None else f"{r.published:+.1f}"]
        for name, r in rows.items()
    ]  # fmt: skip
    return markdown([head, *lines])


def summary(rows, choose=lambda r: r.chosen):
    """One row per group of sets: the share of the best fixed k's gain, and the worst set."""
    lines = [["sets", "number", "best fixed k", "auto", "share", "worst", "below -0.5"]]
    families = dict.fromkeys(r.family for r in rows.values())
    groups = {family: [r for r in rows.values() if r.family == family] for family in families}
    given = [r for name, r in rows.items() if "," not in name and r.shared]
    for name, own in {"real, as given": given, **groups, "all": list(rows.values())}.items():
        best = np.mean([r.gains[r.best] for r in own])
        gains = np.array([r.gains[choose(r)] for r in own])
        share = f"{100 * gains.mean() / best:.0f} %" if best > 0 else ""
        lines.append([name, str(len(own)), f"{best:.2f}", f"{gains.mean():.2f}", share,
                      f"{gains.min():+.1f}", str((gains < LOSS).sum())])  # fmt: skip
    return markdown(lines)


def left_out(rows, constants, choose, loss=LOSS):
    """Each family with the constant that is best on the other families.

    Best is: fewest sets that lose more than `loss`, then the largest mean gain.
    """

    def fitness(constant, family):
        gains = [r.gains[choose(r, constant)] for r in rows.values() if r.family != family]
        return -(np.array(gains) < loss).sum(), np.mean(gains)

    families = dict.fromkeys(r.family for r in rows.values())
    chosen = {family: max(constants, key=lambda c: fitness(c, family)) for family in families}
    print("constants with each family left out:", chosen)
    return lambda r: choose(r, chosen[r.family])


def plot_gains(rows, path):
    """One point per set: the gain of the best fixed k and the gain of auto."""
    figure, axes = plt.subplots(figsize=(7.2, 5.2), layout="constrained")
    for place, family in enumerate(dict.fromkeys(r.family for r in rows.values())):
        own = [r for r in rows.values() if r.family == family]
        best, chosen = (
            [r.gains[k(r)] for r in own] for k in (lambda r: r.best, lambda r: r.chosen)
        )
        axes.scatter(best, chosen, s=24, alpha=0.7, label=family, marker="os^Dv"[place // 10],
                     color=f"C{place % 10}")  # fmt: skip
    top = max(r.gains[r.best] for r in rows.values())
    axes.plot([0, top], [0, top], color="0.4", lw=1, label="as the best fixed k")
    axes.axhline(0, color="0.4", lw=1, ls=":")
    axes.set(
        xlabel="gain of the best fixed k, points of mAP", ylabel="gain of k = auto, points of mAP"
    )
    figure.legend(loc="outside right upper", fontsize=8)
    figure.savefig(path, dpi=110)


def plot_curves(cases, rows, names, path):
    """For each set the agreement over k, and below it the gain; a line marks the choice."""
    columns = 3
    shape = 2 * -(-len(names) // columns), columns
    figure, axes = plt.subplots(*shape, figsize=(10, 2.7 * shape[0]), layout="constrained")
    for place, name in enumerate(names):
        upper, lower = (axes[2 * (place // columns) + i, place % columns] for i in (0, 1))
        row, found = rows[name], evidence(cases[name][1])
        upper.plot(found.sizes, found.gallery, label="in the gallery")
        upper.plot(found.sizes, found.query, label="queries and first hits")
        ks = [k for k in row.gains if k <= 64]
        lower.plot(ks, [row.gains[k] for k in ks], color="C2")
        for axis in (upper, lower):
            axis.axhline(0, color="0.6", lw=0.8)
            axis.axvline(row.chosen, color="C3", ls="--", lw=1.2, label="auto")
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlim(-0.3, 66)
            axis.set_xticks([0, 1, 2, 5, 10, 20, 50], ["0", "1", "2", "5", "10", "20", "50"])
        upper.set_title(f"{name}: k = {row.chosen}", fontsize=10)
        lower.set(xlabel="k", ylim=(-12, None))
        if place % columns == 0:
            upper.set_ylabel("agreement above chance")
            lower.set_ylabel("gain in mAP")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


CURVES = (
    "mfeat_fou2kar_cca", "omniglot_img2stroke", "roadscene_vis2ir",
    "pku_sketch_alt", "usps2mnist_pixel", "viper_mdf_s1",
)  # fmt: skip


def main(shared: Path, features: tuple[Path, ...] = (), seed: int = 1, draw: bool = True) -> None:
    """Measure all sets, print the tables, draw the figures.

    Args:
        shared: folder with the folders features and real.
        features: feature files of networks.
        seed: of the random sets.
        draw: draw the figures.
    """
    logging.disable(logging.WARNING)
    rng = np.random.default_rng(seed)
    cases = real_cases(shared, features, rng) | synthetic_cases(rng)
    rows = {name: measure(*case) for name, case in track(cases.items(), total=len(cases))}
    print("auto", summary(rows), sep="\n\n")
    held_out = left_out(rows, ERRORS, Row.by_agreement)
    print("auto, families left out", summary(rows, held_out), sep="\n\n")
    print("images per identity given", summary(rows, Row.by_images), sep="\n\n")
    held_out = left_out(rows, SHARES, Row.by_images, 4 * LOSS)
    print("images per identity given, families left out", summary(rows, held_out), sep="\n\n")
    print(table(rows))
    if draw:
        plot_gains(rows, IMAGES / "auto_gain.png")
        plot_curves(cases, rows, CURVES, IMAGES / "auto_curves.png")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
