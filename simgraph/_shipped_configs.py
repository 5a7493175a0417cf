"""Configs that come with the package, found by name wherever it is installed."""

from __future__ import annotations

from pathlib import Path

from simgraph._params import did_you_mean


def find_config(path: str | Path) -> Path:
    """The file of that path, or else the shipped config of that name.

    Args:
        path: of a file, or a name such as `sysu_mm01`.

    Returns:
        A file that exists.

    Raises:
        FileNotFoundError: for neither, with the nearest name.
        ValueError: for a pipe or a device.
    """
    file, shipped = Path(path), shipped_configs()
    if file.is_file():
        return file
    if file.exists() and not file.is_dir():
        raise ValueError(f"{file}: expected a file, got a pipe or a device: save the settings")
    if str(file) in shipped:
        return shipped[str(file)]
    raise FileNotFoundError(
        f"{file}: no such config file, nor the name of a shipped config"
        f"{did_you_mean(file.stem, shipped)}; shipped configs: {', '.join(shipped)}"
    )


def shipped_configs() -> dict[str, Path]:
    """The shipped configs: name → file."""
    # In the wheel they are beside this file; in the repository they are at its top level.
    package = Path(__file__).parent
    folders = (package / "configs", package.parent / "configs")
    files = next((sorted(folder.glob("*.yaml")) for folder in folders if folder.is_dir()), [])
    return {file.stem: file for file in files}
