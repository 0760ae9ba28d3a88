"""Loads a folder that `pipeline export` wrote as transformers does, and compares it with what the pipeline says.

    python check_export.py FOLDER EXPECTED.json

EXPECTED.json holds {"text", "ids", "logits"}: a text, its tokens, and a row of logits a token. Prints the differences as
one JSON object, and exits 1 where a token or a text differs or a logit by more than 1e-4.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TOLERANCE = 1e-4

folder, file = sys.argv[1:]
with open(file, encoding="utf-8") as opened:
    expected = json.load(opened)

torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder).eval()
ids = tokenizer(expected["text"], add_special_tokens=False)["input_ids"]
with torch.no_grad():
    logits = model(torch.tensor([expected["ids"]])).logits[0]
found = {
    "model": type(model).__name__,
    "tied": bool(model.config.tie_word_embeddings),
    "tokenizer": type(tokenizer).__name__,
    "eos": tokenizer.eos_token,
    "sameIds": ids == expected["ids"],
    "logits": list(logits.shape),
    "largestDifference": float((logits - torch.tensor(expected["logits"])).abs().max()),
    "largestLogit": float(logits.abs().max()),
}
print(json.dumps(found))
sys.exit(0 if found["sameIds"] and found["largestDifference"] <= TOLERANCE else 1)
