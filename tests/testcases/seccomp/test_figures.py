# SPDX-License-Identifier: GPL-2.0-or-later
"""What the figures read is what the suite writes."""

import json

from testcases.seccomp.agent.observation import Observation, Seen
from testcases.seccomp.bench.figures import speeds
from testcases.seccomp.suite import _speed


def test_the_speed_of_an_agent_is_read_from_its_message() -> None:
    seen = Observation(trials={0: Seen(calls=700, seconds=1.5), 1: Seen(calls=34, seconds=0.5)})
    tests = [
        {"name": "agent", "message": _speed(seen)},
        {"name": "agent", "message": "was killed by signal 9"},
        {"name": "guest/end", "message": _speed(seen)},
    ]
    assert [*speeds(json.dumps({"cells": [{"tests": tests}, {"tests": []}]}))] == [(734, 2.0)]
