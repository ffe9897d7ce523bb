# SPDX-License-Identifier: GPL-2.0-or-later
"""Suites are found by their folder alone."""

import sys
from pathlib import Path

import pytest

from configs.loader import load_profile
from configs.names import names as file_names
from testcases import registry
from testcases.registry import find_suite, suite_names
from util.errors import UserError


def test_known_suites() -> None:
    assert {"boot", "selftests"} <= set(suite_names())
    assert find_suite("selftests/filesystems/epoll")[1] == "filesystems/epoll"
    assert find_suite("boot")[1] == ""


@pytest.mark.parametrize("name", ["", "Selftests/x", "selftests/../x", "selftests/a/../b", "/x", "selftests/", "a b"])
def test_names_of_the_wrong_form(name: str) -> None:
    with pytest.raises(UserError, match="a name is SUITE or SUITE/TOPIC"):
        find_suite(name)


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean `selftests`"):
        find_suite("selftest/seccomp")


def test_a_new_folder_is_a_new_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my_own"
    folder.mkdir()
    (folder / "suite.py").write_text("SUITE = 'it'\n")
    monkeypatch.setattr(registry, "_FOLDER", tmp_path)
    monkeypatch.setattr(sys.modules["testcases"], "__path__", [str(tmp_path)])
    assert suite_names() == ["my-own"]
    suite, topic = find_suite("my-own/x")
    assert (str(suite), topic) == ("it", "x")
    sys.modules.pop("testcases.my_own.suite")
    sys.modules.pop("testcases.my_own")


def test_every_profile_names_suites_that_exist() -> None:
    for name in file_names("profiles"):
        for choice in load_profile(name).suites:
            find_suite(choice.name)
