"""What EleutherAI's lm-evaluation-harness makes of items by a small random GPT-2: log-probabilities and right answers.

    PIPELINE_DATA=DATA python harness.py requirements-harness.txt full|fixture OUT

OUT gets the model with its tokenizer, the items as DATA has them, and expected.json. `full`: GPT-2's own tokenizer, 200
items of HellaSwag and 100 of every other set. `fixture`: 20 of each, with a tokenizer small enough to be kept in git and
128 positions, so that some contexts are cut. Tasks are the harness's own: its files word, encode and judge what is put
back here into the fields of the original data sets.
"""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

scratch = tempfile.TemporaryDirectory()
os.environ.update(HF_HOME=scratch.name, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
os.environ["DISABLE_MULTIPROC"] = "1"  # of the bootstrap

from make_fixtures import check_versions, drawn

VERSIONS = check_versions(sys.argv[1])  # before what may not be there is imported

import lm_eval.tasks
import numpy as np
import torch
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks._yaml_loader import load_yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

TASKS = Path(lm_eval.tasks.__file__).parent
EOS = "<|endoftext|>"


def hellaswag(item):
    """The file has no parts: with an empty second one the harness has nothing to capitalise."""
    return {**item, "ctx_a": item["ctx"], "ctx_b": ""}


def lettered(stem):
    def doc(item):
        letters = [chr(ord("A") + n) for n in range(len(item["choices"]))]
        choices = {"text": item["choices"], "label": letters}
        return {stem: item["query"].removeprefix("Question: "), "choices": choices, "answerKey": letters[item["gold"]]}

    return doc


def unnested(stem):
    """Lines as the authors have them become lines as the hub has them."""

    def doc(item):
        question = item.get("question")
        if not isinstance(question, dict):
            return item
        choices = {key: [choice[key] for choice in question["choices"]] for key in ["text", "label"]}
        return {"id": item["id"], stem: question["stem"], "choices": choices, "answerKey": item["answerKey"]}

    return doc


def piqa(item):
    goal = item["query"].removeprefix("Question: ").removesuffix("\n")
    return {"goal": goal, "sol1": item["choices"][0], "sol2": item["choices"][1], "label": item["gold"]}


def copa(item):
    premise, connector = item["query"].rsplit(" ", 1)
    question = {"because": "cause", "therefore": "effect"}[connector]
    first, second = item["choices"]
    return {"premise": f"{premise}.", "question": question, "choice1": first, "choice2": second, "label": item["gold"]}


def winogrande(item):
    contexts = item["context_options"]
    head = os.path.commonprefix(contexts)
    first, second = (context[len(head) :] for context in contexts)
    sentence = f"{head}_ {item['continuation']}"
    return {"sentence": sentence, "option1": first, "option2": second, "answer": str(item["gold"] + 1)}


def lambada(item):
    return {"text": f"{item['context']} {item['continuation']}"}


# name, form, the harness's file, items, how an item becomes a document of the original set
RAW = Path(__file__).parent / "raw"  # as data sets lie on the hub and on their authors' pages, written by hand
SETS = [
    ("hellaswag", "hellaswag", "hellaswag/hellaswag.yaml", "hellaswag/hellaswag_val.jsonl", hellaswag),
    ("hellaswag-raw", "hellaswag", "hellaswag/hellaswag.yaml", RAW / "hellaswag.jsonl", dict),
    ("openbookqa", "openbookqa", "openbookqa/openbookqa.yaml", "eval/openbook_qa.jsonl", lettered("question_stem")),
    ("openbookqa-raw", "openbookqa", "openbookqa/openbookqa.yaml", RAW / "openbookqa.jsonl", unnested("question_stem")),
    ("arc-easy", "arc", "arc/arc_easy.yaml", "eval/arc_easy.jsonl", lettered("question")),
    ("arc-challenge", "arc", "arc/arc_challenge.yaml", "eval/arc_challenge.jsonl", lettered("question")),
    ("arc-uneven", "arc", "arc/arc_easy.yaml", "eval/arc_easy_train.jsonl", lettered("question")),
    ("arc-raw", "arc", "arc/arc_easy.yaml", RAW / "arc.jsonl", unnested("question")),
    ("piqa", "piqa", "piqa/piqa.yaml", "eval/piqa.jsonl", piqa),
    ("piqa-raw", "piqa", "piqa/piqa.yaml", RAW / "piqa.jsonl", dict),
    ("copa", "copa", "super_glue/copa/default.yaml", "eval/copa.jsonl", copa),
    ("copa-raw", "copa", "super_glue/copa/default.yaml", RAW / "copa.jsonl", dict),
    ("winogrande", "winogrande", "winogrande/default.yaml", "eval/winogrande.jsonl", winogrande),
    ("winogrande-raw", "winogrande", "winogrande/default.yaml", RAW / "winogrande.jsonl", dict),
    ("lambada", "lambada", "lambada/lambada_openai.yaml", "eval/lambada_openai.jsonl", lambada),
    ("lambada-raw", "lambada", "lambada/lambada_openai.yaml", RAW / "lambada.jsonl", dict),
    ("lambada-own", "lambada", "lambada/lambada_openai.yaml", "eval/lambada_openai.jsonl", lambada),
]  # fmt: skip


def read(name, file, count):
    lines = (Path(os.environ["PIPELINE_DATA"]) / file).read_text("utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    if name == "arc-uneven":
        items = [item for item in items if len(item["choices"]) != 4]
    return items[:count]


def with_own_words(lm, texts):
    """A random model ends no text rightly: here the word is what it says itself, where that is a word."""
    found = []
    for text in texts:
        ids = lm.tok_encode(text["context"])[-lm.max_length :]
        word = lm.tok_decode(lm.model(torch.tensor([ids])).logits[0, -1].argmax())
        if re.fullmatch(r" \S+", word):
            found.append({**text, "continuation": word[1:]})
    return found


def write_lines(file, items):
    file.write_text("".join(f"{json.dumps(item, ensure_ascii=False)}\n" for item in items), "utf-8")


def make_model(folder, tokenizer, positions):
    tokenizer.save_pretrained(folder)
    shape = dict(vocab_size=len(tokenizer), n_positions=positions, n_embd=24, n_layer=2, n_head=3)
    tokens = dict(bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id)
    drawn(lambda: GPT2LMHeadModel(GPT2Config(**shape, **tokens)), 1).save_pretrained(folder)
    (folder / "generation_config.json").unlink()


def small_tokenizer(sets):
    """GPT-2's kind of tokenizer, of 600 tokens of the items' own text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=[EOS], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([json.dumps(items, ensure_ascii=False) for items in sets], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=EOS, eos_token=EOS)


def gpt2_tokenizer():
    file = str(Path(os.environ["PIPELINE_DATA"]) / "tokenizer" / "tokenizer.json")
    return PreTrainedTokenizerFast(tokenizer_file=file, bos_token=EOS, eos_token=EOS)


def task_of(name, yaml, doc, items):
    documents = Path(scratch.name) / f"{name}.jsonl"
    write_lines(documents, [doc(item) for item in items])
    local = {
        "task": name,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(documents)}},
        "training_split": None,
        "validation_split": None,
        "test_split": "test",
    }
    return ConfigurableTask(config={**load_yaml(TASKS / yaml), **local})


def answer(sample):
    """Log-probabilities of an item's options, and which metrics it counts in."""
    answers = sample["filtered_resps"]
    judged = {ours: sample[theirs] == 1 for theirs, ours in [("acc", "acc"), ("acc_norm", "accNorm")] if theirs in sample}
    log_probs = [log_prob for log_prob, _ in answers]
    return {"logProbs": log_probs, "choice": int(np.argmax(log_probs)), **judged}


FIGURES = ["acc", "acc_stderr", "acc_norm", "acc_norm_stderr", "perplexity"]


def expected(lm, tasks, forms):
    # without any draws there are no standard errors at all; those of acc and acc_norm are a formula, and need none
    results = evaluate(lm, {"tasks": tasks, "groups": {}, "group_map": {}}, bootstrap_iters=2)
    found = []
    for name in tasks:
        figures = {key.removesuffix(",none"): value for key, value in results["results"][name].items()}
        measured = {key: figures[key] for key in FIGURES if key in figures}
        samples = sorted(results["samples"][name], key=lambda sample: sample["doc_id"])
        found.append({"name": name, "format": forms[name], "figures": measured, "items": [answer(one) for one in samples]})
    return found


if __name__ == "__main__":
    full, out = sys.argv[2] == "full", Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    items = {name: read(name, file, (200 if name == "hellaswag" else 100) if full else 20) for name, _, _, file, _ in SETS}
    model = out / "model"
    make_model(model, gpt2_tokenizer() if full else small_tokenizer(items.values()), 1024 if full else 128)
    lm = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=8)
    items["lambada-own"] = with_own_words(lm, items["lambada-own"])
    for name, those in items.items():
        write_lines(out / f"{name}.jsonl", those)
    tasks = {name: task_of(name, yaml, doc, items[name]) for name, _, yaml, _, doc in SETS}
    forms = {name: form for name, form, *_ in SETS}
    document = {"versions": VERSIONS, "sets": expected(lm, tasks, forms)}
    (out / "expected.json").write_text(json.dumps(document) + "\n")
