"""Galleries and queries around common centers, for the tests of search."""

import torch

SMALL = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 4, "alpha": 0.4}


def clustered(num, dim, seed, shift=0.0, spread=0.7, dtype=torch.float32):
    """Rows around 12 centers, the same for every seed; shifted as another modality is."""
    centers = torch.randn(12, dim, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    rows = centers[torch.randint(12, (num,), generator=generator)]
    return (rows + spread * torch.randn(num, dim, generator=generator) + shift).to(dtype)
