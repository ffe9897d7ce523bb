# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite: from a built target to the steps of a guest, and from the guest's outcome to results."""

import stat
from collections.abc import Collection
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from configs.model import Arch, SuiteChoice
from configs.result import Status, TestResult
from initramfs.cpio import Entry
from initramfs.job import Step
from kernels.kconfig.fragments import Fragment, config_text, inline_fragment, parse_fragment
from testcases.reading import read_step
from testcases.selftests import SELFTESTS, programs
from testcases.selftests.build.compile import BuiltTarget, build_target, commands_by_hand
from testcases.selftests.build.inputs import mentions
from testcases.selftests.build.modules import CONFIG as MODULES_CONFIG
from testcases.selftests.build.modules import find_modules, folder_in
from testcases.selftests.data import MENUS, Target, config_file, load_target, menus_of
from testcases.selftests.guest.guest_tools import packages_of
from testcases.selftests.guest.hardware import PACKAGES, config_of, devices_of
from testcases.selftests.guest.hardware import commands as disk_commands
from testcases.selftests.guest.scripts import Interpreters, is_script
from testcases.selftests.limits import SLOW, read_timeout
from testcases.selftests.needs import offers
from testcases.suite import OwnModules, Payload, Suite, SuiteContext, TopicOffer, payload_digest
from util.errors import UserError
from util.paths import ROOT

if TYPE_CHECKING:
    from guests.run.run import Outcome

SETUP = "setup"
"""The step that makes the guest what the target's data says; it is no test and gives a result only when it fails."""
PLACE = "kselftest"
"""Where the installed tree stands in the guest; the target's folder below it is the working directory."""


class Selftests:
    def folder(self, choice: SuiteChoice) -> str:
        return f"{SELFTESTS}/{_target(choice)}"

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple[Fragment, ...]:
        """The target's own `config`, line by line optional because it is written for all architectures and versions at
        once, and then what the rig knows the target to need, which is not."""
        target = _target(choice)
        found = [*_wishes(tree, target)]
        ours = config_file(target)
        if ours.is_file():
            name = str(ours.relative_to(ROOT))
            found.append(parse_fragment(name, ours.read_text(encoding="utf-8"), name, modules=("*",)))
        for rule in load_target(target).config_when:
            if mentions(tree, target, rule.mentions):
                found.append(inline_fragment(f"selftests/{target} ({rule.mentions})", rule.lines))
        return tuple(found)

    def commands(self, context: SuiteContext, tree: Path, out: Path) -> tuple[tuple[str, ...], ...]:
        target = _target(context.choice)
        return commands_by_hand(tree, out, target, context.abi, load_target(target))

    def prepare(self, context: SuiteContext) -> Payload:
        target = _target(context.choice)
        data = load_target(target)
        made_for = (context.store, context.commit, target, context.abi, data)
        built = build_target(*made_for, emit=context.emit, stop=context.stop)
        payload = _Assembly(context, target, data, built).payload()
        return programs.narrowed(payload, context.test, context.choice.name) if context.test else payload

    def offers(self, tree: Path, arch: Arch) -> tuple[TopicOffer, ...]:
        return tuple(offers(tree, arch))

    def select(self, payload: Payload, tests: Collection[str]) -> Payload | None:
        return programs.select(payload, tests)

    def read(self, payload: Payload, outcome: "Outcome") -> tuple[TestResult, ...]:
        origins = dict(payload.origins)
        results = list(payload.settled)
        for step in outcome.steps:
            if step.step.name in origins:
                results += read_step(step, outcome, origins[step.step.name])
            elif step.how != "never-ran" and (step.how, step.value) != ("exited", 0):
                results += read_step(step, outcome)
        return tuple(results)


def _wishes(tree: Path, target: str) -> tuple[Fragment, ...]:
    """The target's own `config`, if it has one, and what we know it to take for granted beside that."""
    own, data = tree / SELFTESTS / target / "config", load_target(target)
    modules = MODULES_CONFIG if folder_in(tree, target) else ()
    known = (
        *_known(f"testcases/selftests/{MENUS.name}", menus_of(target)),
        *_known(f"testcases/selftests/targets/{target}.yaml", (*data.config, *config_of(data), *modules)),
    )
    if not own.is_file():
        return known
    text = config_text(own.read_text(encoding="utf-8", errors="replace"))
    reason = "a selftest's config names what exists on some architecture or version"
    where = f"{SELFTESTS}/{target}/config"
    return (parse_fragment(f"selftests/{target}", text, where, reason, data.modules), *known)


def _known(name: str, lines: tuple[str, ...]) -> tuple[Fragment, ...]:
    """What a file of ours names, if anything."""
    found = parse_fragment(name, "\n".join(lines), name, "not every version or architecture has it", ("*",))
    return (replace(found, lines=tuple(replace(line, where=name) for line in found.lines)),) if found.lines else ()


def _target(choice: SuiteChoice) -> str:
    target = choice.name.partition("/")[2].strip("/")
    if not target:
        raise UserError("suite `selftests`: say which one, such as selftests/timers")
    return target


class _Assembly:
    """Makes the payload of one built target."""

    def __init__(self, context: SuiteContext, target: str, data: Target, built: BuiltTarget) -> None:
        self._context, self._target, self._data, self._built = context, target, data, built
        self._packages = self._needed()
        self._interpreters = Interpreters(context.arch, data.commands, self._packages, context.emit, context.stop)

    def payload(self) -> Payload:
        unbuilt = (name for name, rule in self._data.left_out.items() if not rule.built)
        names = dict.fromkeys((*self._built.programs, *unbuilt))
        settled = [self._left_out(name) for name in names if self._reason(name)]
        settled += [self._lacking(name, why) for name, why in self._built.lacking.items()]
        steps, origins = [], []
        for name in self._built.programs:
            if self._reason(name):
                continue
            if name in self._built.failures:
                text = f"does not compile: {self._built.failures[name]}"
                settled.append(TestResult(name, Status.ERROR, message=text, file=self._built.origins[name]))
                continue
            argv, missing = self._argv(name)
            if missing:
                text = f"needs {missing}, which the image does not hold"
                settled.append(TestResult(name, Status.SKIP, message=text, file=self._built.origins[name]))
                continue
            steps.append(Step(name, argv, cwd=f"/{PLACE}/{self._target}", timeout=self._timeout(name), slow_env=SLOW))
            origins.append((name, self._built.origins[name]))
        steps = [*self._interpreters.steps(), *self._setup(), *steps]
        files = (*self._entries(), *self._interpreters.entries())
        modules = self._own_modules()
        digest = payload_digest(files, steps, settled, modules)
        return Payload(
            *(files, tuple(steps), digest, tuple(settled), tuple(origins)),
            shell=self._interpreters.shell,
            wishes=_wishes(self._context.tree, self._target),
            packages=self._packages,
            modules=bool(self._data.modules),
            own_modules=modules,
            memory_mb=self._data.memory_mb,
            devices=devices_of(self._data),
            smp=self._data.smp,
            parallel=self._data.parallel,
            machine=self._data.machine,
            kernel_image=self._data.kernel_image,
            expects_faults=self._data.expects_faults,
            guests=self._data.guests,
        )

    def _own_modules(self) -> OwnModules | None:
        sources = find_modules(self._context.store, self._context.commit, self._target)
        return OwnModules(sources, f"{PLACE}/{self._target}/{sources.folder}") if sources else None

    def _needed(self) -> tuple[str, ...]:
        """The Debian packages of the guest. A program that is not static needs the C library of its own ABI."""
        if not self._context.arch.debian_arch:
            return ()
        libc = f"libc6:{self._context.abi.debian_arch}" if self._data.dynamic and self._context.abi.debian_arch else ""
        disk = PACKAGES if self._data.disk else ()
        found = {
            *self._data.guest_packages,
            *disk,
            *(packages_of(self._built.files) if self._data.commands else ()),
            libc,
        }
        return tuple(sorted(found - {""}))

    def _setup(self) -> tuple[Step, ...]:
        lines = (*disk_commands(self._data, PLACE), *self._data.setup)
        return (Step(SETUP, ("/bin/sh", "-e", "-c", "\n".join(lines)), timeout=30),) if lines else ()

    def _reason(self, name: str) -> str:
        rules = self._data.left_out
        rule = rules.get(name) or next((rules[glob] for glob in rules if fnmatchcase(name, glob)), None)
        return rule.reason if rule and (not rule.abis or self._context.abi_name in rule.abis) else ""

    def _left_out(self, name: str) -> TestResult:
        file = self._built.origins.get(name, f"{SELFTESTS}/{self._target}")
        return TestResult(name, Status.SKIP, message=self._reason(name), file=file)

    def _lacking(self, name: str, why: str) -> TestResult:
        """What no test is, but what tests may call: without it some of them skip, or pass for the wrong reason."""
        if self._reason(name):
            return self._left_out(name)
        text = f"tests may call it, and it does not compile: {why}"
        return TestResult(name, Status.ERROR, message=text, file=self._built.origins[name])

    def _argv(self, name: str) -> tuple[tuple[str, ...], str]:
        """The argument list, and the interpreter that cannot be had, if any."""
        arguments = self._data.arguments.get(name, ())
        path = self._built.files / self._target / name
        argv, missing = (f"./{name}", *arguments), ""
        if is_script(path):
            argv, missing = self._interpreters.command(path, argv)
        if before := self._data.before_each:
            argv = ("/bin/sh", "-e", "-c", "\n".join((*before, 'exec "$@"')), "sh", *argv)
        return argv, missing

    def _timeout(self, name: str) -> float:
        """The profile's, else ours for this program, else the target's own."""
        own = self._data.timeouts.get(name) or read_timeout(self._built.files / self._target / "settings")
        return float(self._context.choice.timeout or own)

    def _entries(self) -> tuple[Entry, ...]:
        entries = []
        for path in sorted(self._built.files.rglob("*")):
            name = f"{PLACE}/{path.relative_to(self._built.files)}"
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                entries.append(Entry(name, stat.S_IFLNK | 0o777, str(path.readlink()).encode()))
            elif stat.S_ISDIR(mode):
                entries.append(Entry(name, stat.S_IFDIR | 0o755))
            elif stat.S_ISREG(mode):
                entries.append(Entry(name, mode, path.read_bytes()))
        return tuple(entries)


SUITE: Suite = Selftests()
