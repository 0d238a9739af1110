# The two commands: `make run` starts everything on this machine, `make test` passes the tests.
# Both install what they need into .venv and .venv-engine first.

# The first interpreter that runs, is 3.11 or 3.12, and can make virtual environments. A name on the PATH may be a shim
# that leads nowhere, so each is tried.
PYTHON ?= $(shell for name in python3.11 python3.12 python3; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)
PY := .venv/bin/python
ENGINE_PY := .venv-engine/bin/python
CLIENT_PY := .venv-client/bin/python
INFRA_PY := .venv-infra/bin/python
PIP_FLAGS := --quiet --require-hashes --disable-pip-version-check
# Processes that the tests are divided among, by file; each starts servers of its own.
TEST_PROCESSES ?= 2
MARKS := .install
PAGE := .venv/share/invokeai-saas/page/index.html
NODES := .venv/share/invokeai-saas/nodes.json
PEER := .venv-peer/installed
LIBRARY := .venv/share/invokeai-saas/library/shipped.json

.PHONY: help image-size run demo test test-engine infra-check infra-apply lint format bench nightly chaos sheet install dev lock doctor clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

run: install ## start the whole service on this machine
	@$(PY) -m invokeai_saas up

demo: install ## sign up, make one picture of PROMPT over the public API, stop
	@$(PY) -m invokeai_saas demo

test: dev ## the test suite, the engine's part in its own environment
	.ci/twice $(PY) -m pytest -n $(TEST_PROCESSES) --dist loadfile
	$(MAKE) test-engine

test-engine: dev
	$(ENGINE_PY) -m pytest -c /dev/null --rootdir . --confcutdir tests/models_starter --import-mode=importlib \
		-o pythonpath=. -q tests/models_starter/test_networks.py tests/models_starter/test_textures.py
	OMP_NUM_THREADS=1 .ci/twice $(ENGINE_PY) -m pytest -n $(TEST_PROCESSES) --dist loadfile \
		-c tests/worker_engine/pytest.ini --rootdir .

lint: dev ## style and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

infra-check: $(MARKS)/infra ## Terraform, images, workflows, shell scripts: format, validity, tests, linters
	$(INFRA_PY) infra/check

infra-apply: $(MARKS)/dev ## apply one environment to moto's server, plan it again, destroy it (a quarter of an hour)
	$(PY) -m infra.rehearsal

format: dev
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

bench: dev ## side by side with stock InvokeAI (BENCH=--quick: minutes, a tenth of the pictures)
	$(PY) -m bench $(BENCH)

doctor: install ## what is wrong on this machine, and what to do
	@$(PY) -m invokeai_saas doctor

install: $(MARKS)/local $(MARKS)/engine $(PAGE) $(NODES) $(LIBRARY) ## everything the service needs

dev: install $(MARKS)/dev $(MARKS)/engine-dev $(MARKS)/client $(PEER)

$(MARKS)/local: requirements/local.txt pyproject.toml
	@mkdir -p $(MARKS)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with venv is needed (Debian: python3-venv)."; exit 1; }
	@echo "Installing the API's environment (.venv)"
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install $(PIP_FLAGS) -r requirements/local.txt
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check -e .
	@touch $@

$(MARKS)/dev: requirements/dev.txt $(MARKS)/local
	@echo "Installing the tests' libraries (.venv)"
	@$(PY) -m pip install $(PIP_FLAGS) -r requirements/dev.txt
	@touch $@

$(MARKS)/engine-dev: requirements/engine-dev.txt $(MARKS)/engine
	@$(ENGINE_PY) -m pip install $(PIP_FLAGS) -r requirements/engine-dev.txt
	@touch $@

# A client library of other people's, with what it imports: its own list is far longer (client-overrides.txt).
$(MARKS)/client: requirements/client.txt $(MARKS)/local
	@test -x $(CLIENT_PY) || $(PYTHON) -m venv .venv-client
	@$(CLIENT_PY) -m pip install $(PIP_FLAGS) --no-deps -r requirements/client.txt
	@touch $@

$(MARKS)/engine: requirements/engine.txt pyproject.toml
	@mkdir -p $(MARKS)
	@echo "Installing the engine's environment (.venv-engine): about 7 GB, a few minutes"
	@test -x $(ENGINE_PY) || $(PYTHON) -m venv .venv-engine
	@$(ENGINE_PY) -m pip install $(PIP_FLAGS) -r requirements/engine.txt
	@$(ENGINE_PY) -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check -e .
	@touch $@

# Linters of infrastructure, in an environment of their own: what they import is nobody else's.
$(MARKS)/infra: requirements/infra.txt
	@mkdir -p $(MARKS)
	@test -x $(INFRA_PY) || $(PYTHON) -m venv .venv-infra
	@$(INFRA_PY) -m pip install $(PIP_FLAGS) -r requirements/infra.txt
	@touch $@

# Stock InvokeAI, which the tests and the benchmark compare with.
$(PEER): requirements/peer.txt $(MARKS)/engine $(MARKS)/dev
	@echo "Installing what stock InvokeAI needs beside the engine (.venv-peer)"
	@$(PY) -c "from bench import peer; peer.install()"
	@touch $@

# InvokeAI's page comes out of the package that the engine's environment has; the API never imports it.
$(PAGE): $(MARKS)/local $(MARKS)/engine
	@$(PY) -m invokeai_saas page install \
		"$$($(ENGINE_PY) -c 'import importlib.util as u; print(u.find_spec("invokeai").submodule_search_locations[0])')/frontend/web/dist"
	@touch $@

$(NODES): $(MARKS)/local $(MARKS)/engine $(wildcard src/invokeai_saas/worker/engine/*.py)
	@echo "Exporting InvokeAI's node schemas"
	@$(ENGINE_PY) -m invokeai_saas nodes export $@
	@touch $@

$(LIBRARY): $(MARKS)/local $(MARKS)/engine
	@echo "Taking InvokeAI's own workflows, style presets and prompts"
	@$(ENGINE_PY) -m invokeai_saas library export $(@D)
	@touch $@

LOCK := uv pip compile --generate-hashes --no-header --no-annotate --quiet
lock: ## compile the locks anew (needs uv)
	$(LOCK) --universal --python-version 3.11 pyproject.toml -o requirements/api.txt
	$(LOCK) --universal --python-version 3.11 pyproject.toml --extra aws --extra tracing -c requirements/api.txt -o requirements/aws.txt
	$(LOCK) --universal --python-version 3.11 pyproject.toml --extra local -c requirements/api.txt -o requirements/local.txt
	$(LOCK) --universal --python-version 3.11 pyproject.toml --extra local --extra dev -c requirements/local.txt -o requirements/dev.txt
	$(LOCK) --python-platform x86_64-manylinux_2_28 --python-version 3.11 requirements/engine.in -o requirements/engine.txt
	$(LOCK) --python-platform x86_64-manylinux_2_28 --python-version 3.11 requirements/engine-dev.in -c requirements/engine.txt -o requirements/engine-dev.txt

	$(LOCK) --universal --python-version 3.11 requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	$(LOCK) --universal --python-version 3.11 requirements/audit.in -o requirements/audit.txt
	$(LOCK) --no-deps --universal --python-version 3.11 requirements/page.in -o requirements/page.txt
	$(LOCK) --no-deps --universal --python-version 3.11 requirements/peer.in -o requirements/peer.txt
	$(LOCK) --universal --python-version 3.11 requirements/client.in --override requirements/client-overrides.txt -o requirements/client.txt
	$(LOCK) --universal --python-version 3.11 requirements/infra.in -o requirements/infra.txt

image-size: ## how large what the API's image installs is; fails above 250 MB
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 with venv is needed (Debian: python3-venv)."; exit 1; }
	@$(PYTHON) docker/tree_size.py requirements/aws.txt

nightly: dev ## infra-apply; properties on other values; random lives of the ledger: 100,000 steps by people at once (about an hour). Each runs whatever became of the others
	failed=0; $(PY) -m infra.rehearsal || failed=1; \
	PROPERTIES=random $(PY) -m pytest $$(grep -rl "^@given" tests) || failed=1; \
	$(PY) -m tests.credits.machine $(NIGHTLY) || failed=1; exit $$failed

chaos: dev ## kill real workers with -9 until the queue is dry, and look at the money (minutes)
	$(PY) -m tests.worker.chaos --engine invokeai

sheet: install ## draw the model card's sheet anew, through a worker of ours
	$(PY) -m invokeai_saas admin models sheet models/starter/prompts.txt models/starter/sheet.png

clean: ## remove environments and derived files; data/ stays
	rm -rf .venv .venv-engine .venv-peer .venv-client .venv-infra $(MARKS) build out
