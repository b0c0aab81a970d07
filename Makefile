# The commands of this project. `make run` and `make test` do all set-up by themselves.
.PHONY: help run once test soak bench learn check setup setup-test lock

DATA ?= data
ARGS ?=

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: setup  ## everything on this machine, with simulated traffic, until Ctrl-C
	@exec .venv/bin/synclogs dev --data $(DATA) $(ARGS)

once: setup  ## feed six months, publish, compare page, CSV, API and SQL, end
	@exec .venv/bin/synclogs dev --once $(ARGS)

test: setup-test check  ## all tests, on real parts
	@.venv/bin/python -m pytest $(ARGS)

soak: setup-test  ## half an hour of faults to everything; ARGS="--seconds 120 --seed 7"
	@exec .venv/bin/python -m tests.delivery --seconds 1800 test_soak $(ARGS)

check: setup-test  ## ruff and mypy
	@.venv/bin/ruff check .
	@.venv/bin/mypy

bench: setup-test  ## figures, side by side with a bare loop, into build/bench.json
	@exec .venv/bin/python -m tests.bench $(ARGS)

learn: setup-test  ## what messages are like, anew: after a change of reasons.toml or of the labelled messages
	@exec .venv/bin/python -m tests.learn

setup:  ## .venv and Apache Kafka; the other commands call it
	@sh deploy/setup.sh

setup-test:
	@sh deploy/setup.sh test

lock: setup-test  ## write the versions in .venv to deploy/constraints.txt
	@.venv/bin/python -m pip freeze --exclude-editable | sort -f > deploy/constraints.txt
