# Start with `make help`. Works with GNU make 3.81 (macOS) and newer, and a POSIX shell.

SHELL := /bin/sh
# `make PYTHON=…` and `make PYTHON_2=…` choose the Python of each environment.
PYTHON_3 := $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)
PYTHON_2 := python3.11
TRIGGERER := $(addprefix tests/airflow/runs/triggerer_,run.py watchers_run.py manual_run.py)
# pytest keeps what is logged, which would look like a leak.
SOAK := -p no:logging tests/airflow/runs/soak_run.py
LOWEST := $(addprefix tests/,core transport contract domain resources transfers $(addprefix airflow/,operators transfers hooks sensors triggers storage))
MIN_COVERAGE := 97
# Number of processes that run the test files; for example `make WORKERS=8 test` on a machine with more processors.
WORKERS := 2
PARALLEL := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
VENV := .venv
VENV_2 := .venv-airflow2
VENV_31 := .venv-airflow31
VENV_LOWEST := .venv-lowest
VENV_WHEEL := .venv-wheel
VENV_BENCH := .venv-bench
VENV_STORAGE := .venv-storage
VENV_MYSQL := .venv-mysql
VENV_WAREHOUSES := .venv-warehouses
VENV_CELERY := .venv-celery
VENV_DOCS := .venv-docs
VENV_UI := .venv-ui
VENV_FUZZ := .venv-fuzz
RUN := $(VENV)/bin/python
RUN_2 := $(VENV_2)/bin/python
RUN_31 := $(VENV_31)/bin/python -m pytest

# An environment whose Python is missing, broken or not the requested one is created again.
ifneq ($(shell $(RUN) -c 'print(1)' 2>/dev/null),1)
$(shell rm -f $(VENV)/.ready)
endif
ifneq ($(and $(PYTHON),$(shell $(PYTHON) -V 2>/dev/null)),$(and $(PYTHON),$(shell $(RUN) -V 2>/dev/null)))
$(shell rm -f $(VENV)/.ready)
endif
ifneq ($(shell $(RUN_2) -c 'print(1)' 2>/dev/null),1)
$(shell rm -f $(VENV_2)/.ready)
endif

.DEFAULT_GOAL := help
.PHONY: help demo ui test test-ui chromium test-airflow2 test-airflow31 test-lowest test-matrix fuzz fuzz-coverage soak test-scheduler test-transfers test-suppression test-data-writing test-webhooks test-triggerer test-account test-account-ui test-postgres test-postgres-airflow2 test-storage test-mysql test-celery servers test-warehouses load-million lint types format build check-files check-wheel docs docs-serve bench bench-start bench-sensors bench-million clean

help: ## list the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
		printf 'make %-15s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.ready ## reset the filled caps of a local account in a real Airflow, and print the result
	@$(RUN) scripts/demo.py

ui: $(VENV)/.ready ## start Airflow's web interface with the example DAGs and all they need; Ctrl-C stops it
	@$(RUN) scripts/ui.py $(if $(PORT),--port $(PORT)) $(if $(SANDBOX_PORT),--sandbox-port $(SANDBOX_PORT))

test: $(VENV)/.ready ## run the whole test suite with coverage
	@$(RUN) -m coverage erase
	$(RUN) -m pytest $(PARALLEL) --durations=25 --cov --cov-report=term --cov-fail-under=$(MIN_COVERAGE)

test-airflow2: $(VENV_2)/.ready ## run the tests that use Airflow on Airflow 2.11 (needs python3.11)
	$(RUN_2) -m pytest $(PARALLEL) -m airflow

test-airflow31: $(VENV_31)/.ready ## the same on Airflow 3.1, and its triggerer (needs python3.11; about half an hour)
	$(RUN_31) $(PARALLEL) -m airflow
	$(RUN_31) -s $(TRIGGERER)

# Releases as old as these warn about each other; what the newest ones warn about is an error in all other tests.
test-lowest: $(VENV_LOWEST)/.ready ## test with the oldest versions that pyproject.toml promises, on Airflow 2.11 (needs python3.11; a quarter of an hour)
	SQLALCHEMY_SILENCE_UBER_WARNING=1 $(VENV_LOWEST)/bin/python -m pytest -W ignore::DeprecationWarning $(PARALLEL) $(LOWEST)

test-matrix: $(VENV)/.ready ## every supported Airflow on every Python, from pins with hashes (needs python3.11 to 3.14; an hour); ONLY=3.2-3.12 tests one
	$(RUN) scripts/matrix.py $(ONLY)

fuzz: $(VENV)/.ready ## feed made-up input to every parser for two minutes; SECONDS=600 for ten
	$(RUN) scripts/fuzz.py $(SECONDS)

fuzz-coverage: $(VENV_FUZZ)/.ready ## feed every parser with input that reaches new lines, by Atheris (Linux; nine minutes); SECONDS of feeding, 300 by default
	$(VENV_FUZZ)/bin/python scripts/fuzz_coverage.py $(SECONDS)

soak: $(VENV)/.ready $(VENV_2)/.ready ## resets, exports, syncs and sensors under changing failures for an hour, half of it on Airflow 3.3 and half on 2.11; MINUTES=5 for ten minutes
	$(RUN) -m pytest $(SOAK)
	$(RUN_2) -m pytest $(SOAK)

test-triggerer: $(VENV)/.ready $(VENV_2)/.ready ## deferred sensors and asset watchers under real triggerers of Airflow 3.3 and 2.11 (a quarter of an hour)
	$(RUN) -m pytest -s $(TRIGGERER)
	$(RUN_2) -m pytest -s $(TRIGGERER) -k 'not watcher'

test-account: $(VENV)/.ready ## account as code: a thousand interleavings with other people, twenty killed applies, and exports of many accounts (a quarter of an hour)
	ACCOUNT_EXAMPLES=1000 ACCOUNT_KILLS=20 $(RUN) -m pytest -q tests/account

UI_RUN := $(VENV_UI)/bin/python -m pytest --noconftest -p no:cacheprovider -q -s
test-ui: chromium $(VENV)/.ready $(VENV_31)/.ready $(VENV_UI)/.ready ## click through make ui in Chromium, and through the page on Airflow 3.1 (needs chromium and chromedriver; 20 minutes)
	PICTURES='$(PICTURES)' $(UI_RUN) tests/ui/tour_run.py tests/ui/page_run.py
	AIRFLOW_PYTHON='$(CURDIR)/$(VENV_31)/bin/python' PICTURES=.ui-test/pictures-3.1 $(UI_RUN) tests/ui/page_run.py

test-account-ui: chromium $(VENV)/.ready $(VENV_31)/.ready $(VENV_UI)/.ready ## approve, reject and let a plan of an account wait in Chromium, on Airflow 3.3 and 3.1 (ten minutes)
	PICTURES='$(PICTURES)' $(VENV_UI)/bin/python -m pytest --noconftest -p no:cacheprovider -q -s tests/ui/account_run.py
	AIRFLOW_PYTHON=$(CURDIR)/$(VENV_31)/bin/python $(VENV_UI)/bin/python -m pytest --noconftest -p no:cacheprovider -q -s tests/ui/account_run.py

chromium:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null && command -v chromedriver >/dev/null || \
		{ echo 'error: make test-ui needs Chromium and its driver, chromedriver, on the PATH (Debian: apt-get install chromium chromium-driver)' >&2; exit 1; }

test-scheduler: $(VENV)/.ready ## kill and retry tasks under a real scheduler (a few minutes)
	$(RUN) -m pytest tests/airflow/runs/scheduler_run.py

test-transfers: $(VENV)/.ready ## run the example DAGs of exports under a real scheduler; EVERY=1d splits the year into 365 tasks (minutes)
	EVERY=$(or $(EVERY),7d) $(RUN) -m pytest -s tests/airflow/runs/transfers_run.py

test-suppression: $(VENV)/.ready ## sync 20,000 suppressed numbers with API failures, killed twice (about five minutes)
	$(RUN) -m pytest -s tests/airflow/runs/suppression_run.py

test-webhooks: $(VENV)/.ready $(VENV_31)/.ready ## 2,000 webhooks in 20 s for two api-servers, parts of Airflow killed meanwhile, on 3.3 and 3.1 (about five minutes)
	$(RUN) -m pytest -s tests/airflow/runs/webhooks_run.py
	$(RUN_31) -s tests/airflow/runs/webhooks_run.py

test-data-writing: $(VENV)/.ready ## write 20,000 rows onto calls with API failures, killed twice (about seven minutes)
	$(RUN) -m pytest -s tests/airflow/runs/data_writing_run.py

test-postgres: $(VENV)/.ready ## load calls into a temporary PostgreSQL server (needs its programs)
	$(RUN) -m pytest tests/airflow/runs/postgres_run.py tests/airflow/runs/postgres_numbers_run.py

test-postgres-airflow2: $(VENV_2)/.ready ## the same on Airflow 2.11, with its older PostgreSQL driver
	$(RUN_2) -m pytest tests/airflow/runs/postgres_run.py tests/airflow/runs/postgres_numbers_run.py

test-storage: $(VENV_STORAGE)/.ready ## export to temporary S3 and GCS servers, with their providers (minutes)
	$(VENV_STORAGE)/bin/python -m pytest tests/airflow/runs/storage_run.py

test-mysql: $(VENV_MYSQL)/.ready ## load calls into a temporary MariaDB server, with both drivers (needs its programs)
	$(VENV_MYSQL)/bin/python -m pytest tests/airflow/runs/mysql_run.py

test-warehouses: $(VENV_WAREHOUSES)/.ready ## parse the example DAGs for BigQuery and Snowflake with their providers
	$(VENV_WAREHOUSES)/bin/python -m pytest tests/airflow/runs/warehouses_run.py

test-celery: servers $(VENV_CELERY)/.ready ## two Celery workers, PostgreSQL and Redis, each part and both servers killed once (about ten minutes); EVERY=1d splits each year into 365 tasks
	EVERY='$(EVERY)' PICTURES='$(PICTURES)' $(VENV_CELERY)/bin/python -m pytest -s tests/airflow/runs/celery_run.py

# Before minutes are spent on an environment.
servers: $(VENV)/.ready
	@$(RUN) -m tests.airflow.support.servers

load-million: $(VENV)/.ready ## load 1,000,000 calls into PostgreSQL and print time and memory (a few minutes)
	$(RUN) -m benchmarks.load_postgres

lint: $(VENV)/.ready ## check the code with ruff
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(VENV)/.ready ## check the types with mypy, strictly
	$(RUN) -m mypy

format: $(VENV)/.ready ## format the code with ruff
	$(RUN) -m ruff format .

build: $(VENV)/.ready ## build the wheel and the source distribution into dist/
	@rm -rf dist
	$(RUN) -m build --no-isolation

check-files: $(VENV_DOCS)/.ready ## check workflows, issue forms, the Compose file and that of Read the Docs against their schemas
	@$(VENV_DOCS)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(VENV_DOCS)/bin/check-jsonschema --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	@$(VENV_DOCS)/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(VENV_DOCS)/bin/check-jsonschema --builtin-schema vendor.github-issue-forms \
		$(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	@$(VENV_DOCS)/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	@$(VENV_DOCS)/bin/check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml

check-wheel: build $(VENV_DOCS)/.ready ## install the built wheel in a new environment, check it and follow the quick start there
	$(VENV_DOCS)/bin/python -m twine check --strict dist/*
	@# The wheel in dist/ was built from the source distribution, this one from the sources: both are the same bytes.
	$(RUN) -m build --no-isolation --sdist --wheel --outdir build/again
	@for file in build/again/*; do cmp "$$file" "dist/$${file##*/}" || exit 1; done
	rm -rf $(VENV_WHEEL) build/again
	@REQUIREMENTS="$$(echo dist/*.whl)[sandbox]" scripts/environment.sh $(VENV_WHEEL) constraints/airflow-3.3.txt $(RUN)
	$(VENV_WHEEL)/bin/python -m pip check
	cd dist && ../$(RUN) -m mypy --strict --config-file= --python-executable ../$(VENV_WHEEL)/bin/python ../tests/consumer/project.py
	$(VENV_DOCS)/bin/basedpyright --project tests/consumer/pyrightconfig.json --pythonpath $(VENV_WHEEL)/bin/python
	cd dist && AIRFLOW_HOME="$$PWD/airflow-home" ../$(VENV_WHEEL)/bin/python -P ../scripts/check_wheel.py
	$(VENV_WHEEL)/bin/python -P scripts/check_quick_start.py
	rm -rf $(VENV_WHEEL) dist/airflow-home dist/quick-start

docs: $(VENV_DOCS)/.ready ## build the documentation site into site/, warnings as errors, and check it
	NO_MKDOCS_2_WARNING=1 $(VENV_DOCS)/bin/python -m mkdocs build --quiet --strict
	$(VENV_DOCS)/bin/python scripts/check_site.py site

docs-serve: $(VENV_DOCS)/.ready ## show the documentation site at http://127.0.0.1:8000 while it is written; Ctrl-C stops it
	NO_MKDOCS_2_WARNING=1 $(VENV_DOCS)/bin/python -m mkdocs serve --dev-addr 127.0.0.1:$(or $(PORT),8000) --watch README.md \
		--watch CHANGELOG.md --watch example_dags --watch airflow_provider_retreaver --watch scripts

bench: $(VENV_BENCH)/.ready ## compare exports of calls with other ways to read them, and a load into PostgreSQL (about 25 minutes)
	$(VENV_BENCH)/bin/python benchmarks/export.py $(SCENARIO)
	$(if $(SCENARIO),,$(RUN) -m benchmarks.load_postgres 200000)

bench-start: $(VENV_BENCH)/.ready ## what operators cost before they work: parsing, memory, the start of an empty export (a few minutes)
	$(VENV_BENCH)/bin/python -m benchmarks.start

bench-sensors: $(VENV)/.ready ## measure 1,000 deferred sensors, in an event loop and in real triggerers (about 15 minutes)
	$(RUN) benchmarks/sensors.py
	$(RUN) -m pytest -s tests/airflow/runs/triggerer_load_run.py

bench-million: $(VENV)/.ready ## export 1,000,000 calls from the sandbox to Parquet, and print time and memory
	$(RUN) benchmarks/million.py

clean: ## remove the files of the commands above
	rm -rf $(VENV) $(VENV_2) $(VENV_31) $(VENV_LOWEST) .venv-matrix $(VENV_WHEEL) $(VENV_BENCH) $(VENV_STORAGE) $(VENV_MYSQL) $(VENV_WAREHOUSES) $(VENV_CELERY) $(VENV_DOCS) $(VENV_UI) $(VENV_FUZZ) .pip-cache .demo .ui .ui-test .celery .matrix dist build site htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f .coverage .coverage.* coverage.xml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.ready: pyproject.toml airflow_provider_retreaver/__init__.py constraints/airflow-3.3.txt scripts/environment.sh
	@scripts/environment.sh $(VENV) constraints/airflow-3.3.txt '$(PYTHON_3)'

$(VENV_2)/.ready: pyproject.toml airflow_provider_retreaver/__init__.py constraints/airflow-2.11.txt scripts/environment.sh
	@NEWEST_PYTHON=12 scripts/environment.sh $(VENV_2) constraints/airflow-2.11.txt '$(PYTHON_2)'

$(VENV_31)/.ready: pyproject.toml airflow_provider_retreaver/__init__.py constraints/airflow-3.1.txt scripts/environment.sh
	@NEWEST_PYTHON=12 scripts/environment.sh $(VENV_31) constraints/airflow-3.1.txt '$(PYTHON_2)'

$(VENV_LOWEST)/.ready: pyproject.toml airflow_provider_retreaver/__init__.py constraints/lowest.txt scripts/environment.sh
	@NEWEST_PYTHON=12 scripts/environment.sh $(VENV_LOWEST) constraints/lowest.txt '$(PYTHON_2)'

$(VENV_BENCH)/.ready: benchmarks/requirements.txt constraints/airflow-3.3.txt $(VENV)/.ready
	@REQUIREMENTS='-e .[parquet] -r benchmarks/requirements.txt' \
		scripts/environment.sh $(VENV_BENCH) constraints/airflow-3.3.txt $(RUN)

# Separate constraints: Amazon's libraries require an older python-dateutil, MySQL's provider needs pinned drivers.
# Google's provider requires the clients of all of Google's services: only those that its storage imports are installed.
STORAGES := -e .[parquet,sandbox] apache-airflow-providers-amazon[s3fs] moto[server,s3] pytest \
	gcsfs gcloud-aio-auth google-api-python-client google-auth-httplib2 google-cloud-secret-manager
$(VENV_STORAGE)/.ready: constraints/storage.txt $(VENV)/.ready
	@REQUIREMENTS='$(STORAGES)' ALONE='apache-airflow-providers-google' \
		scripts/environment.sh $(VENV_STORAGE) constraints/storage.txt $(RUN)

$(VENV_MYSQL)/.ready: constraints/mysql.txt $(VENV)/.ready
	@REQUIREMENTS='-e .[sandbox] apache-airflow-providers-mysql pytest' \
		scripts/environment.sh $(VENV_MYSQL) constraints/mysql.txt $(RUN)

# Without what the providers require: Google's asks for the clients of all of its services, and Snowflake's for an older
# SQLAlchemy than that of Airflow's constraints.
$(VENV_WAREHOUSES)/.ready: constraints/warehouses.txt $(VENV)/.ready
	@REQUIREMENTS='-e .[warehouse] pytest' ALONE='-r constraints/warehouses.txt' \
		scripts/environment.sh $(VENV_WAREHOUSES) constraints/airflow-3.3.txt $(RUN)

$(VENV_CELERY)/.ready: constraints/celery.txt $(VENV)/.ready
	@REQUIREMENTS='-e .[sandbox] apache-airflow-providers-celery apache-airflow-providers-postgres pytest' \
		scripts/environment.sh $(VENV_CELERY) constraints/celery.txt $(RUN)

$(VENV_FUZZ)/.ready: constraints/fuzz.txt $(VENV)/.ready
	@REQUIREMENTS='-e .[sandbox] hypothesis' ALONE='-r constraints/fuzz.txt' \
		scripts/environment.sh $(VENV_FUZZ) constraints/airflow-3.3.txt $(RUN)

# The browser's driver talks to the interface from outside: neither the package nor Airflow is installed.
$(VENV_UI)/.ready: constraints/ui.txt scripts/environment.sh
	@REQUIREMENTS='-r constraints/ui.txt' scripts/environment.sh $(VENV_UI) constraints/ui.txt '$(PYTHON_3)'

# The site is made from the sources, so neither the package nor Airflow is installed.
$(VENV_DOCS)/.ready: constraints/docs.txt scripts/environment.sh
	@REQUIREMENTS='-r constraints/docs.txt' scripts/environment.sh $(VENV_DOCS) constraints/docs.txt '$(PYTHON_3)'
