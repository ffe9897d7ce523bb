# SPDX-License-Identifier: GPL-2.0-or-later
"""A rig of its own for the kill tests: boots one guest in a worker thread, as the executor does."""

import sys
import threading
from pathlib import Path

from guests.run.run import run_guest
from tests.guests.support import fake_request
from util.events import silent
from util.stop import Stop


def main() -> None:
    request = fake_request(Path(sys.argv[1]), sys.argv[2])
    threading.Thread(target=run_guest, args=(request, silent, Stop())).start()


if __name__ == "__main__":
    main()
