# Every target stands alone on a fresh clone: it first builds .venv when that is not there, or is older than
# pyproject.toml or the lock. `make` alone lists the targets.

PYTHON ?= python3
# A folder made by `make wheelhouse`: with it, setup asks no index and needs no network.
WHEELS ?=
# Test processes; `logical` is one for each core.
WORKERS ?= logical
WHEELHOUSE ?= wheelhouse
# An older system than this one, such as manylinux_2_28_x86_64: its C library decides which wheels it takes.
PLATFORM ?=
OLDER := $(foreach each,27 24 17 12,manylinux_2_$(each)_x86_64) manylinux2014_x86_64 manylinux2010_x86_64

PY := .venv/bin/python
DURE := .venv/bin/dure
INSTALLED := .venv/.installed
PIP := $(PY) -m pip --disable-pip-version-check
PYTEST := $(PY) -m pytest -n $(WORKERS) --dist loadgroup

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo demo-blocked demo-center run check fix test test-spark test-all bench bench-delta bench-quality bench-suggest bench-athena bench-demo bench-center bench-publish bench-database wheelhouse clean docs lock run-arguments

help:  ## list the targets (the default)
	@awk -F ':.*##  *' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED)  ## build .venv from requirements.lock (PYTHON=python3.12, WHEELS=folder)

demo: $(INSTALLED)  ## three generated hospitals, one CDM: scored against the truth (ENGINE=spark PATIENTS=100000 SEED=7)
	@$(DURE) demo run --out demo $(if $(PATIENTS),--patients "$(PATIENTS)") $(if $(SEED),--seed "$(SEED)") \
		$(if $(ENGINE),--engine "$(ENGINE)")

# A check of the day after the waivers of the demonstration: exit code 1, and make says "Error 1".
demo-blocked: demo  ## the same hospitals on a day when their waivers have expired: the gate closes, exit code 1
	@$(DURE) check bada --lake demo/lake --today 2028-07-01

demo-center: $(INSTALLED)  ## the same hospitals publish to a standards center, which compares them (PATIENTS=3000)
	@$(DURE) demo center --out demo-center $(if $(PATIENTS),--patients "$(PATIENTS)")

run: run-arguments $(INSTALLED)  ## run one hospital: SITE=name SOURCE=folder VOCAB=folder LAKE=folder (SITES=folder ENGINE=spark)
	@$(DURE) run "$(SITE)" --source "$(SOURCE)" --vocab "$(VOCAB)" --lake "$(LAKE)" \
		$(if $(SITES),--sites "$(SITES)") $(if $(ENGINE),--engine "$(ENGINE)")

# Before the environment is built: nobody should wait a minute to hear that a name is missing.
MISSING = $(strip $(foreach name,SITE SOURCE VOCAB LAKE,$(if $($(name)),,$(name))))
run-arguments:
	@$(if $(MISSING),echo "make run: not given: $(MISSING)" >&2; \
	echo "    write: make run SITE=name SOURCE=folder VOCAB=folder LAKE=folder" >&2; exit 2,:)

check: $(INSTALLED)  ## lint, format, types and import directions; changes no file
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo

fix: $(INSTALLED)  ## repair what ruff can repair
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

test: $(INSTALLED)  ## the tests that need Python alone (ARGS='-k landing')
	$(PYTEST) $(ARGS)

test-spark: $(INSTALLED)  ## the same scenarios on Apache Spark, compared row for row; needs Java 17 or later
	DURE_REQUIRE_ALL=1 $(PYTEST) -m spark $(ARGS)

test-all: $(INSTALLED)  ## every test; fails when Java or another prerequisite is missing
	DURE_REQUIRE_ALL=1 $(PYTEST) $(ARGS)

bench: $(INSTALLED)  ## measure time and memory against hand-written SQL (benchmarks/README.md)
	$(PY) benchmarks/run.py $(ARGS)

bench-delta: $(INSTALLED)  ## measure nights of changes against full runs (ARGS='--size 100 --shares 0.01')
	$(PY) benchmarks/delta.py $(ARGS)

bench-quality: $(INSTALLED)  ## measure the quality gate against one query a check
	$(PY) benchmarks/quality.py $(ARGS)

bench-suggest: $(INSTALLED)  ## evaluate `dure vocab suggest` on the annotators' workbook (docs/guide/suggest.md)
	$(PY) benchmarks/suggest.py $(ARGS)

bench-publish: $(INSTALLED)  ## rate and memory of `dure publish` against a plain copy (ARGS='--rows 10000000')
	$(PY) benchmarks/publish.py $(ARGS)

bench-database: $(INSTALLED)  ## rows a second of a source in PostgreSQL against its own COPY (ARGS='--rows 10000000')
	$(PY) benchmarks/database.py $(ARGS)

bench-center: $(INSTALLED)  ## 43 hospitals at the center: packages received and reported, and large summaries compared
	$(PY) benchmarks/center_packages.py
	$(PY) benchmarks/center.py $(ARGS)

bench-demo: $(INSTALLED)  ## rows a second and memory of `dure demo generate` (ARGS='--patients 200000')
	$(PY) benchmarks/demo_generate.py $(ARGS)

bench-athena: $(INSTALLED)  ## load a synthetic vocabulary of full size; 8 GB of disk (ARGS='--scale 0.1')
	$(PY) benchmarks/athena_synthetic.py $(ARGS)

wheelhouse: $(INSTALLED)  ## collect every wheel for a machine without a network (PLATFORM=manylinux_2_28_x86_64 for RHEL 8)
	@mkdir -p "$(WHEELHOUSE)" && rm -f "$(WHEELHOUSE)"/*.whl
	$(PIP) wheel --quiet --wheel-dir "$(WHEELHOUSE)" -r requirements.lock
	$(PIP) wheel --quiet --wheel-dir "$(WHEELHOUSE)" --no-deps --no-build-isolation .
	$(if $(PLATFORM),@cd "$(WHEELHOUSE)" && built=$$(ls *linux*.whl | sed -E 's/^([^-]+)-([^-]+)-.*/\1==\2/') && rm -f *linux*.whl && \
		"$(CURDIR)"/$(PIP) download --quiet --no-deps --only-binary=:all: --dest . \
		$(foreach each,$(PLATFORM) $(OLDER),--platform $(each)) $$built)
	@cp requirements.lock "$(WHEELHOUSE)"/ && cp -R deploy "$(WHEELHOUSE)"/
	@echo "$(WHEELHOUSE): $$(ls "$(WHEELHOUSE)" | grep -c '\.whl$$') wheels for $$($(PY) -c 'import platform, sys; \
	print("Python %d.%d on %s %s" % (*sys.version_info[:2], platform.system(), platform.machine()))')"
	@echo "There: python3 -m venv v && v/bin/pip install --no-index --find-links $(notdir $(WHEELHOUSE)) dure"

clean:  ## remove what the other targets made, except .venv
	rm -rf demo demo-center wheelhouse dist bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +

# After a change of tests/scenarios/rules.csv or of a scenario that the page shows.
docs: $(INSTALLED)
	$(PY) docs/generate_semantics.py

# Not for every day: CONTRIBUTING.md says when. pip 25.1 is the first that reads dependency groups.
lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-lock/bin/python -m pip install --quiet --group dev -e '.[duckdb,mssql,mysql,oracle,suggest]'
	{ echo '# Written by `make lock` from pyproject.toml, its extras and its development group.'; \
	.venv-lock/bin/python -m pip freeze --exclude-editable; } > requirements.lock.new
	mv requirements.lock.new requirements.lock
	rm -rf .venv-lock

$(INSTALLED): pyproject.toml requirements.lock
	@command -v "$(PYTHON)" > /dev/null || { echo "make: found no '$(PYTHON)'; Dure needs Python 3.11 or later:" \
		"install it, or name one: make setup PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: '$(PYTHON)' is" \
		"$$("$(PYTHON)" --version 2>&1); Dure needs Python 3.11 or later: make setup PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { echo "make: '$(PYTHON)' cannot make environments;" \
		"on Debian: apt-get install python3-venv" >&2; exit 2; }
	"$(PYTHON)" -m venv .venv
	@echo "Installing requirements.lock into .venv, a minute or two the first time ..."
	@$(PIP) install --quiet $(if $(WHEELS),--no-index --find-links "$(WHEELS)") -r requirements.lock
	@$(PIP) install --quiet --no-index --no-deps --no-build-isolation -e .
	@touch $@
