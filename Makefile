# SPDX-FileCopyrightText: 2026 portcullis.docker_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One menu for people and for continuous integration; each target is one script in tools/.

.DEFAULT_GOAL := help
.PHONY: help tools engine images images-all lint format unit integration sanity docs fuzz matrix changelog build release molecule faults bench test test-all demo demo-down clean

help: ## Show this menu
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Two real Docker hosts behind mutual TLS, and the commands to try them
	@tools/demo up
demo-down: ## Remove them
	@tools/demo down

test: ## Everything below but what takes long: what a change has to pass
	@tools/test
test-all: ## All of it, with all Debian releases and Galaxy's importer
	@tools/test --all

lint: ## Linters, types, licences, documentation of the plugins
	@tools/lint
format: tools ## Write Python as the linters want it
	@.venv/bin/ruff check --quiet --fix . ; .venv/bin/ruff format .
unit: ## Tests of the core, the modules and the contracts between files
	@tools/unit
integration: ## Real runs of ansible-playbook on this machine
	@tools/unit tests/integration
sanity: ## ansible-test sanity
	@tools/sanity
docs: ## The documentation site, in .cache/docs/html
	@tools/docs
fuzz: ## Made-up input for every parser of foreign bytes; T=600 seconds for each instead of 60
	@tools/fuzz $(or $(T),60)
matrix: engine ## Unit tests, sanity and one scenario on the oldest and the newest ansible-core
	@tools/matrix $(S)
changelog: ## CHANGELOG.md from changelogs/fragments, for the version in galaxy.yml
	@tools/changelog
build: ## The tarball: build, install and use it
	@tools/build
release: ## Changelog, tarball and documentation of the version in galaxy.yml; uploads nothing
	@tools/release
molecule: engine ## Scenarios on real hosts; S="default private_address" for some of them
	@tools/venv && tools/molecule-run $(S)
faults: engine ## What can go wrong, done on purpose to real hosts; S="bookworm" for one release
	@tools/faults $(S)
bench: ## How fast it is, beside a playbook with community.crypto and beside a ping
	@tools/bench

tools: ## The virtual environment .venv
	@tools/venv
engine: ## A Docker engine, if none answers
	@tools/engine
images: engine ## Images of the test hosts: Debian 12 and 13
	@tests/hosts/images.sh bookworm trixie
images-all: engine ## ... and of Debian 11, testing, and hosts without python3-cryptography
	@tests/hosts/images.sh bookworm trixie bullseye forky bookworm-bare
clean: ## Remove hosts, tools and everything that was built
	@tools/clean
