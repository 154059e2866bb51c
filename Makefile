# make demo | test | bench | lint: each does its own set-up; nothing to install first
# but Python 3.11 or later, make and git.

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
endif
VENV ?= .venv
PY := $(VENV)/bin/python
# The demo: make demo SPEED=60, make demo ONCE=1, make demo ARGS="--port 9000".
SPEED ?=
ONCE ?=
ARGS ?=

.PHONY: demo test bench lint docs pins clean

demo: $(VENV)/run
	$(PY) main.py demo $(if $(SPEED),--speed $(SPEED)) $(if $(ONCE),--once) $(ARGS)

test: $(VENV)/dev
	tests/browser.sh
	$(PY) -m pytest $(ARGS)

bench: $(VENV)/dev
	$(PY) -m pytest -o addopts= -q -s tests/benchmarks $(ARGS)

lint: $(VENV)/dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

docs: $(VENV)/run
	$(PY) main.py docs

$(VENV)/run: requirements.txt
	$(call install,requirements.txt)
	touch $@

$(VENV)/dev: requirements-dev.txt
	$(call install,requirements-dev.txt)
	touch $(VENV)/run $@

# uv when it is there, pip otherwise; both check every hash.
define install
	@test -n "$(PYTHON)" || { echo "需要 Python 3.11 或更新版本 / Python 3.11 or later is needed"; exit 1; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv --clear $(VENV) \
		|| uv venv --clear --seed --python $(PYTHON) $(VENV) \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq \
			&& apt-get install -qq -y python3-venv && $(PYTHON) -m venv --clear $(VENV); } \
		|| { echo "需要 Python 的 venv 模块（Debian：python3-venv）/ Python's venv module is needed (Debian: python3-venv)"; exit 1; }
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(PY) --require-hashes -r $(1); \
	else \
		$(PY) -m pip install --quiet --require-hashes -r $(1); \
	fi
endef

# For whoever changes a dependency; needs uv.
pins:
	uv pip compile --quiet pyproject.toml --universal --generate-hashes \
		--python-version 3.11 --no-annotate --custom-compile-command "make pins" -o requirements.txt
	uv pip compile --quiet pyproject.toml --group dev --universal --generate-hashes \
		--python-version 3.11 --no-annotate --custom-compile-command "make pins" -o requirements-dev.txt

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
