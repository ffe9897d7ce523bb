# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell's guest again, traced: which functions the instructions of some of its figures are in."""

from collections.abc import Sequence
from dataclasses import replace

from ci.cells.guest.guest_cell import GuestCell, cell_result, request_of
from ci.plan.build_tasks import RunContext
from ci.verdict.figures.budget import cell_figures
from ci.verdict.figures.explain import Traced
from guests.crash.symbols import Functions, read_symbols
from guests.host.host import LOCAL
from guests.run.qemu import qemu_version
from guests.run.run import End, run_guest
from guests.tracer.trace import FILE, TraceError, plugin_option, read_trace
from testcases.benchmark.windows import breakdowns
from testcases.suite import Suite
from util.errors import MachineError


def trace_cell(guest: GuestCell, suite: Suite, figures: Sequence[str], context: RunContext) -> Traced:
    """Runs the guest, whose payload was made for `figures`, on this machine, where the plugin is. Raises Stopped; a
    failure to trace is a value, because the verdict does not depend on it."""
    try:
        return _trace(guest, suite, figures, context)
    except (MachineError, TraceError) as error:
        return Traced({}, str(error))


def _trace(guest: GuestCell, suite: Suite, figures: Sequence[str], context: RunContext) -> Traced:
    plain = request_of(guest)
    folder = plain.folder.with_name(f"{plain.folder.name}-traced")
    folder.mkdir(parents=True, exist_ok=True)
    symbols = read_symbols(guest.build.output("vmlinux"), guest.arch)
    if symbols is None:
        return Traced({}, "the functions of vmlinux cannot be read")
    request = replace(
        plain,
        folder=folder,
        label=f"{plain.label} traced",
        plugin=plugin_option(folder, guest.arch, qemu_version(guest.arch.qemu), context.stop),
        host=LOCAL,
    )
    with context.jobserver.token(context.stop):
        outcome = run_guest(request, context.emit, context.stop)
    if outcome.end is not End.FINISHED:
        return Traced({}, f"the traced guest did not finish: {outcome.message}")
    windows = read_trace(folder / FILE)
    found = cell_figures(cell_result(guest, suite, outcome))
    values = {name: figure.value for name, figure in found.items()}
    return Traced(breakdowns(windows, figures, values, Functions(symbols, guest.arch.kernel_from).at), values=values)
