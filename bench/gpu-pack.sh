#!/usr/bin/env bash
# Makes .gpu-pack/, all that bench/gpu.sh needs on a machine with a GPU, Python and PyTorch but no Node and no network:
#
#     bash bench/gpu-pack.sh && bash .gpu-pack/run.sh        (run.sh is bench/gpu.sh; copy the folder to the machine)
#
# OUT=FOLDER for another folder, where with CODE=1 the code alone is made, without Debian's packages and Node.
# PIPELINE_DATA names a folder with tokenizer/ and hellaswag/: without it the part "score" is left out. Debian packages and
# Node itself are compressed once; delete .gpu-pack/ to do so again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pack=${OUT:-.gpu-pack}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$pack"

runtime() { # Node, ONNX Runtime, the FFI, Vulkan's loader and what NVIDIA's driver for it links to
  local root=$work/runtime ort=node_modules/onnxruntime-node
  mkdir -p "$root/bin" "$root/lib" "$root/node_modules/onnxruntime-node/bin/napi-v6/linux" "$work/deb"
  cp "$(command -v node)" "$root/bin/node"
  strip --strip-unneeded "$root/bin/node"
  cp -r $ort/package.json $ort/dist "$root/node_modules/onnxruntime-node"
  cp -r $ort/bin/napi-v6/linux/x64 "$root/node_modules/onnxruntime-node/bin/napi-v6/linux/x64"
  cp -r node_modules/onnxruntime-common "$root/node_modules"
  mkdir -p "$root/node_modules/@koromix"
  cp -r node_modules/koffi "$root/node_modules/koffi"
  cp -r node_modules/@koromix/koffi-linux-x64 "$root/node_modules/@koromix"
  (cd "$work/deb" && apt-get -qq download libvulkan1 libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 libbsd0 libmd0 \
    libglvnd0 libglx0 libegl1 libgl1 libopengl0 libgles2) 2> /dev/null
  for package in "$work"/deb/*.deb; do dpkg -x "$package" "$work/debian"; done
  cp -L "$work"/debian/usr/lib/x86_64-linux-gnu/*.so.* "$root/lib"
  tar -C "$root" -cf - . | xz -T0 -6 > "$work/runtime.tar.xz"
  mv "$work/runtime.tar.xz" "$pack/runtime.tar.xz"
}

bundle() { # OUT ENTRY; packages in CommonJS want a require
  local require="import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);"
  node_modules/.bin/esbuild "$2" --bundle --platform=node --format=esm --target=node20 --log-level=warning \
    --external:onnxruntime-node --external:koffi --external:@tensorflow/* --external:@xenova/transformers \
    --banner:js="$require" --outfile="$work/code/$1"
}

code() { # at the places where they look for their files
  for part in opens train-step profile teacher score attention curves results; do bundle "bench/gpu/$part.mjs" "bench/gpu/$part-ours.ts"; done
  bundle test/model/reference.mjs test/model/reference.test.ts
  bundle test/engine/ops.mjs test/engine/ops.test.ts
  bundle test/gpu/engine.mjs test/gpu/engine.test.ts
  mkdir -p "$work/code/test/fixtures" "$work/code/data"
  cp -r test/fixtures/model "$work/code/test/fixtures/model"
  cp package.json "$work/code/package.json" # the folder of kernels that are compiled already is found by it
  cp bench/peers/gpu.py "$work/code/bench/gpu.py"
  if [ -n "${PIPELINE_DATA:-}" ]; then
    cp -r "$PIPELINE_DATA/tokenizer" "$work/code/data/model"
    head -n 400 "$PIPELINE_DATA/hellaswag/hellaswag_val.jsonl" > "$work/code/data/hellaswag.jsonl"
  fi
  tar -C "$work/code" -czf "$pack/code.tar.gz" .
}

[ -n "${CODE:-}" ] || [ -e "$pack/runtime.tar.xz" ] || runtime
code
cp bench/gpu.sh "$pack/run.sh"
du -ch "$pack"/* | tail -n 4
bytes=$(cat "$pack"/* | wc -c)
[ "$bytes" -le 60000000 ] || { echo "the pack has $bytes bytes, at most 60000000 are wanted" >&2; exit 1; }
