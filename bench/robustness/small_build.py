# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the kernel in miniature of the tests, with the real store, sandbox and make:
`python -m bench.robustness.small_build FOLDER [CONFIG...]`. Signals are answered as `rig.py` answers them."""

import signal

from rig import interrupted

if __name__ == "__main__":
    signal.signal(signal.SIGINT, interrupted)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

import sys
from pathlib import Path

from ci.command.shared.running import INTERRUPTED, running
from kernels.build.build import BuildStore
from tests.kernels.lab import FAKE, Lab, Snapshots
from util.children.jobserver import Jobserver
from util.errors import RigError
from util.stop import Stopped


class Again(Lab):
    """A lab whose folder may be there already, with the builds of an earlier process."""

    def __post_init__(self) -> None:
        self.source = FAKE
        (self.root / "trees").mkdir(parents=True, exist_ok=True)
        self.store = Snapshots(self.root / "trees")
        self.builds = BuildStore(self.root / "builds")


def main(folder: Path, config: tuple[str, ...]) -> int:
    """The exit status: 0 it is built, 1 it does not build, 3 the machine could not, 130 it was interrupted."""
    try:
        with running(quiet=True) as (_emit, stop), Jobserver(2) as jobs:
            lab = Again(folder, jobs, config=(*Lab.config, *config))
            build = lab.build(stop)
    except Stopped:
        print("rig.py: interrupted", file=sys.stderr)
        return INTERRUPTED
    except RigError as error:
        print(f"rig.py: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"rig.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 3
    print(build.folder, "cached" if build.cached else "made", *[text for text in lab.texts() if "is damaged" in text])
    return 0 if build.ok else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), tuple(sys.argv[2:])))
