# Each target sets up what it needs: a clone wants Python 3.11 or later and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PRACTICE := practice
# One more than there are processors: a third of the tests wait, for servers and browsers.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
PORT ?= 8000
STATE ?= .hub

.PHONY: help hub practice test bench lint docs clean

help:
	@echo "make hub        start a JupyterHub with a practice archive (PORT= moves it; Ctrl-C ends it)"
	@echo "make practice   make a practice archive and calibrate one of its exposures"
	@echo "make test       run the whole test suite, and the linters"
	@echo "make bench      measure, beside the peers"
	@echo "make lint       ruff and mypy"
	@echo "make docs       build the documentation into docs/_build"
	@echo "make clean      remove what these made"

# The environment, made anew when what it holds changes.
$(BIN)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "upramp needs Python 3.11 or later; name one with PYTHON=")'
	@echo "installing the packages into $(VENV): some minutes, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	# By itself, for a test of the widgets: in the environment it would add pages to the hub's servers.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
		--target $(VENV)/notebook7 -c constraints.txt notebook
	touch $@ $(BIN)/.hub

# A hub needs no more than this; what tests need comes with them.
$(BIN)/.hub: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "upramp needs Python 3.11 or later; name one with PYTHON=")'
	@echo "installing the packages into $(VENV): a minute or two, once"
	$(PYTHON) -m venv $(VENV)
	# Not compiled: most of it is never imported, and the rest is at its first import.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[hub]'
	touch $@

# The system's browser, which tests drive: installed where that is possible and it is missing.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
			echo "chromium could not be installed: tests in a browser are skipped"; \
		else \
			echo "there is no chromium, and only root may install it: tests in a browser are skipped"; \
		fi; }

hub: $(BIN)/.hub
	$(BIN)/upramp hub --port $(PORT) --state $(STATE) --archive $(PRACTICE)

practice: $(BIN)/.ready
	$(BIN)/upramp practice $(PRACTICE)
	env -u CRDS_SERVER_URL CRDS_PATH="$(CURDIR)/$(PRACTICE)/crds" CRDS_CONTEXT=jwst_0001.pmap \
		$(BIN)/upramp calibrate -o calibrated \
		$(PRACTICE)/uncal/jw99001001001_02101_00001_nrcalong_uncal.fits
	$(BIN)/upramp info calibrated/jw99001001001_02101_00001_nrcalong_rate.fits

test: $(BIN)/.ready browser lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

bench: $(BIN)/.ready browser
	$(BIN)/python -m benchmarks

lint: $(BIN)/.ready
	# Without its cache: an import's place depends on which files stand beside it.
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(BIN)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/python -m sphinx -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) $(PRACTICE) calibrated again strict docs-work .practice docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
