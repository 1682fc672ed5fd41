SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

node := scripts/node
# The packages bring their own Node; tools that ask for `node` must find that one, and so must what they start.
tools := PATH="$(CURDIR)/node_modules/.bin:$$PATH"
buf := $(tools) node_modules/.bin/buf
# A copy of the lock says what node_modules was installed from; a time stamp would not survive a checkout.
installed := node_modules/.package-lock.installed

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r target text; do \
	  printf '  make %-16s %s\n' "$$target" "$$text"; \
	done

.PHONY: install
install: ## Install the packages of the lock file; nothing to do when they are there
	@if ! cmp -s package-lock.json $(installed); then \
	  echo 'make install: installing packages' && \
	  npm ci --loglevel=error --prefer-offline --no-progress && \
	  cp package-lock.json $(installed); \
	fi

# With a terminal the server becomes its foreground job, so that Ctrl-C reaches the server alone: make itself would
# die of the signal and report a failure after a clean stop.
.PHONY: run
run: install ## Migrate, bootstrap and serve on SQLite under .tenure/; Ctrl-C drains and stops
	@bin/tenure bootstrap
	@if [ -t 0 ]; then set -m; bin/tenure serve; exit $$?; else exec bin/tenure serve; fi

.PHONY: run-mysql
run-mysql: install ## Serve on a MySQL of its own, both under .tenure-mysql/; Ctrl-C stops server and MySQL
	@if [ -t 0 ]; then set -m; $(node) scripts/run-mysql.ts; exit $$?; else exec $(node) scripts/run-mysql.ts; fi

.PHONY: run-real
run-real: install ## Serve on MySQL and OpenBao, with the orders service beside it, all under .tenure-real/; Ctrl-C stops all of it
	@if [ -t 0 ]; then set -m; $(node) scripts/run-real.ts; exit $$?; else exec $(node) scripts/run-real.ts; fi

.PHONY: test
test: install protos rigs ## Run every test; the last line is the count
	@$(node) node_modules/vitest/vitest.mjs run

.PHONY: record-statements
record-statements: install rigs ## Rewrite what is recorded for the guard: what stores say, what engines answer
	@UPDATE_STATEMENTS=1 $(node) node_modules/vitest/vitest.mjs run test/attack/emitted-statements.test.ts \
	  test/unit/sql-guard/sqlite-guard-on-engine.test.ts test/unit/sql-guard/mysql-guard-on-engine.test.ts
	@$(tools) node_modules/.bin/biome format --write test/unit/sql-guard

.PHONY: mutants
mutants: install ## Change guard, scope and decision one expression at a time; fails when one lives on unexplained
	@$(node) scripts/mutants.ts $(args)

.PHONY: mutants-predicates
mutants-predicates: install ## Remove one predicate at a time in a scratch copy; fails when no test notices
	@$(node) scripts/mutants-predicates.ts $(args)

.PHONY: rigs
rigs: install ## Install the programs that tests start and packages do not bring
	@scripts/rigs

.PHONY: check
check: install protos ## Run every check that is not a test of behaviour; one line each
	@$(node) scripts/check.ts

.PHONY: protos
protos: install ## Assemble the definitions of others in build/proto from the packages that ship them
	@$(node) scripts/assemble-protos.ts

.PHONY: generate
generate: protos ## Generate src/gen from proto/
	@$(buf) generate

.PHONY: generate-check
generate-check: protos ## Fail when src/gen is not what proto/ generates
	@$(node) scripts/generate-check.ts

.PHONY: lint-proto
lint-proto: protos ## Lint proto/ and compare it with the last release
	@$(buf) lint
	@$(buf) breaking proto --against proto/released/tenure.binpb

.PHONY: release-image
release-image: protos ## Write proto/released/tenure.binpb, the image later changes are compared with
	@mkdir -p proto/released
	@$(buf) build proto --output proto/released/tenure.binpb

.PHONY: format
format: install ## Format the sources and apply the safe fixes of the linter
	@$(tools) node_modules/.bin/biome check --write .
	@$(buf) format --write proto

.PHONY: sdk
sdk: install ## Pack the SDK that services install: build/sdk/tenure-sdk.tgz
	@$(node) scripts/pack-sdk.ts

.PHONY: example-orders
example-orders: install ## Install examples/orders-service with the SDK as it is now
	@$(node) scripts/install-orders-service.ts

.PHONY: bench-authorize
bench-authorize: install ## Measure Authorize beside a grpc-js echo and a raw http2 echo
	@$(node) test/bench/bench-authorize.ts

.PHONY: bench-write
bench-write: install rigs ## Measure durable membership writes on MySQL beside bare mysql2
	@$(node) test/bench/bench-write.ts

.PHONY: bench-revocation
bench-revocation: install rigs ## Measure how long what one server takes away still counts on another
	@$(node) test/bench/bench-revocation.ts $(args)

.PHONY: bench-crash
bench-crash: install rigs ## A thousand faults under writes on MySQL; fails when a guarantee is broken
	@$(node) test/bench/bench-crash.ts $(args)

.PHONY: bench-secrets
bench-secrets: install rigs ## Measure secrets on MySQL and OpenBao beside raw calls of transit
	@$(node) test/bench/bench-secrets.ts $(args)

.PHONY: bench-tokens
bench-tokens: install rigs ## Measure tokens, signed, issued and verified, beside bare Ed25519
	@$(node) test/bench/bench-tokens.ts $(args)

.PHONY: bench-guard
bench-guard: install rigs ## Measure what the guard adds to a statement beside a bare look-up and a bare read
	@$(node) test/bench/bench-guard.ts $(args)

.PHONY: bench-isolation
bench-isolation: install rigs ## A million operations of five tenants on three servers; fails when one tenant learns of another
	@$(node) test/bench/bench-isolation.ts $(args)

.PHONY: bench-timing
bench-timing: install ## Compare how long what is foreign and what never was take to be refused
	@$(node) test/bench/bench-timing.ts $(args)

.PHONY: clean
clean: ## Remove what was installed and built; .tenure/ with its data stays
	@rm -rf node_modules build coverage examples/orders-service/node_modules
