# SPDX-License-Identifier: GPL-2.0-or-later
"""The seed of the run, and real kernels for the tests that boot one: the base of the built-in profile, built by the rig
itself."""

import os
import random
import re
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.command import rig
from tests.measured import begin_children, begin_once, keep_from_workers, no_children
from tests.seeds import VARIABLE, drawn

FIRST_BUILD = 1800
"""Seconds for a test that may be the first to need a kernel: with an empty cache and a busy machine that is a clean
build."""


settings.register_profile("any load", deadline=None)
settings.load_profile("any load")  # before a test is imported: each keeps what holds then


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help=f"Repeat what a run with this seed drew at random (or {VARIABLE}=N).")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """One seed for all workers of the run, and for hypothesis, which reads its option a moment later."""
    begin_once(config)
    if config.option.seed is None:
        config.option.seed = drawn()
    elif not hasattr(config, "workerinput"):
        os.environ[VARIABLE] = str(config.option.seed)
    if config.getoption("hypothesis_seed", None) is None:
        config.option.hypothesis_seed = str(config.option.seed)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.option.seed} (again with --seed {config.option.seed})"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    keep_from_workers()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """Behind pytest-cov, which begins to measure a worker here."""
    begin_children()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    with no_children():
        return (yield)


_WHOLE_FILE = re.compile(r"^pytestmark = \[?pytest\.mark\.(real|slow)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file, or a folder of files, that `-m "not ..."` leaves out whole is not even imported: a browser's driver and
    others take a second."""
    unwanted = str(config.option.markexpr or "")
    if " or " in unwanted or "not " not in unwanted:
        return None
    tests = sorted(collection_path.rglob("test_*.py")) if collection_path.is_dir() else [collection_path]
    marks = (_WHOLE_FILE.search(path.read_text(encoding="utf-8")) for path in tests if path.suffix == ".py")
    return True if tests and all(mark and f"not {mark[1]}" in unwanted for mark in marks) else None


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What a test draws at random: from the run's seed and the test's own name, whatever runs before it."""
    seed = f"{request.config.option.seed} {request.node.nodeid}"
    request.node.add_report_section("call", "seed", f"--seed {request.config.option.seed}")
    return random.Random(seed)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("real") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FIRST_BUILD))


@pytest.fixture(scope="session")
def built_kernel() -> Callable[[str], Path]:
    """The folder of the finished base build of an architecture, by name: image, vmlinux, System.map, config, log.

    RIG_TEST_KERNELS may name a folder that holds such folders by architecture.
    """

    @cache
    def folder(arch: str) -> Path:
        if given := os.environ.get("RIG_TEST_KERNELS"):
            return Path(given) / arch
        finished = rig("build", "--series", "none", "--arch", arch, "--quiet")
        assert finished.returncode == 0, finished.stderr
        line = next(line for line in finished.stdout.splitlines() if line.strip().startswith("image: "))
        return Path(line.partition(": ")[2]).parent

    return folder


@pytest.fixture(scope="session")
def built_kernel_commit(built_kernel: Callable[[str], Path]) -> tuple[Path, str]:
    """The user's store of sources, and the commit that the built-in profile's base was built from."""
    built_kernel("x86_64")
    finished = rig("check", "--series", "none", "--arch", "x86_64", "--dry-run", "--quiet")
    assert finished.returncode == 0, finished.stderr
    words = next(line for line in finished.stdout.splitlines() if " worktree add " in line).split()
    git_dir = next(word for word in words if word.startswith("--git-dir=")).partition("=")[2]
    return Path(git_dir), words[-1]
