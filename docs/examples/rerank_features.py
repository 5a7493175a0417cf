"""Re-rank your own features: two matrices in, a better ranking out.

The matrices here are random; replace them with the features of your model.
"""

import numpy as np

import simgraph as sg

rng = np.random.default_rng(0)
identity = np.arange(40).repeat(12)  # 40 people, 12 images per person and modality
person = rng.normal(size=(40, 128))[identity]
gallery = person + 0.8 * rng.normal(size=person.shape)  # [Ng, D]: RGB, low noise
query = person + 3 * rng.normal(size=person.shape) + 1  # [Nq, D]: infrared, noisy and shifted

# Twelve gallery images per identity: neighborhoods of about that size, half as many paths.
settings = {"k": 11, "num_paths": 6, "k_query": 11, "k_gallery": 11}

for method in ("baseline", "sim"):
    distances = sg.rerank(query, gallery, method, **(settings if method == "sim" else {}))
    scores = sg.evaluate(distances, identity, identity, protocol="plain")
    print(f"{method:9} rank-1 {100 * scores.rank(1):5.2f}  mAP {100 * scores.mAP:5.2f}")

# The ten best gallery images of each query, best first.
ranked = distances.argsort(axis=1, kind="stable")[:, :10]
