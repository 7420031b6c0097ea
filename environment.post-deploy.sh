#!/usr/bin/env bash
# Run by Snakemake (--software-deployment-method conda) once environment.yml is installed: adds lagbias
# itself, from the checkout whose workflow is run, so that its edits count. Jobs in conda environments
# are given no PYTHONPATH.
set -euo pipefail
python -m pip install --no-deps --editable "${LAGBIAS_CHECKOUT:?is set by the workflow}"
