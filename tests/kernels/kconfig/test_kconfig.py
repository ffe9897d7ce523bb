# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments, what became of their requests, and the reason given for a lost one."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.loader import load_arch
from configs.names import flavours, names
from kernels.kconfig.expression import holds, parse_expr, unmet
from kernels.kconfig.fragments import (
    ConfigLine,
    check_config,
    flavour_fragments,
    inline_fragment,
    load_fragment,
    lost,
    merge,
    parse_config,
    parse_fragment,
    request_text,
)
from kernels.kconfig.tree import KconfigTree, srcarch
from util.errors import UserError

KCONFIG = """\
mainmenu "Test"
source "arch/$(SRCARCH)/Kconfig"
config NET
\tbool "Networking"
\thelp
\t  Say Y.

\t  config TRAP
\t    bool "not a symbol"

if NET
config INET
\tbool "IPv4"
\tdepends on PROC_FS && \\
\t\t!EMBEDDED
menu "More"
\tdepends on INET
config IPV6
\ttristate "IPv6" if EXPERT
\tdefault y
endmenu
endif
config CRYPTO
\tbool
config USER
\tbool "selects"
\tselect CRYPTO if NET
choice
\tprompt "one of"
config FAST
\tbool "fast"
config SMALL
\tbool "small"
endchoice
config COMPILED
\tbool "needs a compiler"
\tdepends on $(cc-option,-mfancy(x)) && NET
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "Kconfig").write_text(KCONFIG)
    (tmp_path / "Makefile").write_text("ifeq ($(ARCH),x86_64)\n        SRCARCH := x86\nendif\n")
    (tmp_path / "arch/x86").mkdir(parents=True)
    (tmp_path / "arch/x86/Kconfig").write_text('config X86\n\tdef_bool y\nsource "../../etc/passwd"\nif UNCLOSED\n')
    return tmp_path


def _refusal(tree: Path, line: str, final: str) -> str:
    with pytest.raises(UserError) as error:
        check_config(merge([inline_fragment("f", [line])]), parse_config(final), tree, "x86_64")
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "final", "reason"),
    [
        ("CONFIG_INET=y", "", "unmet dependency: CONFIG_NET is n (Kconfig:11)"),
        (
            "CONFIG_INET=y",
            "CONFIG_NET=y\nCONFIG_EMBEDDED=y",
            "CONFIG_PROC_FS is n and CONFIG_EMBEDDED is y and must be n",
        ),
        ("CONFIG_IPV6=m", "CONFIG_NET=y\nCONFIG_INET=y", "its prompt is hidden: CONFIG_EXPERT is n (Kconfig:18)"),
        ("CONFIG_IPV6=y", "CONFIG_NET=y", "unmet dependency: CONFIG_INET is n (Kconfig:17)"),
        ("CONFIG_CRYPTO=y", "", "it has no prompt (Kconfig:23) and only CONFIG_USER could select it"),
        ("CONFIG_X86=n", "CONFIG_X86=y", "CONFIG_X86 has no prompt and its default is y"),
        ("CONFIG_CRYPTO=n", "CONFIG_CRYPTO=y\nCONFIG_USER=y\nCONFIG_NET=y", "CONFIG_CRYPTO is selected by CONFIG_USER"),
        ("CONFIG_FAST=y", "CONFIG_SMALL=y", "CONFIG_SMALL holds the choice instead"),
        ("CONFIG_COMPILED=y", "CONFIG_NET=y", "$(cc-option,-mfancy(x)) is decided by the toolchain"),
        ("CONFIG_TRAP=y", "", "this source has no CONFIG_TRAP"),
        ("CONFIG_INTE=y", "", "this source has no CONFIG_INTE; did you mean CONFIG_INET?"),
    ],
)
def test_the_reason_of_a_loss(tree: Path, line: str, final: str, reason: str) -> None:
    text = _refusal(tree, line, final)
    assert text.startswith("f:1: `") and reason in text


def test_several_losses_are_counted(tree: Path) -> None:
    fragment = inline_fragment("f", ["CONFIG_NET=y", "", "CONFIG_INET=y", "CONFIG_FAST=y"])
    with pytest.raises(UserError, match=r"^f:1: .*; and 2 more: f:3, f:4$"):
        check_config(merge([fragment]), {}, tree, "x86_64")


def test_syntax() -> None:
    fragment = parse_fragment(
        "f",
        '# a comment\n\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="x y" # optional: why\nCONFIG_D=0x10\nCONFIG_E=m\n'
        "CONFIG_F=",
        "dir/f.config",
    )
    assert [(line.symbol, line.value) for line in fragment.lines] == [
        ("A", "y"),
        ("B", "n"),
        ("C", '"x y"'),
        ("D", "0x10"),
        ("E", "y"),
        ("F", "n"),
    ]
    assert fragment.lines[2] == ConfigLine("C", '"x y"', "dir/f.config:5", "why")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("CONFG_A=y", "is not a line"),
        ("CONFIG_A = y", "is not a line"),
        ("CONFIG_A=y z", "is not a line"),
        ("CONFIG_A=y # optional:", "needs a reason"),
    ],
)
def test_mistakes_name_their_line(text: str, wrong: str) -> None:
    with pytest.raises(UserError, match=rf"^x:2: .*{wrong}"):
        parse_fragment("f", f"\n{text}", "x")


def test_the_last_request_counts() -> None:
    requests = merge([inline_fragment("a", ["CONFIG_A=y", "CONFIG_B=y"]), inline_fragment("b", ["CONFIG_A=n"])])
    assert request_text(requests) == "CONFIG_B=y\n# CONFIG_A is not set\n"
    assert lost(requests, {"B": "y"}) == []
    assert [line.where for line in lost(requests, {"A": "y", "B": "y"})] == ["b:1"]


def test_renamed_options_are_asked_for_under_every_name() -> None:
    requests = merge([inline_fragment("a", ["CONFIG_X86_X32=y"])])
    assert request_text(requests) == "CONFIG_X86_X32_ABI=y\nCONFIG_X86_X32=y\n"
    assert lost(requests, {"X86_X32": "y"}) == lost(requests, {"X86_X32_ABI": "y"}) == []
    assert lost(requests, {})
    off = merge([inline_fragment("a", ["CONFIG_RETPOLINE=n"])])
    assert lost(off, {"MITIGATION_RETPOLINE": "y"}) and not lost(off, {})


@pytest.mark.parametrize(
    ("wanted", "found", "held"),
    [
        ("y", "m", True),
        ("17", "17", True),
        ("0x10", "16", True),
        ("17", "18", False),
        ('"a"', '"a"', True),
        ('"a"', '"b"', False),
        ("-1", "-1", True),
        ("5", '"five"', False),
    ],
)
def test_values(wanted: str, found: str, held: bool) -> None:
    requests = merge([inline_fragment("a", [f"CONFIG_A={wanted}"])])
    assert (lost(requests, {"A": found}) == []) is held


def test_all_fragments_of_the_project_load() -> None:
    for name in names("archs"):
        assert merge(map(load_fragment, load_arch(name).fragments))
    for flavour in flavours():
        assert all(line.where.startswith("configs/fragments/") for f in flavour_fragments(flavour) for line in f.lines)
    assert flavours()[0] == "plain"
    with pytest.raises(UserError, match="no flavour `spicy`"):
        flavour_fragments("spicy")
    with pytest.raises(UserError, match="no kconfig fragment `nothing`"):
        load_fragment("nothing")


@pytest.mark.parametrize(
    ("text", "final", "value"),
    [
        ("A", {"A": "y"}, True),
        ("A && B", {"A": "y"}, False),
        ("A && B || C", {"C": "m"}, True),
        ("!(A || B)", {}, True),
        ("A=m", {"A": "m"}, True),
        ("A != n", {}, False),
        ("A < 8", {"A": "7"}, True),
        ('ARCH = "arm"', {"ARCH": '"arm"'}, True),
        ("$(success,x) || A", {"A": "y"}, True),
        ("$(success,x) && A", {"A": "y"}, None),
        ("$(success,x) && A", {}, False),
        ("A &&", {"A": "y"}, None),
    ],
)
def test_expressions(text: str, final: dict[str, str], value: bool | None) -> None:
    assert holds(parse_expr(text), final) is value


@given(st.text(alphabet='AB&|!=()<>"$ ,', max_size=40))
def test_any_expression_is_read_without_an_error(text: str) -> None:
    expr = parse_expr(text)
    holds(expr, {"A": "y"})
    unmet(expr, {"A": "y"})


def test_reading_is_confined_to_the_tree(tree: Path) -> None:
    (tree / "Kconfig").write_text('source "Kconfig"\nsource "../outside"\nconfig A\n\tbool "a"\n')
    (tree.parent / "outside").write_text("config OUTSIDE\n\tbool\n")
    kconfig = KconfigTree(tree, "x86_64")
    assert kconfig.knows("A") and not kconfig.knows("OUTSIDE")


_PIECES = (
    *("<", "!", "(", "A && ", "$(", "if A\nconfig B\n", "menu\ndepends on A\nconfig B\n", "config B\n  bool\n"),
    *('choice\nconfig B\n\tbool "b"\n', "config B\n  select A\n"),
)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("piece", _PIECES)
def test_a_quarter_of_a_megabyte_is_read_at_once(tmp_path: Path, piece: str) -> None:
    """In proportion to its length this takes half a second; the bound leaves room for a busy machine."""
    text = piece * (250_000 // len(piece))
    (tmp_path / "Kconfig").write_text(f"config A\n\tdepends on {text}\n{text}\n")
    began = time.process_time()
    reader = KconfigTree(tmp_path, "x86_64")
    reader.explain("A", "y", {})
    reader.explain("B", "n", {})
    assert time.process_time() - began < 10


def test_a_deep_expression_is_not_judged() -> None:
    assert holds(parse_expr("!" * 50 + "A"), {}) is False
    assert holds(parse_expr("!" * 5000 + "A"), {}) is None
    assert holds(parse_expr("(" * 5000 + "A"), {}) is None


def test_blanks_without_end_in_a_fragment_are_read_at_once() -> None:
    began = time.process_time()
    assert parse_fragment("x", f"CONFIG_A=y{' ' * 200_000}# optional: why", "x").lines[0].optional == "why"
    with pytest.raises(UserError):
        parse_fragment("x", f"CONFIG_A=y{' ' * 200_000}z", "x")
    assert time.process_time() - began < 10


def test_a_continued_line_of_nothing_is_no_statement(tmp_path: Path) -> None:
    (tmp_path / "Kconfig").write_text("\\\n\nconfig A\n\tbool \\\n")
    assert KconfigTree(tmp_path, "x86_64").knows("A")


def test_the_folder_of_an_architecture_is_what_the_makefile_says() -> None:
    makefile = (
        "SRCARCH := $(ARCH)\n\n# Additional ARCH settings for x86\nifeq ($(ARCH),i386)\n        SRCARCH := x86\nendif\n"
        "ifeq ($(ARCH),x86_64)\n        SRCARCH := x86\nendif\nifeq ($(ARCH),sparc32)\n       SRCARCH := sparc\nendif\n"
    )
    assert [srcarch(makefile, arch) for arch in ("x86_64", "i386", "sparc32", "arm64")] == [
        "x86",
        "x86",
        "sparc",
        "arm64",
    ]


def test_what_is_off_for_size_alone_gives_way_to_what_a_suite_selects() -> None:
    """KUnit's list for all tests asks for WLAN, which selects WIRELESS."""
    general = merge([load_fragment("general"), inline_fragment("kunit", ["CONFIG_WLAN=y"])])
    final = parse_config(request_text(general)) | {"WIRELESS": "y", "WLAN": "y"}
    assert lost(general, final) == []
    assert [line.symbol for line in lost(general, final | {"SLUB_TINY": "y"})] == ["SLUB_TINY"]
