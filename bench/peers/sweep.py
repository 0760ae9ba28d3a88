"""The peer of the bench "sweep": the usual script, in PyTorch's eager mode, with the teacher inside every step.

Speaks on stdin and stdout: for each line, a temperature, it trains the student anew from its files, and prints the wall
and CPU milliseconds of that and the loss of the last step, as JSON. Loading the packages and the teacher is not counted.
"""

import json
import sys
import time
from pathlib import Path

import numpy
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

FOLDER, THREADS = Path(sys.argv[1]), int(sys.argv[2])
GIVEN = json.loads((FOLDER / "training.json").read_text())
CONTEXT, ALPHA, RATE = GIVEN["context"], GIVEN["alpha"], GIVEN["rate"]
torch.set_num_threads(THREADS)

ids = torch.from_numpy(numpy.fromfile(FOLDER / "tokens" / "train.bin", dtype=numpy.uint16).astype(numpy.int64))
rows, following = ids[:-1].view(-1, CONTEXT), ids[1:].view(-1, CONTEXT)


def load(name):
    return AutoModelForCausalLM.from_pretrained(FOLDER / name, dtype=torch.float32, use_cache=False)


teacher = load("teacher").eval()


def train(temperature):
    model = load("student").train()
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, fused=True)
    for indices in GIVEN["order"]:
        tokens, labels = rows[indices], following[indices].view(-1)
        with torch.no_grad():
            told = teacher(tokens).logits.view(len(labels), -1)
            target = F.log_softmax(told / temperature, dim=1)
        logits = model(tokens).logits.view(len(labels), -1)
        student = F.log_softmax(logits / temperature, dim=1)
        kl = F.kl_div(student, target, reduction="batchmean", log_target=True)
        loss = ALPHA * temperature**2 * kl + (1 - ALPHA) * F.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return loss.item()


for line in sys.stdin:
    started, busy = time.perf_counter(), time.process_time()
    loss = train(float(line))
    wall, cpu = (time.perf_counter() - started) * 1e3, (time.process_time() - busy) * 1e3
    print(json.dumps({"wall": [wall], "cpu": [cpu], "loss": loss, "version": torch.__version__}), flush=True)
