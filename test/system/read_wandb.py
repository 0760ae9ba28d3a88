"""FILE: a run that W&B's client wrote, as JSON: `config`, `summary` and the rows of `history`.

The file is a log of LevelDB's form, blocks of 32 KiB with records cut at their ends; what is in a record, W&B's own
protobuf classes read.
"""

import json
import sys

from wandb.proto import wandb_internal_pb2

BLOCK = 32768
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(data):
    assert data[:4] == b":W&B"
    at, parts = 7, []
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        assert kind in (FULL, FIRST, MIDDLE, LAST), kind
        parts.append(data[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in (FULL, LAST):
            yield wandb_internal_pb2.Record.FromString(b"".join(parts))
            parts = []


def values(items):
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


run = {"id": None, "project": None, "config": {}, "summary": {}, "history": []}
for record in records(open(sys.argv[1], "rb").read()):
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run.update(id=record.run.run_id, project=record.run.project)
        run["config"].update(values(record.run.config.update))
    elif kind == "summary":
        run["summary"].update(values(record.summary.update))
    elif kind == "history":
        run["history"].append(values(record.history.item))
print(json.dumps(run))
