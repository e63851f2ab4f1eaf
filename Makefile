# make run    set up, then log simulated sensors into ./run and show them in the dashboard, until Ctrl-C
# make test   set up, then lint, types, layers and all tests
# See also: make help

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
BUILT := sensorlogd/web/static/app.js
PREFIX ?= /opt/sensorlogd
PYTEST_ARGS ?=
# Tests at a time: more than the cores, because much of a test is waiting. WORKERS=0 runs them one after another.
WORKERS ?= 4
UNIT = $(BIN)/pytest -m 'not soak' -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)
FUZZ_SECONDS ?= 600
SEEDS ?= 1-100
TORTURE_ARGS ?=

.PHONY: help run test lint types layers unit dashboard bench soak torture fuzz format install-service uninstall-service clean

help:
	@echo 'make run                set up everything, log simulated sensors into ./run, and show them in the dashboard'
	@echo 'make test               set up everything and run all checks and tests'
	@echo 'make bench              the benchmarks (about 15 minutes)'
	@echo 'make soak               the longer fault tests (about 10 minutes)'
	@echo 'make torture            run the daemon under faults that SEEDS decide (SEEDS=1-300; a seed takes half a minute, two run at once)'
	@echo 'make fuzz               fuzz the parsers for FUZZ_SECONDS (600)'
	@echo 'make format             format the code'
	@echo 'make install-service    install under $(PREFIX) as a systemd service (root; DESTDIR= for a package)'
	@echo 'make uninstall-service  remove it again; configuration and data stay'

# Set up once; again only when the dependencies change.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: apt-get install python3 python3-venv' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'python3 has no venv: apt-get install python3-venv' >&2; exit 1; }
	@echo 'setting up $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: $(STAMP) dashboard
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

# The dashboard is built into the package; without npm everything else works.
dashboard: $(BUILT)

$(BUILT): dashboard/package.json dashboard/package-lock.json dashboard/build.mjs $(wildcard dashboard/src/*)
	@if command -v npm >/dev/null; then \
	    echo 'building the dashboard ...' && cd dashboard && npm ci --silent --no-audit --no-fund && npm run --silent check && npm run --silent build; \
	else \
	    echo 'npm is not installed: the dashboard is not built (apt-get install npm); everything else works.' >&2; \
	fi

# The checks run beside each other, each one's output in one piece; the tests come after them, so that their summary is last.
test: $(STAMP) dashboard
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target --keep-going lint types layers
	$(UNIT)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy --strict sensorlogd

layers: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP) dashboard
	$(UNIT)

soak: $(STAMP)
	$(BIN)/pytest -m soak $(PYTEST_ARGS)

torture: $(STAMP)
	$(BIN)/python -m tests.torture --seeds $(SEEDS) $(TORTURE_ARGS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.gil
	$(BIN)/python -m benchmarks.serial_lines
	$(BIN)/python -m benchmarks.queries
	$(BIN)/python -m benchmarks.web
	$(BIN)/python -m benchmarks.footprint
	$(BIN)/python -m benchmarks.footprint --rollups

fuzz: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,fuzz]'
	@mkdir -p .fuzz
	$(BIN)/python -m fuzz.fuzz_parsers -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=.fuzz/ .fuzz

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Installs and explains; starts nothing, overwrites no configuration.
install-service: dashboard
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: apt-get install python3 python3-venv' >&2; exit 1; }
	@PYTHON='$(PYTHON)' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' EXTRAS='$(EXTRAS)' sh systemd/install.sh

uninstall-service:
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' sh systemd/uninstall.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
