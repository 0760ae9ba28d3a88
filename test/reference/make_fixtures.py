"""Makes the fixtures of test/model: what transformers' GPT-2 and GPT-Neo, PyTorch's autograd and its AdamW give.

    python make_fixtures.py requirements.txt OUT

Weights are drawn large enough that every part of the model matters. All is computed in float64 from float32 weights, so
that a difference is the error of the implementation under test alone; results are stored as float32. Matrices stand as
(in, out), whatever the checkpoint holds: the module's type decides.
"""

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoConfig, GPTNeoForCausalLM

torch.set_num_threads(1)
F = torch.nn.functional

TEMPERATURE, ALPHA = 2.0, 0.7
RATES = [1e-3, 2e-3, 3e-3, 3e-3, 2.5e-3, 2e-3, 1.5e-3, 1e-3, 5e-4, 3e-4]
DECAY, CLIP = 0.1, 0.5
B, T = 3, 13
# (left, right) padding of each row
PADDING = [(0, 0), (0, 4), (3, 0)]


def gpt2(vocab=61, width=24, heads=3, context=16, layers=2):
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocab, n_positions=context, n_embd=width, n_layer=layers, n_head=heads,
            bos_token_id=vocab - 1, eos_token_id=vocab - 1, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, attn_implementation="eager",
        )
    )  # fmt: skip


def gpt_neo(vocab=61, width=24, heads=3, context=16, window=4, kinds=("global", "local")):
    return GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=vocab, max_position_embeddings=context, hidden_size=width, num_layers=len(kinds), num_heads=heads,
            attention_types=[[list(kinds), 1]], window_size=window, bos_token_id=vocab - 1, eos_token_id=vocab - 1,
            resid_dropout=0, embed_dropout=0, attention_dropout=0, attn_implementation="eager",
        )
    )  # fmt: skip


def drawn(make, seed, **options):
    """A model with weights that let nothing hide: no zero bias, no layer norm of ones."""
    torch.manual_seed(seed)
    model = make(**options).eval()
    for name, p in model.named_parameters():
        gain = ".ln_" in name and name.endswith("weight")
        spread = 0.3 if p.dim() == 2 else 0.2
        p.data = (gain + torch.randn(p.shape) * spread).float()
    return model


def in_out(model, name, value):
    """(in, out) for the matrices of linear layers; Conv1D's are so already."""
    module = model.get_submodule(name.rsplit(".", 1)[0])
    return value.T if isinstance(module, torch.nn.Linear) and value.dim() == 2 else value


def batch(vocab):
    """Rows padded left and right, with a token id that is also used for real tokens."""
    tokens = torch.randint(0, vocab, (B, T))
    real = torch.ones(B, T, dtype=torch.bool)
    positions = torch.zeros(B, T, dtype=torch.int64)
    for row, (left, right) in enumerate(PADDING):
        real[row, :left] = False
        real[row, T - right :] = False
        positions[row, real[row]] = torch.arange(T - left - right)
    tokens[~real] = 7
    labels = torch.full((B, T), -1)
    follows = real[:, :-1] & real[:, 1:]
    labels[:, :-1][follows] = tokens[:, 1:][follows]
    return tokens, real, positions, labels


def distillation(logits, labels, teacher):
    """alpha T² KL(teacher || student) + (1 - alpha) CE over the valid tokens; teacher logits beyond V do not exist."""
    valid = labels.reshape(-1) >= 0
    s = logits.reshape(-1, logits.shape[-1])[valid]
    t = teacher[:, : s.shape[1]][valid]
    ce = F.cross_entropy(s, labels.reshape(-1)[valid])
    log_s, log_t = F.log_softmax(s / TEMPERATURE, -1), F.log_softmax(t / TEMPERATURE, -1)
    kl = F.kl_div(log_s, log_t, log_target=True, reduction="sum") / s.shape[0]
    return ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * ce, ce, kl


def gradients(make, expected, inputs):
    model = drawn(make, 1).double()
    tokens, real, positions, labels, teacher = inputs
    logits = model(tokens, attention_mask=real.long(), position_ids=positions).logits
    loss, ce, kl = distillation(logits, labels, teacher)
    loss.backward()
    expected.update(logits=logits, loss=loss, ce=ce, kl=kl)
    for name, p in model.named_parameters():
        expected[f"gradient/{name}"] = in_out(model, name, p.grad)


def trajectory(make, expected, inputs):
    """Ten steps of AdamW on the tokens as they stand: padding is seen, as text would be, but never learnt from."""
    model = drawn(make, 1).double()
    tokens, labels, teacher = inputs
    named = dict(model.named_parameters())
    groups = [
        {"params": [p for p in named.values() if p.dim() >= 2], "weight_decay": DECAY},
        {"params": [p for p in named.values() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0, betas=(0.9, 0.999), eps=1e-8)
    losses, norms = [], []
    for rate in RATES:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss, _, _ = distillation(model(tokens).logits, labels, teacher)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP))
        losses.append(loss.detach())
        optimizer.step()
    assert min(norms) > CLIP, "clipping was never needed"
    expected.update(losses=torch.stack(losses), norms=torch.stack(norms), rates=torch.tensor(RATES))
    for name, p in named.items():
        expected[f"final/{name}"] = in_out(model, name, p.data)


def items(model, vocab):
    """Four-ending items by the plain script's convention: each row apart, context and ending, no padding."""
    found = []
    for n in range(12):
        context = torch.randint(0, vocab, (3 + n % 5,)).tolist()
        endings = [torch.randint(0, vocab, (int(torch.randint(1, 6, ())),)).tolist() for _ in range(4)]
        sums = []
        for ending in endings:
            row = torch.tensor([context + ending])
            log_probs = F.log_softmax(model(row).logits[0, :-1], -1)
            sums.append(sum(float(log_probs[len(context) + i - 1, token]) for i, token in enumerate(ending)))
        found.append({"context": context, "endings": endings, "sums": sums})
    return found


def perplexity(model, stream, context, stride):
    """Sum of the negative log-likelihoods: every token but the first once, with all of its row's earlier tokens seen."""
    total, done = 0.0, 0
    start = 0
    while done < len(stream) - 1:
        end = min(start + context, len(stream) - 1)
        log_probs = F.log_softmax(model(torch.tensor([stream[start:end]])).logits[0], -1)
        total -= sum(float(log_probs[p - start, stream[p + 1]]) for p in range(done, end))
        done, start = end, start + stride
    return total


def scores(make):
    model = drawn(make, 1).double()
    with torch.no_grad():
        torch.manual_seed(5)
        stream = torch.randint(0, 61, (90,)).tolist()
        nll = {f"{context}/{stride}": perplexity(model, stream, context, stride) for context, stride in [(16, 16), (16, 5), (11, 3)]}
        return {"items": items(model, 61), "stream": stream, "nll": nll}


def write(folder, expected):
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        name: value.detach().to(torch.int32 if value.dtype == torch.int64 else torch.float32).contiguous()
        for name, value in expected.items()
    }
    save_file(stored, folder / "expected.safetensors")


def save_model(model, folder):
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)


def fixture(folder, make, extra):
    """`extra` rows of the teacher's head are tokens that the student does not have."""
    save_model(drawn(make, 1), folder)
    torch.manual_seed(2)
    tokens, real, positions, labels = batch(61)
    hidden, head = torch.randn(B * T, 20), torch.randn(61 + extra, 20) * 0.6
    teacher = hidden.double() @ head.double().T
    expected = {"tokens": tokens, "positions": positions, "segments": real.long() - 1, "labels": labels}
    expected.update({"teacher.hidden": hidden, "teacher.head": head})
    gradients(make, expected, (tokens, real, positions, labels, teacher))
    trajectory(make, expected, (tokens, labels, teacher))
    write(folder, expected)
    (folder / "scores.json").write_text(json.dumps(scores(make)) + "\n")


def windowed(folder):
    """One local layer over rows that are really longer than GPT-Neo's window of 256."""
    model = drawn(gpt_neo, 3, vocab=11, width=8, heads=2, context=1024, window=256, kinds=("local",))
    save_model(model, folder)
    tokens = torch.randint(0, 11, (1, 1024))
    with torch.no_grad():
        write(folder, {"tokens": tokens, "logits": model.double()(tokens).logits})


def installed(name):
    try:
        return version(name).split("+")[0]
    except PackageNotFoundError:
        return None


def check_versions(requirements):
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", Path(requirements).read_text(), re.M))
    found = {name: installed(name) for name in pinned}
    if found != pinned:
        sys.exit(f"expected {pinned}, found {found}: install {requirements}")
    return found


if __name__ == "__main__":
    versions = check_versions(sys.argv[1])
    out = Path(sys.argv[2])
    fixture(out / "gpt2", gpt2, extra=3)
    fixture(out / "gpt-neo", gpt_neo, extra=0)
    windowed(out / "gpt-neo-window")
    (out / "versions.json").write_text(json.dumps(versions) + "\n")
