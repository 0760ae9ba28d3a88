"""Loads what `pipeline export` wrote as transformers and the gguf package do, and compares it with what the pipeline says.

    python check_export.py requirements-export.txt FOLDER

FOLDER is what export.ts wrote. A line a check; exit code 1 where one fails.
"""

import json
import os
import sys

os.environ["TQDM_DISABLE"] = "1"

from make_fixtures import check_versions

check_versions(sys.argv[1])  # before what may not be there is imported

import gguf
import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from checks import cases, check, check_logits, check_tokens, end

TOLERANCE = 1e-4
EOS = "<|endoftext|>"


def check_transformers(name, folder, expected):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    check_tokens(f"{name}, transformers", encode, expected["tokens"])
    check(f"{name}, transformers, end of text", tokenizer.eos_token == EOS, tokenizer.eos_token)
    compare_logits(f"{name}, transformers", AutoModelForCausalLM.from_pretrained(folder), expected)


def check_transformers_gguf(name, folder, expected):
    # of the GGUF alone it takes neither the context nor n_inner of a GPT-2, and 1,024 and 4 × n_embd in their place
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf", config=AutoConfig.from_pretrained(folder))
    compare_logits(f"{name}, transformers of GGUF", model, expected)


def compare_logits(what, model, expected):
    with torch.no_grad():
        logits = model.eval()(torch.tensor([expected["ids"]])).logits[0].numpy()
    check_logits(f"{what} ({type(model).__name__})", logits, np.float32(expected["logits"]), TOLERANCE)


def check_gguf(name, folder, checkpoint):
    reader = gguf.GGUFReader(folder / "model.gguf")
    config = json.loads((folder / "config.json").read_text())
    check_weights(f"{name}, gguf, tensors", reader, checkpoint, config)
    check_metadata(f"{name}, gguf, metadata", reader, config)
    vocabulary = AutoTokenizer.from_pretrained(folder).get_vocab()
    tokens = reader.get_field(gguf.Keys.Tokenizer.LIST).contents()
    wrong = [token for token, at in vocabulary.items() if tokens[at] != token]
    told = f"{len(vocabulary)} tokens in {len(tokens)} rows, {len(wrong)} of them wrong"
    check(f"{name}, gguf, vocabulary", not wrong and len(tokens) == config["vocab_size"], told)


def check_weights(what, reader, checkpoint, config):
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GPT2, config["n_layer"])
    stored = {names.get_name(key, try_suffixes=(".weight", ".bias")): (key, value) for key, value in checkpoint.items()}
    # Conv1D's matrices stand the other way around
    expected = {key: value.T if is_conv1d(name) else value for key, (name, value) in stored.items()}
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    same = [key for key in found if key in expected and np.array_equal(found[key], expected[key])]
    told = f"{len(same)} of {len(found)} are the checkpoint's {len(expected)}, bit for bit"
    check(what, len(same) == len(found) == len(expected), told)


def is_conv1d(name):
    return name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight"))


def check_metadata(what, reader, config):
    keys, kind = gguf.Keys, gguf.GGUFValueType
    ours = {"n_layer": keys.LLM.BLOCK_COUNT, "n_positions": keys.LLM.CONTEXT_LENGTH, "n_embd": keys.LLM.EMBEDDING_LENGTH}
    ours |= {"n_inner": keys.LLM.FEED_FORWARD_LENGTH, "n_head": keys.Attention.HEAD_COUNT}
    expected = {key.format(arch="gpt2"): (kind.UINT32, config[name]) for name, key in ours.items()}
    epsilon = float(np.float32(config["layer_norm_epsilon"]))
    expected |= {
        keys.Attention.LAYERNORM_EPS.format(arch="gpt2"): (kind.FLOAT32, epsilon),
        keys.General.ARCHITECTURE: (kind.STRING, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.GPT2]),
        keys.General.FILE_TYPE: (kind.UINT32, gguf.LlamaFileType.ALL_F32),
        keys.Tokenizer.MODEL: (kind.STRING, "gpt2"),
        keys.Tokenizer.PRE: (kind.STRING, "gpt-2"),
        keys.Tokenizer.BOS_ID: (kind.UINT32, config["bos_token_id"]),
        keys.Tokenizer.EOS_ID: (kind.UINT32, config["eos_token_id"]),
        keys.Tokenizer.ADD_BOS: (kind.BOOL, False),
    }
    found = {key: (reader.fields[key].types[0], reader.fields[key].contents()) for key in expected if key in reader.fields}
    wrong = [key for key in expected if found.get(key) != expected[key]]
    check(what, not wrong, f"{len(expected) - len(wrong)} of {len(expected)} values {' '.join(wrong)}".strip())


torch.set_num_threads(1)
for name, folder, expected in cases(sys.argv[2]):
    check_transformers(name, folder / "safetensors", expected)
    if (folder / "gguf").is_dir():
        check_gguf(name, folder / "gguf", load_file(folder / "safetensors" / "model.safetensors"))
        check_transformers_gguf(name, folder / "gguf", expected)
end()
