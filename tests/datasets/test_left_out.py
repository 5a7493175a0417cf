"""Files that are not read are named with a reason."""

from __future__ import annotations

from pathlib import Path

from simgraph.datasets.left_out import left_out, summary
from tests.datasets.fake_datasets import touch

LISTED = ["test/visible/anna/c1_1.png", "test/visible/anna/c1_2.png"]


def test_files_are_left_out_for_their_suffix_their_depth_or_as_hidden(tmp_path: Path) -> None:
    touch(tmp_path, *LISTED, "test/visible/anna/c2_9.png", "exp/readme.txt", "notes.txt")
    expected = {
        "test/visible/anna/.c1_3.png": "hidden",
        "test/visible/anna/Thumbs.db": ".db: not an image format that is read",
        "test/visible/anna/c1_3": "no suffix: not an image format that is read",
        "test/visible/anna/more/c1_4.png": "not directly in a folder of images",
        "test/visible/bob/c1_1.HEIC": ".HEIC: not an image format that is read",
        "test/visible/c1_5.png": "not directly in a folder of images",
    }
    touch(tmp_path, *expected)
    assert left_out(tmp_path, LISTED) == expected


def test_nothing_is_left_out_of_a_clean_set_and_lists_without_folders_are_not_searched(
    tmp_path: Path,
) -> None:
    touch(tmp_path, *LISTED, "a.heic")
    assert left_out(tmp_path, LISTED) == {}
    assert left_out(tmp_path, ["a.png", "b/a.png"]) == {}


def test_the_summary_counts_each_reason_and_names_the_first_three() -> None:
    files = {f"{n}.heic": "suffix" for n in range(5)} | {"a": "hidden"}
    assert summary(files) == [
        "left out: 5 (suffix): 0.heic, 1.heic, 2.heic, ...",
        "left out: 1 (hidden): a",
    ]
    assert summary({}) == []
