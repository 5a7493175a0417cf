"""Training batches of P identities, with V visible and T infrared images per identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Sampler

from simgraph._params import require_int


class CrossModalitySampler(Sampler[list[int]]):
    r"""Sample batches of P identities with V visible and T infrared images each.

    For `batch_sampler=` of a DataLoader. One index space holds both modalities: visible image i
    has index i, infrared image i has index len(visible_pids) + i. A batch lists identity after
    identity, the V visible images before the T infrared ones.

    An epoch has enough batches to draw as many images as the larger modality has:

    $$\max\big(\lceil N_v / (P V) \rceil,\; \lceil N_t / (P T) \rceil\big)$$

    Identities are sampled without replacement from a shuffled pool, which is refilled when it is
    empty, and so are the images per identity. Identities are therefore drawn about equally
    often, and all images of an identity are used once before one is used again (except for the
    remainder of a pool that does not fill a batch). An identity with fewer than V (or T) images
    repeats them; only then does a batch contain an image twice.

    All draws follow from (seed, epoch). The state is the position of the next batch, so that an
    iteration starts where the last one stopped: after `load_state_dict` it yields the rest of that
    epoch, and at the end of an epoch it moves on to the next one. A DataLoader with workers
    requests batches ahead of time: save the number of batches *trained on* as the position, not
    the position of this object.

    With world_size > 1 each rank yields the part of each batch with its own P / world_size
    identities. The concatenated lists of all ranks are the list that a single process yields.

    Args:
        visible_pids: [N_v] identities of the visible images, any integers.
        infrared_pids: [N_t] identities of the infrared images; the same set of identities.
        num_ids: P >= 1, identities per batch, over all ranks.
        visible_per_id: V >= 1, visible images per identity.
        infrared_per_id: T >= 1, infrared images per identity.
        seed: >= 0.
        rank: in [0, world_size).
        world_size: >= 1, divides P.

    Attributes:
        identities: [C] sorted; the training label of an image is the index of its identity.

    Raises:
        ValueError: for an identity with images of one modality only, fewer than P identities, a
            world_size that does not divide P, or a number out of range.

    Source: Hermans et al., 2017 (P × K batches); Ye et al., TPAMI 2021 (both modalities).
    """

    def __init__(
        self,
        visible_pids: ArrayLike,
        infrared_pids: ArrayLike,
        num_ids: int,
        visible_per_id: int,
        infrared_per_id: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        visible, infrared = _pids(visible_pids, "visible"), _pids(infrared_pids, "infrared")
        _require_both_modalities(visible, infrared)
        self.identities = np.unique(visible)
        for name, value, low in (
            ("num_ids", num_ids, 1),
            ("visible_per_id", visible_per_id, 1),
            ("infrared_per_id", infrared_per_id, 1),
            ("seed", seed, 0),
            ("world_size", world_size, 1),
            ("rank", rank, 0),
        ):
            require_int(name, value, low)
        _require_fit(num_ids, len(self.identities), rank, world_size)
        self._num_ids, self._seed = num_ids, seed
        self._per_id = (visible_per_id, infrared_per_id)
        self._rank, self._world_size = rank, world_size
        # For each identity its visible and its infrared indices.
        self._images = [
            (np.flatnonzero(visible == pid), len(visible) + np.flatnonzero(infrared == pid))
            for pid in self.identities
        ]
        self._num_batches = max(
            -(-len(visible) // (num_ids * visible_per_id)),
            -(-len(infrared) // (num_ids * infrared_per_id)),
        )
        self._epoch = self._position = 0

    def __len__(self) -> int:
        """Batches per epoch, independent of the position."""
        return self._num_batches

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the epoch from the position on, then move to the next epoch."""
        batches = self._epoch_batches(self._epoch)
        while self._position < len(batches):
            # Counted before the yield: code after it does not run in an abandoned generator.
            self._position += 1
            yield batches[self._position - 1].tolist()
        self._epoch, self._position = self._epoch + 1, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch; for the current epoch, stay at the position.

        Args:
            epoch: >= 0.

        Raises:
            ValueError: for another value.
        """
        require_int("epoch", epoch, 0)
        if epoch != self._epoch:
            self._epoch, self._position = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """The epoch, and the position in it as the number of batches yielded."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go to a position in an epoch.

        Args:
            state: "epoch" >= 0 and "position" in [0, len(self)], the batches already done.

        Raises:
            ValueError: for a missing key, or a number out of range.
        """
        if set(state) != {"epoch", "position"}:
            raise ValueError(f"state: expected 'epoch' and 'position', got {sorted(state)}")
        require_int("epoch", state["epoch"], 0)
        require_int("position", state["position"], 0)
        if state["position"] > len(self):
            raise ValueError(
                f"position = {state['position']} must be at most {len(self)}, the batches of an "
                "epoch; was the state saved for other data or batch sizes?"
            )
        self._epoch, self._position = state["epoch"], state["position"]

    def _epoch_batches(self, epoch: int) -> NDArray[np.int64]:
        """This rank's part of every batch of an epoch, [batches, P / world_size · (V + T)]."""
        rng = np.random.default_rng([self._seed, epoch])
        chosen = _sample_without_replacement(
            rng, np.arange(len(self.identities)), self._num_ids, self._num_batches
        )
        rows = np.empty((chosen.size, sum(self._per_id)), dtype=np.int64)
        for identity, images in enumerate(self._images):
            places = np.flatnonzero(chosen.ravel() == identity)
            groups = [
                _sample_without_replacement(rng, pool, size, len(places))
                for pool, size in zip(images, self._per_id, strict=True)
            ]
            rows[places] = np.concatenate(groups, axis=1)
        parts = rows.reshape(self._num_batches, self._world_size, -1)
        return parts[:, self._rank]


def _sample_without_replacement(
    rng: np.random.Generator, pool: NDArray[np.int64], size: int, count: int
) -> NDArray[np.int64]:
    """Sample groups from a pool, [count, size]; the pool is shuffled again when it is used up.

    No group contains an element twice, unless the pool is smaller than a group.
    """
    per_shuffle = max(1, len(pool) // size)
    shuffles = -(-count // per_shuffle)
    groups = [
        # np.resize repeats a pool that is too small.
        np.resize(rng.permutation(pool), (per_shuffle, size))
        for _ in range(shuffles)
    ]
    # The empty array gives the result its shape where count is 0.
    return np.concatenate([np.empty((0, size), dtype=np.int64), *groups])[:count]


def _pids(values: ArrayLike, modality: str) -> NDArray[np.int64]:
    pids = np.asarray(values)
    if pids.ndim != 1 or not len(pids) or pids.dtype.kind not in "iu":
        raise ValueError(
            f"{modality}_pids: expected one integer per {modality} image, at least one, "
            f"got {pids.dtype} of shape {pids.shape}"
        )
    return pids.astype(np.int64)


def _require_both_modalities(visible: NDArray[np.int64], infrared: NDArray[np.int64]) -> None:
    for have, other, pids in (
        ("visible", "infrared", np.setdiff1d(visible, infrared)),
        ("infrared", "visible", np.setdiff1d(infrared, visible)),
    ):
        if len(pids):
            more = ", ..." if len(pids) > 5 else ""
            raise ValueError(
                f"expected every identity in both modalities, got {len(pids)} with {have} images "
                f"only: {', '.join(map(str, pids[:5]))}{more}; add their {other} images or leave "
                "them out"
            )


def _require_fit(num_ids: int, num_identities: int, rank: int, world_size: int) -> None:
    if num_ids > num_identities:
        raise ValueError(
            f"num_ids = {num_ids} must be at most {num_identities}, the number of identities "
            "(train.num_ids in a config)"
        )
    if num_ids % world_size:
        raise ValueError(
            f"num_ids = {num_ids} must be a multiple of world_size = {world_size}: each rank "
            "takes an equal share of a batch's identities (train.num_ids in a config)"
        )
    if rank >= world_size:
        raise ValueError(f"rank = {rank} must be less than world_size = {world_size}")
