# SPDX-License-Identifier: GPL-2.0-or-later
"""The static checks, each on small series of its own: what it finds, and what it has nothing against."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from kernels.checks.check import Level, PatchInTree, StaticCheckResult, history_of
from kernels.checks.fixes import FIXES
from kernels.checks.inline import INLINE
from kernels.checks.kconfig_names import KCONFIG
from kernels.checks.kernel_doc import KERNEL_DOC
from kernels.checks.mail_text import MAIL
from kernels.checks.maintainers import MAINTAINERS
from kernels.checks.objects.compare import KINDS
from kernels.checks.registry import CHECKS, run_checks
from kernels.checks.selftest_files import SELFTESTS
from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.store import Store
from tests.faketree import Events, commit, git, make_repo, resolve
from util.errors import MachineError
from util.paths import ROOT
from util.stop import Stop

ENCODED = "=?UTF-8?q?J=C3=B6rg=20Tester?= <joerg@example.org>"
SIGNED = "Signed-off-by: Jörg Tester <joerg@example.org>"
SELF = "tools/testing/selftests"
BIG = "".join(f"\tcount += {number};\n" for number in range(9))
Files = Mapping[str, str | bytes]
NO_EDIT: Mapping[str, str] = MappingProxyType({})


class Bench:
    """A repository, and a series that is made in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.repo = make_repo(folder / "repo")

    def base(self, files: Files, message: str = "fake: base") -> str:
        return commit(self.repo, message, files)

    def check(
        self, *patches: tuple[str, Files], history: bool = True, edit: Mapping[str, str] = NO_EDIT
    ) -> list[StaticCheckResult]:
        """Every check of every patch, each given by message and files; `edit` replaces texts of the mailbox."""
        git(self.repo, "tag", "--force", "base")
        for message, files in patches:
            commit(self.repo, message, files)
        text = git(self.repo, "format-patch", "--stdout", "base..HEAD")
        mailbox = self.folder / "series.mbox"
        for old, new in edit.items():
            assert old in text
            text = text.replace(old, new)
        mailbox.write_text(text)
        source = resolve(f"git:{self.repo}@base", self.store)
        series = read_series(str(mailbox), self.store, source, Stop())
        trees = [source.tree]
        for count in range(1, len(series.patches) + 1):
            trees.append(apply_series(self.store, source, series, count, Events(), Stop()).tree)
        known = history_of(source.spec) if history else None
        steps = zip(series.patches, trees, trees[1:], strict=False)
        patches_in = [PatchInTree(p, len(series.patches), self.store, a, b, Stop(), known) for p, a, b in steps]
        return list(run_checks(patches_in))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def kinds(checked: list[StaticCheckResult], name: str) -> list[tuple[int, str]]:
    """(number of the patch, kind) of what one check found."""
    return [
        (item.patch.number, finding.kind) for item in checked if item.check.name == name for finding in item.findings
    ]


def said(message: str = "fake: a change", *trailers: str) -> str:
    return "\n".join((f"{message}\n\nIt changes a thing.\n", *trailers, SIGNED))


def test_a_good_series_is_good_for_every_check(bench: Bench) -> None:
    checked = bench.check((said(), {"kernel/fork.c": "int spoon;\n"}), (said("fake: more"), {"lib/a.c": "int a;\n"}))
    assert {item.check.name for item in checked} == {check.name for check in CHECKS}
    assert [finding for item in checked for finding in item.findings] == []


def test_who_did_not_sign(bench: Bench) -> None:
    checked = bench.check(("fake: one\n\nText.\n", {"a.c": "int a;\n"}), (said("fake: two"), {"a.c": "int b;\n"}))
    assert kinds(checked, "mail") == [(1, "unsigned")]
    (finding,) = [finding for item in checked for finding in item.findings]
    assert (finding.level, finding.text) == (
        Level.ERROR,
        "no Signed-off-by of the author, Jörg Tester <joerg@example.org>",
    )


def test_a_sender_who_is_not_the_author_signs_as_well(bench: Bench) -> None:
    sent = {
        f"From: {ENCODED}": "From: Other Person <other@example.org>",
        "\n\nIt changes": "\n\nFrom: Jörg Tester <joerg@example.org>\n\nIt changes",
    }
    signed = said("fake: two", "Signed-off-by: Other Person <Other@example.org>")
    checked = bench.check((said(), {"a.c": "int a;\n"}), (signed, {"a.c": "int b;\n"}), edit=sent)
    assert [(item.patch.number, finding.text) for item in checked for finding in item.findings] == [
        (1, "no Signed-off-by of the sender, Other Person <other@example.org>")
    ]


@pytest.mark.parametrize("line", ["Changes in v2:", "v1 -> v2: renamed", "Changes since v3: none", "Changelog:"])
def test_what_belongs_below_the_line(bench: Bench, line: str) -> None:
    checked = bench.check((said(f"fake: one\n\n{line}\n - more"), {"a.c": "int a;\n"}))
    assert kinds(checked, "mail") == [(1, "below-the-line")]


def test_talk_of_changes_is_no_changelog(bench: Bench) -> None:
    text = "fake: one\n\nChanges in the scheduler made this slow.\nThe v2: prefix is parsed."
    assert kinds(bench.check((said(text), {"a.c": "int a;\n"})), "mail") == []


def test_subjects_without_numbers(bench: Bench) -> None:
    patches = [(said(f"fake: {number}"), {"a.c": f"int a{number};\n"}) for number in (1, 2)]
    bare = {"[PATCH 1/2]": "[PATCH]", "[PATCH 2/2]": "[PATCH]"}
    assert kinds(bench.check(*patches, edit=bare), "mail") == [(1, "unnumbered"), (2, "unnumbered")]


@pytest.mark.slow
def test_fixes_tags(bench: Bench) -> None:
    good = bench.base({"b.c": "int b;\n"}, "fake: the culprit")
    git(bench.repo, "checkout", "-q", "-b", "side")
    side = bench.base({"c.c": "int c;\n"}, "fake: elsewhere")
    git(bench.repo, "checkout", "-q", "main")
    tags = {
        f'Fixes: {good[:12]} ("fake: the culprit")': [],
        f'Fixes: {good[:12]} ("fake: another subject")': ["fixes-subject"],
        f'Fixes: {side[:12]} ("fake: elsewhere")': ["fixes-later"],
        'Fixes: 0123456789ab ("fake: nothing")': ["fixes-unknown"],
        f'Fixes: {good[:8]} ("fake: the culprit")': ["fixes-form"],
        f"Fixes: {good[:12]} fake: the culprit": ["fixes-form"],
    }
    patches = [(said(f"fake: {n}", tag), {"a.c": f"int a{n};\n"}) for n, tag in enumerate(tags)]
    checked = bench.check(*patches)
    found = [[f.kind for f in item.findings] for item in checked if item.check is FIXES]
    assert found == list(tags.values())


def test_fixes_without_a_history_has_no_answer(bench: Bench) -> None:
    tag = 'Fixes: 0123456789ab ("fake: nothing")'
    checked = bench.check((said("fake: one", tag), {"a.c": "int a;\n"}), history=False)
    (item,) = [item for item in checked if item.check is FIXES]
    assert (item.findings, item.skipped) == ((), "the source has no history in which a commit could be looked up")


def test_a_large_inline_function_and_a_small_one(bench: Bench) -> None:
    large = f"static inline int sum(int count)\n{{\n{BIG}\treturn count;\n}}\n"
    small = "static inline int one(void)\n{\n\treturn 1;\n}\nstatic inline int two(void);\n"
    checked = bench.check(
        (said(), {"a.c": small + large, "a.h": large}), (said("fake: x"), {"a.c": small + large + "int x;\n"})
    )
    (finding,) = [finding for item in checked if item.check is INLINE for finding in item.findings]
    assert (finding.path, finding.line, finding.text.split()[0]) == ("a.c", 6, "sum()")


@pytest.mark.slow
def test_kconfig(bench: Bench) -> None:
    bench.base({"Kconfig": 'mainmenu "fake"\nconfig PCI\n\tbool "PCI"\n\nconfig MSI\n\tbool\n\tdepends on PCI\n'})
    text = (bench.repo / "Kconfig").read_text()
    no_help = f'{text}\nconfig NOHELP\n\tbool "no help"\n'
    unmet = f'{no_help}\nconfig ASKS\n\tbool "asks"\n\tselect MSI\n\thelp\n\t  It asks.\n'
    met = f'{unmet}\nconfig MET\n\tbool "met"\n\tdepends on PCI\n\tselect MSI\n\thelp\n\t  Fine.\n'
    unknown = f"{met}\nconfig LOST\n\tbool\n\tdepends on NOBODY\n"
    used = {"u.c": "#ifdef CONFIG_NOHELP\n#endif\n#if IS_ENABLED(CONFIG_ASKS) || defined(CONFIG_MET)\n#endif\n"}
    checked = bench.check(
        (said("fake: 1"), {"Kconfig": no_help, **used}), (said("fake: 2"), {"Kconfig": unmet}),
        (said("fake: 3"), {"Kconfig": met}), (said("fake: 4"), {"Kconfig": unknown}),
        (said("fake: 5"), {"v.c": "#ifdef CONFIG_TYPO\n#endif\n/* CONFIG_SPOKEN_OF */\n"}),
    )  # fmt: skip
    assert kinds(checked, KCONFIG.name) == [
        (1, "kconfig-help"), (1, "kconfig-undefined"), (1, "kconfig-undefined"), (2, "kconfig-unmet"),
        (4, "kconfig-unused"), (4, "kconfig-undefined"), (5, "kconfig-undefined"),
    ]  # fmt: skip


def test_what_is_no_part_of_the_kernel_is_given_to_no_compiler_of_it(bench: Bench) -> None:
    before = bench.base({"kernel/gone.c": "", "Kconfig": 'mainmenu "fake"\n'})
    beside = ("tools/perf/a.c", "samples/b.c", "scripts/c.c", "Documentation/d.c", "usr/e.c")
    (bench.repo / "kernel/gone.c").unlink()
    after = commit(bench.repo, "fake: after", {**dict.fromkeys(beside, "int a;\n"), "fs/own.c": "int b;\n"})
    old, new = (resolve(f"git:{bench.repo}@{commit_id}", bench.store).tree for commit_id in (before, after))
    item = PatchInTree(cast(Any, None), 1, bench.store, old, new, Stop())
    assert "kernel/gone.c" in {path for _, path in item.changes}
    assert item.kernel_files == ("fs/own.c",)


CHOICE = """
choice
	prompt "Default state"
{help}
	config {name}_ON
		bool "On"

	if MSI
	config {name}_OFF
		bool "Off"
	endif

endchoice
"""


@pytest.mark.slow
def test_a_choice_explains_its_members_and_entries_may_be_indented(bench: Bench) -> None:
    text = 'mainmenu "fake"\nconfig PCI\n\tbool "PCI"\n\nconfig MSI\n\tbool\n\tdepends on PCI\n'
    used = {
        "u.c": "".join(f"#ifdef CONFIG_{name}\n#endif\n" for name in ("STATE_ON", "STATE_OFF", "BARE_ON", "BARE_OFF"))
    }
    bench.base({"Kconfig": text, **used})
    explained = text + CHOICE.format(name="STATE", help="\thelp\n\t  Says what\n\t  config LOST\n\n\t  would be.\n")
    bare = explained + CHOICE.format(name="BARE", help="")
    asks = f'{bare}\nconfig ASKS\n\tbool "Asks"\n\tselect STATE_ON\n\tselect INDENTED\n\thelp\n\t  It asks.\n'
    indented = "\tconfig INDENTED\n\t\tbool\n\t\tdepends on PCI\n"
    checked = bench.check(
        (said("fake: 1"), {"Kconfig": explained}), (said("fake: 2"), {"Kconfig": bare}),
        (said("fake: 3"), {"Kconfig": asks + indented}),
    )  # fmt: skip
    found = [item for item in checked if item.check is KCONFIG]
    told = [(item.patch.number, finding.kind, finding.text.split()[0]) for item in found for finding in item.findings]
    assert told == [
        (2, "kconfig-help", "BARE_ON"), (2, "kconfig-help", "BARE_OFF"),
        (3, "kconfig-unused", "nothing"), (3, "kconfig-unmet", "ASKS"),
    ]  # fmt: skip


@pytest.mark.slow
def test_selftests(bench: Bench) -> None:
    main = "int main(void)\n{\n\treturn 0;\n}\n"
    bench.base({"Kconfig": 'mainmenu "fake"\nconfig A\n\tbool\n',
                f"{SELF}/Makefile": "TARGETS = old\n", f"{SELF}/old/Makefile": "TEST_GEN_PROGS := a\n",
                f"{SELF}/old/.gitignore": "a\n", f"{SELF}/old/a.c": main})  # fmt: skip
    checked = bench.check(
        (said("fake: 1"), {f"{SELF}/old/b.c": main}),
        (said("fake: 2"), {f"{SELF}/old/c.c": main, f"{SELF}/old/Makefile": "TEST_GEN_PROGS := a b \\\n\tc\n"}),
        (said("fake: 3"), {f"{SELF}/old/d.c": main, f"{SELF}/old/Makefile": "TEST_GEN_PROGS := a b c d\n",
                           f"{SELF}/old/.gitignore": "a\nd\n", f"{SELF}/old/helper.c": "int helper;\n"}),
        (said("fake: 4"), {f"{SELF}/new/Makefile": "TEST_PROGS := t.sh\n", f"{SELF}/new/t.sh": "#!/bin/sh\n"}),
        (said("fake: 5"), {f"{SELF}/more/Makefile": "TEST_PROGS := t.sh\n", f"{SELF}/more/t.sh": "#!/bin/sh\n",
                           f"{SELF}/more/config": "CONFIG_A=y\n",
                           f"{SELF}/Makefile": "TARGETS = old\nTARGETS += more\n"}),
    )  # fmt: skip
    assert kinds(checked, SELFTESTS.name) == [
        (1, "selftest-not-built"), (2, "selftest-not-ignored"), (4, "selftest-no-config"), (4, "selftest-no-target"),
    ]  # fmt: skip


DOC = r"""#!/usr/bin/perl
# a stand-in for the kernel's script: every function wants a comment that names it
for my $file (grep { !/^-/ } @ARGV) {
    open(my $text, '<', $file) or die;
    while (<$text>) { print STDERR "$file:$.: warning: $1 has no description\n" if /^int (undocumented_\w+)/; }
}
"""


def test_kernel_doc_says_what_is_new(bench: Bench) -> None:
    bench.base({"scripts/kernel-doc": DOC, "a.c": "int undocumented_old(void);\n"})
    checked = bench.check((said(), {"a.c": "int x;\nint undocumented_old(void);\nint undocumented_new(void);\n"}))
    (finding,) = [finding for item in checked if item.check is KERNEL_DOC for finding in item.findings]
    assert str(finding) == "a.c:3: warning: undocumented_new has no description [kernel-doc]"


PYTHON_DOC = """#!/usr/bin/env python3
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "%s"))
from kdoc.said import said
for name in sys.argv[2:]:
    for number, line in enumerate(open(name), 1):
        if line.startswith("int undocumented"):
            print("Warning: %%s:%%d %%s" %% (name, number, said(line)), file=sys.stderr)
"""
SAID = "def said(line):\n    return line.split('(')[0].split()[1] + ' has no description'\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "modules", "library"),
    [
        ("tools/docs/kernel-doc", "../lib/python", "tools/lib/python/kdoc"),
        ("scripts/kernel-doc.py", "lib", "scripts/lib/kdoc"),
    ],
)
def test_kernel_doc_of_newer_trees_is_python(bench: Bench, script: str, modules: str, library: str) -> None:
    """The modules stand where the script looks for them, and the old name may be a link."""
    link = {"scripts/kernel-doc": "->kernel-doc.py"} if script.startswith("scripts") else {}
    bench.base(
        {script: PYTHON_DOC % modules, f"{library}/said.py": SAID, "a.c": "int undocumented_old(void);\n", **link}
    )
    checked = bench.check((said(), {"a.c": "int undocumented_old(void);\nint undocumented_new(void);\n"}))
    (finding,) = [finding for item in checked if item.check is KERNEL_DOC for finding in item.findings]
    assert str(finding) == "a.c:2: warning: undocumented_new has no description [kernel-doc]"


def test_a_kernel_doc_that_breaks_is_no_silence(bench: Bench) -> None:
    bench.base({"tools/docs/kernel-doc": "import nothing_of_this_name\n"})
    with pytest.raises(MachineError, match="tools/docs/kernel-doc ended with status 1"):
        bench.check((said(), {"a.c": "int x;\n"}))


NAMES = r"""#!/usr/bin/perl
# a stand-in for the kernel's script, which reads MAINTAINERS where it stands
open(my $text, '<', 'MAINTAINERS') or die "no MAINTAINERS here";
-f $ARGV[-1] or die "no patch here";
print while <$text>;
"""
PEOPLE = """"J. Keeper" <Keeper@example.org> (maintainer:FORKS (AND SPOONS))
Reader <reader@example.org> (reviewer:FORKS (AND SPOONS),commit_signer:1/2=50%)
forks@lists.example.org (open list:FORKS (AND SPOONS))
linux-kernel@vger.kernel.org (open list)
"""


@pytest.mark.slow
def test_people_whom_the_mail_does_not_reach(bench: Bench) -> None:
    bench.base({"scripts/get_maintainer.pl": NAMES, "MAINTAINERS": PEOPLE})
    to = {"Subject: [PATCH 1/3]": "To: someone@example.org,\n keeper@example.org\nSubject: [PATCH 1/3]",
          "Subject: [PATCH 2/3]": "Cc: someone@example.org\nSubject: [PATCH 2/3]"}  # fmt: skip
    patches = [
        (said("fake: 1"), {"a.c": "int a;\n"}),
        (said("fake: 2", "Cc: Reader <reader@example.org>"), {"b.c": "\n"}),
    ]
    checked = bench.check(*patches, (said("fake: 3"), {"c.c": "int c;\n"}), edit=to)
    found = [(i.patch.number, f.level, f.text) for i in checked if i.check is MAINTAINERS for f in i.findings]
    names = ", whom scripts/get_maintainer.pl names"
    assert found == [
        (1, Level.NOTE, f"the mail does not go to Reader <reader@example.org> "
            f"(reviewer of FORKS (AND SPOONS),commit_signer:1/2=50%){names}"),
        (1, Level.NOTE, f"the mail does not go to forks@lists.example.org (open list of FORKS (AND SPOONS)){names}"),
        (2, Level.NOTE, f"the mail does not go to forks@lists.example.org (open list of FORKS (AND SPOONS)){names}"),
        (2, Level.WARNING, f'the mail does not go to "J. Keeper" <Keeper@example.org> '
            f"(maintainer of FORKS (AND SPOONS)){names}"),
    ]  # fmt: skip
    assert [item.applied for item in checked if item.check is MAINTAINERS] == [True, True, False]


@pytest.mark.slow
def test_a_maintainers_script_that_is_absent_or_fails_is_no_answer(bench: Bench) -> None:
    to = {"Subject: [PATCH]": "To: someone@example.org\nSubject: [PATCH]"}
    (item,) = [i for i in bench.check((said(), {"a.c": "\n"}), edit=to) if i.check is MAINTAINERS]
    assert item.skipped == "the tree has no scripts/get_maintainer.pl"
    bench.base({"scripts/get_maintainer.pl": NAMES})
    (item,) = [i for i in bench.check((said(), {"a.c": "int a;\n"}), edit=to) if i.check is MAINTAINERS]
    assert "ended with status" in item.skipped
    assert "no MAINTAINERS here" in item.skipped


@pytest.mark.slow
def test_what_a_selftest_needs(bench: Bench) -> None:
    main = "int main(void)\n{\n\treturn 0;\n}\n"
    bench.base({"Kconfig": 'mainmenu "fake"\nconfig GOOD\n\tbool\n', f"{SELF}/old/config": "CONFIG_GOOD=y\n",
                f"{SELF}/old/Makefile": "TEST_GEN_PROGS := a b\n", f"{SELF}/old/.gitignore": "a\nb\n"})  # fmt: skip
    checked = bench.check(
        (said("fake: 1"), {f"{SELF}/old/a.c": f"/* needs CONFIG_GOOD and CONFIG_OTHER */\n{main}"}),
        (said("fake: 2"), {f"{SELF}/old/config": "CONFIG_GOOD=y\nCONFIG_TYPO=y\n# CONFIG_SPOKEN_OF is not set\n"}),
        (said("fake: 3"), {f"{SELF}/old/b.c": f"/* CONFIG_GOOD */\n{main}"}),
    )  # fmt: skip
    found = [(i.patch.number, str(f)) for i in checked if i.check is SELFTESTS for f in i.findings]
    assert found == [
        (1, f"{SELF}/old/a.c:1: note: a.c speaks of CONFIG_OTHER, which {SELF}/old/config does not name "
            "[selftest-config]"),
        (2, f"{SELF}/old/config:2: warning: no Kconfig file defines TYPO, so that this line asks for nothing "
            "[selftest-config-unknown]"),
    ]  # fmt: skip


def test_kernel_doc_that_is_not_there_is_no_answer(bench: Bench) -> None:
    checked = bench.check((said(), {"a.c": "int x;\n"}))
    (item,) = [item for item in checked if item.check is KERNEL_DOC]
    assert item.skipped == "the tree has no kernel-doc"


def test_the_documentation_names_every_check() -> None:
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    for check in (*CHECKS, *KINDS):
        assert f"| `{check.name}` |" in text, check.name
    assert MAIL in CHECKS
