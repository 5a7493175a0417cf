"""Training of the embedding network: model, losses, batches, augmentation, learning rate."""

try:
    import kornia  # noqa: F401
    import lightning_fabric  # noqa: F401
    import tensorboard  # noqa: F401
except ImportError as error:
    raise ImportError(f"training needs {error.name}: pip install 'simgraph[train]'") from error

from simgraph.training.augmentation import TestTransform, TrainAugmentation
from simgraph.training.backbone import Backbone
from simgraph.training.losses import BatchHardTriplet, WeightedRegularizedTriplet, cross_entropy
from simgraph.training.optimization import adam, rate_factor, step_schedule
from simgraph.training.sampler import CrossModalitySampler
from simgraph.training.weights import load_imagenet

__all__ = [
    "Backbone",
    "BatchHardTriplet",
    "CrossModalitySampler",
    "TestTransform",
    "TrainAugmentation",
    "WeightedRegularizedTriplet",
    "adam",
    "cross_entropy",
    "load_imagenet",
    "rate_factor",
    "step_schedule",
]
