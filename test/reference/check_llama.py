"""Loads the GGUF files that `pipeline export` wrote as llama.cpp does, and compares them with what the pipeline says.

    python check_llama.py FOLDER

FOLDER is what export.ts wrote. Needs llama-cpp-python and NumPy. A line a check; exit code 1 where one fails.
"""

import sys

import llama_cpp
import numpy as np

from checks import cases, check, check_logits, check_tokens, end

# its GELU is a table of numbers in half precision, whatever the file holds (ggml-cpu, ggml_table_gelu_f16)
TOLERANCE = 1e-2
CACHES = {"float32": llama_cpp.GGML_TYPE_F32, "float16": llama_cpp.GGML_TYPE_F16}


def check_case(name, file, expected):
    wanted = np.float32(expected["logits"])
    for cache, kind in CACHES.items():
        options = dict(n_ctx=0, logits_all=True, type_k=kind, type_v=kind, n_threads=1, verbose=False)
        model = llama_cpp.Llama(str(file), **options)
        model.eval(expected["ids"])
        check_logits(f"{name}, llama.cpp, cache of {cache}", np.array(model.scores[: len(wanted)]), wanted, TOLERANCE)
    encode = lambda text: model.tokenize(text.encode(), add_bos=True, special=True)
    check_tokens(f"{name}, llama.cpp", encode, expected["tokens"])
    ends = [one["ids"] for one in expected["tokens"] if one["text"] == "<|endoftext|>"]
    check(f"{name}, llama.cpp, end of text", ends == [[model.token_eos()]], model.token_eos())


for name, folder, expected in cases(sys.argv[1]):
    if (folder / "gguf").is_dir():
        check_case(name, folder / "gguf" / "model.gguf", expected)
end()
