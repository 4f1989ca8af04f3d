# Everything a user or a reviewer types. `make help` lists the targets.
SHELL := bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup reproduce agents studies testbed calibrate browser test lint format lock clean

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
STAMP := .venv/installed

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## create .venv with the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "$(PYTHON) is $$($(PYTHON) --version), expected Python 3.11, 3.12 or 3.13; set PYTHON=..." >&2; exit 2; }
	unset PYTHONDONTWRITEBYTECODE
	$(PYTHON) -m venv .venv
	echo "installing the locked dependencies (a few minutes the first time)"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $(STAMP)

# The experiments that `make reproduce` runs; seeds are few so that it ends in minutes.
SEEDS := range(0,3)
SWEEP := hydra/launcher=joblib
FIG11_AGENTS := rrl,rrl_paper,q_learning,random,static,static_best,sequential,tf_default,oracle
QUICK_AGENTS := $(FIG11_AGENTS),rrl_plus,rrl_plus_paper
define FIG10
$(RUN) experiments.run --multirun experiment=fig10 agent=rrl_paper,rrl agent.radius=0,1,2,3,5 'seed=$(SEEDS)' $(SWEEP)
$(RUN) experiments.run --multirun experiment=fig10 agent=rrl_plus_paper,rrl_plus agent.credit=same_slot,next_slot \
	'seed=$(SEEDS)' $(SWEEP)
endef

# Every preset there is, but the user's own and two that take minutes a run; AGENTS=deeprm_pretrained adds that.
SLOW := custom rrl_code deeprm_pretrained
COMMA := ,
SPACE := $(subst ,, )
AGENTS := $(subst $(SPACE),$(COMMA),$(filter-out $(SLOW),$(notdir $(basename $(wildcard conf/agent/*.yaml)))))

reproduce: setup ## run the experiments, then write figures, claims and results/report.html
	@unset PYTHONDONTWRITEBYTECODE
	started=$$SECONDS
	echo "1/5 exhaustive tables for Fig. 2 to 5 (about 1 minute on 2 cores)"
	for figure in fig02 fig03 fig04 fig05 fig05_code; do $(RUN) experiments.truth experiment=$$figure; done
	echo "2/5 runs for Fig. 9 (about 2 minutes)"
	$(RUN) experiments.run --multirun experiment=fig09 agent.gamma=0,0.9 agent.radius=0,1,2,3,4,5,6 \
		'seed=$(SEEDS)' $(SWEEP)
	$(RUN) experiments.run --multirun experiment=fig09 agent=q_learning agent.gamma=0 'seed=$(SEEDS)' $(SWEEP)
	echo "3/5 runs for Fig. 10 (about a minute)"
	$(FIG10)
	echo "4/5 runs for the table of agents, the quick ones (about a minute)"
	$(RUN) experiments.run --multirun experiment=agents agent=$(QUICK_AGENTS) workload=wiki,dynamic \
		'seed=$(SEEDS)' $(SWEEP)
	echo "5/5 runs for Fig. 11 (about half a minute)"
	$(RUN) experiments.run --multirun experiment=fig11 agent=$(FIG11_AGENTS) 'seed=$(SEEDS)' $(SWEEP)
	$(RUN) experiments.figures
	$(RUN) experiments.compare
	$(RUN) experiments.claims
	$(RUN) experiments.report
	echo "figures: results/figures   claims: results/claims.csv   report: results/report.html"
	echo "make reproduce took $$((SECONDS - started)) s, set-up aside, with seeds $(SEEDS); verdicts need ten: SEEDS='range(0,10)'"

agents: SEEDS := range(0,10)
agents: setup ## the table of all agents, the drain rule and learning beside serving, ten seeds (half an hour on 2 cores)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.run --multirun experiment=agents agent=$(AGENTS) workload=wiki,dynamic 'seed=$(SEEDS)' $(SWEEP)
	$(RUN) experiments.run --multirun experiment=drain agent=rrl,rrl_plus,q_learning drain_rule=false,true \
		'seed=$(SEEDS)' $(SWEEP)
	$(RUN) experiments.run --multirun experiment=learning agent=rrl,rrl_plus learning=inline,background \
		workload=wiki,dynamic 'seed=$(SEEDS)' $(SWEEP)
	$(RUN) experiments.compare
	$(RUN) experiments.compare experiment=drain by=drain_rule reference=false
	$(RUN) experiments.compare experiment=learning by=learning reference=inline

studies: setup ## Theorem 1, its Delta, and FTRL against Adam (about 4 minutes; after make reproduce)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.studies.theorem1
	$(RUN) experiments.studies.delta
	$(RUN) experiments.studies.ftrl

testbed: setup ## four agents on real servers, an excerpt of the experiment in docs/testbed.md (10 minutes)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.interleave experiment=testbed experiment_name=excerpt_dynamic workload=dynamic slots=25 turn=5 \
		agent=rrl,rrl_plus,tf_default,static_best
	$(RUN) experiments.studies.testbed experiment=excerpt target=results/testbed/excerpt

MODEL := mobilenet_v2
calibrate: setup ## a simulator of this machine for MODEL, and its error (25 minutes; leave the machine alone)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.calibrate model=$(MODEL) budget=12
	$(RUN) experiments.validate model=$(MODEL) budget=10

lint: setup ## ruff, mypy (strict) and the import rules
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: ## Debian's chromium for the report's test, where it is missing and we are root
	@command -v chromium >/dev/null && exit
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing chromium, which tests results/report.html"
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
	else
		echo "no chromium on PATH: the report's browser test will be skipped"
	fi

test: lint browser ## lint, then every test
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) pytest

format: setup ## let ruff rewrite the sources
	@$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lock: setup ## resolve the dependencies anew into requirements.lock
	@$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
		--no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## remove runs, tables and caches, not the figures
	rm -rf results/runs results/tables results/sweeps .mypy_cache .ruff_cache .pytest_cache
