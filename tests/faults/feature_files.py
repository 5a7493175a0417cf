"""Damaged .npz, .safetensors and .npy files of features."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from simgraph.features import Features, load_features, save_features
from simgraph.features.features import FIELD_OF_KEY, load_array
from tests.faults import feature_oracle
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.judge import Damage, Kind, same
from tests.faults.tensor_files import damaged_array, damaged_header, emit

NAMES = ("features.npz", "compressed.npz", "features.safetensors", "features.npy")


def arrays() -> dict[str, np.ndarray]:
    """A small labeled test set."""
    rng = np.random.default_rng(0)
    pids = np.repeat(np.arange(6), 5)
    center = rng.normal(size=(6, 16))
    query, gallery = (
        (center[pids] + scale * rng.normal(size=(30, 16))).astype(np.float32) for scale in (2, 0.4)
    )
    cams = {"query_cam": pids % 2, "gallery_cam": 2 + pids % 3}
    return {
        "query_feat": query, "gallery_feat": gallery, "query_pid": pids, "gallery_pid": pids, **cams
    }  # fmt: skip


def prepare(folder: Path) -> None:
    """Write the good files."""
    values = arrays()
    features = Features(**{FIELD_OF_KEY[key]: value for key, value in values.items()})
    save_features(features, folder / "features.npz")
    save_features(features, folder / "features.safetensors")
    np.savez_compressed(folder / "compressed.npz", **values)
    np.save(folder / "features.npy", values["query_feat"])


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """A damaged copy of one of the good files."""
    name = str(rng.choice(NAMES, p=[0.4, 0.1, 0.3, 0.2]))
    path, whole = folder / name, (good / name).read_bytes()
    how = str(rng.choice(["bytes", "structure", "arrays", "no file"], p=[0.25, 0.35, 0.35, 0.05]))
    if how == "no file":
        return _judged(path, write_no_file(path, rng), rng)
    changes: dict[str, Callable[..., tuple[bytes, str]]] = {
        "bytes": lambda: damaged_bytes(whole, rng),
        "structure": lambda: _structure(name, whole, rng),
        "arrays": lambda: _arrays(name, rng),
    }
    content, what = changes[how]()
    path.write_bytes(content)
    return _judged(path, what, rng)


def _judged(path: Path, what: str, rng: Generator) -> Damage:
    if path.suffix == ".npy":
        return Damage(what, path, lambda: load_array(path), lambda found: _is_array(path, found))
    if rng.random() < 0.3:
        return _through_the_command(path, what)
    return Damage(what, path, lambda: load_features(path), lambda found: _is_said(path, found))


def _is_said(path: Path, found: Features) -> bool:
    said = feature_oracle.said_by(path)
    values = {key: getattr(found, field) for key, field in FIELD_OF_KEY.items()}
    return same(said, {key: value for key, value in values.items() if value is not None})


def _is_array(path: Path, found: Any) -> bool:
    try:
        with path.open("rb") as file:
            said = feature_oracle.matrix(np.lib.format.read_array(file, allow_pickle=False))
    except Exception:
        return False
    return same(said, found)


def _through_the_command(path: Path, what: str) -> Damage:
    """Rank the two sides of the file into an output that is there already."""
    from simgraph.cli import main

    output = path.with_name("ranked.npz")
    output.write_bytes(b"an earlier output")

    def read() -> bytes:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                main(_words(path, output))
        except SystemExit:
            # Refused: whatever was there before stays.
            if output.read_bytes() != b"an earlier output":
                raise AssertionError(f"{path.name}: the earlier output is lost") from None
            raise
        return output.read_bytes()

    # A gallery that is too large for the budget is refused by its size, not by its file.
    names = (path.name, "memory = ")
    return Damage(f"{what}, rerank", path, read, lambda _: _is_ranked(path, output), names)


def _words(path: Path, output: Path) -> list[str]:
    sim = ["--sim.k", "4", "--sim.num_paths", "3", "--sim.k_query", "4", "--sim.k_gallery", "3"]
    files = ["--query", str(path), "--gallery", str(path), "--output", str(output)]
    return ["rerank", *files, "--top", "5", *sim]


def _is_ranked(path: Path, output: Path) -> bool:
    """The lists are those of the two matrices that the file says, whatever its labels are."""
    from simgraph.rerankers import rerank

    try:
        read = feature_oracle.matrices(path)
    except Exception:
        return False
    distances = rerank(*read, "sim", k=4, num_paths=3, k_query=4, k_gallery=3)
    with np.load(output) as ranked:
        return same(ranked["distances"], distances.sort(dim=1, stable=True).values[:, :5].numpy())


def _arrays(name: str, rng: Generator) -> tuple[bytes, str]:
    values: dict[str, Any] = arrays()
    key = str(rng.choice(list(values)))
    if name.endswith(".npy"):
        changed, what = damaged_array(values["query_feat"], rng)
        return npy(changed), what
    if rng.random() < 0.15:
        del values[key]
        what = "is missing"
    else:
        values[key], what = damaged_array(values[key], rng)
    if name.endswith(".npz"):
        return npz({f"{k}.npy": npy(v) for k, v in values.items()}), f"{key} {what}"
    return _safetensors(values), f"{key} {what}"


_NAMES = {"f2": "F16", "f4": "F32", "f8": "F64", "i4": "I32", "i8": "I64", "u1": "U8", "b1": "BOOL",
          "u8": "U64"}  # fmt: skip


def _safetensors(values: dict[str, np.ndarray]) -> bytes:
    header, data = {}, b""
    for key, value in values.items():
        # What the format has no name for goes under one that readers do not know.
        kind = _NAMES.get(value.dtype.str[1:], value.dtype.str.upper())
        content = np.ascontiguousarray(value).tobytes()
        start, data = len(data), data + content
        header[key] = {"dtype": kind, "shape": value.shape, "data_offsets": [start, len(data)]}
    return emit(header, data)


def npy(array: np.ndarray, **header: Any) -> bytes:
    """An .npy file; entries of its header can be replaced."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    if not header:
        return file.getvalue()
    text = str(np.lib.format.header_data_from_array_1_0(array) | header)
    return npy_of(text.encode("latin1", "replace"), array.tobytes())


def npy_of(text: bytes, data: bytes, version: bytes = b"\1\0") -> bytes:
    """An .npy file whose header is any text."""
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(text) + 1)
    return b"\x93NUMPY" + version + size + text + b"\n" + data


def npz(members: dict[str, bytes], **options: Any) -> bytes:
    """An archive of members, with right checksums."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(_dated(name), content, archive.compression)
    return file.getvalue()


def _dated(name: str) -> zipfile.ZipInfo:
    """An entry of a fixed date, so that a seed gives the same bytes every day."""
    return zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))


def _structure(name: str, whole: bytes, rng: Generator) -> tuple[bytes, str]:
    if name.endswith(".safetensors"):
        return damaged_header(whole, rng)
    values = arrays()
    key = "query_feat" if name.endswith(".npy") else str(rng.choice(list(values)))
    content, what = _npy_structure(values[key], rng)
    if name.endswith(".npy"):
        return content, what
    if rng.random() < 0.4:
        return _zip_structure({f"{k}.npy": npy(v) for k, v in values.items()}, key, rng)
    members = {f"{k}.npy": content if k == key else npy(v) for k, v in values.items()}
    return npz(members), f"{key} {what}"


_DESCRIPTIONS = ("<f4", "<f8", "<f2", ">f4", "<i4", "<i8", "<u8", "|b1", "<c8", "|O", "|S4", "<U4",
                 "|V4", "<M8[s]", "f", "x", "", None, 4, ("<f4", (2,)), [("x", "<f4")])  # fmt: skip
_SHAPES = ((), (0,), (-1, 16), (30,), (16, 30), (30, 16, 1), (10**6, 10**6), (2**62, 4), (30, -16),
           (1.5, 16), ("30", 16), None, 30, [30, 16], (True, 480), (10**30, 1))  # fmt: skip
_HEADERS = (b"", b"{", b"[]", b"1", b"{'descr': '<f4'}", b"(" * 9000, b"-" * 9000, b"\xff\xfe",
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (30, 16), 'x': 1}",
            b"{'descr': '<f4', 'fortran_order': 'no', 'shape': (30, 16), }",
            b"__import__('os').system('true')", b"[" * 60_000)  # fmt: skip


def _npy_structure(array: np.ndarray, rng: Generator) -> tuple[bytes, str]:
    how = str(rng.choice(["descr", "shape", "order", "text", "version", "cut", "more", "pickle"]))
    if how == "descr":
        descr = _DESCRIPTIONS[rng.integers(len(_DESCRIPTIONS))]
        return npy(array, descr=descr), f"descr is {descr!r}"
    if how == "shape":
        shape = _SHAPES[rng.integers(len(_SHAPES))]
        return npy(array, shape=shape), f"shape is {shape!r}"
    if how == "order":
        return npy(array, fortran_order=True), "rows said to be columns"
    if how == "text":
        text = _HEADERS[rng.integers(len(_HEADERS))]
        return npy_of(text, array.tobytes()), f"header is {text[:30]!r}"
    if how == "version":
        version = bytes([rng.integers(0, 5), rng.integers(0, 2)])
        text = str(np.lib.format.header_data_from_array_1_0(array)).encode()
        return npy_of(text, array.tobytes(), version), f"version is {list(version)}"
    if how == "pickle":
        return npy(np.array([{"x": 1}], dtype=object)), "is pickled"
    content = npy(array)
    return (content[:-3], "is cut") if how == "cut" else (content + b"\0" * 7, "is extended")


def _zip_structure(members: dict[str, bytes], key: str, rng: Generator) -> tuple[bytes, str]:
    name, other = f"{key}.npy", npy(np.zeros((30, 16), np.float32))
    how = str(rng.choice(list(_ZIPS)))
    return _ZIPS[how](members, name, other), f"{name} {how}"


def _with_twice(members: dict[str, bytes], name: str, other: bytes) -> bytes:
    import warnings

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for member, content in [(name, other), *members.items()]:
            archive.writestr(_dated(member), content)
    return file.getvalue()


def _with_flag(members: dict[str, bytes], name: str, flag: int) -> bytes:
    """The archive with a bit set in the flags of the member's two headers."""
    content = bytearray(npz(members))
    for magic, flags, at in ((b"PK\3\4", 6, 30), (b"PK\1\2", 8, 46)):
        place = content.find(magic)
        while place >= 0:
            if content[place + at :].startswith(name.encode()):
                content[place + flags] |= flag
            place = content.find(magic, place + 4)
    return bytes(content)


def _renamed(members: dict[str, bytes], other: bytes) -> bytes:
    """The archive with one more member, whose name is not UTF-8 though it says so."""
    return npz(members | {"caf\u00e9.npy": other}).replace("\u00e9".encode(), b"\xff\xff")


_ZIPS: dict[str, Callable[[dict[str, bytes], str, bytes], bytes]] = {
    "stands twice": _with_twice,
    "and without suffix": lambda m, name, other: npz({name[:-4]: other} | m),
    "in capitals": lambda m, name, other: npz({k.upper() if k == name else k: m[k] for k in m}),
    "in a folder": lambda m, name, other: npz({f"a/{k}" if k == name else k: m[k] for k in m}),
    "outside": lambda m, name, other: npz(m | {"../../escaped.npy": other}),
    "encrypted": lambda m, name, other: _with_flag(m, name, 1),
    "is not UTF-8": lambda m, name, other: _renamed(m, other),
    "is no array": lambda m, name, other: npz(m | {name: b"just text"}),
    "is empty": lambda m, name, other: npz(m | {name: b""}),
    "is an archive": lambda m, name, other: npz(m | {name: npz(m)}),
    "and a pickle": lambda m, name, other: npz(m | {"data.pkl": b"\x80\x02."}),
    "and more keys": lambda m, name, other: npz(m | {"extra.npy": other}),
    "packed by LZMA": lambda m, name, other: npz(m, compression=zipfile.ZIP_LZMA),
    "packed by BZIP2": lambda m, name, other: npz(m, compression=zipfile.ZIP_BZIP2),
    "of 64 MB of zeros": lambda m, name, other: npz(
        m | {name: npy(np.zeros((2**20, 16), np.float32))}, compression=zipfile.ZIP_DEFLATED),
}  # fmt: skip

KIND = Kind("features", prepare, damage)
