"""The peers of bench/gpu.sh, in PyTorch on the same GPU.

    gpu.py attention
    gpu.py train-step ROWS CONTEXT SECONDS bf16|tf32
    gpu.py teacher TOKENS LAYERS
    gpu.py score FOLDER ITEMS COUNT
    gpu.py curves FOLDER

Each number is a line for people and a line of JSON, as bench/gpu/measured.ts says them.
"""

import json
import subprocess
import sys
import time

import torch
from torch.nn import functional as F

GPU = torch.device("cuda")
TEACHER_WIDTH, TEMPERATURE, ALPHA = 2560, 2.0, 0.9
PART, ARGS = sys.argv[1], sys.argv[2:]


def say(who, what, unit, value):
    print(f"{PART}: {what}: {value:.4g} {unit} ({who})")
    print(json.dumps({"part": PART, "who": who, "what": what, "unit": unit, "value": value}), flush=True)


def device_memory():
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return float(subprocess.check_output(query, text=True).split("\n")[0]) / 1024


def timed(work):
    torch.cuda.synchronize()
    started = time.perf_counter()
    result = work()
    torch.cuda.synchronize()
    return time.perf_counter() - started, result


class Block(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(self.ln_1(x)).split(c, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # flash attention where it is bf16
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt2(torch.nn.Module):
    """GPT-2 124M, its head tied to the embeddings."""

    def __init__(self, words=50257, width=768, layers=12, heads=12, context=1024):
        super().__init__()
        self.words = words
        self.wte, self.wpe = torch.nn.Embedding(words, width), torch.nn.Embedding(context, width)
        self.blocks = torch.nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = torch.nn.LayerNorm(width)
        for p in self.parameters():
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.02)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


def distillation(logits, labels, hidden, head):
    """alpha T² KL + (1 - alpha) CE, the whole vocabulary at once."""
    with torch.no_grad():
        target = F.log_softmax((hidden @ head.T).float() / TEMPERATURE, dim=1)
    logits = logits.view(-1, logits.shape[-1]).float()
    kl = F.kl_div(F.log_softmax(logits / TEMPERATURE, dim=1), target, reduction="batchmean", log_target=True)
    return ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * F.cross_entropy(logits, labels)


def train_step(rows, context, seconds, way):
    rows, context = int(rows), int(context)
    before = device_memory()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    bf16 = way == "bf16"
    model = Gpt2().to(GPU)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-5, fused=True)
    kept = torch.bfloat16 if bf16 else torch.float32
    head = (torch.randn(model.words, TEACHER_WIDTH, device=GPU) * 0.02).to(kept)
    # as both sides would get them, from the host, each step
    hidden = torch.randn(rows * context, TEACHER_WIDTH).to(torch.float16).pin_memory()
    tokens = torch.randint(0, model.words, (rows, context), device=GPU)
    labels = torch.roll(tokens, -1, 1).view(-1)

    def forward(fed):
        with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
            return distillation(model(tokens), labels, fed.to(kept), head)

    loss_of = torch.compile(forward) if bf16 else forward

    def step():
        loss = loss_of(hidden.to(GPU, non_blocking=True))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    who = f"PyTorch {torch.__version__}, " + ("bf16, compiled" if bf16 else "tf32, eager")
    first, _ = timed(step)
    say(who, "the first step", "s", first)
    step()
    times, until = [], time.perf_counter() + float(seconds)
    while len(times) < 3 or time.perf_counter() < until:
        times.append(timed(step)[0])
    typical = sorted(times)[len(times) // 2]
    say(who, f"a step of {rows} × {context} tokens", "ms", typical * 1e3)
    say(who, "training", "tokens/s", rows * context / typical)
    say(who, "device memory", "GiB", device_memory() - before)


def load(model, path):
    """Weights by the names of GPT-2's checkpoints, whose matrices are (in, out)."""
    from safetensors.torch import load_file

    names = {"attn.c_attn": "qkv", "attn.c_proj": "out", "mlp.c_fc": "up", "mlp.c_proj": "down", "ln_1": "ln_1", "ln_2": "ln_2"}
    found = {name.removeprefix("transformer."): x for name, x in load_file(path).items()}
    state = {name: found[name] for name in ("wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias")}
    for n in range(len(model.blocks)):
        for theirs, own in names.items():
            weight = found[f"h.{n}.{theirs}.weight"]
            state[f"blocks.{n}.{own}.weight"] = weight.T.contiguous() if weight.dim() == 2 else weight
            state[f"blocks.{n}.{own}.bias"] = found[f"h.{n}.{theirs}.bias"]
    model.load_state_dict(state)


def curves(folder):
    """The same 200 steps from the same weights, in bf16 autocast, and how our losses lie among these."""
    import numpy

    rows, context, steps, seeds = 8, 256, 200, 5
    tokens = torch.from_numpy(numpy.fromfile(f"{folder}/tokens.bin", dtype=numpy.uint16).astype(numpy.int64)).to(GPU)
    batches = tokens.view(steps, rows, context + 1)

    def train(seed):
        model = Gpt2(words=512, width=256, layers=4, heads=4, context=context).to(GPU)
        load(model, f"{folder}/seed-{seed}/model.safetensors")
        groups = [
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.01},
            {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
        losses = []
        for batch in batches:
            with torch.autocast("cuda", torch.bfloat16):
                logits = model(batch[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).cpu()

    theirs = torch.stack([train(seed) for seed in range(seeds)]).view(seeds, -1, 20).mean(2)
    with open(f"{folder}/curves.json", encoding="utf-8") as file:
        ours = torch.tensor(json.load(file)).view(seeds, -1, 20).mean(2)
    who = f"PyTorch {torch.__version__}, bf16"
    say(who, "loss of the last 20 of 200 steps, mean of five seeds", "nats", theirs[:, -1].mean().item())
    least, most = theirs.min(0).values, theirs.max(0).values
    inside = ((ours.mean(0) >= least) & (ours.mean(0) <= most)).sum().item()
    print(f"windows of 20 steps: ours {ours.mean(0).tolist()}, PyTorch from {least.tolist()} to {most.tolist()}")
    print(f"the same seed: at most {(ours - theirs).abs().max().item():.4f} nats apart; seeds of PyTorch: {(most - least).max().item():.4f}")
    say("cuda in bf16 beside " + who, "windows of 20 steps in which the mean of five seeds lies among PyTorch's, of 10", "windows", inside)


def teacher(count, layers):
    import transformers

    count, layers, context = int(count), int(layers), 1024
    before = device_memory()
    config = transformers.GPTNeoConfig(
        num_layers=layers, attention_types=[[["global", "local"], layers // 2]], hidden_size=2560, num_heads=20,
        intermediate_size=10240, use_cache=False,
    )  # fmt: skip
    model = transformers.GPTNeoModel(config).to(GPU, torch.bfloat16).eval()
    ids = torch.tensor([i * 7919 % config.vocab_size for i in range(count)]).view(-1, context)

    def work():
        with torch.inference_mode():
            return [model(rows.to(GPU)).last_hidden_state.half().cpu() for rows in ids.split(8)]

    timed(lambda: model(ids[:8].to(GPU)))
    seconds, _ = timed(work)
    who = f"PyTorch {torch.__version__}, transformers {transformers.__version__}, bf16, the model on the device already"
    say(who, f"teacher of {layers} layers, once it is there", "tokens/s", count / seconds)
    say(who, "device memory", "GiB", device_memory() - before)


def score(folder, file, count):
    from transformers import GPT2LMHeadModel, GPT2TokenizerFast

    before = device_memory()
    tokenizer = GPT2TokenizerFast.from_pretrained(folder)
    model = GPT2LMHeadModel.from_pretrained(folder).to(GPU, torch.bfloat16).eval()
    with open(file, encoding="utf-8") as lines:
        items = [json.loads(line) for line in lines][: int(count)]

    def score_item(item):
        context = tokenizer.encode(item["ctx"])
        rows = [context + tokenizer.encode(f" {ending}") for ending in item["endings"]]
        tokens = torch.zeros(4, max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for n, row in enumerate(rows):
            tokens[n, : len(row)] = torch.tensor(row)
            mask[n, len(context) : len(row)] = 1
        tokens, mask = tokens.to(GPU), mask.to(GPU)
        logits = model(tokens).logits[:, :-1].float()
        losses = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none").view(4, -1)
        return (-losses * mask[:, 1:]).sum(dim=1).tolist()

    who = f"PyTorch {torch.__version__}, the plain script's way, bf16"
    with torch.inference_mode():
        timed(lambda: [score_item(item) for item in items[:8]])
        seconds, found = timed(lambda: [score_item(item) for item in items])
    say(who, "all log-probabilities", "nats", sum(sum(row) for row in found))
    say(who, "HellaSwag", "items/s", len(items) / seconds)
    say(who, "device memory", "GiB", device_memory() - before)


def attention():
    """Flash attention of heads that lie in one tensor with q, k and v, as a model's product leaves them."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def microseconds(work, launches=20):
        def once():
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(launches):
                work()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end) * 1e3 / launches

        once()
        return sorted(once() for _ in range(5))[2]

    def both(heads, width, scale, batch=8, length=1024):
        q, k, v = (
            x.transpose(1, 2).detach().requires_grad_()
            for x in torch.randn(batch, length, 3, heads, width, device=GPU, dtype=torch.bfloat16).unbind(2)
        )
        given = torch.randn(batch, length, heads, width, device=GPU, dtype=torch.bfloat16).transpose(1, 2)
        product = batch * heads * length * (length + 1) / 2 * width
        kind = f"{batch * heads} × {length} × {width}, causal"
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
            o = run()
            with torch.no_grad():
                forward = microseconds(run)
            backward = microseconds(lambda: torch.autograd.grad(o, (q, k, v), given, retain_graph=True))
        for what, time_taken, operations in (("forward", forward, 4 * product), ("backward", backward, 10 * product)):
            say(who, f"{what}, {kind}", "µs", time_taken)
            say(who, f"rate of {what}, {kind}", "TFLOP/s", operations / time_taken / 1e6)

    who = f"PyTorch {torch.__version__}, bf16, flash attention"
    both(12, 64, 1 / 8)
    both(20, 128, 1 / 8)


{"attention": attention, "train-step": train_step, "teacher": teacher, "score": score, "curves": curves}[PART](*ARGS)
