"""Parity with transformers at real shapes: all of GPT-2 124M, four layers of GPT-Neo 2.7B, of random weights.

    python parity.py requirements.txt make|compare OUT

`make` writes the models, what they are asked and what PyTorch answers in float32; parity.ts then writes our answers;
`compare` prints a line a check and exits 1 where one fails. OUT takes 7 GB.
"""

import gc
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from make_fixtures import ALPHA, TEMPERATURE, check_versions, distillation, gpt2, gpt_neo

torch.set_num_threads(2)
logging.disable_progress_bar()
F = torch.nn.functional

V, T, STEP_T = 50257, 1024, 512
ATTENTION = ("global", "local", "global", "local")
MODELS = {
    "gpt2": lambda: gpt2(V, width=768, heads=12, context=1024, layers=12),
    "gpt-neo": lambda: gpt_neo(V, width=2560, heads=20, context=2048, window=256, kinds=ATTENTION),
}
HALVES = {"gpt2-float16": (torch.float16, "1GB"), "gpt2-bfloat16": (torch.bfloat16, "100MB")}

# Rounding alone puts PyTorch's float32 apart from its float64 for this GPT-2 by 1.8e-5 in logits, 2.4e-5 in
# log-probabilities, a share of 7e-7 in the cross-entropy and, as shares of a gradient's largest entry, by 3.9e-6 in 128
# tokens and 9.3e-6 in 512. Two such sides may lie apart by twice that; logits and log-probabilities have some more room.
LOGIT, LOG_PROB, LOSS, GRADIENT = 1e-4, 1e-4, 2e-6, 2e-5


@torch.no_grad()
def drawn(name):
    """Random weights: all stays near 1 within the layers, and logits are as far apart as a trained model's."""
    torch.manual_seed(1)
    model = MODELS[name]().eval()
    width, head = model.config.hidden_size, model.config.hidden_size // model.config.num_attention_heads
    for path, p in model.named_parameters():
        module, kind = path.split(".")[-2:]
        if p.dim() == 1:
            p.normal_(mean=float(module.startswith("ln_") and kind == "weight"), std=0.1)
        elif module in ("wte", "wpe"):
            p.normal_(std=3.8 / width**0.5)
        else:
            inputs = p.shape[1 if name == "gpt-neo" else 0]  # its matrices are (out, in)
            unscaled = module in ("q_proj", "k_proj")  # its scores are not divided by the root of a head's width
            p.normal_(std=1.4 / inputs**0.5 / (head**0.25 if unscaled else 1))
    return model


@torch.no_grad()
def ask(model, name, out):
    """What follows each token of a row; labels are drawn from what the model says, as likely as a text is."""
    tokens = torch.randint(0, V, (1, T))
    logits = model(tokens).logits[0]
    log_probs = F.log_softmax(logits, -1)
    probs = log_probs.exp()
    entropy = float(-(probs * log_probs).sum(-1).mean())
    assert 3 < entropy < 7, f"{name} is certain of all or of nothing: {entropy} nats"
    labels = torch.multinomial(probs, 1)
    write(out / f"{name}.logits", logits)
    write(out / f"{name}.log-probs", log_probs.gather(1, labels))
    return tokens, labels[:, 0]


@torch.no_grad()
def teach(model, tokens, out):
    """The final hidden states, from which the teacher's logits are made."""
    hidden = model.transformer(tokens).last_hidden_state[0]
    write(out / "step.teacher-hidden", hidden)
    return hidden @ model.lm_head.weight.T


def step(model, tokens, labels, teacher, out):
    loss, ce, kl = distillation(model(tokens).logits, labels, teacher)
    loss.backward()
    gradients = {f"gradient/{name}": p.grad for name, p in model.named_parameters()}
    values = {"loss": loss, "ce": ce, "forward-kl": kl, **gradients}
    save_file({name: value.detach() for name, value in values.items()}, out / "step.safetensors")


def save_halves(out):
    for name, (dtype, shard) in HALVES.items():
        load(out / "gpt2").to(dtype).save_pretrained(out / name, max_shard_size=shard)


def make(out):
    neo = drawn("gpt-neo")
    neo.save_pretrained(out / "gpt-neo")
    asked = {"gpt-neo": ask(neo, "gpt-neo", out)}
    student = drawn("gpt2")
    student.save_pretrained(out / "gpt2")
    tokens, labels = asked["gpt2"] = ask(student, "gpt2", out)
    tokens, labels = tokens[:, :STEP_T], labels[:STEP_T].clone()
    labels[-1] = -1
    teacher = teach(neo, tokens, out)
    del neo
    gc.collect()
    step(student, tokens, labels, teacher, out)
    save_halves(out)
    (out / "questions.json").write_text(json.dumps({
        "models": {name: question(*those) for name, those in asked.items()},
        "halves": list(HALVES),
        "step": {**question(tokens, labels), "temperature": TEMPERATURE, "alpha": ALPHA},
    }))  # fmt: skip


def question(tokens, labels):
    return {"tokens": tokens[0].tolist(), "labels": labels.tolist()}


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def write(file, tensor):
    tensor.numpy().tofile(file)


def read(file):
    return np.memmap(file, np.float32, "r")


def largest_difference(a, b):
    """A block at a time; NaN where one is."""
    assert a.shape == b.shape, f"{a.shape} against {b.shape}"
    return float(np.max([np.abs(a[at : at + 2**24] - b[at : at + 2**24]).max() for at in range(0, a.size, 2**24)]))


def shares(theirs, ours):
    """Name to the largest difference as a share of their largest value; infinite where one is NaN."""
    assert theirs.keys() == ours.keys()
    found = {name: (value - ours[name]).abs().max() / value.abs().max() for name, value in theirs.items()}
    return {name: float(share.nan_to_num(torch.inf)) for name, share in found.items()}


def digests(folder):
    return {name: hashlib.sha256(p.detach().numpy()).hexdigest() for name, p in load(folder).named_parameters()}


def other(theirs, ours):
    """How many are not the same in both."""
    return sum(theirs.get(name) != ours.get(name) for name in theirs.keys() | ours.keys())


def answers(out):
    for name in MODELS:
        for what, bound in [("logits", LOGIT), ("log-probs", LOG_PROB)]:
            theirs, ours = (read(folder / f"{name}.{what}") for folder in [out, out / "ours"])
            yield f"{name}: largest difference of {what}", largest_difference(theirs, ours), bound


def halves(out):
    ours = json.loads((out / "ours" / "digests.json").read_text())
    for name in HALVES:
        files = len(list((out / name).glob("*.safetensors")))
        yield f"{name}: weights of other bits, read from shards: {files}", other(digests(out / name), ours[name]), 0


def step_taken(out):
    found = shares(load_file(out / "step.safetensors"), load_file(out / "ours" / "step.safetensors"))
    for name in ["loss", "ce", "forward-kl"]:
        yield f"distillation: relative difference of {name}", found.pop(name), LOSS
    worst = max(found, key=found.get)
    what = f"{len(found)} gradients, worst of {worst.removeprefix('gradient/')}"
    yield f"distillation: relative difference of {what}", found[worst], GRADIENT


@torch.no_grad()
def saved(out):
    questions = json.loads((out / "questions.json").read_text())["models"]
    for name in MODELS:
        ours = out / "ours" / name
        yield f"{name}, saved by us: weights of other bits", other(digests(out / name), digests(ours)), 0
        logits = load(ours)(torch.tensor([questions[name]["tokens"]])).logits
        difference = largest_difference(read(out / f"{name}.logits"), logits.numpy().reshape(-1))
        yield f"{name}, saved by us: largest difference of logits", difference, LOGIT


def compare(out):
    failed = 0
    for part in [answers, halves, step_taken, saved]:
        for what, figure, bound in part(out):
            ok = figure <= bound
            failed += not ok
            print(f"{what:<84} {figure:8.3g} <= {bound:<6g} {'ok' if ok else 'FAILED'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    check_versions(sys.argv[1])
    phase, out = sys.argv[2], Path(sys.argv[3])
    sys.exit({"make": make, "compare": compare}[phase](out))
