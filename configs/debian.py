# SPDX-License-Identifier: GPL-2.0-or-later
"""The file `configs/debian.yaml`: which suites of Debian a kernel source is taken from, and the archive's keys."""

from pathlib import Path

from configs.loader import load
from configs.model import Strict
from util.errors import MachineError
from util.paths import CONFIGS


class Debian(Strict):
    """`packages` and `default` are groups of suites in the order in which they are tried."""

    packages: dict[str, tuple[tuple[str, ...], ...]]
    default: tuple[tuple[str, ...], ...]
    keyrings: tuple[str, ...]
    keyring_package: str

    def groups(self, package: str) -> tuple[tuple[str, ...], ...]:
        """The groups of suites that may offer the package."""
        return self.packages.get(package, self.default)

    def signed_by(self) -> str:
        """The value of apt's option `signed-by`: the keyrings that are installed. Raises MachineError if none is."""
        installed = ",".join(path for path in self.keyrings if Path(path).exists())
        if not installed:
            raise MachineError(f"Debian's keys are missing: install {self.keyring_package}")
        return installed


def load_debian() -> Debian:
    """Raises UserError for a file that is not of this form."""
    return load(CONFIGS / "debian.yaml", Debian)
