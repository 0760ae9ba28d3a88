"""Makes the fixture of test/model/divergences.test.ts: each loss and its gradients, by PyTorch's autograd in float64.

    python make_losses.py OUT

Written from probabilities, as the papers have them: no gradient in closed form, no logarithm of a mixture. What the teacher
lacks has the logit −∞ here. OUT/expected.safetensors holds what the losses are of, and by `name/T/W` their means over the
tokens with a label, and the derivatives with respect to the student's hidden states and head.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

F = torch.nn.functional

N, C, D, V = 11, 4, 3, 7
BETA, SKEW = 0.3, 0.1
LEAST = 2.0**-126
TEMPERATURES, VOCABULARIES = (1.0, 2.5), (V, V + 3, V - 2)
LABELS = torch.tensor([3, -1, 6, 0, -1, 2, 5, 5, 1, 4, -1])


def kl(p, q):
    """Σ p log(p/q), where 0 log 0 is 0."""
    return (torch.xlogy(p, p) - p * q.log()).sum(-1)


def mix(share, p, q):
    return share * p + (1 - share) * q


# of the student's probabilities and the teacher's, softened
SOFTENED = {
    "forward-kl": lambda s, t: kl(t, s),
    "reverse-kl": lambda s, t: kl(s, t.clamp(min=LEAST)),
    "jsd": lambda s, t: BETA * kl(t, mix(BETA, t, s)) + (1 - BETA) * kl(s, mix(BETA, t, s)),
    "symmetric-kl": lambda s, t: (kl(t, s) + kl(s, t.clamp(min=LEAST))) / 2,
    "skew-kl": lambda s, t: kl(t, mix(SKEW, t, s)),
    "skew-reverse-kl": lambda s, t: kl(s, mix(SKEW, s, t)),
    "total-variation": lambda s, t: (s - t).abs().sum(-1) / 2,
}
# of logits, the teacher's as many as it has in common with the student
PLAIN = {
    "mse-logits": lambda s, t: F.mse_loss(s[:, : t.shape[1]], t, reduction="none").mean(-1),
    "argmax-ce": lambda s, t: F.cross_entropy(s, t.argmax(-1), reduction="none"),
}


def values(name, student, teacher, temperature):
    if name in PLAIN:
        return PLAIN[name](student, teacher)
    known = F.pad(teacher, (0, student.shape[1] - teacher.shape[1]), value=-torch.inf)
    return SOFTENED[name](*((logits / temperature).softmax(-1) for logits in (student, known)))


def derivatives(name, hidden, head, teacher, temperature):
    valid = LABELS >= 0
    hidden, head = (x.double().requires_grad_() for x in (hidden, head))
    value = values(name, (hidden @ head.T)[valid], teacher[valid], temperature).mean()
    value.backward()
    return value.detach(), hidden.grad, head.grad


if __name__ == "__main__":
    torch.manual_seed(1)
    hidden, head = torch.randn(N, C), torch.randn(V, C)
    teacher_hidden, teacher_head = torch.randn(N, D), torch.randn(max(VOCABULARIES), D)
    expected = {"hidden": hidden, "head": head, "teacher.hidden": teacher_hidden, "teacher.head": teacher_head}
    for name in [*SOFTENED, *PLAIN]:
        for temperature in TEMPERATURES:
            for vocabulary in VOCABULARIES:
                teacher = teacher_hidden.double() @ teacher_head[: min(vocabulary, V)].double().T
                found = derivatives(name, hidden, head, teacher, temperature)
                for what, value in zip(["value", "hidden", "head"], found, strict=True):
                    expected[f"{name}/{temperature:g}/{vocabulary}/{what}"] = value.float()
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    save_file(expected, out / "expected.safetensors")
