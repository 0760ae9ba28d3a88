"""What check_export.py and check_llama.py share: the cases that export.ts wrote, and the line that each check prints."""

import json
import sys
from pathlib import Path

results = []


def cases(folder):
    """(name, folder, expected) of every model; expected: tokens of texts, a row of ids and its logits."""
    for path in sorted(Path(folder).glob("*/expected.json")):
        yield path.parent.name, path.parent, json.loads(path.read_text("utf-8"))


def check(what, ok, found):
    results.append(bool(ok))
    print(f"{'ok   ' if ok else 'WRONG'} {what}: {found}", flush=True)


def check_tokens(what, encode, tokens):
    wrong = [one["text"] for one in tokens if list(encode(one["text"])) != one["ids"]]
    told = f"{len(tokens) - len(wrong)} of {len(tokens)} texts have our tokens"
    check(what, not wrong, f"{told}, not {wrong[0]!r}" if wrong else told)


def check_logits(what, found, expected, allowed):
    difference = abs(found - expected).max()
    same = (found.argmax(-1) == expected.argmax(-1)).sum()
    told = f"largest difference {difference:.1e} of logits up to {abs(expected).max():.1f}, allowed {allowed:.0e}"
    check(what, difference <= allowed, f"{told}; {same} of {len(expected)} highest are ours")


def end():
    sys.exit(0 if results and all(results) else f"{results.count(False)} of {len(results)} checks failed")
