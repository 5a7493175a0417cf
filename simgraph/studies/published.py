"""What the paper reports: figures to read beside one's own, never measured here."""

from __future__ import annotations

from simgraph.html_report import Table

SOURCE = "Jia et al., IJCAI 2020, Table 3"

# SYSU-MM01, all-search, multi-shot; the features of the paper's own network.
MAP_AND_RANK1 = {
    "baseline": (39.90, 53.93),
    "sgr": (59.17, 56.62),
    "mnnr": (54.39, 56.31),
    "sim": (60.88, 56.93),
}


def published_table() -> Table:
    """Table 3 of the paper, marked as what it is."""
    rows = [
        [method, "published, not measured", f"{mean:.2f}", f"{rank1:.2f}"]
        for method, (mean, rank1) in MAP_AND_RANK1.items()
    ]
    return Table(
        [["method", "standing", "mAP", "rank-1"], *rows],
        f"{SOURCE}: SYSU-MM01, all-search, multi-shot, on the features of the paper's own network, "
        "which are not public. They compare with figures above only where those are of the real "
        "SYSU-MM01 in the same mode; other data and other networks give other figures. No method "
        "here is transductive.",
    )
