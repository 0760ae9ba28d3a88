"""Peers of the bench "score": lm-evaluation-harness, and the plain script's way, an item's endings as a padded batch.

    python score.py MODEL THREADS ASKED.json harness|plain

ASKED.json holds a list of items, each a list of (context, ending). Prints the seconds from the loaded model to the last
score and each ending's summed log-probability as JSON.
"""

import importlib.metadata
import json
import logging
import os
import resource
import sys
import time

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import torch
from torch.nn import functional as F

folder, threads, asked, way = sys.argv[1:]
torch.set_num_threads(int(threads))
logging.disable(logging.WARNING)
with open(asked, encoding="utf-8") as file:
    items = json.load(file)


def harness():
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=8)

    def score():
        requests = [
            Instance("loglikelihood", {}, (context, f" {ending}"), n) for item in items for n, (context, ending) in enumerate(item)
        ]
        found = [log_prob for log_prob, _ in lm.loglikelihood(requests, disable_tqdm=True)]
        return [found[at : at + 4] for at in range(0, len(found), 4)]

    return score, f"lm-evaluation-harness {importlib.metadata.version('lm_eval')}"


def plain():
    from transformers import GPT2LMHeadModel, GPT2TokenizerFast

    tokenizer = GPT2TokenizerFast.from_pretrained(folder)
    model = GPT2LMHeadModel.from_pretrained(folder).eval()

    def score_item(item):
        context = tokenizer.encode(item[0][0])
        rows = [context + tokenizer.encode(f" {ending}") for _, ending in item]
        tokens = torch.zeros(4, max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for n, row in enumerate(rows):
            tokens[n, : len(row)] = torch.tensor(row)
            mask[n, len(context) : len(row)] = 1
        logits = model(tokens).logits[:, :-1]
        losses = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none").view(4, -1)
        return (-losses * mask[:, 1:]).sum(dim=1).tolist()

    return lambda: [score_item(item) for item in items], f"the plain script's way in PyTorch {torch.__version__}"


score, version = harness() if way == "harness" else plain()
started = time.perf_counter()
with torch.inference_mode():
    log_probs = score()
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "version": version, "logProbs": log_probs}))
