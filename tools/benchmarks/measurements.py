"""All numbers of the table of one size, measured in one run."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from benchmarks.peak import WAYS, peak_above_inputs, peak_of_process
from benchmarks.plain import products_and_topk
from benchmarks.sizes import Size, draw
from benchmarks.stages import (
    FLOOR,
    MNNR,
    SGR,
    WHOLE,
    K,
    answer_recalls,
    plain_stages,
    search_times,
    sim_stages,
)
from benchmarks.timing import Stages, best_times, device_name
from simgraph.rerankers import rerank
from simgraph.search import SIMIndex

logger = logging.getLogger(__name__)


@dataclass
class Result:
    """The measurements at one size.

    Attributes:
        size: the test set.
        device: the card, or the processor's threads.
        seconds: time of each stage.
        peak: bytes above the inputs of each way.
        values: other numbers, by name.
        notes: what was left out, and why.
    """

    size: Size
    device: str
    seconds: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


# Images above which D_qg is never made, and queries are answered by an index only.
_INDEXED = 50_000
# Images above which gallery neighbors are approximate, and the lists that are then probed.
_APPROXIMATE, _PROBES = 200_000, 16
# Numbers of probed lists for which recall is measured, and queries per search.
_RECALLS, _BATCH = [16, 32, 64, 128, 256], 200


def measure(size: Size, device: str, repeats: int) -> Result:
    """Measure one size: all stages if D_qg fits into memory, else the index.

    Args:
        size: the test set.
        device: `"cpu"` or `"cuda"`.
        repeats: rounds over the stages, of which the best time of each counts.

    Returns:
        The numbers.
    """
    if size.num_gallery < _INDEXED:
        return _measure_dense(size, device, repeats)
    return _measure_index(size, device)


def _measure_dense(size: Size, device: str, repeats: int) -> Result:
    """Measure every stage, the plain implementations, single queries, and peak memory."""
    query, gallery = (x.to(device) for x in draw(size))
    result = Result(size, device_name(device))
    result.seconds = best_times(sim_stages(query, gallery), device, repeats)
    plain, result.notes = plain_stages(query, gallery)
    result.seconds |= best_times(plain, device, 1)
    index = SIMIndex(normalize=False).fit(gallery)
    result.seconds |= search_times(index, query[:20], gallery, device, 5)
    if device == "cuda":
        result.values = _beside_copy(result.seconds, query, gallery, repeats)
    result.peak = {way: peak_above_inputs(size, way, device) for way in WAYS}
    return result


def _beside_copy(
    seconds: dict[str, float], query: Tensor, gallery: Tensor, repeats: int
) -> dict[str, float]:
    """Compare SGR and MNNR with a copy of D_qg on the GPU, and the whole with the CPU."""
    d = rerank(query, gallery, normalize=False)
    copy = best_times({"copy": d.clone}, "cuda", max(3, repeats))["copy"]
    here = rerank(query[:256].cpu(), gallery.cpu(), normalize=False)
    apart = (d[:256].cpu() - here).abs()
    return {
        "copy bandwidth, GB/s": 2 * d.numel() * d.element_size() / copy / 1e9,
        "SGR over a copy of D_qg": seconds[SGR] / copy,
        "MNNR over a copy of D_qg": seconds[MNNR] / copy,
        "largest difference to the CPU": float(apart.max()),
        "share within 1e-5 of the CPU": float((apart < 1e-5).float().mean()),
    }


def _measure_index(size: Size, device: str) -> Result:
    """Measure the build, searches of all queries and of one, recall with lists, and peak memory.

    The peak is that of the whole process with features and libraries, so it is in `values`.
    """
    query, gallery = (x.to(device) for x in draw(size))
    result = Result(size, device_name(device))
    probes = _PROBES if size.num_gallery > _APPROXIMATE else None
    index = SIMIndex(normalize=False, num_probes=probes)
    index.fit(gallery[:1000]).search(query[:50])  # libraries load and compile here
    stages: Stages = {
        "build": partial(index.fit, gallery),
        "search of all queries, top 100": partial(index.search, query, 100),
    }
    if probes is None:
        stages[FLOOR] = partial(products_and_topk, query, gallery, K)
    else:
        batch = f"search of {_BATCH} queries, top 20"
        stages[batch] = partial(index.search, query[:_BATCH])
        stages[f"{batch}, all lists"] = lambda: index.search(query[:_BATCH], 20, index.num_lists)
    busy = time.process_time()
    result.seconds = best_times(stages, device, 1)
    busy = time.process_time() - busy
    result.seconds |= search_times(index, query[:20], gallery, device, 3)
    result.values = {"recall of gallery neighbors": index.recall}
    if probes is not None:
        result.values |= answer_recalls(index, query[:_BATCH], _RECALLS)
    result.values |= {
        "processor seconds of the stages above, all threads": busy,
        "peak of the process, GiB": peak_of_process(device) / 2**30,
    }
    return result


def measure_growth(sizes: list[int], device: str, repeats: int) -> list[Result]:
    """Galleries of growing size for 1000 queries of 512 dimensions: stages, and peak memory.

    Args:
        sizes: N_g of each.
        device: `"cpu"` or `"cuda"`.
        repeats: rounds over the stages.

    Returns:
        One result per size.
    """
    results = []
    for num_gallery in sizes:
        size = Size(f"{num_gallery}", 1000, num_gallery, dim=512)
        query, gallery = (x.to(device) for x in draw(size))
        result = Result(size, device_name(device))
        result.seconds = best_times(sim_stages(query, gallery), device, repeats)
        result.peak = {WHOLE: peak_above_inputs(size, WHOLE, device)}
        results.append(result)
        logger.info("%d gallery images: %.2f s", num_gallery, result.seconds[WHOLE])
    return results
