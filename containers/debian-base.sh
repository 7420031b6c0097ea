#!/usr/bin/env bash
# A base for containers/Dockerfile from Debian's packages, where no registry of images can be reached: Debian 12
# with its Python 3.11. As root:
#
#   bash containers/debian-base.sh debian-python
#   podman build --build-arg BASE=localhost/debian-python --file containers/Dockerfile --tag lagbias .

set -euo pipefail

mmdebstrap --variant=minbase --include=python3-dev,python3-venv bookworm \
    | podman import - "localhost/${1:?name of the image}"
