# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree with nothing but selftests, in the store: real make and real compilers build them in a second."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configs.loader import load_arch
from configs.model import SuiteChoice
from kernels.source.store import Store
from testcases.suite import SuiteContext
from tests.faketree import Events, make_tree, resolve, write_files
from util.stop import Stop

TOP = """
headers_install:
	mkdir -p $(INSTALL_HDR_PATH)/include/linux $(INSTALL_HDR_PATH)/include/asm
	cp include/uapi/linux/*.h $(INSTALL_HDR_PATH)/include/linux
	cp arch/$(ARCH)/include/uapi/asm/*.h $(INSTALL_HDR_PATH)/include/asm
"""

LIB = """
top_srcdir = ../../../..
TEST_GEN_PROGS := $(patsubst %,$(OUTPUT)/%,$(TEST_GEN_PROGS))
TEST_GEN_FILES := $(patsubst %,$(OUTPUT)/%,$(TEST_GEN_FILES))
all: $(TEST_GEN_PROGS) $(TEST_GEN_FILES)
$(OUTPUT)/%: %.c
	$(CC) $(CFLAGS) $(USERCFLAGS) $(KHDR_INCLUDES) $(LDFLAGS) $< $(LDLIBS) -o $@
install: all
	mkdir -p $(INSTALL_PATH)
	cp -a $(TEST_GEN_PROGS) $(INSTALL_PATH)/
	$(if $(TEST_PROGS)$(TEST_FILES)$(wildcard settings),cp -a $(TEST_PROGS) $(TEST_FILES) $(wildcard settings) $(INSTALL_PATH)/)
	$(if $(TEST_GEN_FILES),cp -a $(TEST_GEN_FILES) $(INSTALL_PATH)/)
emit_tests:
	for TEST in $(TEST_GEN_PROGS) $(TEST_PROGS); do echo "$(COLLECTION):`basename $$TEST`"; done
"""  # noqa: E501 - a Makefile's line

PROGRAM = """
#include <linux/fake.h>
#include <asm/fake.h>
#include <stdio.h>
int main(void) { printf("TAP version 13\\n1..1\\nok 1 value_%d_%d\\n", FAKE, FAKE_ARCH); return 0; }
"""

SELFTESTS: dict[str, str | bytes] = {
    "include/uapi/linux/fake.h": "#define FAKE 1\n",
    "arch/x86/include/uapi/asm/fake.h": "#define FAKE_ARCH 86\n",
    "arch/arm64/include/uapi/asm/fake.h": "#define FAKE_ARCH 64\n",
    "arch/arm/include/uapi/asm/fake.h": "#define FAKE_ARCH 32\n",
    "scripts/subarch.include": "\n",
    "tools/testing/selftests/lib.mk": LIB,
    "tools/testing/selftests/kselftest.h": "#define KSELFTEST 1\n",
    "tools/testing/selftests/kselftest/runner.sh": "# shared\n",
    "tools/testing/selftests/good/Makefile": "TEST_GEN_PROGS := one two\ninclude ../lib.mk\n",
    "tools/testing/selftests/good/one.c": PROGRAM,
    "tools/testing/selftests/good/two.c": PROGRAM,
    "tools/testing/selftests/good/settings": "# a comment\ntimeout=7\n",
    "tools/testing/selftests/good/config": "CONFIG_A=y\nCONFIG_B\nstray text\nCONFIG_C=m  # why\n",
}


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A source folder, a store and the events of what is done with them."""

    folder: Path
    store: Store
    events: Events
    stop: Stop

    def write(self, files: Mapping[str, str | bytes]) -> str:
        """Changes the tree; its new commit in the store."""
        write_files(self.folder, files)
        return resolve(self.folder, self.store).commit

    def target(self, name: str, files: Mapping[str, str], makefile: str) -> str:
        """Adds a selftest; the commit that has it."""
        folder = f"tools/testing/selftests/{name}"
        up = "../" * (name.count("/") + 1)
        named: dict[str, str | bytes] = {f"{folder}/{path}": text for path, text in files.items()}
        return self.write({**named, f"{folder}/Makefile": f"{makefile}\ninclude {up}lib.mk\n"})

    def context(self, commit: str, name: str, abi: str = "x86_64", **choice: object) -> SuiteContext:
        arch = load_arch("aarch64" if abi in ("aarch64", "arm") else "x86_64")
        chosen = SuiteChoice.model_validate({"name": name, **choice})
        return SuiteContext(chosen, self.folder, commit, self.store, arch, abi, arch.abis[abi], self.events, self.stop)

    def builds(self) -> list[str]:
        """The steps that were really carried out since the last call, and not found in the cache."""
        steps = [step for step in self.events.steps() if not step.startswith("folder")]
        self.events.clear()
        return steps


def make_laboratory(folder: Path) -> Laboratory:
    tree = make_tree(folder / "linux", files=SELFTESTS)
    with (tree / "Makefile").open("a") as file:
        file.write(TOP)
    return Laboratory(tree, Store(folder / "store"), Events(), Stop())
