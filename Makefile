# Works with GNU Make 3.81, which is what a Mac has.
SHELL := /bin/sh
.DEFAULT_GOAL := help

# The body that the demo's firmware runs on: micropython (the real one), or model (the firmware imported into CPython).
ON ?= micropython
# More arguments for the command or for pytest, such as ARGS="-k strap".
ARGS ?=
# How many inputs `make fuzz` feeds; `make chaos` runs 300 seeds where nobody says how many.
RUNS ?= 10000000
# Which mutants `make mutants` draws.
SEED ?= 1
# The Python that the virtual environment is made of; the first of these that is 3.11 or newer and has venv, unless you name one.
PYTHON ?=
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3

BIN := .venv/bin
# One more than there are cores: tests of real processes mostly wait.
WORKERS = $$(( $$(getconf _NPROCESSORS_ONLN) + 1 ))
# Says for which checkout and which requirements .venv was made.
STAMP := .venv/set-up
LABGRID := labgrid==26.0.1 pyserial-labgrid==3.5.0.2
UV := uv==0.13.9

.PHONY: help demo test test-long test-bluez test-labgrid search check soak bench fuzz prove chaos catalogue determinism mutants verdicts pages docs format generate lock setup clean

help: ## Say what can be made (this list)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: setup ## Run the whole chain in simulation; ON=model where there is no real MicroPython
	@if [ "$(ON)" = micropython ]; then case "$$(uname -s) $$(uname -m)" in \
	  "Linux x86_64" | "Darwin arm64") ;; \
	  *) echo "There is no ready-made MicroPython for $$(uname -s) $$(uname -m): run 'make demo ON=model', which says 'model' on what it shows." >&2; exit 1 ;; \
	esac; fi
	@$(BIN)/strapline demo --on $(ON) $(ARGS)

test: setup ## Run every test; installs mosquitto, tshark and chromium where it may
	@sh scripts/system-packages.sh
	@env $$(sh scripts/system-packages.sh --required) $(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-bluez: setup ## Try Bluetooth at length: against the stand-in for BlueZ, then a real kernel and bluetoothd in QEMU
	@sh scripts/system-packages.sh
	@echo "== stand-in" && STRAPLINE_BLUEZ=stand-in $(BIN)/pytest -n auto tests/bluez $(ARGS)
	@echo "== Linux and bluetoothd in QEMU" && STRAPLINE_BLUEZ=qemu $(BIN)/pytest -n 0 tests/bluez $(ARGS)

# labgrid brings a pyserial of its own under the same name, and the last one that is installed is the one that is there.
test-labgrid: setup ## Try boards and plugs of labgrid, in an environment of its own
	@set -e; if [ ! -x .venv-labgrid/bin/labgrid-client ]; then \
	  $(BIN)/python -m venv .venv-labgrid; install=".venv-labgrid/bin/python -m pip install --quiet --disable-pip-version-check"; \
	  $$install --editable '.[hil]' hypothesis pytest pytest-randomly $(firstword $(LABGRID)); \
	  $$install --force-reinstall --no-deps $(lastword $(LABGRID)); \
	fi
	@.venv-labgrid/bin/python -m pytest tests/hil/test_labgrid.py $(ARGS)

test-long: setup ## Run what takes minutes each: a week on a board's heap, long scenarios on both bodies, all without their stimulus, a hundred flashings cut off
	@env STRAPLINE_LONG=1 $(BIN)/pytest -n auto --dist worksteal tests/simulator/test_week.py tests/simulator/test_row_scenarios.py tests/simulator/test_scenarios_hold.py tests/simulator/test_two_airs.py tests/simulator/catalogue tests/simulator/fleet/test_fold.py tests/hil/test_flash_cut.py tests/broker/test_nats_cluster.py $(ARGS)

search: setup ## Look for counterexamples: the property tests with other examples than `make test` draws, and others each time
	@env STRAPLINE_SEARCH=1 $(BIN)/pytest -m hypothesis -n auto --dist worksteal $(ARGS)

check: setup ## Check format, lint, types, layers and generated files; no tests
	@echo "== ruff format" && $(BIN)/ruff format --check --output-format concise .
	@echo "== ruff" && $(BIN)/ruff check --quiet .
	@echo "== mypy" && $(BIN)/mypy
	@echo "== lint-imports" && $(BIN)/lint-imports --no-logo
	@echo "== generated: protocol" && $(BIN)/python -m strapline_protocol.generate --check
	@echo "== generated: report schema" && $(BIN)/python -m strapline_simulator.report.schema --check
	@echo "== generated: scenario schema" && $(BIN)/python -m strapline_simulator.scenario.schema docs/scenario.schema.json --check
	@echo "== generated: rig schema" && $(BIN)/python -m strapline_hil.rig.schema docs/rig.schema.json --check
	@echo "== generated: fleet schema" && $(BIN)/python -m strapline_simulator.fleet.schema --check
	@echo "== all checks passed"

bench: setup ## Measure speed on this machine; prints JSON
	@$(BIN)/python tests/bench/bench.py $(ARGS)

fuzz: setup ## Feed ten million hostile inputs to every decoder and receiver; RUNS=1000000 for fewer
	@$(BIN)/python tests/fuzz/fuzz.py --runs $(RUNS) $(ARGS)

prove: setup ## Try a million forgeries and replays: none may get through
	@$(BIN)/python tests/fuzz/forge.py $(ARGS)

chaos: setup ## Kill gateways in 300 seeded runs, 30 with a Mosquitto that drops: nothing may be lost; RUNS=50 for fewer
	@$(BIN)/strapline chaos --runs $(if $(filter file,$(origin RUNS)),300,$(RUNS)) --mosquitto 30 --outage-days 10 --stampede --json out/chaos.json $(ARGS)

soak: setup ## Run 24 simulated hours of scenarios on the virtual rig in one process: nothing may stay open; ARGS="--hours 2" for fewer
	@$(BIN)/strapline hil soak $(ARGS)

catalogue: setup ## Run every shipped scenario on ON=micropython, and once more without its stimulus: then each must fail
	@$(BIN)/strapline run --all --on $(ON) --out out/catalogue --junit out/catalogue.xml $(ARGS)
	@$(BIN)/strapline run --all --on model --without-stimulus $(ARGS)

determinism: setup ## Run 50 random scenarios twelve times each: the same seed must give the same bytes
	@$(BIN)/python -m strapline_simulator.catalogue.determinism $(ARGS)

mutants: setup ## Change the deciding modules at 200 random places: a scenario must notice; RUNS=50 SEED=2 for others, goes on where it stopped
	@nice $(BIN)/python tests/mutation/mutants.py --runs $(if $(filter file,$(origin RUNS)),200,$(RUNS)) --seed $(SEED) $(ARGS)

verdicts: setup ## Put defects into the firmware and faults into a virtual rig: the bench must blame the right one; ARGS="--draw 10 --seed 7"
	@$(BIN)/python tests/hil/verdicts/verdicts.py $(ARGS)

pages: setup ## Type the four users' pages into new clones, and hold what comes against what they show
	@$(BIN)/python tests/workshop/page.py docs/firmware-engineers.md docs/qa.md docs/integrators.md docs/ci.md $(ARGS)

docs: setup ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html"

format: setup ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

generate: setup ## Write the generated files anew from the definitions
	@$(BIN)/python -m strapline_protocol.generate
	@$(BIN)/python -m strapline_simulator.report.schema
	@$(BIN)/python -m strapline_simulator.scenario.schema docs/scenario.schema.json
	@$(BIN)/python -m strapline_hil.rig.schema docs/rig.schema.json
	@$(BIN)/python -m strapline_simulator.fleet.schema

# A .venv that was copied along with its checkout runs the old checkout's code: pip's first line tells, and it is made anew.
setup: ## Make .venv with everything in it, once; again when pyproject.toml or requirements.lock changed
	@want="$$(pwd) $$(cat pyproject.toml requirements.lock | cksum)"; \
	if [ -x $(BIN)/python ] && [ "$$(cat $(STAMP) 2>/dev/null)" = "$$want" ]; then exit 0; fi; \
	set -e; \
	if ! { head -n 1 $(BIN)/pip | grep -qF "$$(pwd)/.venv/" && $(BIN)/python -c ''; } 2>/dev/null; then rm -rf .venv; fi; \
	if [ ! -d .venv ]; then \
	  newest= without= ; \
	  for candidate in $(or $(PYTHON),$(PYTHONS)); do \
	    "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	    if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then newest=$$candidate; break; fi; \
	    without="$$without $$candidate"; \
	  done; \
	  if [ -z "$$newest" ] && [ -n "$$without" ]; then \
	    echo "$${without# }: this Python comes without venv. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
	  elif [ -z "$$newest" ]; then \
	    echo "Strapline needs Python 3.11 or newer, and none of these is: $(or $(PYTHON),$(PYTHONS)). Name one with PYTHON=/path/to/python3" >&2; exit 1; \
	  fi; \
	  echo "Making .venv with $$("$$newest" --version)…"; \
	  "$$newest" -m venv .venv; \
	fi; \
	rm -f $(STAMP); \
	echo "Installing $$(grep -c '==' requirements.lock) packages (once, about 30 s)…"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	echo "$$want" > $(STAMP)

# Every extra for every Python and platform in one file. It names no registry, so that yours is used.
lock: ## Choose the newest allowed versions anew and write requirements.lock
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	for candidate in $(or $(PYTHON),$(PYTHONS)); do "$$candidate" -m venv "$$folder" >/dev/null 2>&1 && break; done; \
	"$$folder/bin/python" -m pip install --quiet --disable-pip-version-check $(UV); \
	"$$folder/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header pyproject.toml --output-file requirements.lock; \
	echo "requirements.lock: $$(grep -c '==' requirements.lock) packages"

clean: ## Remove what was made: out, site, caches, .venv
	@rm -rf out dist site .venv .venv-labgrid .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks
	@find firmware protocol gateway simulator hil tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
