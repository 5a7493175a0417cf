"""Methods read the same numbers from features as from the distances of those features."""

import pytest
import torch

from simgraph.distances import l2_distance
from simgraph.rerankers.distance_source import (
    FeatureDistances,
    given_distances,
    joint_neighbors,
    similarity,
)


@pytest.fixture
def sources():
    generator = torch.Generator().manual_seed(0)
    query, gallery = (
        torch.nn.functional.normalize(torch.randn(n, 5, generator=generator).double(), dim=1)
        for n in (4, 9)
    )
    pairs = ((query, gallery), (gallery, gallery), (query, query))
    return FeatureDistances(query, gallery), given_distances(*(l2_distance(*p) for p in pairs))


def test_distances_and_neighbors_are_equal(sources):
    features, given = sources
    torch.testing.assert_close(features.query_gallery(), given.query_gallery())
    for mine, theirs in zip(features.gallery_neighbors(3), given.gallery_neighbors(3), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_joint_rows_put_the_queries_first(sources):
    rows = [torch.cat([d for _, d in source.joint_blocks()]) for source in sources]
    torch.testing.assert_close(*rows)
    assert rows[0].shape == (13, 13)
    torch.testing.assert_close(rows[0][:4, 4:], sources[1].query_gallery())


def test_joint_pairs_are_entries_of_the_joint_rows(sources):
    i, j = torch.tensor([0, 3, 12, 5]), torch.tensor([7, 1, 2, 6])
    joint = torch.cat([d for _, d in sources[1].joint_blocks()])
    for source in sources:
        torch.testing.assert_close(source.joint_pairs(i, j), joint[i, j])


def test_joint_neighbors_are_equal(sources):
    mine, theirs = (joint_neighbors(source, 3).index_with_self() for source in sources)
    assert torch.equal(mine, theirs)


def test_similarity_is_the_cosine_of_unit_vectors(sources):
    features, _ = sources
    torch.testing.assert_close(
        similarity(features.query_gallery()), features.query @ features.gallery.T
    )


def test_distances_of_other_than_unit_vectors_are_refused():
    with pytest.raises(ValueError, match="at most 2"):
        given_distances(torch.full((1, 2), 3.0), torch.zeros(2, 2), None).require_unit()
