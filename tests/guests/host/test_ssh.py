# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses of other machines, and the one line for what is wrong with them; no server is needed."""

from pathlib import Path

import pytest

from guests.host.host import LOCAL, CommandResult
from guests.host.open import open_host
from guests.host.ssh import SshAddress, parse_address
from util.errors import MachineError, UserError


def test_an_address_in_full_and_in_short(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    assert parse_address("ssh://me@far.example:2222", key) == SshAddress("far.example", 2222, "me", str(key))
    short = parse_address("ssh://far.example/")
    assert (short.machine, short.port, short.identity) == ("far.example", 22, "")
    assert short.user
    assert str(parse_address("ssh://me@[::1]:23")) == "ssh://me@[::1]:23"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("far.example", "write it as ssh://"),
        ("http://far.example", "write it as ssh://"),
        ("ssh://", "write it as ssh://"),
        ("ssh://far.example:http", "write it as ssh://"),
        ("ssh://far.example/folder", "write it as ssh://"),
        ("ssh://far$example", "write it as ssh://"),
        ("ssh://me:secret@far.example", "a password does not belong into an address"),
    ],
)
def test_an_address_that_is_none_is_the_users_mistake(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


def test_a_key_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent: no such file"):
        parse_address("ssh://far.example", tmp_path / "absent")


def test_a_machine_that_does_not_answer_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        pytest.raises(MachineError, match=r"^ssh://me@127.0.0.1:1: Connection refused$"),
        open_host("ssh://me@127.0.0.1:1"),
    ):
        pass


def test_no_address_is_this_machine() -> None:
    with open_host("") as host:
        assert host is LOCAL
    assert LOCAL.run("no-such-program").status == 127
    assert LOCAL.run("sh", "-c", "echo out; echo err >&2; exit 3") == CommandResult(3, "out\n", "err")
