"""Images: every form of file read, every fault named, the cache equal to the files."""

import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from simgraph.datasets import Samples
from simgraph.datasets.images import (
    ImageSet,
    check_images,
    open_image,
    read_image,
    require_images,
)
from simgraph.datasets.thermal import Depth

SIZE = (12, 6)


def ramp() -> Image.Image:
    """A 24 × 48 picture whose red grows to the right, green downwards."""
    rows, columns = np.mgrid[:48, :24]
    pixels = np.stack([columns * 10, rows * 5, np.full_like(rows, 90)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def samples(*paths: str) -> Samples:
    return Samples(paths, np.arange(len(paths)), np.ones(len(paths), dtype=np.int64))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(5):
        ramp().rotate(number).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.fixture
def five() -> Samples:
    return samples(*(f"{n}.png" for n in range(5)))


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_color_images_keep_their_channels(tmp_path: Path, suffix: str) -> None:
    ramp().save(tmp_path / f"a.{suffix}")
    image = read_image(tmp_path / f"a.{suffix}", SIZE)
    assert image.shape == (3, *SIZE) and image.dtype == torch.uint8 and image.is_contiguous()
    red, green, blue = image.float()
    assert (red.diff(dim=1) > 20).all() and (green.diff(dim=0) > 10).all()
    assert (blue - 90).abs().max() < 12


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    ramp().convert(mode).save(file)
    image = read_image(file, SIZE)
    assert image.shape == (3, *SIZE) and image.float().std() > 5
    gray = mode in ("L", "LA", "1")
    assert torch.equal(image[0], image[1]) == gray


def test_a_palette_with_transparency_keeps_its_colors(tmp_path: Path) -> None:
    ramp().convert("P").save(tmp_path / "p.png", transparency=bytes([0, 128] * 128))
    plain = ramp().convert("P").convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR)
    assert np.array_equal(read_image(tmp_path / "p.png", SIZE).permute(1, 2, 0), np.asarray(plain))


def thermal(low: int = 7200, levels: int = 821) -> np.ndarray:
    """A 16-bit picture as a 14-bit sensor writes it: few values, far from 0 and 65535."""
    return (low + np.arange(48 * 24).reshape(48, 24) % levels).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_scaled_from_the_values_of_the_image(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(thermal()).save(tmp_path / f"deep.{suffix}")
    levels = np.unique(np.asarray(open_image(tmp_path / f"deep.{suffix}")))
    assert levels.tolist() == list(range(256))


def test_sixteen_bits_are_scaled_from_a_range_of_the_set(tmp_path: Path) -> None:
    Image.fromarray(thermal()).save(tmp_path / "deep.png")
    whole = read_image(tmp_path / "deep.png", (48, 24), (7000, 9000))
    oracle = [round(255 * (int(v) - 7000) / 2000) for v in thermal().ravel()]
    assert whole[0].ravel().tolist() == oracle
    cut = read_image(tmp_path / "deep.png", (48, 24), (7300, 7400))
    assert cut.min() == 0 and cut.max() == 255
    assert (cut[0] == 255).sum() == (thermal() >= 7400).sum()


def test_the_cache_depends_on_the_thermal_range(tmp_path: Path) -> None:
    Image.fromarray(thermal()).save(tmp_path / "deep.png")
    one = samples("deep.png")
    for thermal_range in ("image", (7000, 9000), (7000, 9001)):
        data = ImageSet(one, tmp_path, SIZE, tmp_path / "cache", thermal_range)
        expected = read_image(tmp_path / "deep.png", SIZE, thermal_range)
        assert torch.equal(data[0][0], expected)
        assert torch.equal(
            ImageSet(one, tmp_path, SIZE, thermal_range=thermal_range)[0][0], expected
        )
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_an_image_that_keeps_few_levels_is_worth_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.fromarray(thermal()).save(tmp_path / "a.png")
    ramp().save(tmp_path / "b.png")
    pair = samples("a.png", "b.png")
    ((path, depth),) = require_images(pair, tmp_path)
    assert (path, depth) == ("a.png", Depth(7200, 8020, 821, 256))
    assert not caplog.records
    ((_, depth),) = require_images(pair, tmp_path, (0, 65535))
    assert depth.after == 4  # as all such images were read before: shifted by 8 bits
    assert "1 of 1 images of more than 8 bits keep fewer than 32 gray levels" in caplog.text
    assert "a.png: raw values 7200 to 8020, 4 levels of 821 kept" in caplog.text


@pytest.mark.parametrize("bad", ["images", (1, 1), (2, 1), (0, float("nan")), (1,), (1, 2, 3)])
def test_a_bad_thermal_range_is_refused(folder: Path, five: Samples, bad: object) -> None:
    with pytest.raises(ValueError, match="thermal_range: expected 'image', or two raw values"):
        ImageSet(five, folder, SIZE, thermal_range=bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="thermal_range"):
        read_image(folder / "0.png", SIZE, bad)  # type: ignore[arg-type]


def test_resize_is_antialiased(tmp_path: Path) -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (8, 8)).float().sub(127.5).abs().max() < 8


def test_orientation_notes_are_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    ramp().save(tmp_path / "a.jpg", exif=exif)
    ramp().save(tmp_path / "b.jpg")
    turned, plain = (read_image(tmp_path / f, (48, 24)) for f in ("a.jpg", "b.jpg"))
    assert torch.equal(turned, plain)


def test_faults_are_named(tmp_path: Path) -> None:
    ramp().resize((120, 240)).save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "folder.jpg").mkdir()
    ramp().save(tmp_path / "cut.bmp")
    (tmp_path / "cut.bmp").write_bytes((tmp_path / "cut.bmp").read_bytes()[:-500])
    ramp().save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:80])
    bad = ["cut.jpg", "empty.jpg", "text.jpg", "folder.jpg", "cut.bmp", "cut.png", "gone.jpg"]
    listed = samples("good.jpg", *bad)
    seen: list[str] = []
    found = check_images(listed, tmp_path, progress=lambda p: (seen.append(x) or x for x in p))
    assert [path for path, _ in found] == bad and seen == list(listed.paths)
    reasons = dict(found)
    assert all(reasons.values())
    assert reasons["gone.jpg"] == "no such file" and reasons["text.jpg"] == "not an image"
    assert "truncated" in reasons["cut.jpg"]
    data = ImageSet(listed, tmp_path, SIZE)
    assert data[0][0].shape == (3, *SIZE)
    for row, path in enumerate(bad, start=1):
        with pytest.raises(ValueError, match=path):
            data[row]
        with pytest.raises(ValueError, match=path):
            ImageSet(samples("good.jpg", path), tmp_path, SIZE, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())  # no half-built file is left


def test_require_images_lists_ten_and_the_count(folder: Path, five: Samples) -> None:
    require_images(five, folder)
    bad = samples("0.png", *(f"gone{n:02d}.png" for n in range(12)))
    with pytest.raises(ValueError, match=r"12 of 13 images") as error:
        require_images(bad, folder)
    assert "gone09.png: no such file" in str(error.value) and "and 2 more" in str(error.value)
    assert "gone10" not in str(error.value)


def test_items_are_images_and_rows(folder: Path, five: Samples) -> None:
    data = ImageSet(five, folder, SIZE)
    assert len(data) == 5
    for row in (0, 4, -1):
        image, index = data[row]
        assert index == row % 5
        assert torch.equal(image, read_image(folder / f"{index}.png", SIZE))
    with pytest.raises(IndexError):
        data[5]


def test_the_cache_equals_the_files_and_is_built_once(folder: Path, five: Samples) -> None:
    plain = ImageSet(five, folder, SIZE)
    cached = ImageSet(five, folder, SIZE, cache=folder / "cache")
    assert all(torch.equal(cached[i][0], plain[i][0]) and cached[i][1] == i for i in range(5))
    (file,) = (folder / "cache").iterdir()
    stored = np.load(file, mmap_mode="r", allow_pickle=False)
    assert stored.shape == (5, *SIZE, 3) and stored.dtype == np.uint8
    before = file.stat()
    ImageSet(five, folder, SIZE, cache=folder / "cache")
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    ImageSet(five, folder, (6, 6), cache=folder / "cache")
    ImageSet(five.select([0, 1]), folder, SIZE, cache=folder / "cache")
    assert len(list((folder / "cache").iterdir())) == 3


def test_a_changed_image_rebuilds_the_cache(folder: Path, five: Samples) -> None:
    first = ImageSet(five, folder, SIZE, cache=folder / "cache")[2][0]
    ramp().rotate(180).save(folder / "2.png")
    os.utime(folder / "2.png", ns=(1, 1))
    again = ImageSet(five, folder, SIZE, cache=folder / "cache")[2][0]
    assert torch.equal(again, read_image(folder / "2.png", SIZE)) and not torch.equal(again, first)


@pytest.mark.parametrize("fault", ["cut", "empty", "foreign", "shape"])
def test_a_damaged_cache_is_rebuilt(folder: Path, five: Samples, fault: str) -> None:
    ImageSet(five, folder, SIZE, cache=folder / "cache")
    (file,) = (folder / "cache").iterdir()
    whole = file.read_bytes()
    if fault == "shape":
        np.save(file, np.zeros((4, *SIZE, 3), np.uint8))
    else:
        file.write_bytes({"cut": whole[:-7], "empty": b"", "foreign": b"PK\3\4" * 40}[fault])
    data = ImageSet(five, folder, SIZE, cache=folder / "cache")
    assert torch.equal(data[3][0], read_image(folder / "3.png", SIZE))
    assert file.read_bytes() == whole and len(list((folder / "cache").iterdir())) == 1


def test_images_of_the_cache_can_be_written_to(folder: Path, five: Samples) -> None:
    data = ImageSet(five, folder, SIZE, cache=folder / "cache")
    data[0][0].zero_()
    assert data[0][0].any()


@pytest.mark.parametrize("cached", [False, True])
def test_a_data_loader_with_two_workers(folder: Path, five: Samples, cached: bool) -> None:
    data = ImageSet(five, folder, SIZE, cache=folder / "cache" if cached else None)
    loader = DataLoader(data, batch_size=2, num_workers=2)
    batches = list(loader)
    rows = torch.cat([index for _, index in batches])
    images = torch.cat([image for image, _ in batches])
    assert rows.tolist() == list(range(5))
    assert torch.equal(images, torch.stack([data[i][0] for i in range(5)]))


def _first_sum(data: ImageSet) -> int:
    return int(data[0][0].sum())


def test_spawned_processes_map_the_cache(folder: Path, five: Samples) -> None:
    data = ImageSet(five, folder, (64, 64), cache=folder / "cache")
    assert len(pickle.dumps(data)) < 4000  # not the pixels
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_first_sum, (data,)) == _first_sum(data)


@pytest.mark.parametrize("size", [(0, 4), (4, -1), (4, 4, 4)])
def test_sizes_out_of_range(folder: Path, five: Samples, size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size must be"):
        ImageSet(five, folder, size)
