"""Small scenes to explore: ties and duplicates, protocols, images with hostile names."""

import numpy as np
import torch
from PIL import Image

from simgraph.features import Features
from simgraph.visualization.trial_view import Images, TrialView, trial_view_of_features

HOSTILE = (
    "<script>document.title='run'</script>",
    "</script><img src=x onerror=alert(1)>.png",
    "\"'`&amp;<!--<b>bold",
    "‮gnp.evil⁦ עברית العربية",
    "日本語🙂\u2028\x00\udcff",
    "long" * 200,
    "javascript:alert(1)//{{about}}",
)


def labeled(query, gallery, identities, protocol="plain", cameras=(3, 2)):
    """A view of features; identities are dealt in turn."""
    pids = [np.arange(len(side)) % identities for side in (query, gallery)]
    cams = [np.full(len(side), cam) for side, cam in zip((query, gallery), cameras, strict=True)]
    cams[0][::2], cams[1][: len(gallery) // 2] = 6, 4
    features = Features(query, gallery, *pids, *cams)
    return trial_view_of_features(features, protocol, "a small set")


def points(num_queries=24, num_gallery=66, identities=6, seed=0, protocol="plain"):
    """Groups that a baseline confuses; every gallery row occurs twice, which gives many ties."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(identities, 8))
    half = num_gallery // 2
    gallery = np.repeat(centers[np.arange(half) % identities] + rng.normal(size=(half, 8)), 2, 0)
    gallery = np.concatenate([gallery[0::2], gallery[1::2]])
    query = centers[np.arange(num_queries) % identities] + 1.4 * rng.normal(size=(num_queries, 8))
    return labeled(query.astype(np.float32), gallery.astype(np.float32), identities, protocol)


def integers(seed=1):
    """Few distinct distances: nearly all of them are ties. One-hot rows have two lengths only."""
    rng = np.random.default_rng(seed)
    rows = np.eye(4, dtype=np.float32)
    return labeled(rows[rng.integers(0, 4, 9)], rows[rng.integers(0, 4, 26)], 3)


def pictures(folder):
    """Images on disk, with names that try to break out of their element."""
    view = points(num_queries=14, num_gallery=44)
    sides = []
    for side, count in (("query", 14), ("gallery", 44)):
        paths = []
        for i in range(count):
            paths.append(folder / f"{side}_{i}.png")
            Image.new("RGB", (20, 40), (90 * (i % 3), 40 + 3 * i, 200)).save(paths[-1])
        names = [HOSTILE[i] if i < len(HOSTILE) else f"{side}/{i:04d}.png" for i in range(count)]
        sides.append(Images(tuple(names), tuple(paths)))
    return TrialView(view.features, *sides, "plain", "<script>alert('title')</script> & \"set\"")


def benchmark_size():
    """3803 queries and 3010 gallery images, ten of each of 301 identities."""
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(301, 16, generator=generator)
    gallery_pid = torch.arange(301).repeat_interleave(10)
    query_pid = torch.randint(0, 301, (3803,), generator=generator)
    gallery = people[gallery_pid] + torch.randn(3010, 16, generator=generator)
    query = people[query_pid] + 1.5 * torch.randn(3803, 16, generator=generator)
    features = Features(query, gallery, query_pid, gallery_pid)
    return trial_view_of_features(features, "plain", "as large as SYSU-MM01")
