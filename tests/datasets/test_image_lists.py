"""Lists of images: what is read, what is named in errors, and the draws of the baselines."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simgraph.datasets import Samples
from simgraph.datasets.image_lists import (
    SUFFIXES,
    draw_rows,
    list_images,
    parse_ids,
    read_labeled_paths,
    rows_by_group,
)
from simgraph.datasets.images import read_image
from tests.datasets.fake_datasets import touch, write


def test_images_are_listed_by_name_without_hidden_and_other_files(tmp_path: Path) -> None:
    touch(tmp_path, "b.JPG", "a.png", "c.bmp", "d.jpeg", "._a.png", "Thumbs.db", "e.txt", "f.png/x")
    assert [f.name for f in list_images(tmp_path)] == ["a.png", "b.JPG", "c.bmp", "d.jpeg"]
    assert list_images(tmp_path / "none") == []


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_format_that_is_listed_is_read(tmp_path: Path, suffix: str) -> None:
    if Image.registered_extensions().get(suffix) not in Image.SAVE:
        pytest.skip("this build of Pillow has no encoder for it")
    gray = Image.fromarray(np.linspace(0, 255, 64 * 32).reshape(64, 32).astype(np.uint8))
    file = tmp_path / f"a{suffix.upper()}"
    (gray.convert("1") if suffix == ".pbm" else gray).save(file)
    assert list_images(tmp_path) == [file]
    pixels = read_image(file, (64, 32))[0].numpy().astype(int)
    assert abs(pixels[-1].mean() - 253) < 4 and abs(pixels[0].mean() - 2) < 4


def test_a_dangling_link_in_a_list_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    write(tmp_path / "list.txt", "a.png 1\n")
    with pytest.raises(FileNotFoundError, match=r"a\.png: .*gone\.png, which does not exist"):
        read_labeled_paths(tmp_path, tmp_path / "list.txt", True, "the authors")
    assert read_labeled_paths(tmp_path, tmp_path / "list.txt", False, "") == (["a.png"], [1])


def test_a_folder_that_is_a_dangling_link_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0001").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"0001: .*gone, which does not exist"):
        list_images(tmp_path / "0001")


def test_a_dangling_link_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(FileNotFoundError, match=r"a\.png: .*gone\.png, which does not exist"):
        list_images(tmp_path)


@pytest.mark.parametrize("text", ["3,1,20\n", "3 1\n20", "\ufeff3, 1, 20"])
def test_identities_are_separated_by_commas_or_white_space(tmp_path: Path, text: str) -> None:
    write(tmp_path / "id.txt", text)
    assert parse_ids(tmp_path / "id.txt") == (1, 3, 20)


def test_paths_may_hold_spaces_and_lines_may_be_blank(tmp_path: Path) -> None:
    write(tmp_path / "list.txt", "a b/c.bmp 4\n\n  d.bmp\t0  \n")
    found = read_labeled_paths(tmp_path, tmp_path / "list.txt", False, "the authors")
    assert found == (["a b/c.bmp", "d.bmp"], [4, 0])


def test_utf_16_with_a_mark_and_backslashes_are_read(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes("dé\\a.bmp 4\r\n".encode("utf-16"))
    touch(tmp_path, "dé/a.bmp")
    found = read_labeled_paths(tmp_path, tmp_path / "list.txt", True, "the authors")
    assert found == (["dé/a.bmp"], [4])


def test_a_backslash_in_the_name_of_a_file_stays(tmp_path: Path) -> None:
    touch(tmp_path, "d\\a.bmp")
    write(tmp_path / "list.txt", "d\\a.bmp 4\n")
    found = read_labeled_paths(tmp_path, tmp_path / "list.txt", True, "the authors")
    assert found == (["d\\a.bmp"], [4])


@pytest.mark.parametrize("encoding", ["gbk", "latin-1"])
def test_other_encodings_are_refused_with_file_and_line(tmp_path: Path, encoding: str) -> None:
    text = "中.bmp" if encoding == "gbk" else "é.bmp"
    (tmp_path / "list.txt").write_bytes(f"a.bmp 1\n{text} 2\n".encode(encoding))
    with pytest.raises(ValueError, match=r"list\.txt, line 2: expected text in UTF-8"):
        read_labeled_paths(tmp_path, tmp_path / "list.txt", False, "the authors")


def test_missing_lists_and_images_say_where_to_get_them(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    with pytest.raises(FileNotFoundError, match=r"list of images .*list\.txt: the authors"):
        read_labeled_paths(tmp_path, file, True, "the authors")
    write(file, "a.bmp 1\n")
    with pytest.raises(FileNotFoundError, match=r"line 1: expected the image .*a\.bmp: the auth"):
        read_labeled_paths(tmp_path, file, True, "the authors")


PIDS, CAMS = [7, 7, 7, 2, 2, 7], [1, 1, 2, 1, 1, 1]
SAMPLES = Samples(tuple(f"{i}.png" for i in range(6)), np.array(PIDS), np.array(CAMS))


def test_rows_are_grouped_by_identity_and_camera_in_order() -> None:
    assert rows_by_group(SAMPLES) == {(7, 1): [0, 1, 5], (7, 2): [2], (2, 1): [3, 4]}


@pytest.mark.parametrize("seed", range(5))
def test_one_shot_is_one_choice_per_identity_and_camera(seed: int) -> None:
    random.seed(seed)
    expected = [random.choice(group) for group in ([3, 4], [0, 1, 5], [2])]
    assert draw_rows(SAMPLES, seed).tolist() == expected


def test_cameras_that_take_no_part_cost_no_draw() -> None:
    random.seed(1)
    expected = [random.choice([3, 4]), random.choice([0, 1, 5])]
    assert draw_rows(SAMPLES, 1, cams=(1,)).tolist() == expected


def test_several_shots_are_drawn_without_replacement_up_to_all() -> None:
    rows = draw_rows(SAMPLES, 0, shots=2).tolist()
    assert sorted(rows[:2]) == [3, 4] and len(set(rows[2:4])) == 2 and rows[4:] == [2]
    assert set(rows[2:4]) <= {0, 1, 5}
