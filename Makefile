# Everything a user or a reviewer types. `make help` lists the targets.
SHELL := bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup paper paper-all reproduce agents studies beyond sensitivity testbed calibrate browser test lint format lock clean

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

PUBLISHED := q_learning,rrl_paper,rrl_plus_paper,deeprm,capes_published
TUNED := q_learning_tuned,rrl_tuned,rrl_plus_tuned,deeprm_tuned,capes_tuned
BASELINES := random,static,tf_default,sequential,static_best,oracle
CORE := $(PUBLISHED),$(TUNED),$(BASELINES)
# Ten servers take up to ten times as long: who is drawn in Fig. 14, and chance; `make agents` adds the others.
CLUSTER := rrl_plus_paper,capes_published,deeprm,rrl_plus_tuned,capes_tuned,deeprm_tuned,tf_default,random

# Every other preset, but the user's own, two that take minutes a run, and two that need PyTorch.
SLOW := custom rrl_code deeprm_pretrained sb3_dqn sb3_ppo
COMMA := ,
SPACE := $(subst ,, )
PRESETS := $(filter-out $(SLOW),$(notdir $(basename $(wildcard conf/agent/*.yaml))))
spaced = $(subst $(COMMA),$(SPACE),$(1))
listed = $(subst $(SPACE),$(COMMA),$(strip $(1)))
EXTRA := $(call listed,$(filter-out $(call spaced,$(CORE)),$(PRESETS)))
BESIDE_CLUSTER := $(call listed,$(filter-out static_best oracle $(call spaced,$(CLUSTER)),$(call spaced,$(CORE))))

# Beyond the paper: agents that learn in a simulator of another machine first.
PREPARED := gp_prepared,gp_safe_prepared,gp_table_prepared,rrl_plus_tuned_prepared

# What a recipe below is written in; `took STAGE` notes in results/stages.csv how long the stage that ends here took. A run
# that fails (exit code 1; its sweep says why) stops neither the other stages nor the pages, but make fails in the end.
define WORDS
unset PYTHONDONTWRITEBYTECODE
stage_began=$$SECONDS
failed=0
seeds='$(SEEDS)'
trap 'kill $$(jobs -p) 2>/dev/null || true; exit 130' INT TERM
table() { $(RUN) experiments.truth "$$@"; }
may_fail() { "$$@" || { code=$$?; [ $$code -eq 1 ] || exit $$code; failed=1; }; }
sweep() { may_fail $(RUN) experiments.run --multirun "$$@" "seed=$$seeds" >/dev/null; }
took() { $(RUN) experiments.stages target=$@ stage=$$1 seconds=$$((SECONDS - stage_began)); stage_began=$$SECONDS; }
endef

# Fig. 12 to 15, which are most of the time: where the others have few seeds, they have fewer.
DEAR_SEEDS = $(SEEDS)

# The core of the paper. Tables come before the runs that want them: they use all cores, a run that waits does not.
define CORE_RUNS
for figure in fig02 fig03 fig04 fig05; do table experiment=$$figure; took $$figure; done
table experiment=fig05_code; took fig05_code
sweep experiment=fig09 agent.gamma=0,0.9 agent.radius=0,1,2,3,4,5,6
sweep experiment=fig09 agent=q_learning agent.gamma=0
took fig09
sweep experiment=fig10 agent=rrl_paper,rrl agent.radius=0,1,2,3,5
sweep experiment=fig10 agent=rrl_plus_paper,rrl_plus agent.credit=same_slot,next_slot
took fig10
for figure in fig11 fig12 fig13; do
	table experiment=$$figure
	sweep experiment=$$figure agent=$(CORE) workload=wiki,dynamic
	took $$figure
	seeds='$(DEAR_SEEDS)'
done
for model in deepspeech2 inception_resnet_v2; do table experiment=fig15 model=$$model; done
sweep experiment=fig15 agent=$(CORE) model=deepspeech2,inception_resnet_v2
table experiment=fig15 system=sim_gpu
sweep experiment=fig15 agent=$(CORE) system=sim_gpu
took fig15
sweep experiment=fig14 agent=$(CLUSTER) model=inception_v3,deepspeech2
sweep experiment=fig14 agent=$(CLUSTER) system=sim_gpu
took fig14
endef

# What few seeds do without: Fig. 14's oracle, whose three tables take as long as the runs, and FTRL against Adam.
define REST_OF_CORE
for model in inception_v3 deepspeech2; do table experiment=fig14 model=$$model; done
sweep experiment=fig14 agent=oracle truth=true model=inception_v3,deepspeech2
table experiment=fig14 system=sim_gpu
sweep experiment=fig14 agent=oracle truth=true system=sim_gpu
took fig14_oracle
$(RUN) experiments.studies.ftrl
took ftrl
endef

define PAGES
$(RUN) experiments.figures & figures=$$!
$(RUN) experiments.compare || failed=1
$(RUN) experiments.claims || failed=1
wait $$figures || failed=1
took pages
$(RUN) experiments.reproducing
$(RUN) experiments.report
echo "figures: results/figures   claims: results/claims.csv   report: results/report.html"
echo "make $@ took $$SECONDS s, set-up aside, with seeds $(SEEDS)"
endef

paper: SEEDS := range(0,10)
paper: setup ## every figure and claim of the paper with ten seeds (an hour on 2 cores)
	@$(WORDS)
	$(CORE_RUNS)
	$(REST_OF_CORE)
	$(PAGES)
	exit $$failed

reproduce: SEEDS := range(0,2)
reproduce: DEAR_SEEDS := range(0,1)
reproduce: setup ## the same with two seeds (from Fig. 12 on: one), without the oracle of Fig. 14 (under 10 minutes on 2 cores)
	@$(WORDS)
	$(CORE_RUNS)
	$(PAGES)
	echo "two seeds (from Fig. 12 on: one) show the way, verdicts need ten, and Fig. 14 its oracle:" \
		"make paper, which keeps these runs"
	exit $$failed

agents: SEEDS := range(0,10)
agents: setup ## after make paper: the other presets, the drain rule, learning beside serving (8 minutes)
	@$(WORDS)
	sweep experiment=fig11 agent=$(EXTRA) workload=wiki,dynamic
	took presets
	sweep experiment=fig14 agent=$(BESIDE_CLUSTER) model=inception_v3,deepspeech2
	sweep experiment=fig14 agent=static_best truth=true model=inception_v3,deepspeech2
	sweep experiment=fig14 agent=$(BESIDE_CLUSTER) system=sim_gpu
	sweep experiment=fig14 agent=static_best truth=true system=sim_gpu
	took cluster
	sweep experiment=drain agent=rrl,rrl_plus,q_learning drain_rule=false,true
	took drain
	sweep experiment=learning agent=rrl,rrl_plus learning=inline,background workload=wiki,dynamic
	took learning
	$(RUN) experiments.compare
	$(RUN) experiments.compare experiment=drain by=drain_rule reference=false
	$(RUN) experiments.compare experiment=learning by=learning reference=inline
	$(RUN) experiments.reproducing
	$(RUN) experiments.report
	exit $$failed

studies: setup ## Theorem 1 and its Delta (about 2 minutes; after make reproduce or paper)
	@$(WORDS)
	$(RUN) experiments.studies.theorem1
	$(RUN) experiments.studies.delta
	took theory
	$(RUN) experiments.reproducing
	$(RUN) experiments.report

beyond: SEEDS := 10
beyond: setup ## after make paper: our agents and rivals on its conditions and on others (an hour and a half on 2 cores)
	@$(WORDS)
	may_fail $(RUN) experiments.beyond.sweep run=1 seeds=$(SEEDS) only=$(PREPARED)
	took prepared
	may_fail $(RUN) experiments.beyond.sweep run=1 seeds=$(SEEDS)
	took runs
	$(RUN) experiments.beyond
	$(RUN) experiments.reproducing
	$(RUN) experiments.report
	exit $$failed

sensitivity: SEEDS := 4
sensitivity: setup ## the headline claims under every choice that the paper leaves open (an hour and a half on 2 cores)
	@$(WORDS)
	may_fail $(RUN) experiments.sensitivity.sweep run=1 seeds=$(SEEDS)
	$(RUN) experiments.sensitivity
	took sensitivity
	$(RUN) experiments.reproducing
	$(RUN) experiments.report
	exit $$failed

paper-all: paper studies agents beyond sensitivity ## make paper and all that stands around it

testbed: setup ## four agents on real servers, an excerpt of the experiment in docs/testbed.md (10 minutes)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.interleave experiment=testbed experiment_name=excerpt_dynamic workload=dynamic slots=25 turn=5 \
		agent=rrl,rrl_plus,tf_default,static_best
	$(RUN) experiments.studies.testbed experiment=excerpt table=none target=results/testbed/excerpt

MODEL := mobilenet_v2
calibrate: setup ## a simulator of this machine for MODEL, and its error, in calibration/ (35 minutes; leave the machine alone)
	@unset PYTHONDONTWRITEBYTECODE
	$(RUN) experiments.calibrate model=$(MODEL) budget=12 profile=calibration/profiles/MODEL.csv target=calibration/hardware
	$(RUN) experiments.validate model=$(MODEL) fitted=calibration/hardware/MODEL.yaml measured=calibration/validation/MODEL.csv

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

# Most tests use one core: those of experiments/ run beside all others, whose output comes when both have ended.
OTHER_TESTS := $(filter-out tests/experiments/ %__pycache__/,$(wildcard tests/*/))

test: lint browser ## lint, then every test
	@unset PYTHONDONTWRITEBYTECODE
	others=$$(mktemp)
	trap 'kill $$(jobs -p) 2>/dev/null || true; rm -f "$$others"' EXIT
	failed=0
	$(RUN) pytest $(OTHER_TESTS) >"$$others" 2>&1 & number=$$!
	$(RUN) pytest tests/experiments || failed=1
	wait $$number || failed=1
	cat "$$others"
	exit $$failed

format: setup ## let ruff rewrite the sources
	@$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

lock: setup ## resolve the dependencies anew into requirements.lock
	@$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes \
		--no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock

clean: ## remove runs, tables and caches, not the figures
	rm -rf results/runs results/tables results/sweeps .mypy_cache .ruff_cache .pytest_cache
