# SPDX-License-Identifier: GPL-2.0-or-later
"""Every YAML file of ours loads; every mistake in a user's is one line with file and line number."""

from pathlib import Path

import pytest

from configs.loader import load, load_arch, load_profile
from configs.model import Profile
from configs.names import names
from util.errors import UserError

GOOD = """\
name: mine
description: a job
source: debian:linux-source-6.12
archs: [x86_64]
suites: [boot, {name: selftests/futex, timeout: 90}]
"""


def profile(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", names("archs"))
def test_every_architecture_loads_and_is_whole(name: str) -> None:
    arch = load_arch(name)
    assert arch.name == name
    assert arch.default_machine in arch.machines
    assert all(machine.image in arch.outputs for machine in arch.machines.values())


@pytest.mark.parametrize("name", names("profiles"))
def test_every_profile_loads_and_names_known_architectures(name: str) -> None:
    loaded = load_profile(name)
    assert loaded.name == name
    assert all(load_arch(arch) for arch in loaded.archs)


def test_bare_suite_names_and_mappings_are_the_same_thing(tmp_path: Path) -> None:
    suites = load(profile(tmp_path, GOOD), Profile).suites
    assert [suite.name for suite in suites] == ["boot", "selftests/futex"]
    assert [suite.timeout for suite in suites] == [None, 90]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("suites:", "suits:", 5, "did you mean `suites`?"),
        ("timeout: 90", "timeout: 0", 5, "greater than 0"),
        ("timeout: 90", "timeot: 90", 5, "no such key; did you mean `timeout`?"),
        ("archs: [x86_64]", "archs: []", 4, "at least one"),
        ("name: mine", "name: [", 3, "not valid YAML"),
        ("suites:", "layout: {structs: [a b]}\nsuites:", 5, "'a b' is neither NAME nor FILE:NAME"),
        ("description: a job\n", "", 1, "description: Field required"),
        (GOOD, "- a\n- b\n", 1, "must be a mapping"),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    path = profile(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserError) as caught:
        load_profile(str(path))
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message
    assert "\n" not in message


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        load_profile(str(tmp_path / "none.yaml"))
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: \xe9".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        load_profile(str(path))


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no architecture `x86`; did you mean `x86_64`\?"):
        load_arch("x86")
    with pytest.raises(UserError, match="no profile `seccomp-cach`; did you mean `seccomp-cache`"):
        load_profile("seccomp-cach")


def test_paths_in_a_profile_are_taken_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "v2.mbox").write_text("", encoding="utf-8")
    path = profile(tmp_path, GOOD + "series: v2.mbox\n")
    assert load_profile(str(path)).series == str(tmp_path / "v2.mbox")
    assert load_profile(str(path)).source == "debian:linux-source-6.12"


def test_files_in_options_of_a_suite_are_found_beside_the_profile(tmp_path: Path) -> None:
    (tmp_path / "one filter").mkdir()
    (tmp_path / "one filter" / "a.bpf").touch()
    (tmp_path / "a.bpf").touch()
    text = GOOD.replace(
        "{name: selftests/futex, timeout: 90}", "{name: s, options: {f: 'a.bpf b.bpf', n: 3, w: 'as  is'}}"
    )
    options = load_profile(str(profile(tmp_path, text))).suites[1].options
    assert options == {"f": f"{tmp_path}/a.bpf b.bpf", "n": 3, "w": "as  is"}
    inner = tmp_path / "one filter"
    assert load_profile(str(profile(inner, text))).suites[1].options["f"] == f"'{inner}/a.bpf' b.bpf"


def test_a_file_of_budgets_stands_beside_the_profile(tmp_path: Path) -> None:
    name = str(profile(tmp_path, GOOD + "budget_file: limits.yaml\n"))
    shared = tmp_path / "limits.yaml"
    line = "  - {suite: layout, figure: x, limit: == base"
    shared.write_text(f"source: 5.10*\nbudgets:\n{line}}}\n{line}, source: '*'}}\n")
    assert [item.source for item in load_profile(name).budgets] == ["5.10*", "*"]
    shared.write_text("budgets:\n  - {suite: layout, figure: x, limit: no growht}\n")
    with pytest.raises(UserError, match=r"limits.yaml:2: budgets.0.limit: 'no growht' is no limit"):
        load_profile(name)
    shared.unlink()
    with pytest.raises(UserError, match=r"limits.yaml: No such file"):
        load_profile(name)
