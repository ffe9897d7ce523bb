# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines for a terminal that hold what guests and patches say, without passing on what a terminal would obey."""

from textwrap import wrap

from rich.console import Console


def print_lines(console: Console, text: str, indent: int) -> None:
    """Breaks at blanks, and inside a word only if it is wider than the terminal."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    prefix = " " * indent
    for line in wrap(
        clean, console.width, initial_indent=prefix, subsequent_indent=prefix + "  ", break_on_hyphens=False
    ):
        console.print(line, markup=False, soft_wrap=True)
