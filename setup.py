"""The build: pyproject.toml has all of it but one step, which puts configs/ into the wheel.

The shipped configs are at the top level of the repository and in simgraph/configs of the wheel.
A glob in package-data cannot reach above its package.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copy the shipped configs to where `simgraph._shipped_configs` looks for them."""

    def run(self):
        """Build the modules, then copy the configs; an editable install reads configs/ itself."""
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib) / "simgraph" / "configs"
            self.mkpath(str(folder))
            for file in sorted(Path(__file__).parent.glob("configs/*.yaml")):
                self.copy_file(str(file), str(folder / file.name))


setup(cmdclass={"build_py": BuildWithConfigs})
