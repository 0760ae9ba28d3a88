"""Makes the fixtures of test/data/torch.test.ts: weights as torch.save and transformers write them.

    python make_torch_files.py OUT

Beside each stands what PyTorch reads of it, as safetensors.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

VOCABULARY, CONTEXT, WIDTH = 13, 12, 8


def gpt2():
    """Weights that let nothing hide; the head is tied."""
    torch.manual_seed(1)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=1, n_head=2, n_inner=12,
            bos_token_id=VOCABULARY - 1, eos_token_id=VOCABULARY - 1,
        )
    ).eval()  # fmt: skip
    for p in model.parameters():
        p.data = torch.randn(p.shape) * 0.3
    return model


def with_buffers(model):
    """A dictionary as older versions of transformers saved it: with attention's masks, and the head in the embedding's storage."""
    state = model.state_dict()
    assert state["lm_head.weight"].data_ptr() == state["transformer.wte.weight"].data_ptr()
    state["transformer.h.0.attn.bias"] = torch.tril(torch.ones(1, 1, CONTEXT, CONTEXT, dtype=torch.uint8))
    state["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    return state


def values():
    """Every dtype and every way in which a tensor can lie in its storage."""
    torch.manual_seed(2)
    table, block = torch.randn(6, 5), torch.randn(2, 3, 4)
    integers = torch.tensor([-(2**31), -3, 0, 5, 2**31 - 1])
    return {
        "float": table,
        "half": table[0].half(),
        "bfloat16": table[1].bfloat16(),
        "double": table[2].double(),
        "long": integers * 2**20,
        "int": integers.int(),
        "short": torch.tensor([-(2**15), 7], dtype=torch.int16),
        "char": torch.tensor([-128, 127], dtype=torch.int8),
        "byte": torch.tensor([[0, 1], [128, 255]], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(0.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "transposed": table.T,
        "transposed half": torch.randn(3, 4).half().T,
        "rows": table[2:4],
        "column": table[:, 3],
        "every other": table[1::2, ::2],
        "turned": block.permute(2, 0, 1),
        "turned part": block.permute(1, 0, 2)[2:, :, 1:3],
        "column kept": table[:, 1:2],
        "offset half": table[0].half()[1:],
    }


def write_values(out):
    tensors = values()
    save_file({name: t.detach().clone().contiguous() for name, t in tensors.items()}, out / "values.safetensors")
    for protocol in (2, 4, 5):
        torch.save(tensors, out / f"protocol-{protocol}.bin", pickle_protocol=protocol)
    torch.save({}, out / "legacy.bin", _use_new_zipfile_serialization=False)


def write_models(out):
    model = gpt2()
    model.save_pretrained(out / "safetensors")
    model.save_pretrained(out / "gpt2", safe_serialization=False)
    model.save_pretrained(out / "shards", safe_serialization=False, max_shard_size="2KB")
    old = out / "buffers"
    old.mkdir(exist_ok=True)
    torch.save(with_buffers(model), old / "pytorch_model.bin")
    model.config.save_pretrained(old)
    for file in out.glob("*/generation_config.json"):
        file.unlink()
    assert len(set(json.loads((out / "shards/pytorch_model.bin.index.json").read_text())["weight_map"].values())) > 1


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    write_values(out)
    write_models(out)
