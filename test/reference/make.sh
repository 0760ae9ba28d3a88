#!/usr/bin/env bash
# make.sh                   test/fixtures/model, losses and torch anew, from PyTorch and transformers
# make.sh parity            holds our logits, gradients and files against transformers' at real shapes, in 7 GB of $TMPDIR
# make.sh harness           compares our scores with lm-evaluation-harness's, on the data sets of the folder PIPELINE_DATA
# make.sh harness-fixtures  test/fixtures/harness anew: twenty items of each of these sets, with the harness's scores
# make.sh export            compares exported models with what the pipeline says: in transformers, in the package gguf, and
#                           in llama.cpp where LLAMA_PYTHON names a Python that has it
# What is needed of Python is pinned in requirements*.txt. Takes the environment of the benchmarks where there is one,
# else makes its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-fixtures}
case $what in
  fixtures | parity) requirements=test/reference/requirements.txt ;;
  harness | harness-fixtures)
    requirements=test/reference/requirements-harness.txt
    [ -d "${PIPELINE_DATA:-}" ] || { echo "PIPELINE_DATA must name the folder of the data sets, found \"${PIPELINE_DATA:-}\"" >&2; exit 2; }
    ;;
  export) requirements=test/reference/requirements-export.txt ;;
  *)
    echo "expected nothing, parity, harness, harness-fixtures or export, found \"$what\"" >&2
    exit 2
    ;;
esac
venv=bench/.peers/venv
if [ ! -x "$venv/bin/python" ]; then
  venv=node_modules/.cache/reference
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --extra-index-url https://download.pytorch.org/whl/cpu -r "$requirements"
python() { "$venv/bin/python" "test/reference/$1" "${@:2}"; }
case $what in
  fixtures)
    python make_fixtures.py "$requirements" test/fixtures/model
    python make_losses.py test/fixtures/losses
    python make_inner.py test/fixtures/model test/fixtures/losses
    python make_torch_files.py test/fixtures/torch
    ;;
  parity)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python parity.py "$requirements" make "$folder"
    node --import tsx test/reference/parity.ts "$folder"
    python parity.py "$requirements" compare "$folder"
    ;;
  harness-fixtures) python harness.py "$requirements" fixture test/fixtures/harness ;;
  harness)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python harness.py "$requirements" full "$folder"
    node --import tsx test/reference/harness.ts "$folder"
    ;;
  export)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    node --import tsx test/reference/export.ts "$folder"
    status=0
    python check_export.py "$requirements" "$folder" || status=1
    if [ -n "${LLAMA_PYTHON:-}" ]; then
      "$LLAMA_PYTHON" test/reference/check_llama.py "$folder" || status=1
    else
      echo "llama.cpp: not here. Compile it, \`pip install llama-cpp-python==0.3.16\`, and name that Python in LLAMA_PYTHON"
    fi
    exit $status
    ;;
esac
