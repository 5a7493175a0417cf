"""Which images make up each training batch: P identities, V visible and T infrared of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Sampler

from simgraph._params import require_int


class CrossModalitySampler(Sampler[list[int]]):
    r"""Batches of P identities with V visible and T infrared images each, for `batch_sampler=`.

    One index space holds both modalities: visible image i is index i, infrared image i is index
    len(visible_pids) + i. A batch lists identity after identity, each with its V visible images
    first, then its T infrared ones.

    An epoch has as many batches as it takes to draw as many images as the larger modality holds:

    $$\max\big(\lceil N_v / (P V) \rceil,\; \lceil N_t / (P T) \rceil\big)$$

    Identities are dealt from shuffled decks, and so are the images of each identity: every
    identity comes about equally often, and no image of one comes twice before its others came
    once, up to the few that a deck leaves over. An identity with fewer than V (or T) images fills
    its share by repeating them; only then does a batch hold an image twice.

    All draws follow from (seed, epoch). The state is where the next batch stands, so that an
    iteration starts where the last one stopped: after `load_state_dict` it yields the rest of that
    epoch, and at an epoch's end it moves on to the next one. A DataLoader with workers asks for
    batches ahead of time: save the number of batches *trained on* as the position, not this
    object's own.

    With world_size > 1 each rank yields the part of each batch with its own P / world_size
    identities; the ranks' lists one after another are the list that a single process yields.

    Args:
        visible_pids: [N_v] identity of each visible image, any integers.
        infrared_pids: [N_t] identity of each infrared image; the same identities.
        num_ids: P >= 1, identities in a batch, over all ranks.
        visible_per_id: V >= 1.
        infrared_per_id: T >= 1.
        seed: >= 0.
        rank: in [0, world_size).
        world_size: >= 1, divides P.

    Attributes:
        identities: [C] sorted; an image's training label is its identity's place in it.

    Raises:
        ValueError: if an identity has images of one modality only, there are fewer than P
            identities, world_size does not divide P, or a number is out of range.

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
        """Batches in a whole epoch, wherever the position stands."""
        return self._num_batches

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of the epoch from the position on, then stand before the next one."""
        batches = self._epoch_batches(self._epoch)
        while self._position < len(batches):
            # Counted before it goes out: a generator left behind never comes back to do so.
            self._position += 1
            yield batches[self._position - 1].tolist()
        self._epoch, self._position = self._epoch + 1, 0

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch; where it is the present one, stay at the position.

        Args:
            epoch: >= 0.

        Raises:
            ValueError: if epoch is not such a number.
        """
        require_int("epoch", epoch, 0)
        if epoch != self._epoch:
            self._epoch, self._position = epoch, 0

    def state_dict(self) -> dict[str, int]:
        """The epoch and the position in it, in batches yielded."""
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go to a place in an epoch.

        Args:
            state: "epoch" >= 0 and "position" in [0, len(self)], the batches already done.

        Raises:
            ValueError: if one is missing or out of range.
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
        chosen = _deal(rng, np.arange(len(self.identities)), self._num_ids, self._num_batches)
        rows = np.empty((chosen.size, sum(self._per_id)), dtype=np.int64)
        for identity, images in enumerate(self._images):
            places = np.flatnonzero(chosen.ravel() == identity)
            hands = [
                _deal(rng, deck, size, len(places))
                for deck, size in zip(images, self._per_id, strict=True)
            ]
            rows[places] = np.concatenate(hands, axis=1)
        parts = rows.reshape(self._num_batches, self._world_size, -1)
        return parts[:, self._rank]


def _deal(
    rng: np.random.Generator, deck: NDArray[np.int64], size: int, count: int
) -> NDArray[np.int64]:
    """Count hands of size cards, [count, size], from the deck, shuffled anew when it runs out.

    No hand holds a card twice, unless the deck has fewer cards than a hand.
    """
    per_shuffle = max(1, len(deck) // size)
    shuffles = -(-count // per_shuffle)
    hands = [
        # np.resize repeats a short deck.
        np.resize(rng.permutation(deck), (per_shuffle, size))
        for _ in range(shuffles)
    ]
    return np.concatenate([np.empty((0, size), dtype=np.int64), *hands])[:count]


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
            f"num_ids = {num_ids} must be at most {num_identities}, the identities there are "
            "(train.identities in a config)"
        )
    if num_ids % world_size:
        raise ValueError(
            f"num_ids = {num_ids} must be a multiple of world_size = {world_size}: each rank "
            "takes as many identities of a batch (train.identities in a config)"
        )
    if rank >= world_size:
        raise ValueError(f"rank = {rank} must be less than world_size = {world_size}")
