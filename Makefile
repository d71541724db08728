# `make` lists the targets. Nothing has to be installed first but Python 3.11 to 3.13, git and make.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# A pyenv shim can be on the PATH and fail, so each candidate has to run.
RUNS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c '$(RUNS)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := .venv/$(SCRIPTS)
READY := .venv/.ready
BOOK := _build/.book
OFFLINE_BOOK := _build/.offline
PDF := _build/book.pdf
OFFLINE ?=
NAMES ?=
DIRECTIONS ?= 3
TIME ?=
BACKEND_TESTS := $(addprefix tests/test_,cells.py options.py more_cells.py convert.py parallel.py check_cell.py back_ends.py torch.py)

export TF_CPP_MIN_LOG_LEVEL := 3
# As everywhere but on Windows.
export PYTHONUTF8 := 1

stage = @echo "== $(1)"
# Quiet: pip says something where it fails.
fetch = $(1)/$(SCRIPTS)/python -m pip install -qq --disable-pip-version-check

.PHONY: help other-cells book test check-code check-units check-notebooks check-pages check-browser pdf notebooks set-address messages ulp results \
	results-table results-check bench test-backends test-colab test-oldest test-newest test-here check-workflows dist \
	report-failure fuzz lock clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

$(READY): requirements.lock
	@command -v git >/dev/null || { echo "git is missing: install it and run make again." >&2; exit 1; }
	@"$(PYTHON)" -c '$(RUNS)' 2>/dev/null || { \
		echo "Python 3.11, 3.12 or 3.13 with its venv module is missing: install one, or name it with make PYTHON=..." >&2; \
		exit 1; }
	$(call stage,setting up .venv (a minute or two; once))
	@"$(PYTHON)" -m venv .venv
	@$(call fetch,.venv) -r requirements.lock
	@$(call fetch,.venv) --no-deps -e .
	@touch $@

book: $(if $(OFFLINE),$(OFFLINE_BOOK),$(BOOK)) ## render the book into _build/html (OFFLINE=1: into _build/offline, to read without a network)
	@echo "Open $(CURDIR)/_build/$(if $(OFFLINE),offline,html)/index.html"

# Built whole each time: an incremental build forgets the warnings of the build before it.
$(BOOK): $(READY) _config.yml _toc.yml references.bib intro.md $(wildcard _static/* chapters/*.md \
	chapters/*.ipynb rnncells/*.py rnncells/*/*.py) $(wildcard tools/extensions/*.py site/live/*)
	$(call stage,building the book)
	@$(BIN)/jupyter-book build . --all -W -n --keep-going -q
	@touch $@

$(OFFLINE_BOOK): $(BOOK) tools/pages/offline.py
	$(call stage,copying it with MathJax beside the pages)
	@$(BIN)/python tools/pages/offline.py _build/html _build/offline
	@touch $@

test: $(READY) ## everything: code, unit tests, notebooks, the book and its pages
	@$(BIN)/python tools/stages.py $(MAKE) check-code check-units check-notebooks check-pages check-browser

check-code: $(READY) check-workflows
	$(call stage,ruff)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	$(call stage,the scripts of the live elements)
	@$(BIN)/python tools/pages/scripts.py

check-workflows: $(READY)
	$(call stage,workflows and CITATION.cff)
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.citation-file-format CITATION.cff
	@$(BIN)/zizmor -q --offline --persona auditor --strict-collection .github

check-units: $(READY)
	$(call stage,unit tests)
	@$(BIN)/python -m pytest tests --ignore=tests/test_book.py --ignore=tests/test_browser.py --ignore=tests/test_live_pages.py --cov=rnncells -n 2 --dist worksteal

check-notebooks: $(READY)
	$(call stage,notebooks: run again and compared with their stored outputs)
	@$(BIN)/python tools/notebooks/run.py test $(NAMES)

check-pages: $(BOOK)
	$(call stage,the pages of the book)
	@$(BIN)/python -m pytest tests/test_book.py

# Skipped where a program is missing, unless RNNCELLS_BROWSER=required.
check-browser: $(BOOK)
	$(call stage,the pages in a browser)
	@missing=$$($(BIN)/python tools/pages/chromium.py); \
	if [[ -z "$$missing" ]]; then \
		$(MAKE) --no-print-directory $(OFFLINE_BOOK); \
		$(BIN)/python -m pytest tests/test_browser.py tests/test_live_pages.py -n 2; \
	elif [[ "$${RNNCELLS_BROWSER:-}" == required ]]; then \
		echo "$$missing" >&2; exit 1; \
	else \
		echo "Skipped: $$missing"; \
	fi

pdf: $(PDF) ## the whole book in one file, _build/book.pdf
	@echo "Open $(CURDIR)/$(PDF)"

$(PDF): $(OFFLINE_BOOK) tools/pages/pdf.py tools/pages/chromium.py tools/pages/contents.py
	$(call stage,printing the book)
	@$(BIN)/python -m tools.pages.pdf _build/offline $@

notebooks: $(READY) ## execute the notebooks and store their outputs (NAMES="01 03" for some)
	@$(BIN)/python tools/notebooks/run.py store $(NAMES)

# Taken from the command line alone; the shell reads it from the environment, unquoted by make.
set-address: $(READY) ## write the repository's address everywhere (URL=https://github.com/OWNER/NAME), or take it out (URL=)
	@$(if $(findstring command,$(origin URL)),$(BIN)/python tools/release/address.py "$$URL",\
		echo "set-address needs URL=https://github.com/OWNER/NAME, or URL= to take the address out." >&2; exit 1)

messages: $(READY) ## write chapters/messages.md: what each mistake in a cell is told by
	@$(BIN)/python tools/pages/messages.py

other-cells: $(READY) .venv-backends/.ready ## write chapters/other_cells.md: what check_cell says of published cells (needs the registry)
	@$(BIN)/python tools/pages/other_cells.py

ulp: $(READY) ## how far printed numbers move when the first weights move by one ulp (NAMES="03", DIRECTIONS=3)
	@$(BIN)/python tools/notebooks/run.py ulp $(NAMES) --directions $(DIRECTIONS)

# glibc keeps what is freed: else a third of the time at 784 pixels goes to fresh memory pages.
results: $(READY) ## train what the results ledger still lacks (hours; stop and go on at any time)
	@MALLOC_ARENA_MAX=1 MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 $(BIN)/python -m experiments.ledger run

results-table: $(READY) ## the ledger's tables, from its CSV
	@$(BIN)/python -m experiments.ledger table

results-check: $(READY) ## train one row of the ledger again and compare (about a minute)
	@$(BIN)/python -m experiments.ledger check

bench: .venv-bench/.ready ## time every way to run a cell (some ten minutes, on a machine that does nothing else)
	$(call stage,the benchmark)
	@.venv-bench/$(SCRIPTS)/python -m experiments.bench

.venv-bench/.ready: $(READY)
	$(call stage,setting up .venv-bench: TensorFlow and JAX and PyTorch (some minutes; once))
	@$(BIN)/python -m venv .venv-bench
	@$(call fetch,.venv-bench) -r requirements.lock torch==2.13.0
	@$(call fetch,.venv-bench) --no-deps -e .
	@touch $@

test-backends: .venv-backends/.ready ## the cells' tests on JAX and on PyTorch
	$(call stage,JAX)
	@KERAS_BACKEND=jax .venv-backends/$(SCRIPTS)/python -m pytest $(BACKEND_TESTS)
	$(call stage,PyTorch)
	@KERAS_BACKEND=torch .venv-backends/$(SCRIPTS)/python -m pytest $(BACKEND_TESTS)

.venv-backends/.ready: $(READY)
	$(call stage,setting up .venv-backends (some minutes; once))
	@$(BIN)/python -m venv .venv-backends
	@$(call fetch,.venv-backends) -c requirements.lock jax torch==2.13.0 keras pytest
	@$(call fetch,.venv-backends) --no-deps -e .
	@touch $@

# Elsewhere: the notebooks, copied, with only the wheel, on other versions than the lock file's.
test-colab: WANTED := 3.13
test-oldest: WANTED := 3.11
test-newest: WANTED := 3.13
test-colab: ## the notebooks, copied, on the versions that Colab publishes (NAMES="01" for some)
test-oldest: ## the same on the oldest Keras and TensorFlow
test-newest: ## the same on the newest
test-colab test-oldest test-newest: test-%: $(READY)
	$(call stage,$@: the notebooks on tools/notebooks/versions/$*.txt)
	@python="$$(command -v python$(WANTED) || true)"; \
	"$$python" -c '$(RUNS)' 2>/dev/null || { \
		python="$(PYTHON)"; echo "Python $(WANTED) is not here: $$("$(PYTHON)" --version) instead."; }; \
	rm -rf .venv-$*; "$$python" -m venv .venv-$*
	@$(call fetch,.venv-$*) -r tools/notebooks/versions/$*.txt
	@$(BIN)/python -m tools.notebooks.elsewhere .venv-$*/$(SCRIPTS)/python $(NAMES)

# Needs no .venv: Colab's Python, for one, has no ensurepip. pip is then the machine's.
test-here: ## the same with what a Python has already (PYTHON=...)
	$(call stage,$@: the notebooks on what $(PYTHON) has)
	@rm -rf .venv-here; "$(PYTHON)" -m venv --without-pip --system-site-packages .venv-here
	@$(call fetch,.venv-here) nbval nbclient pytest-xdist pyyaml build
	@.venv-here/$(SCRIPTS)/python -m tools.notebooks.elsewhere .venv-here/$(SCRIPTS)/python $(NAMES)

dist: $(READY) ## a release's files in dist/: built, checked, and the wheel tried in an empty environment
	@$(BIN)/python -m tools.release.dist

# Needs no .venv: a workflow calls it when setting one up may be what failed.
report-failure: ## in a workflow: an issue that names the failed run, or a comment on the open one
	@"$(PYTHON)" tools/release/report_failure.py

fuzz: $(READY) ## search for a program that tells ParallelRNN from keras.layers.RNN (TIME=seconds, 600)
	@TIME="$(TIME)" $(BIN)/python tests/differential.py

lock: ## resolve requirements.lock again
	@command -v uv >/dev/null || { echo "make lock needs uv (pip install uv)." >&2; exit 1; }
	@uv pip compile --quiet --universal --python-version 3.11 --group dev --no-emit-index-url \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean: ## remove the environments and everything built
	@rm -rf .venv .venv-* _build dist .pytest_cache .ruff_cache .coverage* rnncells.egg-info
