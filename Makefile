# The tasks of Backend Book. Each is a script that can be run by itself; `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test fuzz bench bench-live soak chaos load web build generate release-schema fmt lint clean
MAKEFLAGS += --no-print-directory
export GOTOOLCHAIN := local
# A checkout that belongs to somebody else, as in many pipelines, has no version to stamp.
export GOFLAGS ?= -buildvcs=false

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build everything and serve the demo on http://localhost:8080
	@exec bin/backendbook serve --demo

test: ## Run every check: format, generated files, vet, lint, tests, console, clients, browser
	@scripts/check

fuzz: ## Run every fuzz target for FUZZ=30s, about half an hour
	@scripts/fuzz

bench: ## Run the paired benchmarks and print ratios
	@scripts/bench

bench-live: ## Measure sockets beside raw gorilla/websocket, centrifuge and gqlgen, about 5 minutes
	@scripts/bench-live

soak: ## Ingest at full rate for ten minutes and look whether memory grows
	@SOAK=10m go test -run '^TestSoak$$' -timeout 30m -v ./internal/analytics

chaos: ## Kill, stop, cut and delay servers and a replica set for ten minutes, and compare the history with what is stored
	@CHAOS=$${CHAOS:-10m} go test -run '^TestChaos$$' -timeout 2h -v ./internal/chaos

load: ## Hold mixed traffic for ten minutes at 70 % of the processors, and print what it took
	@LOAD=$${LOAD:-10m} go test -run '^TestLoad$$' -timeout 2h -v ./internal/chaos

web: ## Build the console if it is not fresh
	@scripts/web

build: web ## Build bin/backendbook with the console in it
	@go build -trimpath -o bin/backendbook .

generate: ## Write what is generated: the GraphQL layer, docs/errors.md, docs/config.md
	@scripts/generate

release-schema: ## At a release: keep its schema, which later ones must not break
	@go run . schema print -o schema/released.graphql
	@echo '{}' >schema/breaking.json

fmt: ## Format the Go code
	@scripts/fmt

lint: ## Run the linters alone
	@scripts/check format vet lint

clean: ## Remove what was built; the data in .data stays
	@rm -rf bin web/test-results web/clients/generated
	@find web/dist -mindepth 1 -not -name .gitkeep -delete
