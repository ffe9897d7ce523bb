# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell offers for a half-written command line, and what `list` and errors name."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import USER, rig
from util.paths import ROOT

HEAVY = (
    "pydantic",
    "z3",
    "matplotlib",
    "paramiko",
    "ci.model.results",
    "testcases.seccomp.suite",
    "testcases.seccomp.filters.filter_file",
)


def offered(line: str) -> list[str]:
    """In a real bash, by its own completion function, in the folder of the rig."""
    words = line.split(" ")
    script = f"""
eval "$(_RIG_PY_COMPLETE=bash_source ./rig.py)"
COMP_WORDS=({" ".join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}
function=$(complete -p rig.py | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
$function ./rig.py
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=USER, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("./rig.py ch", ["check"]),
        ("./rig.py check --prof", ["--profile"]),
        ("./rig.py check --profile seccomp-cache-r", ["seccomp-cache-revert"]),
        ("./rig.py check --arch a", ["aarch64"]),
        ("./rig.py check --abi i386,x", ["i386,x86_64", "i386,x32"]),
        ("./rig.py build --flavour k", ["kasan"]),
        ("./rig.py check --suite se", [f"seccomp/{topic}" for topic in (
            "attach", "corpus", "counted", "edges", "fuzz", "proc", "replay", "threads", "ways")] + ["selftests/"]),
    ],
)  # fmt: skip
def test_bash_completes(line: str, answer: list[str]) -> None:
    assert offered(line) == answer


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_set_up_and_the_readme_says_it(shell: str) -> None:
    done = rig(environment=USER | {"_RIG_PY_COMPLETE": f"{shell}_source"})
    assert "rig.py" in done.stdout
    assert f"{shell}_source" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_help_list_doctor_and_completion_import_nothing_slow() -> None:
    code = f"""
import sys
sys.argv = ["rig.py", "list"]
import rig
from ci.command.shared import complete
from ci.machine.doctor import examine
from ci.machine.listing import lines
list(lines())
examine(complete.archs())
[function() for function in (complete.archs, complete.abis, complete.flavour_names, complete.suites)]
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=USER, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_list_shows_the_topics_of_suites_and_the_selftests_of_a_tree(tmp_path: Path) -> None:
    from ci.machine.listing import lines

    assert "  seccomp/: attach, corpus, counted, edges, fuzz, proc, replay, threads, ways" in list(lines())
    assert any("selftests/: what the kernel tree holds" in line for line in lines())
    for name in ("mqueue", "net/mptcp"):
        folder = tmp_path / "tools/testing/selftests" / name
        folder.mkdir(parents=True)
        (folder / "Makefile").write_text("include ../lib.mk\n", encoding="utf-8")
    assert "  selftests/: mqueue, net/mptcp" in list(lines(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "meant"),
    [("mqueue", "selftests/mqueue"), ("edges", "seccomp/edges"), ("selftest/proc", "selftests"), ("boott", "boot")],
)
def test_a_near_miss_is_told_what_it_may_mean(suite: str, meant: str) -> None:
    done = rig("check", "--suite", suite, "--dry-run")
    assert done.returncode == 2
    assert f"did you mean `{meant}`?" in done.stderr
