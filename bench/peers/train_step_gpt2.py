"""The peer of the bench "train-step-gpt2": GPT-2 124M taught by the final states of a teacher 2,560 wide, in plain PyTorch.

Speaks on stdin and stdout: for each line "N" it takes N steps and prints their wall and CPU milliseconds, and the most
bytes that it had resident, as JSON.
"""

import json
import resource
import sys
import time

import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

THREADS, BATCH, CONTEXT = (int(x) for x in sys.argv[1:4])
TEACHER_WIDTH, TEMPERATURE, ALPHA = 2560, 2.0, 0.9
torch.set_num_threads(THREADS)
torch.manual_seed(0)

config = GPT2Config(resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, attn_implementation="sdpa", use_cache=False)
model = GPT2LMHeadModel(config)
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() <= 1]
groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-5, fused=True)
head = torch.randn(config.vocab_size, TEACHER_WIDTH) * 0.02
hidden = torch.randn(BATCH * CONTEXT, TEACHER_WIDTH)
tokens = torch.randint(0, config.vocab_size, (BATCH, CONTEXT))
labels = torch.roll(tokens, -1, 1).view(-1)


def step():
    logits = model(tokens).logits.view(-1, config.vocab_size)
    with torch.no_grad():
        target = F.log_softmax(hidden @ head.T / TEMPERATURE, dim=1)
    student = F.log_softmax(logits / TEMPERATURE, dim=1)
    kl = F.kl_div(student, target, reduction="batchmean", log_target=True)
    loss = ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * F.cross_entropy(logits, labels)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


for line in sys.stdin:
    wall, cpu = [], []
    for _ in range(int(line)):
        started, busy = time.perf_counter(), time.process_time()
        step()
        wall.append((time.perf_counter() - started) * 1e3)
        cpu.append((time.process_time() - busy) * 1e3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak, "version": torch.__version__}), flush=True)
