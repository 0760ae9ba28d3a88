"""The peer of the bench "generate": transformers' own greedy generation with its cache, of the same model.

Speaks on stdin and stdout: for each line "N" it makes N continuations of one prompt and prints their wall and CPU
milliseconds and the tokens of the last as JSON.
"""

import json
import sys
import time

import torch
import transformers

THREADS, FOLDER, PROMPT, NEW = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(THREADS)
transformers.logging.set_verbosity_error()
model = transformers.GPT2LMHeadModel.from_pretrained(FOLDER).eval()
model.generation_config.eos_token_id = None
prompt = torch.tensor([[n * 7919 % model.config.vocab_size for n in range(PROMPT)]])
options = {
    "attention_mask": torch.ones_like(prompt),
    "max_new_tokens": NEW,
    "do_sample": False,
    "use_cache": True,
    "pad_token_id": 0,
}

for line in sys.stdin:
    wall, cpu = [], []
    for _ in range(int(line)):
        started, busy = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            tokens = model.generate(prompt, **options)[0, PROMPT:].tolist()
        wall.append((time.perf_counter() - started) * 1e3)
        cpu.append((time.process_time() - busy) * 1e3)
    print(json.dumps({"wall": wall, "cpu": cpu, "tokens": tokens, "version": transformers.__version__}), flush=True)
