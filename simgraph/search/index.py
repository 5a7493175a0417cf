"""SIM for a fixed gallery: index it once, then answer queries exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import (
    Array,
    ArrayT,
    checked_rows,
    feature_pair,
    like_inputs,
    matrix,
    require_same_width,
)
from simgraph._deprecation import renamed_arguments, renamed_attribute, warn_renamed
from simgraph._params import require_int
from simgraph.features.arrays import prefix_errors
from simgraph.kernels.pruned_search import SIMScalars, nearest_by_sim
from simgraph.search.gallery import IndexedGallery, checked_neighbors, extend, prepare
from simgraph.search.io import read_index, write_index
from simgraph.search.structure import check_state
from simgraph.sim.auto import resolve_auto
from simgraph.sim.params import SIM_PARAMETERS, Auto, SIMParams

# Lists probed per query over those per image: queries are of another modality, and farther from
# the centers than gallery images.
_WIDER = 4


def _moved(name: str) -> Any:
    """A property that reads a parameter of SIM where it used to be, for one release."""

    def read(self: SIMIndex) -> Any:
        warn_renamed(f"SIMIndex.{name}", f"SIMIndex.fitted.{name}", level=3)
        return getattr(self.fitted or self.params, name)

    return property(read, doc=f"Old place of `fitted.{name}`.")


class SIMIndex:
    """A gallery indexed for the similarity inference metric, and searched without labels.

    The neighbors and the reciprocal sets of the gallery, and the inverses of both, are built once.
    A query then costs its row of distances D_qg and little more: only images near its nearest are
    scored, until a bound proves that no other can be among the top. The results are those of
    `simgraph.rerank(query, gallery, "sim")` to the last bit, unless `num_probes` restricts searches
    to a part of the gallery. Where `rerank` tracks gradients of the features it sums in another
    order, and its values differ by rounding; under `torch.no_grad()` they are equal again.

    Args:
        k: gallery neighbors per gallery image, 0 <= k < Ng.
        lam: λ in [0, 1], scale of gallery distances.
        num_paths: K, 1..k + 1.
        k_query: k_q, 1..Ng.
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1], weight of d_S.
        expand: whether to expand the reciprocal sets.
        normalize: scale every feature row to length 1 first.
        num_probes: for large galleries: how many lists of images, those around the nearest
            centers, to probe for the neighbors of an image, see `simgraph.search.approximate_knn`.
            Queries probe four times as many. None compares all images, and everything is exact.
        images_per_identity: about how many gallery images each identity has, where that is known:
            k = `"auto"` then needs no queries to choose by.

    Attributes:
        params: the parameters of SIM, as given.
        fitted: the same with numbers in place of `"auto"`; None before `fit`.
        recall: share of the exact neighbors that `fit` found, on a sample; 1 without
            `num_probes`.

    Source: Jia et al., IJCAI 2020, Algorithm 1.
    """

    k, lam, num_paths, k_query, k_gallery, alpha, expand = map(_moved, SIM_PARAMETERS)
    probes = renamed_attribute("probes", "num_probes")

    @renamed_arguments(probes="num_probes")
    def __init__(
        self,
        k: int | Auto = 20,
        lam: float = 0.01,
        num_paths: int | Auto = 9,
        k_query: int | Auto = 20,
        k_gallery: int | Auto = 20,
        alpha: float = 0.3,
        expand: bool = True,
        normalize: bool = True,
        num_probes: int | None = None,
        images_per_identity: float | None = None,
    ) -> None:
        if num_probes is not None:
            require_int("num_probes", num_probes, 1)
        self._params = SIMParams(
            k, lam, num_paths, k_query, k_gallery, alpha, expand, images_per_identity
        )
        self._fitted: SIMParams | None = None
        self._normalize = normalize
        self._num_probes, self._recall = num_probes, 1.0
        self._prepared: IndexedGallery | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        # The gallery was prepared with these settings; others would give wrong distances.
        if not name.startswith("_"):
            raise AttributeError(
                f"SIMIndex.{name} is read-only, got {value!r}: expected it as an argument of a "
                "new SIMIndex(...), which is then fitted"
            )
        super().__setattr__(name, value)

    @property
    def params(self) -> SIMParams:
        """The parameters of SIM, as given."""
        return self._params

    @property
    def fitted(self) -> SIMParams | None:
        """The parameters with numbers in place of `"auto"`; None before `fit`."""
        return self._fitted

    @property
    def normalize(self) -> bool:
        """Whether feature rows are scaled to length 1."""
        return self._normalize

    @property
    def num_probes(self) -> int | None:
        """Lists to probe for the neighbors of an image; None compares all images."""
        return self._num_probes

    @property
    def recall(self) -> float:
        """Share of the exact neighbors that `fit` found, on a sample."""
        return self._recall

    @property
    def num_gallery(self) -> int:
        """Images in the index; 0 before `fit`."""
        return 0 if self._prepared is None else len(self._prepared.rows)

    @property
    def num_lists(self) -> int:
        """Lists that the images are split into; 0 without `num_probes`."""
        file = None if self._prepared is None else self._prepared.file
        return 0 if file is None else len(file.centers)

    def resolve(self, gallery: Tensor, query: Array | None = None) -> SIMParams:
        """The parameters for a gallery: numbers in place of `"auto"`, and checked.

        Args:
            gallery: features [Ng, D], as given.
            query: features [Nq, D] that k is chosen by, all that will come or a sample of them;
                read only where k is `"auto"`.

        Returns:
            Checked parameters.

        Raises:
            ValueError: for parameters that do not fit, or k = `"auto"` without queries.
        """
        p = self.params
        if p.has_auto:
            if p.k == "auto" and p.images_per_identity is None and query is None:
                raise ValueError(
                    "k = 'auto': expected queries to choose it by, got none; give some to "
                    "fit(gallery, query=...), or give the index images_per_identity"
                )
            pair = feature_pair(gallery if query is None else query, gallery, self.normalize)
            p = resolve_auto(p, *pair, self.normalize)
        p.check(len(gallery))
        return p

    def fit(
        self,
        gallery: Array,
        neighbors: tuple[Array, Array] | None = None,
        query: Array | None = None,
    ) -> SIMIndex:
        """Index a gallery, in place of any gallery that the index held before.

        Args:
            gallery: features [Ng, D], floating, numpy (a memory map too) or torch; not copied
                unless they are normalized.
            neighbors: distances [Ng, k], ascending, and indices [Ng, k] of the nearest others of
                each image, if they were found before or elsewhere; None finds them.
            query: features [Nq, D] to choose k by if it is `"auto"`, at least a dozen.

        Returns:
            The index itself.

        Raises:
            ValueError: for bad features, or parameters that do not fit the gallery's size.
        """
        x = matrix(gallery, "gallery").detach()
        return self.fit_resolved(x, self.resolve(x, query), neighbors)

    def fit_resolved(
        self, gallery: Tensor, params: SIMParams, neighbors: tuple[Array, Array] | None = None
    ) -> SIMIndex:
        """`fit` with the parameters that `resolve` gave for the gallery."""
        x, p = checked_rows(gallery, "gallery", self.normalize), params
        nearest = None if neighbors is None else checked_neighbors(*neighbors, x, p.k)
        self._prepared, self._recall = prepare(
            x, nearest, p.k, self.num_probes, p.k_gallery, p.expand
        )
        self._fitted = p
        return self

    def add(self, gallery: Array) -> SIMIndex:
        """Append images to the gallery; the same as fitting all of them, up to rounding.

        Neighbor lists of old images are merged with the new columns only, and only the reciprocal
        sets that change are built again. Searches that run at the same time see the old gallery.

        The distances of neighbors are within 1e-3 of those of a fit, relative to them (1e-12 in
        float64; some 1e-5 in float32 for features of length 1). Images whose distances from
        another one are that close may change places in its list, and then the distances d_SIM
        around them change with the sets.

        Args:
            gallery: features [N, D] of the new images.

        Returns:
            The index itself.

        Raises:
            ValueError: for bad features, or before `fit`.
        """
        prepared, p = self._ready()
        x = self._like_gallery(gallery, "gallery", prepared)
        self._prepared = extend(prepared, x, p.k_gallery, p.expand)
        return self

    @renamed_arguments(top="top_k", probes="num_probes")
    def search(
        self, query: ArrayT, top_k: int = 20, num_probes: int | None = None
    ) -> tuple[ArrayT, ArrayT]:
        """Find the nearest gallery images of each query by d_SIM.

        An index with lists scores the images of the lists nearest to the query, and the gallery
        neighbors of the k_q nearest of these images. All others are at distance `inf`.

        Args:
            query: features [Nq, D], floating, numpy or torch.
            top_k: length of each list; more than Ng returns the whole gallery.
            num_probes: lists to probe, `num_lists` for all images; None is four times as many
                as the index was made with.

        Returns:
            distances d_SIM [Nq, top_k], ascending, `inf` where no path leads, and indices
            [Nq, top_k] into the gallery, with ties to the lower index; numpy if the queries are.

        Raises:
            ValueError: for bad features, or before `fit`.
        """
        prepared, p = self._ready()
        require_int("top_k", top_k, 1)
        q = self._like_gallery(query, "query", prepared)
        lists, length = prepared.lists, min(top_k, len(prepared.rows))
        terms = SIMScalars.of(p.lam, p.num_paths, p.k_query, p.alpha, lists.distances.dtype)
        num_probes = self._query_probes(num_probes)
        parts = [
            nearest_by_sim(d, lists, terms, length, torch.get_num_threads())
            for d in prepared.query_distances(q, num_probes, p.k_query)
        ]
        found, index = (np.concatenate(part) for part in zip(*parts, strict=True))
        return self._answer(found, query), self._answer(index, query)

    def save(self, path: str | Path) -> None:
        """Write the index to one safetensors file, under a temporary name first.

        Args:
            path: file to write, usually with the suffix `.safetensors`.

        Raises:
            ValueError: before `fit`.
        """
        write_index(path, *self.state())

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = True) -> SIMIndex:
        """Map an index written by `save` into memory; searches read its arrays on demand.

        Args:
            path: the file.
            verify: whether to compare all checksums first. The structure is always checked, at
                the speed of memory: types, shapes, indices, bounds, settings. Without checksums a
                damaged distance or reciprocal set that is a plausible one gives wrong answers.

        Returns:
            The index, on the CPU. Many threads and processes may search it.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: for another kind of file, another version, or a damaged file.
        """
        with prefix_errors(Path(path)):
            return cls.of_state(*read_index(path, verify))

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """The whole index: its arrays, not copied if they are on the CPU, and its settings.

        The names are those of the index file, where `num_probes` is `probes`.
        """
        prepared, p = self._ready()
        settings = {name: getattr(p, name) for name in SIM_PARAMETERS}
        own = {"normalize": self.normalize, "probes": self.num_probes, "recall": self.recall}
        return prepared.arrays(), settings | own

    @classmethod
    def of_state(cls, arrays: dict[str, NDArray[Any]], settings: dict[str, Any]) -> SIMIndex:
        """The index of arrays and settings that `state` returned, both checked."""
        check_state(arrays, settings)
        own = dict(settings)
        recall, num_probes = own.pop("recall"), own.pop("probes")
        index = cls(**own, num_probes=num_probes)
        index._fitted, index._recall = index.params, recall
        index._prepared = IndexedGallery.of_arrays(arrays)
        return index

    def _query_probes(self, num_probes: int | None) -> int | None:
        if num_probes is None:
            return None if self.num_probes is None else _WIDER * self.num_probes
        require_int("num_probes", num_probes, 1)
        if self.num_lists == 0:
            raise ValueError(
                f"num_probes = {num_probes}: expected an index with lists to probe; make it with "
                "SIMIndex(num_probes=...)"
            )
        return num_probes

    def _ready(self) -> tuple[IndexedGallery, SIMParams]:
        if self._prepared is None or self.fitted is None:
            raise ValueError("SIMIndex: expected a gallery, call fit(gallery) or load(path) first")
        return self._prepared, self.fitted

    def _like_gallery(self, value: Array, name: str, prepared: IndexedGallery) -> Tensor:
        """Checked features, in the dtype and on the device of the gallery."""
        gallery = prepared.rows.features
        x = matrix(value, name).detach().to(gallery.device, gallery.dtype)
        require_same_width(x, gallery)
        return checked_rows(x, name, self.normalize)

    def _answer(self, result: NDArray[Any], query: ArrayT) -> ArrayT:
        answer = torch.from_numpy(result)
        return like_inputs(answer.to(query.device) if isinstance(query, Tensor) else answer, query)
