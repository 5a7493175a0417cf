"""The candidates of tuning."""

import pytest

from simgraph.sim.params import SIMParams
from simgraph.studies.tuning_grid import candidates, k_values, refinement, sim_grid, sim_params


def test_the_grid_of_k_is_logarithmic_and_ends_at_its_limit():
    assert k_values(0) == []
    assert k_values(1) == [1]
    assert k_values(40) == [1, 2, 3, 4, 6, 8, 11, 16, 23, 32]
    for most in range(1, 300):
        values = k_values(most)
        assert values == sorted(set(values)) and values[-1] <= most < 1.6 * values[-1] + 1


def test_k_is_at_most_twice_the_images_per_identity_and_below_the_gallery():
    assert sim_grid(1000, 4) == {"k": [1, 2, 3, 4, 6, 8]}
    assert sim_grid(4, 100) == {"k": [1, 2, 3]}
    assert sim_grid(1, 1) == {"k": []}


def test_the_other_numbers_follow_k_where_the_grid_does_not_name_them():
    own = {"k": 7, "num_paths": 4, "k_query": 7, "k_gallery": 7}
    assert candidates("sim", {"k": [7]}) == [own]
    assert candidates("sim", {"k": [7], "num_paths": [1, 2], "alpha": [0.5]}) == [
        own | {"num_paths": 1, "alpha": 0.5},
        own | {"num_paths": 2, "alpha": 0.5},
    ]
    assert candidates("sgr", {"k": [7]}) == [{"k": 7, "num_paths": 4}]
    assert candidates("mnnr", {"k": [7]}) == [{"k": 7, "k_query": 7, "k_gallery": 7}]
    assert candidates("k_reciprocal", {"k1": [5]}) == [{"k1": 5}]


@pytest.mark.parametrize("name", ["normalize", "memory", "kk"])
def test_a_parameter_that_is_no_candidate_is_refused(name):
    with pytest.raises(ValueError, match="grid: expected parameters of sim"):
        candidates("sim", {name: [1]})


def test_refinement_begins_with_the_current_value_and_goes_to_nearer_ones_first():
    current = {"k": 6, "num_paths": 4, "k_query": 6, "k_gallery": 6}
    alphas = [p.get("alpha") for p in refinement("alpha", current)]
    assert alphas[:5] == [None, 0.2, 0.4, 0.1, 0.5] and len(alphas) == 11
    paths = [p["num_paths"] for p in refinement("num_paths", current)]
    assert paths[0] == 4 and sorted(paths) == [1, 2, 3, 4, 6]
    assert all(p["k"] == 6 for p in refinement("lam", current))


def test_parameters_of_a_candidate_as_one_value():
    assert sim_params({"k": 3, "num_paths": 2, "normalize": True}, "why") == SIMParams(
        k=3, num_paths=2
    )
    assert sim_params({}, "why").reason == "why"
