#!/usr/bin/env bash
# Makes test/fixtures/model and test/fixtures/torch anew from PyTorch and transformers, pinned in requirements.txt.
# Takes the environment of the benchmarks where there is one, else makes its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=bench/.peers/venv
if [ ! -x "$venv/bin/python" ]; then
  venv=node_modules/.cache/reference
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --extra-index-url https://download.pytorch.org/whl/cpu -r test/reference/requirements.txt
fi
"$venv/bin/python" test/reference/make_fixtures.py test/reference/requirements.txt test/fixtures/model
"$venv/bin/python" test/reference/make_torch_files.py test/fixtures/torch
