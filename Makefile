# Everything that is done with this repository. "make test" needs Debian, Go and make, and installs
# the rest by itself; what is there already is not installed again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON   ?= python3
FUZZTIME ?= 30s
BENCH    ?= .
# Rows of bench/RESULTS.md to measure, all by default, and the number of packages in place of each row's own,
# as in: make bench ROWS=serve-memory,solve N=1000
ROWS ?=
N    ?= 0
# Packages and tests to run, as in: make unit PKG=./internal/conda/... RUN=Filename
PKG ?=
RUN ?=

TOOL   := go tool -modfile=tools/go.mod
STAMPS := .cache/stamps
# The rattler command takes minutes to build, so it outlives this clone, as Go's own cache does.
RATTLER_VERSION := 0.5.14
KEPT := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sluice-test/rattler-bin-$(RATTLER_VERSION)
SERVERS := $(dir $(patsubst %/,%,$(KEPT)))sigstore-$(shell sha256sum tools/sigstore.sum | cut -c1-16)

# End-to-end tests run whole programs: there the race detector would only slow their servers down, and two
# packages at once would only slow one another.
UNIT := $(or $(PKG),$$(go list ./... | grep -v '^sluice/test'))
E2E  := $(or $(PKG),./test/...)
ONLY := $(if $(RUN),-run '$(RUN)')

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: test
test: setup lint vulncheck unit e2e ## everything: install, look, test
	@echo "make test: passed"

.PHONY: lint
lint: ## gofmt, go vet, golangci-lint
	@bad=$$(git ls-files -co --exclude-standard '*.go' | grep -v '_templ\.go$$' | xargs -r gofmt -s -l); \
	if [ -n "$$bad" ]; then echo "not formatted; run gofmt -s -w on:"; echo "$$bad"; exit 1; fi
	go vet ./...
	$(TOOL) golangci-lint run ./...

.PHONY: vulncheck
vulncheck: ## known vulnerabilities in what we depend on
	@test/vulncheck.sh $(TOOL) govulncheck ./...

.PHONY: unit
unit: $(STAMPS)/debian $(STAMPS)/python ## Go tests with the race detector
	go test -race -shuffle=on -timeout 20m $(ONLY) $(UNIT)

.PHONY: e2e
e2e: clients ## the server with real clients, a real browser, real databases
	go test -p 1 -shuffle=on -timeout 20m $(ONLY) $(E2E)

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME=30s, of which none is spent on making one input smaller
	@for pkg in $(or $(PKG),$$(go list ./...)); do \
		for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "$$pkg"; \
		done; \
	done

.PHONY: bench
bench: setup ## measure beside the peers and write bench/RESULTS.md: ROWS=serve-memory,solve N=1000, or hours
	@bench/debian.sh
	go run ./bench/run -rows '$(ROWS)' -n $(N)

.PHONY: microbench
microbench: $(STAMPS)/debian ## Go benchmarks, those that match BENCH=.
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(or $(PKG),./...)

.PHONY: load
load: ## packages of a gigabyte through the server, and the memory it takes: minutes, and 3 GB of disk
	go test -count=1 -v -timeout 30m -run Large ./test/load -large

.PHONY: soak
soak: $(STAMPS)/debian ## random changes of a channel against a model, OPS=3000 of them on each database
	go test -count=1 -v -timeout 60m -run Model ./internal/db -model.ops $(or $(OPS),3000)

.PHONY: screenshots
screenshots: setup ## the pages in a real browser, as pictures below test/out
	go test -count=1 -run 'Browser' ./test/...
	@find test/out -name '*.png' 2>/dev/null | sort

.PHONY: picture
picture: setup ## the picture of the README, docs/images/package.png
	SLUICE_PICTURE=1 go test -count=1 -run BrowserPicture ./test/browser

.PHONY: clients
clients: setup ## the versions of the clients under test
	@.venv/bin/python -B test/clients/about.py

.PHONY: clean
clean: ## remove what the targets above made, but not the clients kept for other clones
	rm -rf .venv .cache test/out test/node_modules

.PHONY: setup
setup: $(STAMPS)/debian $(STAMPS)/python $(STAMPS)/node $(STAMPS)/rattler-$(RATTLER_VERSION) $(STAMPS)/sigstore ## install what the tests need

$(STAMPS)/debian: test/debian.sh
	@RATTLER=$(KEPT)/bin/rattler test/debian.sh
	@mkdir -p $(@D) && touch $@

$(STAMPS)/python: test/requirements.txt | $(STAMPS)/debian
	@rm -rf .venv && $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@mkdir -p $(@D) && touch $@

$(STAMPS)/node: test/package-lock.json test/package.json | $(STAMPS)/debian
	cd test && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@mkdir -p $(@D) && touch $@

# Unoptimised and with few features, for it is built more often than it works hard.
$(STAMPS)/rattler-$(RATTLER_VERSION): | $(STAMPS)/debian
	[ -x $(KEPT)/bin/rattler ] || CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 cargo install --quiet \
		--locked --debug --no-default-features --features rustls --version $(RATTLER_VERSION) \
		--root $(KEPT) --target-dir $(KEPT)/target rattler-bin
	@rm -rf $(KEPT)/target
	@mkdir -p $(@D) .cache/bin && ln -sf $(KEPT)/bin/rattler .cache/bin/rattler && touch $@

# The servers of a sigstore and cosign take minutes to build, all from the versions of one file; a third less unoptimised.
$(STAMPS)/sigstore: tools/sigstore.mod tools/sigstore.sum
	@mkdir -p $(SERVERS) .cache/bin
	@while read -r name package; do \
		[ -x $(SERVERS)/$$name ] || go build -modfile=tools/sigstore.mod -trimpath -gcflags='all=-N -l' -ldflags='-s -w' -o $(SERVERS)/$$name $$package; \
		ln -sf $(SERVERS)/$$name .cache/bin/$$name; \
	done <<< $$'fulcio github.com/sigstore/fulcio\ntimestamp-server github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server\nrekor-server github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix\ntesseract github.com/transparency-dev/tesseract/cmd/tesseract/posix\ncosign github.com/sigstore/cosign/v3/cmd/cosign'
	@mkdir -p $(@D) && touch $@

.PHONY: requirements
requirements: $(STAMPS)/debian ## pin the newest Python clients again
	$(PYTHON) -m venv .cache/pip-tools && .cache/pip-tools/bin/pip install --quiet pip-tools
	.cache/pip-tools/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o test/requirements.txt test/requirements.in
