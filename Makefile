# Every cargo call uses one profile and one set of flags: RocksDB is compiled once and serves them all.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-stop test verify fix bench sim planted jepsen jepsen-upgrade fuzz release clean

# Tests run the binaries of other packages, which `cargo test` by itself neither builds nor renews: `--bins` does.
# Read inside each recipe, not here: `setup` may have installed ccache a moment ago.
ENV := . scripts/env.sh &&
FLAGS := --workspace --locked --release
SHIPPED := keeper keeperctl keeper-room keeper-room-clients keeper-bench keeper-jepsen

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:
	@scripts/setup.sh

demo: setup ## Three nodes, a room, 1,000 connections: shows them survive the death of the leader
	@$(ENV) cargo build $(FLAGS) --bins && exec python3 -B scripts/demo.py

demo-stop: ## Ends a demo that was left running
	@python3 -B scripts/demo.py stop

test: setup ## Every test: unit, script, property, doc, integration, kill -9, style
	@$(ENV) cargo build $(FLAGS) --bins && cargo test $(FLAGS) --no-fail-fast

verify: setup ## Format, lints, tests, documentation, licences; never writes
	cargo fmt --all --check
	$(ENV) cargo clippy $(FLAGS) --all-targets -- -D warnings
	$(ENV) cargo build $(FLAGS) --bins && cargo test $(FLAGS) --no-fail-fast
	$(ENV) RUSTDOCFLAGS='-D warnings' cargo doc $(FLAGS) --no-deps
	@if command -v cargo-deny >/dev/null; then cargo deny --workspace --locked check; \
	else echo "verify: licences and advisories not checked: cargo-deny is not installed" >&2; fi

fix: setup ## Format, apply lint fixes, rewrite the expected output of script tests (review the diff)
	cargo fmt --all
	$(ENV) cargo clippy $(FLAGS) --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all
	$(ENV) cargo build $(FLAGS) --bins && UPDATE=1 cargo test $(FLAGS) --no-fail-fast

bench: setup ## Throughput, latency and footprint on this machine; ARGS='register --quick' picks
	@$(ENV) cargo build $(FLAGS) --bins && exec "$$CARGO_TARGET_DIR"/release/keeper-bench $(ARGS)

jepsen: setup ## Real processes, real faults, checked histories, for an hour; goes on where it stopped; ARGS='--minutes 20'
	@scripts/jepsen-setup.sh
	@$(ENV) cargo build $(FLAGS) --bins && exec "$$CARGO_TARGET_DIR"/release/keeper-jepsen suite $(ARGS)

jepsen-upgrade: setup ## A cluster of an older build (OLD=ref) goes over to this one under load; ARGS='--seconds 120'
	@scripts/jepsen-setup.sh
	@$(ENV) old=$$(scripts/old-build.sh "$(OLD)") && cargo build $(FLAGS) --bins && \
		exec "$$CARGO_TARGET_DIR"/release/keeper-jepsen run --nemesis upgrade --seconds 60 \
		--old-binaries "$$old" $(ARGS)

hostile: setup ## What hostile clients cost a node, and other clients; ATTACKS='"rapid reset" "idle connections"' picks
	@$(ENV) cargo build $(FLAGS) --bin keeper && exec python3 -B scripts/hostile.py \
		"$$CARGO_TARGET_DIR"/release/keeper $(ATTACKS)

sim: setup ## Seeded simulation of a cluster and its faults; SEEDS=0..1000 picks, RESULTS=sim.txt goes on from there
	@$(ENV) cargo build --locked --release -p keeper-sim && exec "$$CARGO_TARGET_DIR"/release/keeper-sim \
		$(if $(RESULTS),--results $(RESULTS)) $(SIM_ARGS) $(SEEDS)

planted: setup ## Builds a daemon with bugs on purpose, and shows that the simulation finds each; UPDATE=1 seeks seeds anew
	@$(ENV) cargo test --locked --release -p keeper-sim --features planted --test planted -- --nocapture

fuzz: setup ## Looks for inputs that break a decoder; TARGET=yaml SECONDS=600, without TARGET it names them
	@scripts/fuzz.sh "$(TARGET)" "$(or $(SECONDS),60)"

release: setup ## The shipped binaries, in target/release
	@$(ENV) cargo build $(FLAGS) --bins
	@$(ENV) mkdir -p target/release && for name in $(SHIPPED); do \
		[ "$$CARGO_TARGET_DIR"/release/$$name -ef target/release/$$name ] || \
		install "$$CARGO_TARGET_DIR"/release/$$name target/release/$$name; done

clean: ## Removes what builds and demos left
	@$(ENV) cargo clean
