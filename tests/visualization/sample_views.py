"""A small trial view, with images and names that try to break what shows them."""

import numpy as np
from PIL import Image

import simgraph as sg
from simgraph.features import Features
from simgraph.visualization.trial_view import Images, TrialView

K = {"num_paths": 3, "k_query": 4, "k_gallery": 4}
"""Parameters that fit the small gallery."""

HOSTILE = (
    "$\\frac{1}{",
    "<script>alert('x')</script>",
    "a\"b'c&amp;",
    "é ÿ 山田太郎 🦊 \u202e",
    "\\n\t\r\x00\x07",
    "%s %d {x} ${y}$",
    "-",
    " ",
    "x" * 3000,
    "../../etc/passwd",
)


def features(num_ids=4, images=6, seed=0):
    rng = np.random.default_rng(seed)
    pid = np.repeat(np.arange(num_ids), images)
    center = rng.normal(size=(num_ids, 8))
    gallery = center[pid] + 0.4 * rng.normal(size=(len(pid), 8))
    query = center[pid] + 1.2 * rng.normal(size=(len(pid), 8)) + 0.5
    return Features(query.astype("f4"), gallery.astype("f4"), pid, pid)


def write_images(folder, count, mode):
    """Of different shapes and sizes."""
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        shape = (20 + 5 * (i % 3), 30 - 7 * (i % 4), 3)
        path = folder / f"{mode}{i} $x$ .png"
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).convert(mode).save(path)
        paths.append(path)
    return tuple(paths)


def names(count):
    return tuple(HOSTILE[i % len(HOSTILE)] for i in range(count))


def trial_view(folder=None, **kwargs):
    """With images below the folder, or without."""
    f = features(**kwargs)
    sides = (f.query, "L"), (f.gallery, "RGB")
    images = (
        Images(names(len(x)), None if folder is None else write_images(folder, len(x), mode))
        for x, mode in sides
    )
    return TrialView(f, *images, title=HOSTILE[0])


def distances(shown, k=4):
    f, own = shown.features, {"k": k, "k_query": k, "k_gallery": k}
    return {
        "baseline": sg.rerank(f.query, f.gallery, "baseline"),
        "sim": sg.rerank(f.query, f.gallery, "sim", num_paths=3, **own),
    }


def unlabeled(shown):
    """The same images without identities."""
    f = Features(shown.features.query, shown.features.gallery)
    return TrialView(f, shown.query, shown.gallery)
