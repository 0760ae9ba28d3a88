"""The peer of the bench "teacher": transformers runs the same model over the same tokens, and writes its hidden states.

Prints the seconds from the model's files to the written states, and the peak of its resident memory in bytes, as JSON.
"""

import json
import resource
import sys
import tempfile
import time

import numpy
import torch
import transformers

FOLDER, THREADS, COUNT, CONTEXT = sys.argv[1], *(int(x) for x in sys.argv[2:5])
torch.set_num_threads(THREADS)
started = time.perf_counter()
model = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
ids = torch.tensor([i * 7919 % model.config.vocab_size for i in range(COUNT)]).view(-1, CONTEXT)
with torch.no_grad(), tempfile.TemporaryFile() as file:
    for row in ids:
        hidden = model.transformer(row[None]).last_hidden_state[0]
        file.write(hidden.half().numpy().astype(numpy.float16).tobytes())
    file.flush()
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "version": transformers.__version__}))
