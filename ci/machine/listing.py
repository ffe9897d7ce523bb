# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py list`: every name that a profile or the command line may use. Imports no model, to answer at once."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from configs.names import STATIC, flavours, names, raw
from testcases.registry import suite_names, suite_words, topics
from util.errors import UserError
from util.paths import ROOT
from util.text import columns


def lines(tree: Path | None = None) -> Iterator[str]:
    """Lists with headings, ready to print; the selftests are those of the kernel tree at `tree`."""
    yield "profiles (--profile NAME, or the path of a YAML file)"
    for name in names("profiles"):
        yield f"  {name}: {raw('profiles', name).get('description', '')}"
    yield "architectures (--arch) and their ABIs (--abi)"
    for name in names("archs"):
        arch = raw("archs", name)
        yield f"  {name}: {', '.join(arch['abis'])} (machines: {', '.join(arch['machines'])})"
    yield "flavours (--flavour)"
    yield f"  {', '.join(flavours())}"
    yield from _suites(tree)
    yield "sources (--source)"
    for package in sorted(raw(".", "debian")["packages"]):
        yield f"  debian:{package}"
    yield "  tarball:FILE, tarball:URL#sha256=HEX, git:PATH@REV, git:URL@REV, or a folder"
    yield "series of our own (--series)"
    for folder in sorted((ROOT / "kernels" / "series").iterdir()):
        if folder.is_dir():
            yield f"  {folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder}"


def offers(name: str, tree: Path, arch: str) -> Iterator[str]:
    """Of each topic of a suite in a tree: whether it runs on the architecture here, or what kind of thing it needs.

    Raises UserError for a name that is not known, and for a suite whose topics do not depend on a tree."""
    from configs.loader import load_arch
    from testcases.registry import find_suite
    from testcases.suite import OfferingSuite

    suite, topic = find_suite(name)
    if not isinstance(suite, OfferingSuite):
        raise UserError(f"--suite {name}: its topics depend on no kernel tree; `list` without --suite names them")
    found = [offer for offer in suite.offers(tree, load_arch(arch)) if not topic or offer.topic == topic]
    if not found:
        raise UserError(f"--suite {name}: the tree has no such target")
    width = max(len(offer.topic) for offer in found)
    for offer in found:
        yield f"{offer.topic:{width}}  {offer.kind or 'runs'}{': ' if offer.kind else ''}{offer.reason}"
    counts = Counter(offer.kind or "run" for offer in found)
    runs = counts.pop("run", 0)
    lacking = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield f"{runs} of {len(found)} run on {arch}" + (f"; left out: {lacking}" if lacking else "")


def _suites(tree: Path | None) -> Iterator[str]:
    yield "suites (--suite), with what can stand behind the slash"
    unknown = [word.rstrip("/") for word in suite_words() if word.endswith("/")] if tree is None else []
    for name in suite_names():
        behind = topics(name, tree)
        if len(behind) > _FEW:
            yield f"  {name}/"
            yield from (f"    {line}" for line in columns(behind))
        elif behind:
            yield f"  {name}/: {', '.join(behind)}"
        else:
            yield f"  {name}" + ("/: what the kernel tree holds, see `list --source SPEC`" if name in unknown else "")
    yield from (f"  {name}" for name in STATIC)


_FEW = 20
