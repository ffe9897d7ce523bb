# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell is offered behind an option. Called at each press of Tab, so that only names are read."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def profiles(_context: click.Context, _param: click.Parameter, word: str) -> list[CompletionItem]:
    """The rig's own profiles; a path, where the word looks like one."""
    from configs.names import names

    if "/" in word:
        return [CompletionItem(word, type="file")]
    return [CompletionItem(name) for name in names("profiles") if name.startswith(word)]


def of_list(known: Callable[[], Iterable[str]]) -> Completer:
    """Completes the last word of `a,b,c` by the names that are not there yet."""

    def complete(_context: click.Context, _param: click.Parameter, word: str) -> list[CompletionItem]:
        before, comma, last = word.rpartition(",")
        taken = before.split(",")
        return [CompletionItem(f"{before}{comma}{name}") for name in known()
                if name.startswith(last) and name not in taken]  # fmt: skip

    return complete


def archs() -> list[str]:
    from configs.names import names

    return names("archs")


def abis() -> list[str]:
    from configs.names import raw

    return [abi for name in archs() for abi in raw("archs", name)["abis"]]


def flavour_names() -> list[str]:
    from configs.names import flavours

    return flavours()


def suites() -> list[str]:
    """Those that are known without a kernel tree."""
    from configs.names import STATIC
    from testcases.registry import suite_words

    return [*suite_words(), *STATIC]
