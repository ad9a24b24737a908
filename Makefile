# Every task of development, in the active environment (CONTRIBUTING.md); `make` alone lists them.
# CI (.ci/run) makes a fresh environment and runs `make check` in it.
.DEFAULT_GOAL := help
SCRATCH := build
QUICK := tests/physics tests/masses tests/sweep tests/test_nuclide.py tests/test_docs.py

# tests compile the same programs many times over
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/$(SCRATCH)/jax-cache
export TF_CPP_MIN_LOG_LEVEL ?= 3
export NO_MKDOCS_2_WARNING := 1

.PHONY: help setup format lint types imports containers picture docs serve quick test wheel check

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup:  ## install the package as it stands here, with all that its development needs
	python -m pip install --quiet --editable ".[test,dev,docs,dask]"

format:  ## put the code into the one form
	ruff check --fix .
	ruff format .

lint:  ## is it in that form, without common mistakes?
	ruff check .
	ruff format --check .

types:  ## do types fit?
	mypy

imports:  ## does every package import only from those below it?
	lint-imports

containers:  ## are the container definitions sound?
	hadolint Dockerfile

picture:  ## draw docs/architecture.svg from the imports
	python scripts/draw_architecture.py

docs:  ## build the documents, warnings being errors (none is counted with --quiet)
	mkdocs build --strict --site-dir $(SCRATCH)/site

serve:  ## show the documents in a browser, and again after every change
	mkdocs serve

quick:  ## tests of equations, masses, sweep files and documents: 1 to 2 minutes
	pytest -q $(QUICK)

test:  ## all tests: 9 to 15 minutes on two cores
	pytest -n 2 --dist loadfile --max-worker-restart=0 --durations=15

wheel:  ## does what is published work by itself, with nothing that only tests bring?
	rm -rf $(SCRATCH)/dist $(SCRATCH)/alone
	python -m pip wheel --quiet --no-deps --wheel-dir $(SCRATCH)/dist .
	python -m venv $(SCRATCH)/alone
	$(SCRATCH)/alone/bin/pip install --quiet $(SCRATCH)/dist/*.whl
	cd $(SCRATCH) && alone/bin/gpucrust doctor

check: lint types imports containers docs wheel test  ## everything a change must pass
