# The front door. Each target is a verb of `python3 -m ops`, which needs nothing but Python 3.11; see ops/.
# Kept to what GNU make 3.81 (macOS) understands.

PYTHON ?= python3
OPS = @command -v $(PYTHON) >/dev/null 2>&1 || { \
	echo "make: no '$(PYTHON)' on the PATH: install Python 3.11 or newer, or name one: make $@ PYTHON=/path/to/python3" >&2; exit 1; }; \
	exec $(PYTHON) -m ops

.PHONY: help up down clean images urls budget doctor logs faults fault fault-clear drill test test-long verify-official check bench bench-metrics bench-logs bench-traces
.DEFAULT_GOAL := help

help: ## List these targets
	@echo "make TARGET [VARIABLE=value]"; echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

up: ## Bring everything up, follow one order through it, say where to look (LIGHT=1: no Logstash, no Kibana)
	$(OPS) up

down: ## Stop everything; data and passwords stay
	$(OPS) down

clean: ## Stop everything and remove its data (asks first; YES=1 does not)
	$(OPS) clean

images: ## Build or pull every image that `make up` needs
	$(OPS) images

urls: ## Say what is where, and where its password is
	$(OPS) urls

budget: ## Say what each service takes of memory and processor now, and what it may
	$(OPS) budget

doctor: ## Check this machine and the stack on it, with a remedy for each finding
	$(OPS) doctor

logs: ## Search the logs (Q="level:ERROR payment", Q=<request, trace or order id>, SINCE=15m LIMIT=100, FOLLOW=1)
	$(OPS) logs

faults: ## List what can be broken on purpose, and what is now
	$(OPS) faults

fault: ## Break something for a while (FAULT=errors FOR=60 SHARE=0.3 ROUTE=/api/v1/orders DELAY=2)
	$(OPS) fault

fault-clear: ## Put it right at once (FAULT=errors; without it everything)
	$(OPS) fault-clear

drill: ## Break something and watch its alert reach people and end (FAULT=errors; FAULT=all; without it list)
	$(OPS) drill

test: ## Run every test, with all set-up done for you (PYTEST_ARGS="-k name")
	$(OPS) test

test-long: ## Run the tests that take many minutes each
	$(OPS) test-long

verify-official: ## Pull the official images, test everything on them, write the result into the README (needs a registry)
	$(OPS) verify-official

check: ## Lint, types and unit tests: no Docker, about a minute
	$(OPS) check

bench: ## Measure metrics, logs and traces side by side with other libraries: benchmarks/RESULTS.md
	$(OPS) bench

bench-metrics: ## Measure metrics alone
	$(OPS) bench-metrics

bench-logs: ## Measure log lines alone
	$(OPS) bench-logs

bench-traces: ## Measure traces, and all three signals together
	$(OPS) bench-traces
