"""Makes the fixture of test/model/inner.test.ts: what the GPT-2 of test/fixtures/model loses against the GPT-Neo beside it.

    python make_inner.py MODELS OUT

What transformers' models say of their inner states and attention, losses and every gradient by autograd, in float64.
OUT/inner.safetensors holds what the losses are of, their means over the tokens with a label, and the gradients of two sums.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from make_fixtures import in_out

F = torch.nn.functional

B, T = 2, 13
LEAST = 2.0**-126
# (layer of the teacher, layer of the student)
HIDDEN, ATTENTION = [(1, 1), (0, 0)], [(2, 1), (1, 2)]
SUMS = {"first": {"hidden-mse": 0.5, "attention-kl": 2.0}, "second": {"hidden-cosine": 3.0, "attention-mse": 0.25}}


def load(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    return model.double().eval()


def kl(t, s):
    """Σ t log(t/s), where 0 log 0 is 0; the clamp keeps 0/0 out of the derivative."""
    return (torch.xlogy(t, t) - torch.xlogy(t, s.clamp(min=LEAST))).sum(-1)


def losses(student, teacher, projections):
    """(B, T) each, means over pairs and heads."""
    pairs = [
        (student.hidden_states[s] @ projections[n], teacher.hidden_states[t]) for n, (t, s) in enumerate(HIDDEN)
    ]
    both = [(student.attentions[s - 1], teacher.attentions[t - 1]) for t, s in ATTENTION]
    mean = lambda of, all: torch.stack([of(s, t) for s, t in all]).mean(0)
    return {
        "hidden-mse": mean(lambda s, t: F.mse_loss(s, t, reduction="none").mean(-1), pairs),
        "hidden-cosine": mean(lambda s, t: 1 - F.cosine_similarity(s, t, dim=-1), pairs),
        "attention-kl": mean(lambda s, t: kl(t, s).mean(1), both),
        "attention-mse": mean(lambda s, t: ((s - t) ** 2).sum(-1).mean(1), both),
    }


if __name__ == "__main__":
    models, out = Path(sys.argv[1]), Path(sys.argv[2])
    student, teacher = load(models / "gpt2"), load(models / "gpt-neo")
    torch.manual_seed(1)
    tokens = torch.randint(0, 61, (B, T))
    labels = torch.randint(0, 61, (B, T))
    labels[0, -2:], labels[1, 4] = -1, -1
    projections = [torch.randn(24, 24) * 0.2 for _ in HIDDEN]
    expected = {"tokens": tokens.int(), "labels": labels.reshape(-1).int()}
    for n, projection in enumerate(projections):
        expected[f"projection.{n}.weight"] = projection
    inside = {"output_hidden_states": True, "output_attentions": True, "use_cache": False}
    for which, weights in SUMS.items():
        student.zero_grad()
        learning = [p.double().requires_grad_() for p in projections]
        found = losses(student(tokens, **inside), teacher(tokens, **inside), learning)
        means = {name: found[name][labels >= 0].mean() for name in weights}
        sum(weights[name] * value for name, value in means.items()).backward()
        for name, value in means.items():
            expected[name] = value.detach().float()
        for name, p in student.named_parameters():
            gradient = torch.zeros_like(p) if p.grad is None else p.grad
            expected[f"{which}/{name}"] = in_out(student, name, gradient).float().contiguous()
        for n, p in enumerate(learning):
            expected[f"{which}/projection.{n}.weight"] = p.grad.float()
    assert all(torch.isfinite(x).all() for x in expected.values())
    save_file(expected, out / "inner.safetensors")
