"""The peer of the bench "train-step": the same small GPT in plain PyTorch, at its fastest on a CPU.

Speaks on stdin and stdout: for each line "N" it runs N steps and prints their wall and CPU milliseconds as JSON, with
the argument "profile" also the milliseconds of a step by operation.
"""

import json
import sys
import time

import torch
from torch.nn import functional as F

THREADS, LAYERS, WIDTH, HEADS, WORDS, BATCH, CONTEXT = (int(x) for x in sys.argv[1:8])
PROFILE = sys.argv[8:] == ["profile"]
torch.set_num_threads(THREADS)
torch.manual_seed(0)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = torch.nn.LayerNorm(WIDTH)
        self.ln_2 = torch.nn.LayerNorm(WIDTH)
        self.qkv = torch.nn.Linear(WIDTH, 3 * WIDTH)
        self.out = torch.nn.Linear(WIDTH, WIDTH)
        self.up = torch.nn.Linear(WIDTH, 4 * WIDTH)
        self.down = torch.nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, HEADS, c // HEADS).transpose(1, 2) for y in self.qkv(self.ln_1(x)).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = torch.nn.Embedding(WORDS, WIDTH)
        self.wpe = torch.nn.Embedding(CONTEXT, WIDTH)
        self.blocks = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = torch.nn.LayerNorm(WIDTH)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


model = Gpt()
for p in model.parameters():
    if p.dim() > 1:
        torch.nn.init.normal_(p, std=0.02)
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() <= 1]
groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
tokens = torch.randint(0, WORDS, (BATCH, CONTEXT))
labels = torch.roll(tokens, -1, 1)


def step():
    loss = F.cross_entropy(model(tokens).view(-1, WORDS), labels.view(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.item()


def steps(count):
    wall, cpu = [], []
    for _ in range(count):
        started, busy = time.perf_counter(), time.process_time()
        loss = step()
        wall.append((time.perf_counter() - started) * 1e3)
        cpu.append((time.process_time() - busy) * 1e3)
    return {"wall": wall, "cpu": cpu, "loss": loss, "version": torch.__version__}


def profiled(count):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        taken = steps(count)
    account = {event.key: event.self_cpu_time_total / count / 1e3 for event in profile.key_averages()}
    return {**taken, "account": account}


for line in sys.stdin:
    print(json.dumps((profiled if PROFILE else steps)(int(line))), flush=True)
