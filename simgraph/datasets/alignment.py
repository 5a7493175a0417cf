"""Which feature row belongs to which image of a test set: by name, else by identity and camera."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simgraph.datasets.samples import Samples, TestSet
from simgraph.features import Features

_Rows = NDArray[np.int64]


class _Match(NamedTuple):
    """The feature row of each sample, and whether no other reading of the labels is possible."""

    query: _Rows
    gallery: _Rows
    is_sure: bool


def align(features: Features, test_set: TestSet, source: str) -> Features:
    """Reorder feature rows to the order of a test set's samples.

    Rows with names belong to the images of these names. Without names, images are matched by
    identity and camera; within both, the rows must be in the order of the file names. Rows of
    other identities or cameras are left out.

    Where the identities of a dataset are folder names with numbers, such as `0` ... `11`, a file
    may mean their positions in the list of names ('10' comes before '2'), their numbers, or
    their numeric order. The reading that fits is taken. If several fit, scores are the same under
    each, but pictures are not: the result then has no names.

    Args:
        features: with names, or with identities, and cameras where the test set has several.
        test_set: whose samples define the order.
        source: name of the features in errors.

    Returns:
        features whose row i on each side belongs to sample i, with the labels of the samples,
        and with their names if the images behind the rows are certain.

    Raises:
        ValueError: for an identity and camera whose number of rows is not its number of images,
            or for names among which an image of the test set is missing.
    """
    named = features.query_names is not None and features.gallery_names is not None
    by_name = named and test_set.paths_listed
    match = (_by_name if by_name else _by_labels)(features, test_set, source)
    rows = features.select(match.query, match.gallery)
    names = (rows.query_names, rows.gallery_names)
    if test_set.paths_listed:
        paths = test_set.query.paths, test_set.gallery.paths
        names = paths if match.is_sure else (None, None)
    return Features(
        rows.query, rows.gallery, test_set.query.pids, test_set.gallery.pids,
        test_set.query.cams, test_set.gallery.cams, *names,
    )  # fmt: skip


def _by_name(features: Features, test_set: TestSet, source: str) -> _Match:
    query = _named_rows(features.query_names, test_set.query, f"{source}: query_name")
    gallery = _named_rows(features.gallery_names, test_set.gallery, f"{source}: gallery_name")
    return _Match(query, gallery, True)


def _named_rows(names: tuple[str, ...] | None, samples: Samples, key: str) -> _Rows:
    places = {name: row for row, name in enumerate(names or ())}
    missing = [path for path in samples.paths if path not in places]
    if missing:
        example = next(iter(places), None)
        raise ValueError(
            f"{key}: expected the path of every image of the dataset, relative to its root; "
            f"{len(missing)} of {len(samples)} are not there, first {missing[0]!r} (the file names "
            f"{len(places)}, first {example!r}). Check dataset.root and dataset.mode, or extract "
            "the features again; a file without names is matched by identity and camera"
        )
    if len(places) < len(names or ()):
        wanted, seen = set(samples.paths), set[str]()
        for name in names or ():
            if name in seen and name in wanted:
                raise ValueError(f"{key}: expected each name once, got {name!r} twice")
            seen.add(name)
    return np.array([places[path] for path in samples.paths], dtype=np.int64)


def _by_labels(features: Features, test_set: TestSet, source: str) -> _Match:
    """Match by the dataset's identities, or by another reading of the labels that fits."""
    fits = [m for m in (_fit(features, test_set, t) for t in _readings(test_set)) if m is not None]
    if not fits:
        query, gallery = _label_rows(features, test_set, source)  # raises: says what differs
        return _Match(query, gallery, True)
    if all(_is_same(match, fits[0]) for match in fits):
        return fits[0]
    # Rows that are in the order of the images under another reading were written under it.
    in_order = [match for match in fits[1:] if _is_in_order(match)]
    if in_order and all(_is_same(match, in_order[0]) for match in in_order):
        return in_order[0]
    return fits[0]._replace(is_sure=False)


def _readings(test_set: TestSet) -> list[dict[int, int]]:
    """What a file's identities may mean: tables from a label to the dataset's identity.

    The first is the dataset's own numbering. Names that hold one number each also have the
    numbers, and the positions in numeric order from 0 and from 1.
    """
    names = test_set.identity_names
    pids = sorted({*test_set.query.pids.tolist(), *test_set.gallery.pids.tolist()})
    own = {pid: pid for pid in pids}
    numbers = None if names is None else _numbers(names)
    if names is None or numbers is None:
        return [own]
    order = {place: rank for rank, place in enumerate(np.argsort(numbers).tolist())}
    places = {pid: names.index(str(pid)) if pid < 0 else pid for pid in pids}
    tables = [
        {numbers[place]: pid for pid, place in places.items()},
        {order[place]: pid for pid, place in places.items()},
        {order[place] + 1: pid for pid, place in places.items()},
    ]
    return [own, *tables]


def _numbers(names: tuple[str, ...]) -> list[int] | None:
    """The number in each name, such as 7 in `person_007`; None unless each has its own."""
    form = re.compile(r"(-?[0-9]{1,18})|[^0-9]*([0-9]{1,18})[^0-9]*")
    parts = [match for match in map(form.fullmatch, names) if match is not None]
    if len(parts) < len(names):
        return None
    numbers = [int(part[1] or part[2]) for part in parts]
    return numbers if len(set(numbers)) == len(numbers) else None


def _fit(features: Features, test_set: TestSet, table: dict[int, int]) -> _Match | None:
    """The rows under one reading of the labels, or None if the counts do not fit."""
    if features.query_pids is None or features.gallery_pids is None:
        return None
    read = Features(
        features.query, features.gallery, _read(features.query_pids, table),
        _read(features.gallery_pids, table), features.query_cams, features.gallery_cams,
    )  # fmt: skip
    try:
        query, gallery = _label_rows(read, test_set, "")
    except ValueError:
        return None
    return _Match(query, gallery, True)


def _read(labels: Tensor, table: dict[int, int]) -> NDArray[np.int64]:
    """The identity of each label; labels outside the table become one that no image has."""
    nobody = min(table.values()) - 1
    values, inverse = np.unique(labels.numpy(), return_inverse=True)
    return np.array([table.get(value, nobody) for value in values.tolist()])[inverse]


def _is_same(one: _Match, other: _Match) -> bool:
    return all(map(np.array_equal, one[:2], other[:2]))


def _is_in_order(match: _Match) -> bool:
    return all(np.array_equal(rows, np.arange(len(rows))) for rows in match[:2])


def _label_rows(features: Features, test_set: TestSet, source: str) -> tuple[_Rows, _Rows]:
    query = _rows(features.query_pids, features.query_cams, test_set.query, f"{source}: query")
    gallery = _rows(
        features.gallery_pids, features.gallery_cams, test_set.gallery, f"{source}: gallery"
    )
    return query, gallery


def _rows(pid: Tensor | None, cam: Tensor | None, samples: Samples, name: str) -> NDArray[np.int64]:
    """The feature row of each sample."""
    if pid is None:
        raise ValueError(f"{name}_pid: expected identities to find the images by, got none")
    pids = pid.numpy()
    several = len(np.unique(samples.cams)) > 1
    if several and cam is None:
        raise ValueError(f"{name}_cam: expected cameras to find the images by, got none")
    cams = cam.numpy() if several and cam is not None else np.full_like(pids, samples.cams[0])
    rows = np.flatnonzero(np.isin(pids, samples.pids) & np.isin(cams, samples.cams))
    found = rows[np.lexsort((cams[rows], pids[rows]))]
    wanted = np.lexsort((samples.cams, samples.pids))
    _require_same_counts(
        np.stack([pids[found], cams[found]], 1),
        np.stack([samples.pids[wanted], samples.cams[wanted]], 1),
        name,
    )
    result = np.empty(len(wanted), dtype=np.int64)
    result[wanted] = found
    return result


def _require_same_counts(got: NDArray[np.int64], wanted: NDArray[np.int64], name: str) -> None:
    keys, inverse = np.unique(np.concatenate([got, wanted]), axis=0, return_inverse=True)
    have = np.bincount(inverse[: len(got)], minlength=len(keys))
    need = np.bincount(inverse[len(got) :], minlength=len(keys))
    differ = np.flatnonzero(have != need)
    if len(differ):
        pid, cam = keys[differ[0]]
        raise ValueError(
            f"{name}: expected {need[differ[0]]} rows of identity {pid}, camera {cam}, as many as "
            f"the dataset has images, got {have[differ[0]]} ({len(differ)} such differences); to "
            "score the file as the one trial it holds, use --dataset.name features with "
            "--dataset.protocol. In the folder layout identity i is the i-th of the sorted names"
        )
