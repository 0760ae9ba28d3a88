"""The peer of the bench "loss": the distillation loss and its gradients in plain, eager PyTorch.

Speaks on stdin and stdout: for each line "N" it takes N steps and prints their wall and CPU milliseconds, the loss, the
first 64 values of both gradients, and the most bytes that it had resident beyond those before the first step, as JSON.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

THREADS, TOKENS, WIDTH, WORDS = (int(x) for x in sys.argv[1:5])
FOLDER = Path(sys.argv[5])
TEMPERATURE, ALPHA = (float(x) for x in sys.argv[6:8])
torch.set_num_threads(THREADS)


def read(name, *shape, dtype=torch.float32):
    data = bytearray((FOLDER / name).read_bytes())
    return torch.frombuffer(data, dtype=dtype).view(*shape)


hidden = read("hidden", TOKENS, WIDTH).requires_grad_()
head = read("head", WORDS, WIDTH).requires_grad_()
teacher_hidden = read("teacherHidden", TOKENS, WIDTH)
teacher_head = read("teacherHead", WORDS, WIDTH)
labels = read("labels", TOKENS, dtype=torch.int32).long()


def step():
    hidden.grad = head.grad = None
    logits = hidden @ head.T
    with torch.no_grad():
        target = F.log_softmax(teacher_hidden @ teacher_head.T / TEMPERATURE, dim=1)
    student = F.log_softmax(logits / TEMPERATURE, dim=1)
    kl = F.kl_div(student, target, reduction="batchmean", log_target=True)
    loss = ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * F.cross_entropy(logits, labels)
    loss.backward()
    return loss.item()


def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) * 1024


def first(gradient):
    return gradient.flatten()[:64].tolist()


Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
before = memory("VmRSS")
for line in sys.stdin:
    wall, cpu = [], []
    for _ in range(int(line)):
        started, busy = time.perf_counter(), time.process_time()
        loss = step()
        wall.append((time.perf_counter() - started) * 1e3)
        cpu.append((time.process_time() - busy) * 1e3)
    found = {"loss": loss, "hidden": first(hidden.grad), "head": first(head.grad), "peak": memory("VmHWM") - before}
    print(json.dumps({"wall": wall, "cpu": cpu, "version": torch.__version__, **found}), flush=True)
