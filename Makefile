# Two commands do everything: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV ?= .venv
CORES ?= $(shell nproc)
STUDY ?= config.yaml
# For a cluster: PROFILE=profiles/slurm
PROFILE ?=
# No more jobs that want a GPU than there are GPUs; nothing where there are none.
GPUS ?= $(words $(wildcard /dev/nvidia[0-9]*))

# What a command may set; anything else, such as study=, would be left unread without a word.
SETTINGS := STUDY PROFILE CORES GPUS PYTHON VENV BIN READY A B
$(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(if \
	$(filter-out $(SETTINGS),$(name)),$(error $(name)= is no setting; write one of: \
	$(addsuffix =,$(SETTINGS))))))
$(if $(filter %.yaml %.yml,$(MAKECMDGOALS)),$(error a study is named by \
	STUDY=$(firstword $(filter %.yaml %.yml,$(MAKECMDGOALS)))))

BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat requirements.txt constraints.txt | sha256sum | cut -c1-16)
TOOL := PYTHONPATH=scripts $(BIN)/python tools
# For the shell, whatever characters the path has.
FILE := '$(subst ','\'',$(value STUDY))'
SNAKEMAKE := $(BIN)/python tools/run_study.py --configfile $(FILE)
# With a screen of the workflow's own (scripts/minimascope/jobs/screen.py) instead of Snakemake's.
SHOWN := MINIMASCOPE_SCREEN=1 $(SNAKEMAKE)
LOCALLY := --cores $(CORES) $(if $(filter-out 0,$(GPUS)),--resources gpu=$(GPUS))
# On a cluster these would limit all jobs together; the profile has limits of its own.
WHERE := $(if $(PROFILE),--profile $(PROFILE),$(LOCALLY))
# Declines (75) as long as a run in this folder lives, and holds up new ones.
UNLOCK = flock --nonblock --conflict-exit-code 75 .snakemake/running $(SNAKEMAKE) --quiet all --unlock
# Of a study that is checked: other names could be anything that a shell runs.
NAME = $(shell $(TOOL)/check_study.py $(FILE) --name)

.DEFAULT_GOAL := help
.PHONY: run report compare unlock check sound checked status test trials lint format bench bench-gpu dag docs dry-run explain clean help

run: sound ## run the study (STUDY=config.yaml, PROFILE=profiles/slurm for a cluster) up to its report, and print the main table
	@# What a killed run has locked is free again; what one that lives has locked is not.
	@test -z "$$(ls -A .snakemake/locks 2>/dev/null)" || $(UNLOCK) || test $$? -eq 75
	@# Made before the first study, since two studies that make it at the same time lock each other out:
	@# where there is flock, the second one waits.
	@exec 9< Makefile; ! command -v flock > /dev/null || flock 9; \
	test -d results/published || ! $(TOOL)/check_study.py $(FILE) --compared || $(SHOWN) $(WHERE) -- published
	@$(SHOWN) $(WHERE)

report: sound ## make the report, and what it still needs
	@$(SHOWN) $(WHERE) -- results/$(NAME)/report.html

unlock: check ## remove the locks that killed runs have left in this folder
	@mkdir -p .snakemake
	@$(UNLOCK) || { echo "error: nothing was unlocked; a run in this folder may still be going on"; exit 1; }

check: $(READY) ## check the study, and whether its data are there
	@$(TOOL)/check_study.py $(FILE)

# Before any job starts: what `make check` would refuse, and nothing else of it.
sound: $(READY)
	@$(TOOL)/check_study.py $(FILE) --errors $(if $(PROFILE),--remote)

# Before Snakemake reads the study.
checked: $(READY)
	@$(TOOL)/check_study.py $(FILE) --name > /dev/null

dry-run: checked ## count the jobs of each rule that a run would start
	@$(SHOWN) $(WHERE) --dry-run --quiet rules progress

explain: checked ## say in one screen why each job of a run would start
	@$(TOOL)/explain.py $(FILE)

status: checked ## say how far a run has come: networks trained and in training, jobs done, time left
	@$(TOOL)/status.py $(FILE) --cores $(CORES)

compare: $(READY) ## set two studies, or two runs of one, side by side (A=digits B=results/digits-published)
	$(if $(and $(A),$(B)),,$(error name two studies, or folders of results: A=… B=…))
	@$(TOOL)/compare.py $(A) $(B)

bench-gpu: $(READY) ## measure training and SAM-sharpness at full size on a GPU
	PYTHONPATH=scripts TQDM_DISABLE=1 $(BIN)/python benchmarks/gpu.py

dag: checked ## draw the graph of rules as results/<study>/rule_graph.svg
	@$(SNAKEMAKE) --quiet all --forceall --rulegraph | $(TOOL)/rule_graph.py results/$(NAME)/rule_graph.svg
	@echo "Rule graph: results/$(NAME)/rule_graph.svg"

test: $(READY) ## run all tests but the slow trials
	$(BIN)/python -m pytest --numprocesses $(CORES) -m "not slow"

trials: $(READY) ## run the slow trials: a Slurm cluster, faults, scale
	$(BIN)/python -m pytest --numprocesses $(CORES) -m slow

lint: $(READY) ## check style of Python and Snakemake files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: $(READY) ## format Python and Snakemake files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

bench: $(READY) ## measure speed and print it as a table of ratios
	PYTHONPATH=scripts TQDM_DISABLE=1 $(BIN)/python benchmarks/bench.py

docs: $(READY) ## make docs/configuration.md from the schema, and what pages say from the tables in docs/results
	$(TOOL)/configuration_reference.py > docs/configuration.md
	$(TOOL)/findings.py
	$(TOOL)/symmetries.py

clean: checked ## remove the results of the study
	rm -rf results/$(NAME)

help: ## show this list
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	rm -f $(VENV)/.ready-*
	touch $@
