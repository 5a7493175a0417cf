"""Made-up galleries that tests of k="auto" share."""

import numpy as np


def gallery_of(images, identities, noise=0.6, gap=1.0, per=4, dim=32, seed=0):
    """Identities with some gallery images and `per` queries each, and a gap between modalities."""
    rng = np.random.default_rng(seed)
    draw = lambda rows: rng.normal(size=(rows, dim)) / np.sqrt(dim)  # noqa: E731
    center = draw(identities)
    pid, qid = np.arange(identities).repeat(images), np.arange(identities).repeat(per)
    gallery = center[pid] + noise * draw(len(pid))
    query = center[qid] + gap * draw(len(qid)) + 0.5 * draw(1)
    return query.astype("f4"), gallery.astype("f4"), qid, pid
