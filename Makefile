# Two commands do everything: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV ?= .venv
CORES ?= $(shell nproc)
STUDY ?= config.yaml

BIN := $(VENV)/bin
READY := $(VENV)/.ready-$(shell cat requirements.txt constraints.txt | sha256sum | cut -c1-16)
SNAKEMAKE := $(BIN)/snakemake --configfile $(STUDY)
# Of a study that is checked: other names could be anything that a shell runs.
NAME = $(shell $(BIN)/python scripts/check_study.py $(STUDY))

.PHONY: run report check test trials lint format bench bench-gpu dag docs dry-run clean help

run: check ## run the study (STUDY=config.yaml), make its report and print the main table
	$(SNAKEMAKE) --cores $(CORES)
	@$(MAKE) --no-print-directory report
	@cat results/$(NAME)/tables/main.md
	@echo "Report: results/$(NAME)/report.html"

report: check ## make the HTML report of a finished study
	$(SNAKEMAKE) --quiet all --report results/$(NAME)/report.html

check: $(READY) ## check the study, before Snakemake reads it
	@$(BIN)/python scripts/check_study.py $(STUDY) > /dev/null

dry-run: check ## list the jobs that a run would start
	$(SNAKEMAKE) --dry-run

bench-gpu: $(READY) ## measure training and SAM-sharpness at full size on a GPU
	PYTHONPATH=scripts TQDM_DISABLE=1 $(BIN)/python benchmarks/gpu.py

dag: check ## draw the graph of rules as results/<study>/rule_graph.svg
	@$(SNAKEMAKE) --quiet all --forceall --rulegraph | $(BIN)/python scripts/rule_graph.py results/$(NAME)/rule_graph.svg
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

docs: $(READY) ## make docs/configuration.md from the schema
	$(BIN)/python scripts/configuration_reference.py > docs/configuration.md

clean: check ## remove the results of the study
	rm -rf results/$(NAME)

help: ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	rm -f $(VENV)/.ready-*
	touch $@
