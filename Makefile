# make run    set up what logging needs, then log simulated sensors into ./run and show them in the dashboard, until Ctrl-C
# make test   set up the developers' tools too, then lint, types, layers and all tests
# See also: make help

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
STAMP := $(VENV)/.ready
BUILT := sensorlogd/web/static/app.js
PREFIX ?= /opt/sensorlogd
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST_ARGS ?=
# The tests start some thousand processes of Python: each would compile all it imports anew where this variable is set, and so
# would each worker all tests.
unexport PYTHONDONTWRITEBYTECODE
LOWEST ?= tests/config tests/storage tests/cli/test_verbs.py tests/cli/test_transfer.py
# Tests at a time: more than the cores, because much of a test is waiting. WORKERS=0 runs them one after another.
WORKERS ?= 4
UNIT = $(BIN)/pytest -m 'not soak' -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)
LAWS = $(shell grep -rlE 'from hypothesis|import hypothesis' tests --include='test_*.py')
FUZZ_SECONDS ?= 1800
SEEDS ?= 1-100
TORTURE_ARGS ?=
BUS_QUESTIONS ?= 10000

.PHONY: help run test lint types layers unit dashboard dashboard-unit bench soak torture bus fuzz format install-service uninstall-service man wheel deb packages lowest clean

help:
	@echo 'make run                set up, log simulated sensors into ./run, and show them in the dashboard'
	@echo 'make test               set up the developers'\'' tools, too, and run all checks and tests'
	@echo 'make bench              the benchmarks (about 15 minutes)'
	@echo 'make soak               the longer fault tests (about 20 minutes)'
	@echo 'make torture            run the daemon under faults that SEEDS decide (SEEDS=1-300; a seed takes half a minute, two run at once)'
	@echo 'make bus                ask ill-mannered simulated units BUS_QUESTIONS (10000) times for each protocol (about 20 minutes)'
	@echo 'make fuzz               fuzz the decoders for FUZZ_SECONDS (1800): laws by random seeds, then parsers by coverage'
	@echo 'make format             format the code'
	@echo 'make wheel              dist/: wheel and source archive with the dashboard, and the wheels they need (EXTRAS=mbus,units)'
	@echo 'make deb                dist/: a Debian package for this release'
	@echo 'make packages           both, and see that they can be installed, upgraded and removed'
	@echo 'make lowest             the tests of the core with the oldest dependencies that are allowed'
	@echo 'make man                share/: the manual page and the completion for bash, zsh and fish'
	@echo 'make install-service    install under $(PREFIX) as a systemd service (root; DESTDIR= for a package)'
	@echo 'make uninstall-service  remove it again; configuration and data stay'

# Set up once; again only when the dependencies change. The base is what `make run` needs; the tests need a lot more.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: apt-get install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'python3 has no venv: apt-get install python3-venv' >&2; exit 1; }

$(BASE): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'setting up $(VENV) ...'
	@$(PIP) --editable .
	@touch $@

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'setting up $(VENV) with the tools of developers ...'
	@$(PIP) --editable '.[dev]'
	@touch $(BASE) $@

run:
	@$(MAKE) --no-print-directory --jobs=2 $(BASE) dashboard
	@echo
	@echo 'Logging simulated sensors into ./run, with a month of history; the address of the dashboard follows.'
	@echo 'In another terminal, type:'
	@echo
	@echo '    $(BIN)/sensorlogd latest -c run/demo.yaml      what is it now?'
	@echo '    $(BIN)/sensorlogd status -c run/demo.yaml --watch    is everything well?'
	@echo "    $(BIN)/sensorlogd query  -c run/demo.yaml 'greenhouse.*' --since -1d --every 1h"
	@echo "    $(BIN)/sensorlogd plot   -c run/demo.yaml greenhouse.temperature --since -7d"
	@echo
	@echo 'Ctrl-C stops it. Your own sensors: README.md, "From a plugged-in device to numbers".'
	@echo
	@$(BIN)/sensorlogd demo --data run

# The dashboard is built into the package. Without npm the page that is there stays; without one everything else works.
dashboard: $(BUILT)

# Its types of the API and its kinds of events are made anew where sensorlogd can be asked for them; tests/test_dashboard_source.py says when they should have been.
$(BUILT): dashboard/package.json dashboard/package-lock.json $(wildcard dashboard/*.mjs dashboard/*.json) $(shell find dashboard/src -type f)
	@if test -e $(BASE); then $(BIN)/python dashboard/api_types.py && $(BIN)/python dashboard/event_kinds.py; fi
	@if command -v npm >/dev/null; then \
	    echo 'building the dashboard ...' && cd dashboard && npm ci --silent --no-audit --no-fund && npm run --silent check && npm run --silent build; \
	elif test ! -e $@; then \
	    echo 'npm is not installed: the dashboard is not built (apt-get install npm); everything else works.' >&2; \
	fi

# The checks run beside each other, each one's output in one piece; the tests come after them, so that their summary is last.
test: $(STAMP) dashboard
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target --keep-going lint types layers dashboard-unit
	$(UNIT)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy --strict sensorlogd tests benchmarks fuzz packages dashboard

layers: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP) dashboard
	$(UNIT)

# The dashboard's own tests, in node.
dashboard-unit: dashboard
	@if command -v npm >/dev/null; then cd dashboard && npm run --silent test; else echo 'npm is not installed: the tests of the dashboard are not run' >&2; fi

# The longer tests, and the laws once more with examples that nobody has tried.
soak: $(STAMP)
	$(BIN)/pytest -m soak $(PYTEST_ARGS)
	SENSORLOGD_TESTS_SEARCH=1 $(BIN)/pytest -n $(WORKERS) $(LAWS) $(PYTEST_ARGS)

torture: $(STAMP)
	$(BIN)/python -m tests.torture --seeds $(SEEDS) $(TORTURE_ARGS)

bus: $(STAMP)
	printf '%s\n' serial modbus-rtu modbus-ascii modbus-tcp mbus | \
	    xargs -P 5 -I KIND $(BIN)/python -m sensorlogd.drivers.conformance.bus --kind KIND --questions $(BUS_QUESTIONS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.gil
	$(BIN)/python -m benchmarks.serial_lines
	$(BIN)/python -m benchmarks.floods
	$(BIN)/python -m benchmarks.shared_lines
	$(BIN)/python -m benchmarks.queries
	$(BIN)/python -m benchmarks.web
	$(BIN)/python -m benchmarks.hostile
	$(BIN)/python -m benchmarks.footprint
	$(BIN)/python -m benchmarks.footprint --rollups

fuzz: $(STAMP)
	@$(PIP) --editable '.[dev,fuzz]'
	@mkdir -p .fuzz
	$(BIN)/python -m fuzz.fuzz_laws --seconds $$(($(FUZZ_SECONDS) / 2))
	$(BIN)/python -m fuzz.fuzz_parsers -max_total_time=$$(($(FUZZ_SECONDS) / 2)) -artifact_prefix=.fuzz/ .fuzz

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Installs and explains; starts nothing, overwrites no configuration.
install-service: dashboard
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: apt-get install python3 python3-venv' >&2; exit 1; }
	@PYTHON='$(PYTHON)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' EXTRAS='$(EXTRAS)' sh systemd/install.sh

uninstall-service:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh systemd/uninstall.sh

# The manual page and the completion of shells, from the commands themselves.
MANUAL := share/man/man1/sensorlogd.1
man: $(MANUAL)

$(MANUAL): packages/manual.py $(wildcard sensorlogd/cli/*.py) sensorlogd/__init__.py | $(BASE)
	@$(BIN)/python packages/manual.py share

# Whatever is built, is built for $(PYTHON) on this kind of machine, as far as the dependencies are.
wheel: dashboard man
	@PYTHON='$(PYTHON)' EXTRAS='$(EXTRAS)' sh packages/dist.sh

# With Debian's own Python, for the release and the kind of machine that this is.
deb: dashboard man
	@EXTRAS='$(EXTRAS)' sh packages/deb.sh

# The tests of the core with the oldest versions of the dependencies that are allowed.
lowest:
	@test -x build/lowest/bin/python || $(PYTHON) -m venv build/lowest
	@build/lowest/bin/python -m pip install --quiet --disable-pip-version-check --constraint packages/lowest.txt \
	    --editable . 'pytest>=9,<10' 'pytest-xdist>=3.8,<4' 'hypothesis>=6.150,<7' 'httpx>=0.28,<1'
	build/lowest/bin/python -m pytest -n $(WORKERS) $(LOWEST) $(PYTEST_ARGS)

# Builds all packages, installs the wheel without a network, and the Debian package in a container that runs systemd.
packages: wheel
	@PYTHON='$(PYTHON)' sh packages/check-wheel.sh
	@$(MAKE) --no-print-directory deb
	@sh packages/check-deb.sh

clean:
	rm -rf $(VENV) build dist share .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
