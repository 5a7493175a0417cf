"""What pictures are of: loaded from files and datasets, row for row."""

import pytest
import torch
from PIL import Image

from simgraph.config import Config, DatasetConfig
from simgraph.datasets import folder
from simgraph.features import Features, save_features
from simgraph.synthetic import features as synthetic
from simgraph.trials import trial_features
from simgraph.visualization.trial_view import (
    Images,
    TrialView,
    load_trial_view,
    trial_view_of_features,
)
from tests.visualization import sample_views as views


def write_set(root, identities=3, images=2):
    """A folder set whose pixels tell identity, modality and number."""
    for side, blue in (("visible", 0), ("infrared", 255)):
        for identity in range(identities):
            place = root / "test" / side / f"$id_{identity}$"
            place.mkdir(parents=True)
            for number in range(images):
                color = (40 * identity, 100 * number, blue)
                Image.new("RGB", (16, 64), color).save(place / f"c1_{number}.png")
    return folder.load_test(root)


def features_of(test_set):
    """One feature row per image, which identifies it."""
    sides = [
        torch.tensor([[pid, i, 1.0] for i, pid in enumerate(s.pids)], dtype=torch.float32)
        for s in (test_set.query, test_set.gallery)
    ]
    return Features(*sides, test_set.query.pids, test_set.gallery.pids)


def config_of(root, **settings):
    return Config(dataset=DatasetConfig(name="folder", root=str(root)), **settings)


def test_a_feature_file_alone(tmp_path):
    save_features(views.features(), tmp_path / "mine.npz")
    view = load_trial_view(Config(features=str(tmp_path / "mine.npz")))
    assert (len(view.query), len(view.gallery)) == (24, 24)
    assert view.query.names[3] == "query 3" and view.gallery.names[23] == "gallery 23"
    assert view.title == "mine.npz" and view.protocol == "plain"
    assert view.query.thumbnail(0) is None
    assert view.is_match(7).nonzero().flatten().tolist() == [6, 7, 8, 9, 10, 11]
    assert view.in_list(0).all()


def test_features_without_identities():
    f = views.features()
    view = trial_view_of_features(Features(f.query, f.gallery))
    assert view.is_match(0) is None and view.in_list(0).all()


@pytest.mark.parametrize("by", ["file", "source"])
def test_a_dataset_has_its_images_row_for_row(tmp_path, by):
    test_set = write_set(tmp_path)
    if by == "file":
        save_features(features_of(test_set), tmp_path / "f.npz")
        view = load_trial_view(config_of(tmp_path, features=str(tmp_path / "f.npz")))
    else:
        view = load_trial_view(config_of(tmp_path), source=lambda found, trial: features_of(found))
    assert view.gallery.names[3] == "test/visible/$id_1$/c1_1.png" and view.title == "folder"
    for images, rows, blue in (
        (view.query, view.features.query, 255),
        (view.gallery, view.features.gallery, 0),
    ):
        for i, row in enumerate(rows.tolist()):
            color = images.thumbnail(i).getpixel((0, 0))
            assert color == (40 * row[0], 100 * (row[1] % 2), blue)


def test_thumbnails_keep_their_proportions(tmp_path):
    sizes = {(16, 64): (8, 32), (200, 20): (64, 6), (10, 10): (10, 10)}
    for number, size in enumerate(sizes):
        Image.new("L", size).save(tmp_path / f"{number}.png")
    images = Images(("a", "b", "c"), tuple(tmp_path / f"{i}.png" for i in range(3)))
    for number, expected in enumerate(sizes.values()):
        small = images.thumbnail(number, 32)
        assert small.size == expected and small.mode == "RGB"


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    with pytest.raises(ValueError, match=r"bad\.png: cannot be read as an image"):
        Images(("a",), (tmp_path / "bad.png",)).thumbnail(0)


def test_missing_images_leave_names(tmp_path, caplog):
    test_set = write_set(tmp_path)

    def lose_one(found, trial):
        (tmp_path / found.query.paths[0]).unlink(missing_ok=True)
        return features_of(test_set)

    view = load_trial_view(config_of(tmp_path), source=lose_one)
    assert view.query.thumbnail(1) is None and view.gallery.thumbnail(1) is not None
    assert "1 of 6 images are not there" in caplog.text


@pytest.fixture(scope="module")
def sysu(tmp_path_factory):
    root = tmp_path_factory.mktemp("sysu")
    file = synthetic.write_sysu_mm01(root, dim=64)
    dataset = DatasetConfig(name="sysu_mm01", root=str(root), shots=1, trials=3)
    return Config(dataset=dataset, features=str(file))


@pytest.mark.parametrize("trial", [1, 3])
def test_the_trial_asked_for(sysu, trial):
    view = load_trial_view(sysu, trial)
    expected = list(trial_features(sysu))[trial - 1]
    assert torch.equal(view.features.gallery, expected.gallery)
    assert torch.equal(view.features.query_pids, expected.query_pids)
    assert view.title == f"sysu_mm01, trial {trial}" and view.gallery.paths is None
    # The name holds camera and identity: names and rows are in the same order.
    for side in ("query", "gallery"):
        pids, cams = (getattr(view.features, f"{side}_{key}").tolist() for key in ("pids", "cams"))
        for name, pid, cam in zip(getattr(view, side).names, pids, cams, strict=True):
            assert name.startswith(f"cam{cam}/{pid:04d}/")


def test_what_the_protocol_excludes_is_not_in_the_list(sysu):
    view = load_trial_view(sysu)
    query = int((view.features.query_cams == 3).nonzero()[0])
    assert torch.equal(view.in_list(query), view.features.gallery_cams != 2)
    query = int((view.features.query_cams == 6).nonzero()[0])
    assert view.in_list(query).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trial": 4}, "trial = 4 must be at most 3, the trials of sysu_mm01"),
        ({"trial": 0}, "trial = 0 must be at least 1"),
    ],
)
def test_trials_that_are_not_there(sysu, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_trial_view(sysu, **arguments)


def test_nothing_to_show():
    with pytest.raises(ValueError, match="expected --features FILE, or --config"):
        load_trial_view(Config())


def test_cameras_that_the_protocol_needs():
    with pytest.raises(ValueError, match="needs query_cams"):
        trial_view_of_features(views.features(), "market")


@pytest.mark.parametrize("side", ["query", "gallery"])
def test_as_many_names_and_images_as_features(side):
    f = views.features()
    sides = {"query": Images(views.names(24)), "gallery": Images(views.names(24))}
    with pytest.raises(ValueError, match=f"{side} names: expected one for each of 24 features"):
        TrialView(f, **sides | {side: Images(("one",))})
    with pytest.raises(ValueError, match=f"{side} paths: expected one for each of 24 features"):
        TrialView(f, **sides | {side: Images(views.names(24), ())})
