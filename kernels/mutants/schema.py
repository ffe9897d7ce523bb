# SPDX-License-Identifier: GPL-2.0-or-later
"""All mutants of a file in one build: each stands in a copy of its function, and the kernel's command line says which
copy runs.

    static __attribute__((__noinline__, __unused__)) int f__mutant_7(int a) { ... the fault ... }
    static __attribute__((__noinline__, __unused__)) int f__mutant_0(int a) { ... as it was ... }
    int f(int a)
    {
            extern int rig_mutant;
            switch (rig_mutant) {
            case 7: return f__mutant_7(a);
            default: return f__mutant_0(a);
            }
    }

To compile and link a kernel for each mutant costs several times what its guests cost; this way that is paid once. The
switch is in init/main.c, which is in every kernel, and is read before any file system is there. A function that cannot
be called by its header alone gets no copies: its mutants are built one by one.
"""

from collections.abc import Mapping, Sequence

from kernels.mutants.functions import Function
from kernels.mutants.mutant import Mutant, TextEdit, edited

SWITCH = "rig_mutant"
"""The kernel parameter that names the mutant to run; 0 is the code as it was."""
HOME = "init/main.c"
_HOME_CODE = f"""
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
int {SWITCH};
EXPORT_SYMBOL_GPL({SWITCH});
static int __init {SWITCH}_setup(char *text)
{{
	return kstrtoint(text, 0, &{SWITCH});
}}
early_param("{SWITCH}", {SWITCH}_setup);
"""


def fits(mutant: Mutant) -> bool:
    """Whether a copy of its function can be called in the function's place."""
    function = mutant.function
    return function.parameters is not None and function.name != "main" and mutant.path != HOME


def schema(found: Sequence[tuple[int, Mutant]]) -> str:
    """The text of the file of which all these are mutants, each under its number (from 1) behind the switch."""
    by_function: dict[int, list[tuple[int, Mutant]]] = {}
    for number, mutant in found:
        by_function.setdefault(mutant.function.header[0].start, []).append((number, mutant))
    text = found[0][1].function.text
    edits = []
    for group in by_function.values():
        function = group[0][1].function
        start, end = function.header[0].start, function.body[-1].end
        edits.append(TextEdit(start, end, _dispatched(function, group)))
    return edited(text, tuple(edits))


def with_switch(home: str) -> str:
    """init/main.c with the switch."""
    return home + _HOME_CODE


def _dispatched(function: Function, group: Sequence[tuple[int, Mutant]]) -> str:
    start, end = function.body[0].start, function.body[-1].end
    bodies = {0: function.text[start:end]}
    for number, mutant in group:
        moved = tuple(TextEdit(edit.start - start, edit.end - start, edit.text) for edit in mutant.edits)
        bodies[number] = edited(bodies[0], moved)
    header = function.text[function.header[0].start : start]
    copies = "\n".join(f"{function.renamed(_copy(function, number))}\n{body}" for number, body in bodies.items())
    # A copy may call the function itself, so that is declared first.
    return f"{header.rstrip()};\n{copies}\n{header}{_switch(function, bodies)}"


def _switch(function: Function, bodies: Mapping[int, str]) -> str:
    arguments = ", ".join(function.parameters or ())
    lines = [f"\textern int {SWITCH};", "", f"\tswitch ({SWITCH}) {{"]
    for number in sorted(bodies, reverse=True):
        label = f"case {number}" if number else "default"
        call = f"{_copy(function, number)}({arguments});"
        lines.append(f"\t{label}: {call} return;" if function.returns_nothing else f"\t{label}: return {call}")
    return "\n".join(("{", *lines, "\t}", "}"))


def _copy(function: Function, number: int) -> str:
    return f"{function.name}__mutant_{number}"
