# The only entry point. `make help` lists what there is.
export ALTER_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/alter
# In the cache, so that a fresh clone does not build its dependencies anew.
export CARGO_TARGET_DIR ?= $(ALTER_CACHE)/target
CRDS = charts/alter/files/crds
HOSTS = sigv4/src/hosts/generated.rs
PAGES = cli/generated

.DEFAULT_GOAL := help
.PHONY: checkout help demo demo-clean test unit lint crds check-crds tables check-tables botocore pages check-pages chart command fuzz sdks deny e2e e2e-clean images push bench clean-cache

# Checkouts that share the target folder look the same to Cargo but for their files' times: the one that comes anew is newer.
checkout:
	@mkdir -p "$(CARGO_TARGET_DIR)" && last="$(CARGO_TARGET_DIR)/.checkout" && \
	  { [ "$$(cat "$$last" 2>/dev/null)" = "$(CURDIR)" ] || \
	  { git ls-files -z '*.rs' | xargs -0 touch -c && echo "$(CURDIR)" >"$$last"; }; }

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: checkout ## Shows Alter at work on a local cluster, and leaves it up
	@e2e/demo/run

demo-clean: ## Removes what `make demo` left
	@e2e/demo/clean

test: ## Everything that CI runs; closes with the count of passed and failed
	@.ci/test

unit: checkout ## Unit tests and tests of single programs
	cargo test --workspace --exclude alter-e2e

lint: checkout ## Format and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package alter-e2e --test e2e --package alter-chart-tests --test chart -- -D warnings

crds: checkout ## Writes the CRDs into the chart
	cargo run --quiet --package alter-crds --bin crdgen $(CRDS)

check-crds: checkout ## Fails when the chart's CRDs are stale
	@fresh=$$(mktemp -d) && trap 'rm -r "$$fresh"' EXIT && \
	  cargo run --quiet --package alter-crds --bin crdgen "$$fresh" && \
	  diff --recursive "$$fresh" $(CRDS) || { echo 'the CRDs are stale: run make crds' >&2; exit 1; }

tables: checkout ## Writes the table of AWS's hosts
	cargo run --quiet --package alter-sigv4-tablegen -- sigv4/data/endpoints.json.gz $(HOSTS)

check-tables: checkout ## Fails when the table of hosts is stale
	@fresh=$$(mktemp) && trap 'rm "$$fresh"' EXIT && \
	  cargo run --quiet --package alter-sigv4-tablegen -- sigv4/data/endpoints.json.gz "$$fresh" && \
	  diff "$$fresh" $(HOSTS) || { echo 'the table of hosts is stale: run make tables' >&2; exit 1; }

pages: checkout ## Writes the man pages and the completions of the command
	rm -rf $(PAGES)
	cargo run --quiet --package alter-cli-pagegen -- $(PAGES)

check-pages: checkout ## Fails when the command's man pages or completions are stale
	@fresh=$$(mktemp -d) && trap 'rm -r "$$fresh"' EXIT && \
	  cargo run --quiet --package alter-cli-pagegen -- "$$fresh" && \
	  diff --recursive "$$fresh" $(PAGES) || { echo 'man pages and completions are stale: run make pages' >&2; exit 1; }

botocore: ## Takes hosts and operations from a release of botocore: make botocore BOTOCORE=1.44.5
	@sigv4/tablegen/fetch $(BOTOCORE)
	@$(MAKE) --no-print-directory tables

chart: checkout ## Tests of the chart
	@e2e/cluster/tools helm
	@charts/tests/run

command: checkout ## The command's tokens against the vendors' packages, and the README's examples against MiniStack
	@e2e/command/run

fuzz: checkout ## Looks for inputs that break hosts, signatures or tokens: make fuzz FUZZ_SECONDS=600 for each (60)
	@sigv4/fuzz/run $(FUZZ_SECONDS)

sdks: checkout ## Five SDKs take credentials from an agent on loopback
	@e2e/sdks/run

deny: ## Licences, sources, duplicate versions and (online) advisories of the dependencies
	@.ci/deny

e2e: checkout ## Tests against a kind cluster of its own, which stays up (E2E_FILTER=name picks some)
	@e2e/run

e2e-clean: ## Removes the cluster of `make e2e`
	@e2e/cluster/down alter-e2e
	@[ -n "$$(docker ps --quiet --filter label=io.x-k8s.kind.cluster)" ] || e2e/cluster/engine stop

images: checkout ## Builds the two images, and prints their sizes
	@images/build

push: ## Pushes the two images: make push REGISTRY=registry.example.com/team
	@images/push $(REGISTRY)

bench: checkout ## Measures what docs/benchmarks.md shows
	@e2e/bench/run

clean-cache: ## Removes everything that is kept between runs
	@e2e/cluster/engine stop
	rm -rf "$(ALTER_CACHE)"
