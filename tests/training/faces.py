"""A tiny two-modality folder: squares whose place tells the identity."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_folder(root: Path, identities: int = 4, images: int = 4) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for modality in ("visible", "infrared"):
            for identity in range(identities):
                folder = root / split / modality / f"person {identity}"
                folder.mkdir(parents=True)
                for number in range(images):
                    pixels = rng.integers(0, 60, size=(32, 16, 3), dtype=np.uint8)
                    pixels[6 * identity : 6 * identity + 8, 4:12] += 150
                    image = Image.fromarray(pixels)
                    if modality == "infrared":
                        image = image.convert("L")
                    image.save(folder / f"c{number % 2 + 1}_{number}.png")
    return root


SETTINGS = [
    "--dataset.name", "folder", "--model.arch", "resnet18", "--model.weights", "random",
    "--model.height", "32", "--model.width", "16", "--train.identities", "2",
    "--train.visible", "2", "--train.infrared", "2", "--train.epochs", "3",
    "--train.evaluate_every", "2", "--train.milestones", "2", "--train.workers", "0",
    "--train.pad", "2", "--sim.k", "3", "--sim.num_paths", "2", "--sim.k_query", "3",
    "--sim.k_gallery", "3",
]  # fmt: skip
