"""Batches: what is in them, that they follow from (seed, epoch), resume, and split over ranks."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from simgraph.training import CrossModalitySampler


def pids(counts, seed=0):
    """Shuffled identities, counts[i] images of identity 10 · i + 3."""
    names = np.repeat(10 * np.arange(len(counts)) + 3, counts)
    return np.random.default_rng(seed).permutation(names)


VISIBLE = pids([6, 9, 4, 7, 12, 5, 8])
INFRARED = pids([5, 1, 4, 3, 2, 6, 4], seed=1)
BOTH = np.concatenate([VISIBLE, INFRARED])


def sampler(p=4, v=3, t=2, **more):
    return CrossModalitySampler(VISIBLE, INFRARED, p, v, t, **more)


def test_each_batch_has_p_identities_and_v_and_t_of_each():
    seen = 0
    for batch in sampler():
        seen += 1
        groups = np.array(batch).reshape(4, 5)
        assert (groups[:, :3] < len(VISIBLE)).all() and (groups[:, 3:] >= len(VISIBLE)).all()
        names = BOTH[groups]
        assert (names == names[:, :1]).all()
        assert len(set(names[:, 0])) == 4
        for group in groups:
            counts = [sum(side == BOTH[group[0]]) for side in (VISIBLE, INFRARED)]
            assert len(set(group[:3])) == min(3, counts[0])
            assert len(set(group[3:])) == min(2, counts[1])
    assert seen == len(sampler()) == 5  # 51 visible images by 12, 25 infrared by 8


@pytest.mark.parametrize(("v", "t", "batches"), [(3, 2, 5), (6, 1, 7), (1, 6, 13)])
def test_the_larger_modality_sets_the_length(v, t, batches):
    assert len(sampler(v=v, t=t)) == len(list(sampler(v=v, t=t))) == batches


def test_an_epoch_covers_equal_identities_exactly_once():
    visible, infrared = pids([8] * 6), pids([4] * 6, seed=1)
    batches = CrossModalitySampler(
        visible, infrared, num_ids=3, visible_per_id=4, infrared_per_id=2
    )
    drawn = np.bincount(np.concatenate(list(batches)), minlength=72)
    assert (drawn == 1).all()


def test_identities_come_about_equally_often():
    times = np.bincount(BOTH[np.concatenate(list(sampler(p=2)))])[3::10] / 5
    assert times.max() - times.min() <= 2


def test_a_short_identity_repeats_all_its_images_before_any_twice():
    batches = CrossModalitySampler([0, 0, 0, 1, 1], [0, 1], 2, visible_per_id=5, infrared_per_id=1)
    for batch in batches:
        for group in np.array(batch).reshape(2, 6):
            name = 0 if group[0] < 3 else 1
            times = np.bincount(group[:5] - 3 * name)
            assert sorted(times) == ([1, 2, 2] if name == 0 else [2, 3])


def test_draws_follow_from_seed_and_epoch():
    first = list(sampler(seed=1))
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    assert list(sampler(seed=1)) == first
    assert list(sampler(seed=2)) != first
    later = sampler(seed=1)
    later.set_epoch(1)
    assert list(later) != first
    later.set_epoch(0)
    assert list(later) == first


def test_an_iteration_ends_before_the_next_epoch():
    running, jumping = sampler(), sampler()
    list(running)
    assert running.state_dict() == {"epoch": 1, "position": 0}
    running.set_epoch(1)
    jumping.set_epoch(1)
    assert list(running) == list(jumping)


@pytest.mark.parametrize("done", range(6))
def test_resumes_in_mid_epoch(done):
    whole = sampler(seed=3)
    whole.set_epoch(2)
    expected = list(whole)
    broken = sampler(seed=3)
    broken.set_epoch(2)
    batches = iter(broken)
    head = [next(batches) for _ in range(done)]
    state = broken.state_dict()
    assert state == {"epoch": 2, "position": done}
    resumed = sampler(seed=3)
    resumed.load_state_dict(state)
    resumed.set_epoch(2)  # as a loop over epochs does
    assert head + list(resumed) == expected
    assert resumed.state_dict() == {"epoch": 3, "position": 0}


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_ranks_together_see_the_batches_of_one_process(world_size):
    ranks = [sampler(seed=4, rank=r, world_size=world_size) for r in range(world_size)]
    together = np.concatenate([list(rank) for rank in ranks], axis=1)
    assert together.tolist() == list(sampler(seed=4))


@pytest.mark.parametrize("workers", [0, 2])
def test_in_a_dataloader(workers):
    images = torch.utils.data.TensorDataset(torch.from_numpy(BOTH))
    loader = DataLoader(images, batch_sampler=sampler(), num_workers=workers)
    assert [batch[0].tolist() for batch in loader] == [BOTH[b].tolist() for b in sampler()]
    assert len(loader) == len(sampler())


def test_identities_are_sorted():
    assert sampler().identities.tolist() == [3, 13, 23, 33, 43, 53, 63]


def test_identities_of_one_modality_are_named():
    with pytest.raises(ValueError, match=r"got 2 with visible images only: 7, 8; add their inf"):
        CrossModalitySampler([1, 8, 7, 7], [1, 1], 1, 1, 1)
    many = list(range(10))
    with pytest.raises(ValueError, match=r"got 9 with infrared images only: 1, 2, 3, 4, 5, \.\.\."):
        CrossModalitySampler([0], many, 1, 1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 8}, "num_ids = 8 must be at most 7"),
        ({"p": 0}, "num_ids = 0 must be at least 1"),
        ({"v": 0}, "visible_per_id"),
        ({"t": 1.5}, "infrared_per_id"),
        ({"seed": -1}, "seed"),
        ({"world_size": 3}, "num_ids = 4 must be a multiple of world_size = 3"),
        ({"world_size": 2, "rank": 2}, "rank = 2 must be less than world_size = 2"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sampler(**options)


@pytest.mark.parametrize("bad", [[], [[1]], [1.0]])
def test_bad_identities_are_refused(bad):
    with pytest.raises(ValueError, match="visible_pids: expected one integer"):
        CrossModalitySampler(bad, [1], 1, 1, 1)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"epoch": 1}, "expected 'epoch' and 'position'"),
        ({"epoch": 0, "position": 6}, "position = 6 must be at most 5"),
        ({"epoch": -1, "position": 0}, "epoch"),
    ],
)
def test_bad_states_are_refused(state, message):
    with pytest.raises(ValueError, match=message):
        sampler().load_state_dict(state)
