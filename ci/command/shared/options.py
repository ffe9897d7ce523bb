# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that several commands share. Each group arrives at its command as one frozen object."""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ci.command.shared import complete
from util.errors import UserError
from util.paths import CONFIGS

if TYPE_CHECKING:
    from ci.plan.places import ShardPlaces
    from ci.plan.plan import Plan
    from ci.plan.wishes import Wishes

Command = Callable[..., None]
HELP_NAMES = ("-h", "--help")


def values_of(command: click.Command, words: Iterable[str]) -> dict[str, Any]:
    """What a command line says, by the names of the command's parameters. Raises click.ClickException."""
    # Under the names of the command line itself: click keeps the option that a command made for its first context.
    return command.make_context(command.name, list(words), help_option_names=list(HELP_NAMES)).params


class CommaList(click.ParamType[tuple[str, ...]]):
    """`a,b,c` as a tuple; an empty word is a mistake."""

    name = "a,b,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).split(","))
        if not all(words):
            self.fail(f"{value!r} has an empty word", param, ctx)
        return words


class _Lists(click.Option):
    """An option that may be given again: its lists are one."""

    def type_cast_value(self, ctx: click.Context, value: Any) -> tuple[str, ...]:
        return tuple(word for words in super().type_cast_value(ctx, value) for word in words)


def list_option(*names: str, **more: Any) -> Callable[[Any], Any]:
    """`--name a,b` or `--name a --name b`; absent: the empty tuple."""
    return click.option(*names, cls=_Lists, type=CommaList(), multiple=True, **more)


class Once(click.Option):
    """An option of one value, which is not given twice: two series are not both applied, and of two globs of tests only
    one would count."""

    def __init__(self, *names: Any, default: str | None = None, **more: Any) -> None:
        self._absent = default
        super().__init__(*names, **{**more, "multiple": True, "default": ()})

    def type_cast_value(self, ctx: click.Context, value: Any) -> str | None:
        values: tuple[str, ...] = super().type_cast_value(ctx, value)
        if len(values) > 1:
            raise click.BadParameter(f"takes one value, and was given {len(values)}: {', '.join(values)}", ctx, self)
        return values[0] if values else self._absent


class NamedPath(click.Path):
    """A path that has a name: the empty one, an unset variable's, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("an empty name", param, ctx)
        return super().convert(value, param, ctx)


def not_empty(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """The callback of an option whose absence is the empty text: an empty value that was given is a mistake."""
    if value == "" and ctx.get_parameter_source(param.name or "") is ParameterSource.COMMANDLINE:
        raise click.BadParameter("an empty value", ctx, param)
    return value


@dataclass(frozen=True, slots=True)
class Selection:
    """Which kernels a command is about. `profile` is a name or a file as the user wrote it; None and empty tuples leave
    the profile's own choice."""

    profile: str
    source: str | None
    series: str | None
    archs: tuple[str, ...]
    flavours: tuple[str, ...]
    jobs: int
    quiet: bool
    revision: int | None = None
    only: int | None = None
    mailbox: Path | None = None
    keep_base: bool = False
    guess_base: bool = False

    def wishes(self, **further: Any) -> "Wishes":
        """The same as wishes of a plan; `further` are other fields of `Wishes`."""
        from ci.plan.wishes import Wishes
        from kernels.mail.thread import ThreadChoice

        choice = ThreadChoice(self.revision, self.only, str(self.mailbox or ""))
        return Wishes(
            source=self.source, series=self.series, archs=self.archs, flavours=self.flavours, choice=choice,
            keep_base=self.keep_base, guess_base=self.guess_base, **further,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EachChoice:
    """Whether every patch is looked at by itself, and which suite runs after it (empty: the usual one)."""

    each: bool
    each_suite: str

    @property
    def suite(self) -> str:
        """The suite, or nothing where only the whole series is looked at. Raises UserError."""
        from ci.plan.plan import EACH_SUITE

        if self.each_suite and not self.each:
            raise UserError("--each-suite says what --each runs after every patch: give both")
        return (self.each_suite or EACH_SUITE) if self.each else ""


@dataclass(frozen=True, slots=True)
class PartChoice:
    """Which part of the plan is carried out: globs of cells, or a shard of a file; none of them: all of it."""

    cells: tuple[str, ...] = ()
    shard: str = ""
    shards: Path | None = None

    def of(self, plan: "Plan") -> "ShardPlaces | None":
        """Raises UserError."""
        from ci.plan.places import ShardPlaces, matching
        from ci.plan.shards import read_shards

        if bool(self.shard) != bool(self.shards) or (self.cells and self.shard):
            raise UserError("a part of a run is named by --cells, or by --shard and --shards together")
        if self.shards:
            return read_shards(self.shards).part(self.shard, plan)
        return ShardPlaces(",".join(self.cells), matching(plan, self.cells)) if self.cells else None


ALL = PartChoice()


@dataclass(frozen=True, slots=True)
class GuestHost:
    """Where guests run: `host` is empty for this machine; `identity` a private key's file, for a machine over SSH."""

    host: str
    identity: Path | None

    def __post_init__(self) -> None:
        if self.identity and not self.host:
            raise UserError("--identity is the key for the machine that --host names: give both")


HERE = GuestHost("", None)


@dataclass(frozen=True, slots=True)
class GuestChoice:
    """One guest. `variant` and `machine` are empty for the default."""

    variant: str
    machine: str
    accel: str


def _group(
    name: str, kind: type, options: Iterable[Callable[[Command], Command]], without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """A decorator that adds `options`, whose values reach the command as one `kind` under `name`; the fields that
    `without` names have no option and are None."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def call(**values: Any) -> None:
            given = {field.name: None if field.name in without else values.pop(field.name) for field in fields(kind)}
            command(**{name: kind(**given)}, **values)

        wrapped: Command = call
        for option in reversed([*options]):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def default_profile(command: str = "check") -> str:
    """The name of the profile that a command takes where none is named."""
    lines = (CONFIGS / "profiles" / "defaults.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))[command]


def selection_options(command: str = "check", *, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """The options by which every command says which source, series, architectures and flavours it means; `without`
    names those that a command has not, or has in another meaning."""
    options = _selection_options(default_profile(command))
    return _group("selection", Selection, (option for name, option in options.items() if name not in without), without)


def _selection_options(profile: str) -> dict[str, Callable[[Command], Command]]:
    """By the field that takes the value."""
    return {
        "profile": click.option("--profile", default=profile, show_default=True, metavar="NAME|FILE",
                     shell_complete=complete.profiles,
                     help="What to do, as YAML; `rig.py list` names them."),
        "source": click.option("--source", cls=Once, metavar="SPEC",
                     help="Base tree: debian:linux-source-5.10, tarball:FILE, git:PATH@REV, or a folder."),
        "series": click.option("--series", cls=Once, metavar="FILE|FOLDER|RANGE|BRANCH|MESSAGE-ID|none",
                     help="Patches: an mbox (also .gz), a folder of git format-patch, a maildir, a quilt queue, a git "
                     "range A..B, a branch of b4 prep, a message-id or a link to lore (through b4)."),
        "revision": click.option("--revision", type=click.IntRange(1), metavar="N",
                     help="Which [PATCH vN] of a thread; absent: the latest."),
        "only": click.option("--only", type=click.IntRange(1), metavar="N", help="One patch of the series, alone."),
        "mailbox": click.option("--mailbox", type=NamedPath(path_type=Path), metavar="FILE",
                     help="A local mailbox in which a message-id is looked up, in place of the archive."),
        "keep_base": click.option("--keep-base", is_flag=True,
                     help="Base is the source as named, whatever base the series names or a range begins at."),
        "guess_base": click.option("--guess-base", is_flag=True,
                     help="Base is the revision of a git source that has most of the files the series was made for."),
        "archs": list_option("--arch", "archs", help="Architectures.",
                     shell_complete=complete.of_list(complete.archs)),
        "flavours": list_option("--flavour", "flavours",
                     help="plain, kasan, lockdep, ...", shell_complete=complete.of_list(complete.flavour_names)),
        "jobs": click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
                     help="How many compilers and guests run at once."),
        "quiet": click.option("--quiet", is_flag=True, help="No progress; only the result."),
    }  # fmt: skip


accel_option = click.option(
    "--accel", type=click.Choice(["auto", "kvm", "tcg", "hvf"]), default="auto", show_default=True,
    help="How guests run; auto proves KVM by booting the kernel under test, and falls back to TCG.",
)  # fmt: skip

abi_option = list_option(
    "--abi", "abis", help="ABIs, for example x86_64,x32.",
    shell_complete=complete.of_list(complete.abis),
)  # fmt: skip

out_option = click.option(
    "--out", type=NamedPath(file_okay=False, path_type=Path), help="Output folder; made if absent."
)

fresh_option = click.option("--fresh", is_flag=True, help="Run every guest again, whatever an earlier run found.")

part_options = _group("part", PartChoice, [
    list_option("--cells", metavar="GLOB,...",
                 help="Only these, as ARCH/ABI/FLAVOUR/SUITE, for example 'x86_64/*'; `rig.py merge` joins the parts."),
    click.option("--shard", default="", metavar="NAME", callback=not_empty,
                 help="Only this shard of those that --shards names."),
    click.option("--shards", type=NamedPath(dir_okay=False, path_type=Path), metavar="FILE",
                 help="The shards that `rig.py gitlab generate` divided the plan into."),
])  # fmt: skip

each_options = _group("each", EachChoice, [
    click.option("--each", is_flag=True,
                 help="Also build and boot after every single patch: a series must be bisectable."),
    click.option("--each-suite", default="", metavar="SUITE", callback=not_empty, shell_complete=complete.suites,
                 help="What runs after every patch; absent: boot."),
])  # fmt: skip

host_options = _group("where", GuestHost, [
    click.option("--host", metavar="ssh://[USER@]MACHINE[:PORT]", default="", callback=not_empty,
                 help="Run the guests on another machine; its key must be in ~/.ssh/known_hosts."),
    click.option("--identity", type=NamedPath(path_type=Path), metavar="FILE",
                 help="The private key for --host; absent: the agent's and those of ~/.ssh."),
])  # fmt: skip

guest_options = _group("guest", GuestChoice, [
    click.option("--variant", default="", help="base, patched, ...; absent: the judged one."),
    click.option("--machine", default="", help="A machine of the architecture's file; absent: its default."),
    accel_option,
])  # fmt: skip
