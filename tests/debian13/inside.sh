#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is done on Debian 13: the set-up as README has it, the fast tests, and guests of a kernel that is there already.
set -eu
export DEBIAN_FRONTEND=noninteractive
cd /rig
git config --global --add safe.directory /rig 2>/dev/null || true
# Nothing here runs in a browser, and npm's packages of Debian are some hundred.
export RIG_NPM=none
make setup
# Not `make fast`: lint and types are the same on every system.
.venv/bin/pytest -q -m 'not real and not slow' -n 3
export RIG_TEST_KERNELS=/kernels
.venv/bin/pytest -q -m real tests/guests/run/test_real.py -k 'empty_job and x86_64'
.venv/bin/pytest -q -m real tests/guests/run/test_saved_real.py -k 'microvm'
.venv/bin/pytest -q -m real tests/testcases/benchmark/test_trace_real.py -k 'x86_64'
