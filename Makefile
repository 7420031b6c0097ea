# Two commands matter: `make figures` and `make test`. Both set up what they need, once.
#
#   make figures [CONFIG=config/tiny.yaml] [CORES=4]
#   make archive                                       after it: one file, results/<run>.tar, from which
#   make figures FROM=embedded.tar                     draws the figures anywhere, byte for byte
#   make beyond  [CONFIG=config/recommended.yaml]      after it: the comparison with other models
#   make test    [PYTEST_ARGS="-k whitening"]
#
# `make benchmark [BENCHMARK_ARGS="--scaling --run-name embedded"]` times the hot stages.
#
# PIP_ARGS goes to pip; use it to choose PyTorch's CUDA or CPU wheels by their package index.

PYTHON ?= python3
VENV ?= .venv
CORES ?= all
CONFIG ?=
FROM ?=
RUN ?= embedded
PIP_ARGS ?=
PYTEST_ARGS ?=
SNAKEMAKE_ARGS ?=
BENCHMARK_ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/installed
PINNED := pyproject.toml constraints.txt
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG)) $(SNAKEMAKE_ARGS)

.DEFAULT_GOAL := figures
.PHONY: setup figures archive beyond test test-nightly test-cluster plan report gallery beyond-gallery models docs linkcheck diagrams benchmark lint format clean

# the stamp holds what was installed: nothing is done again unless a requirement changed
setup:
	@cat $(PINNED) | cmp -s - $(STAMP) || { \
	  set -e; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lagbias needs Python 3.11 or newer; set PYTHON=/path/to/python3")'; \
	  echo "setting up $(VENV)"; \
	  $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable '.[workflow,test,lint,docs,onnx,jax,swift]'; \
	  cat $(PINNED) > $(STAMP); }

# FROM an archive only figures and tables are made, which are then compared with it. A fresh clone has new scripts
# and none of Snakemake's records: times alone say that the archive's artefacts are up to date.
figures: setup
ifeq ($(FROM),)
	$(SNAKEMAKE)
else
	run=$$($(BIN)/lagbias unpack $(FROM)) && \
	  $(BIN)/snakemake --cores $(CORES) --configfile $$run/configuration.yaml --rerun-triggers mtime $(SNAKEMAKE_ARGS) && \
	  cd $$run && sha256sum --check --quiet manifest-sha256.txt && \
	  echo "$$run: every file is that of $(FROM), byte for byte"
endif

archive: setup
	$(SNAKEMAKE) -- archive

# other losses, several training boxes and other models, compared: docs/beyond.md
beyond: setup
	$(BIN)/snakemake --cores $(CORES) --configfile $(or $(CONFIG),config/beyond.yaml) $(SNAKEMAKE_ARGS) -- beyond

test: setup
	$(BIN)/python -m pytest --durations=15 $(PYTEST_ARGS)

# all tests with many more random cases and interruptions, and the cluster's: about an hour
test-nightly: setup
	LAGBIAS_SLURM=install $(BIN)/python -m pytest --nightly --durations=15 $(PYTEST_ARGS)

# as root: starts a SLURM cluster of one node on this machine, installed if it is missing (Debian)
test-cluster: setup
	LAGBIAS_SLURM=install $(BIN)/python -m pytest tests/cluster $(PYTEST_ARGS)

plan: setup
	$(SNAKEMAKE) --dry-run

report: setup
	$(SNAKEMAKE) --report report.html

# figures and claims of a run in the documentation: make gallery [RUN=reference CONFIG=config/reference.yaml]
gallery: figures
	mkdir -p docs/images/$(RUN) docs/claims
	cp $(filter-out $(BEYOND_FIGURES:%=results/$(RUN)/figures/%.png),$(wildcard results/$(RUN)/figures/*.png)) \
	  docs/images/$(RUN)/
	cp results/$(RUN)/claims.json docs/claims/$(RUN).json
	cp results/$(RUN)/claims.md docs/claims/$(RUN).md
	$(BIN)/python -m lagbias claims $$(ls docs/claims/*.json) \
	  $$(for run in embedded reference abacus; do [ -e docs/claims/$$run.json ] || echo --missing $$run; done) \
	  > docs/claims.md
	$(BIN)/python docs/_ext/figure_provenance.py

# figures and tables of the comparison with other models in the documentation
BEYOND_FIGURES := $(addsuffix _comparison,model loss transfer one_point bispectrum multipole)
beyond-gallery: beyond
	mkdir -p docs/images/beyond docs/beyond
	cp $(BEYOND_FIGURES:%=results/embedded/figures/%.png) docs/images/beyond/
	cp $(addprefix results/embedded/,beyond.md beyond.json two_components.md two_components.csv) docs/beyond/

# the pretrained models of the package, from the default run, and their cards
WEIGHTS := src/lagbias/model/weights
TRAINED := results/embedded/networks/box0/threshold
# what their transfer functions are fitted to
SPECTRA = $(foreach box,1 2 3 4,results/embedded/spectra/box0/threshold/$(1)/on_box$(box).h5)
models: figures beyond
	$(BIN)/lagbias export $(TRAINED)/1Rf/full --output $(WEIGHTS)/wu2023-1Rf.safetensors --name wu2023-1Rf \
	  --transfer $(call SPECTRA,1Rf/full) \
	  --description "Halos above 3.2e11 Msun/h at z = 0.5, one smoothing radius (set 1Rf of Wu et al. 2023)."
	$(BIN)/lagbias export $(TRAINED)/3Rf/full --output $(WEIGHTS)/wu2023-3Rf.safetensors --name wu2023-3Rf \
	  --transfer $(call SPECTRA,3Rf/full) \
	  --description "Halos above 3.2e11 Msun/h at z = 0.5, three smoothing radii (set 3Rf of Wu et al. 2023)."
	$(BIN)/lagbias export $(TRAINED)/3Rf/pc2 --output $(WEIGHTS)/wu2023-3Rf-pc2.safetensors --name wu2023-3Rf-pc2 \
	  --description "As wu2023-3Rf, with two inputs: the first two principal components of the gradient of f."
	$(BIN)/lagbias export $(TRAINED)/1Rf/fourier --output $(WEIGHTS)/recommended-1Rf.safetensors --name recommended-1Rf \
	  --transfer $(call SPECTRA,1Rf/fourier) \
	  --description "As wu2023-1Rf, with the Fourier-space loss after the epochs."
	$(BIN)/lagbias export $(TRAINED)/3Rf/four_boxes --output $(WEIGHTS)/recommended-3Rf.safetensors \
	  --name recommended-3Rf --transfer $(call SPECTRA,3Rf/four_boxes) \
	  --description "As wu2023-3Rf, with the Fourier-space loss after the epochs, on four boxes that train together."
	cd $(WEIGHTS) && sha256sum *.safetensors > SHA256SUMS
	mkdir -p docs/models
	for file in $(WEIGHTS)/*.safetensors; do \
	  name=$$(basename $$file .safetensors); $(BIN)/lagbias show $$name > docs/models/$$name.md; \
	done

# this documentation as a site: docs/_build/html/index.html
docs: setup
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# addresses outside of the site; needs a network
linkcheck: setup
	$(BIN)/python -m sphinx -D nb_execution_mode=off -b linkcheck docs docs/_build/linkcheck

# drawings of the pages' Mermaid blocks, after a change of one; needs npm and chromium
diagrams: setup
	npm install --silent --no-save --ignore-scripts --prefix docs/_build/mermaid mermaid@11
	$(BIN)/python docs/_ext/diagrams.py docs/_build/mermaid/node_modules/mermaid/dist/mermaid.min.js

# the hot stages beside straightforward versions of the same: docs/performance.md
benchmark: setup
	$(BIN)/python -m benchmarks.suite $(BENCHMARK_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/snakefmt --check .
	$(BIN)/snakemake --lint

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt .
	$(BIN)/python -m lagbias config --write

# results, logs and benchmarks stay; delete them by hand if you mean it
clean:
	rm -rf $(VENV) .snakemake .pytest_cache .ruff_cache .mypy_cache
