# Everything a user or a reviewer types. `make help` lists the targets.
SHELL := bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup paper reproduce agents studies testbed test lint format lock clean

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

SWEEP := $(RUN) experiments.run --multirun hydra/launcher=joblib hydra.launcher.verbose=10 progress=false

PUBLISHED := q_learning,rrl_paper,rrl_plus_paper,deeprm,capes_published
TUNED := q_learning_tuned,rrl_tuned,rrl_plus_tuned,deeprm_tuned,capes_tuned
BASELINES := random,static,tf_default,sequential,static_best,oracle
CORE := $(PUBLISHED),$(TUNED),$(BASELINES)
# Ten servers take up to ten times as long: who is drawn in Fig. 14, and chance.
CLUSTER := rrl_plus_paper,capes_published,deeprm,rrl_plus_tuned,capes_tuned,deeprm_tuned,tf_default,random

# Every other preset, but the user's own and two that take minutes a run.
SLOW := custom rrl_code deeprm_pretrained
COMMA := ,
SPACE := $(subst ,, )
PRESETS := $(filter-out $(SLOW),$(notdir $(basename $(wildcard conf/agent/*.yaml))))
EXTRA := $(subst $(SPACE),$(COMMA),$(filter-out $(subst $(COMMA),$(SPACE),$(CORE)),$(PRESETS)))

# The stages of the core. Tables come first: they use all cores, a run that waits for one does not.
define TABLES
for figure in fig02 fig03 fig04 fig05 fig05_code fig12 fig13; do $(RUN) experiments.truth experiment=$$figure; done
for model in deepspeech2 inception_resnet_v2; do $(RUN) experiments.truth experiment=fig15 model=$$model; done
$(RUN) experiments.truth experiment=fig15 system=sim_gpu
endef

define FIG09
$(SWEEP) experiment=fig09 agent.gamma=0,0.9 agent.radius=0,1,2,3,4,5,6 'seed=$(SEEDS)'
$(SWEEP) experiment=fig09 agent=q_learning agent.gamma=0 'seed=$(SEEDS)'
endef

define FIG10
$(SWEEP) experiment=fig10 agent=rrl_paper,rrl agent.radius=0,1,2,3,5 'seed=$(SEEDS)'
$(SWEEP) experiment=fig10 agent=rrl_plus_paper,rrl_plus agent.credit=same_slot,next_slot 'seed=$(SEEDS)'
endef

define FIG11_TO_13
for figure in fig11 fig12 fig13; do
	$(SWEEP) experiment=$$figure agent=$(CORE) workload=wiki,dynamic 'seed=$(SEEDS)'
done
endef

define FIG14
$(SWEEP) experiment=fig14 agent=$(CLUSTER) model=inception_v3,deepspeech2 'seed=$(SEEDS)'
$(SWEEP) experiment=fig14 agent=$(CLUSTER) system=sim_gpu 'seed=$(SEEDS)'
endef

# Its three tables take as long as its runs.
define FIG14_ORACLE
for model in inception_v3 deepspeech2; do $(RUN) experiments.truth experiment=fig14 model=$$model; done
$(RUN) experiments.truth experiment=fig14 system=sim_gpu
$(SWEEP) experiment=fig14 agent=oracle truth=true model=inception_v3,deepspeech2 'seed=$(SEEDS)'
$(SWEEP) experiment=fig14 agent=oracle truth=true system=sim_gpu 'seed=$(SEEDS)'
endef

define FIG15
$(SWEEP) experiment=fig15 agent=$(CORE) model=deepspeech2,inception_resnet_v2 'seed=$(SEEDS)'
$(SWEEP) experiment=fig15 agent=$(CORE) system=sim_gpu 'seed=$(SEEDS)'
endef

define PAGES
$(RUN) experiments.figures
$(RUN) experiments.compare
$(RUN) experiments.claims
$(RUN) experiments.report
endef

# took NAME: remember how long the stage that ends here took; said at the end.
define CLOCK
unset PYTHONDONTWRITEBYTECODE
stages=""; began=$$SECONDS
took() { stages+="$$1: $$((SECONDS - began)) s"$$'\n'; began=$$SECONDS; echo "== $$1: done"; }
endef

define SUM_UP
echo "figures: results/figures   claims: results/claims.csv   report: results/report.html"
printf "%s" "$$stages"
echo "make $@ took $$SECONDS s, set-up aside, with seeds $(SEEDS)"
endef

paper: SEEDS := range(0,10)
paper: setup ## every figure and claim of the paper with ten seeds (half an hour on 2 cores)
	@$(CLOCK)
	$(TABLES)
	took "exhaustive tables"
	$(FIG09)
	took "Fig. 9"
	$(FIG10)
	took "Fig. 10"
	$(FIG11_TO_13)
	took "Fig. 11 to 13"
	$(FIG14)
	$(FIG14_ORACLE)
	took "Fig. 14"
	$(FIG15)
	took "Fig. 15"
	$(PAGES)
	took "figures, tables, claims and report"
	$(SUM_UP)

reproduce: SEEDS := range(0,2)
reproduce: setup ## the same with two seeds and no oracle in Fig. 14 (under 10 minutes on 2 cores)
	@$(CLOCK)
	$(TABLES)
	took "exhaustive tables"
	$(FIG09)
	took "Fig. 9"
	$(FIG10)
	took "Fig. 10"
	$(FIG11_TO_13)
	took "Fig. 11 to 13"
	$(FIG14)
	took "Fig. 14, without oracle"
	$(FIG15)
	took "Fig. 15"
	$(PAGES)
	took "figures, tables, claims and report"
	$(SUM_UP)
	echo "verdicts need ten seeds, and so does the oracle of Fig. 14: make paper, which keeps these runs"

agents: SEEDS := range(0,10)
agents: setup ## after make paper: the other presets, the drain rule, learning beside serving (about 5 minutes)
	@$(CLOCK)
	$(SWEEP) experiment=fig11 agent=$(EXTRA) workload=wiki,dynamic 'seed=$(SEEDS)'
	took "further presets under Fig. 11's conditions"
	$(SWEEP) experiment=drain agent=rrl,rrl_plus,q_learning drain_rule=false,true 'seed=$(SEEDS)'
	took "the drain rule"
	$(SWEEP) experiment=learning agent=rrl,rrl_plus learning=inline,background workload=wiki,dynamic 'seed=$(SEEDS)'
	took "learning beside serving"
	$(RUN) experiments.compare
	$(RUN) experiments.compare experiment=drain by=drain_rule reference=false
	$(RUN) experiments.compare experiment=learning by=learning reference=inline
	printf "%s" "$$stages"

studies: setup ## Theorem 1, its Delta, and FTRL against Adam (about 4 minutes; after make reproduce or paper)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.studies.theorem1
	$(RUN) experiments.studies.delta
	$(RUN) experiments.studies.ftrl

testbed: setup ## four agents on real servers, an excerpt of the experiment in docs/testbed.md (10 minutes)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.interleave experiment=testbed experiment_name=excerpt_dynamic workload=dynamic slots=25 turn=5 \
		agent=rrl,rrl_plus,tf_default,static_best
	$(RUN) experiments.studies.testbed experiment=excerpt target=results/testbed/excerpt

lint: setup ## ruff, mypy (strict) and the import rules
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint ## lint, then every test
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
