# The only entry point: `make` lists what there is. Everything installs what it needs first.
SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Programs of node_modules by their plain names.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# The repository `make run` serves.
REPO ?= $(CURDIR)

# shellcheck is welcome, not required.
SCRIPTS := .ci/run $(wildcard runtime-image/*.sh)
define CHECK
( tsx internal/build/write-zones.ts --check && biome check --error-on-warnings . && tsc --noEmit && tsc --noEmit -p internal/web && \
for script in $(SCRIPTS); do bash -n "$$script" || exit 1; done && \
{ ! command -v shellcheck >/dev/null || shellcheck -x $(SCRIPTS); } )
endef

.PHONY: help setup setup-tests build check test test-unit test-integration test-e2e test-faults run image bench clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-18s %s\n", $$1, $$2 }'

setup: ## Prepare this machine: system packages, node_modules, runtime image
	@runtime-image/prepare-host.sh

# What only tests need on top: a browser.
setup-tests:
	@runtime-image/prepare-host.sh tests

build: setup ## Build the programs into dist/bin
	@tsx internal/build/main.ts

check: setup ## Check format, lint, import zones, types, shell scripts
	$(CHECK)

# The checks do not stop the tests: one run shows all that is wrong.
test: setup-tests build ## Run everything: check, and all tests on real Podman
	@status=0; \
	$(CHECK) || status=$$?; \
	REQUIRE_PODMAN=1 vitest run || status=$$?; \
	exit $$status

test-unit: setup ## Run the unit tests
	vitest run --project unit

test-integration: build ## Run the tests on real Podman
	REQUIRE_PODMAN=1 vitest run --project integration

test-e2e: setup-tests build ## Run the tests with real daemon, CLI and page
	REQUIRE_PODMAN=1 vitest run --project e2e

# The project makes its own test build (test/faults/build-setup.ts), also below `make test`.
test-faults: build ## Run the tests that break things on purpose; FULL=1 the long run
	REQUIRE_PODMAN=1 vitest run --project faults

run: build ## Start and show a first lane; REPO=/path serves another repository, ONCE=1 ends after the demo
	@dist/bin/lane demo --repo "$(REPO)" $(if $(filter-out 0,$(ONCE)),--once)

image: ## Build the runtime image when it is out of date; FORCE=1 anyway
	@runtime-image/build-image.sh $(if $(FORCE),--force)

bench: build ## Measure against the plain ways, side by side
	tsx test/bench/main.ts

clean: ## Remove what was built (not the image, not node_modules)
	rm -rf dist coverage test-artifacts
