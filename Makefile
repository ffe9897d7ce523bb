# SPDX-License-Identifier: GPL-2.0-or-later
# make run     install everything, then check the built-in series on 5.10: two architectures, five ABIs
# make test    install the same, then lint, types and every test
# make fast    lint, types and the fast tests: before each commit
# make campaign  what is too long for every day: four kernel versions, flavours, seeds, the figures of bench/, coverage
# make debian13  the set-up, the fast tests and real guests on Debian 13, in a root made with debootstrap; part of make test
# make setup   the part that both share; after it ./rig.py works from a plain shell

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
VENV := .venv
PYTHON := $(VENV)/bin/python
INSTALLED := $(VENV)/installed.lock

# Compiled modules are kept whatever the caller's environment says: otherwise each of some hundred processes compiles the
# rig and the tests anew.
export PYTHONDONTWRITEBYTECODE :=

# Percent of the rig's lines that the tests without a real kernel execute; it goes up, never down.
COVERAGE := 95

.PHONY: run test fast debian13 setup lint types pytest campaign lock

run: setup
	./rig.py check

test: setup lint types pytest debian13

# Lint and types run beside the tests, on what these leave idle; what they say comes behind, and none of the two hides
# what the other found.
fast:
	@$(MAKE) --no-print-directory -k lint types >$(VENV)/checks.log 2>&1 & checks=$$!; \
	echo '== tests: the fast ones without the slow, beside lint and types'; \
	$(VENV)/bin/pytest -q -m 'not real and not slow' -n 3; tests=$$?; \
	wait $$checks; checked=$$?; cat $(VENV)/checks.log; exit $$((tests ? tests : checked))

debian13:
	@echo '== Debian 13: set-up, fast tests, guests of a real kernel'
	$(SUDO) $(PYTHON) -m tests.debian13

setup: $(INSTALLED)
	@echo '== system packages'
	./rig.py doctor --mend

$(INSTALLED): requirements.lock
	@echo '== Python packages into $(VENV), versions and hashes from requirements.lock'
	@python3 -c 'import ensurepip, venv' 2>/dev/null || { $(SUDO) apt-get update -q; $(SUDO) apt-get install -qy --no-install-recommends python3 python3-venv; }
	python3 -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-binary dkimpy -r requirements.lock
	@cp requirements.lock $@

campaign: setup
	$(PYTHON) -m bench.campaign
	$(PYTHON) -m bench.figures

lint:
	@echo '== lint'
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

types:
	@echo '== types'
	$(VENV)/bin/mypy

pytest:
	@echo '== tests: those without a real kernel, and how much of the rig they execute'
	$(VENV)/bin/pytest -m 'not real' -n 3 --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE)
	@echo '== kernels from whose objects all others of the tests start: base and patched, x86_64'
	./rig.py build --arch x86_64
	@echo '== tests: those that build and boot kernels'
	$(VENV)/bin/pytest -m real -n 3 --dist worksteal --durations 12

# Rewrites the lock file from pyproject.toml; for maintainers, after a change of dependencies.
lock: $(INSTALLED)
	$(VENV)/bin/pip-compile --quiet --extra dev --generate-hashes --strip-extras --allow-unsafe \
		--no-emit-index-url --no-emit-find-links --no-header --output-file requirements.lock pyproject.toml
