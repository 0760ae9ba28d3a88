#!/usr/bin/env bash
# On a machine with a GPU, from the folder that bench/gpu-pack.sh made: what each engine computes on it, and how fast, beside
# PyTorch. Every number is said as soon as it is known, and every part has a limit of its own.
#
#     bash run.sh [PART …]      PART: fixtures ops attention suite train-step curves profile teacher score; all but suite and profile where none is named
#
# ENGINES="cuda cuda:bf16"  which engines, in which precision;  OUT=FOLDER  where <gpu>.json and the log go, the folder that it is in if unset
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
parts=${*:-fixtures ops attention train-step curves teacher score}
out=${OUT:-$here}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$out/gpu.log
: > "$log"
export TMPDIR=$work HOME=$work TORCHINDUCTOR_CACHE_DIR=$work/inductor

unpack() { # Python's: the machine may have no xz
  export PYTHONWARNINGS=ignore
  python3 -m tarfile -e "$here/runtime.tar.xz" "$work/run" && python3 -m tarfile -e "$here/code.tar.gz" "$work/run"
  chmod +x "$work/run/bin/node"
}

vulkan() { # finds NVIDIA's driver for Vulkan, or says to the loader where it is, if VK_DRIVER_FILES does not
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/nvidia/lib64:$work/run/lib
  [ -n "${VK_DRIVER_FILES:-}" ] && return
  local file library
  for file in /usr/local/nvidia/share/vulkan/icd.d /usr/share/vulkan/icd.d /etc/vulkan/icd.d; do
    [ -e "$file/nvidia_icd.json" ] && driver "$file/nvidia_icd.json" && return
  done
  for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
    echo "{\"file_format_version\":\"1.0.1\",\"ICD\":{\"library_path\":\"$library\",\"api_version\":\"1.3.0\"}}" > "$work/$library.json"
    python3 -c "import ctypes; ctypes.CDLL('$library')" 2> /dev/null && driver "$work/$library.json" && return
  done
  echo "vulkan: no driver of NVIDIA's is found"
}
driver() { export VK_DRIVER_FILES=$1 VK_ICD_FILENAMES=$1; echo "vulkan: $1"; }

limited() { # SECONDS COMMAND …: runs it, and says what became of it
  local seconds=$1 started=$SECONDS
  shift
  timeout -k 5 "$seconds" "$@" 2>&1 | grep --line-buffered -v '^Warning: max'
  local status=${PIPESTATUS[0]}
  [ "$status" = 0 ] || echo "FAILED (status $status; 124 is its limit of $seconds s): $*"
  echo "(took $((SECONDS - started)) s)"
}
ours() { limited "$1" "$work/run/bin/node" "$work/run/bench/gpu/$2.mjs" "${@:3}"; }
peer() { limited "$1" python3 "$work/run/bench/gpu.py" "${@:2}"; }
tests() { # ENGINE FILE: what failed, and of all differences from the reference the largest of each kind, by what is allowed
  case $1 in *:*) return ;; esac # the references are held to float32's tolerances
  local said=$out/$1-${2//\//-}.txt
  TEST_ENGINES=$1 limited 60 "$work/run/bin/node" --test-reporter=tap "$work/run/test/$2.mjs" > "$said"
  grep -E '^ *not ok|error:|^# (tests|pass|fail) |FAILED|took' "$said" | sed "s/^ */$1: /"
  awk -v engine="$1" '/largest difference/ {
    kind = $2; sub(/\/.*|:$/, "", kind); difference = $(NF - 2) + 0; share = difference / ($NF + 0)
    if (!(kind in most) || share > most[kind]) { most[kind] = share; size[kind] = difference }
  } END { for (kind in most) printf "%s: %s: at most %.1e from the reference, %.0f %% of what is allowed\n", engine, kind, size[kind], 100 * most[kind] }' "$said"
}

precision() { case $1 in *:*) echo "${1#*:}" ;; *) echo fp32 ;; esac }

works() { # ENGINE: whether it opens here
  "$work/run/bin/node" "$work/run/bench/gpu/opens.mjs" "$1" 2>&1 | grep --line-buffered -v '^Warning: max'
  return "${PIPESTATUS[0]}"
}

part() {
  echo "== $1"
  case $1 in
    fixtures) for engine in $engines; do tests "$engine" model/reference; done ;;
    ops) for engine in $engines; do tests "$engine" engine/ops; done ;;
    suite) # of npm run test:gpu, what concerns the engine; TESTS="pattern" for some of it
      limited "${SECONDS_OF_TESTS:-150}" "$work/run/bin/node" --test --test-reporter=tap --test-name-pattern="${TESTS:-.}" "$work/run/test/gpu/engine.mjs" > "$out/suite.txt"
      grep -E '^ *not ok|error:|off, at most|^# (tests|pass|fail) |FAILED|took' "$out/suite.txt" | head -40
      ;;
    attention)
      ours "${ATTENTION_SECONDS:-240}" attention
      peer 40 attention
      ;;
    train-step)
      for engine in $engines; do ours 70 train-step "$engine" "${ROWS:-8}" "${CONTEXT:-1024}" 8; done
      peer 100 train-step "${ROWS:-8}" "${CONTEXT:-1024}" 5 bf16
      peer 40 train-step "${ROWS:-8}" "${CONTEXT:-1024}" 5 tf32
      ;;
    curves) # of the last engine named
      ours 60 curves "${engines##* }" "$work/curves"
      peer 90 curves "$work/curves"
      ;;
    teacher)
      for engine in $engines; do ours 120 teacher "$engine" "${TOKENS:-131072}" "${LAYERS:-32}"; done
      peer 60 teacher "${TOKENS:-131072}" "${LAYERS:-32}"
      ;;
    score)
      [ -e "$work/run/data/model" ] || { echo "the pack has no items: PIPELINE_DATA was not set when it was made"; return; }
      ours 30 score none "$work/run/data/model"
      for engine in $engines; do ours 45 score "$engine" "$work/run/data/model" "$work/run/data/hellaswag.jsonl" "${ITEMS:-200}"; done
      peer 40 score "$work/run/data/model" "$work/run/data/hellaswag.jsonl" "${ITEMS:-200}"
      ;;
    profile) for engine in $engines; do case $engine in cuda*) ours 60 profile "$(precision "$engine")" "${ROWS:-8}" "${CONTEXT:-1024}" ;; esac done ;;
    *) echo "no part \"$1\": expected fixtures, ops, attention, suite, train-step, curves, profile, teacher or score" ;;
  esac
}

main() {
  local gpu engines=
  gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2> /dev/null | head -n 1)
  echo "GPU: ${gpu:=none}"
  unpack
  vulkan
  for engine in ${ENGINES:-cuda cuda:tf32 cuda:bf16 onnx-webgpu}; do works "$engine" && engines+=" $engine"; done
  if [ "$gpu" = none ] && [ -z "$engines" ]; then
    echo "nothing is measured: nvidia-smi shows no GPU here, and no engine works without one (why, above); run this on a machine with an NVIDIA card, its driver and PyTorch"
    return
  fi
  for one in $parts; do
    part "$one"
    # after each: a run that is cut off leaves what it had measured
    "$work/run/bin/node" "$work/run/bench/gpu/results.mjs" "$log" "$out" "$gpu" > "$work/summary"
  done
  echo '== beside PyTorch'
  cat "$work/summary"
}
main 2>&1 | tee "$log"
