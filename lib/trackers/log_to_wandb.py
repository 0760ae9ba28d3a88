"""Logs one experiment by W&B's own client: JSON on standard input, JSON on the last line of standard output.

Exit code 3: the client is not installed. An experiment that is logged is not logged again: online W&B itself knows its
id and how far it came, offline a mark in the run's folder says that it is whole.
"""

import json
import pathlib
import shutil
import sys

try:
    import wandb
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

MARK = "whole.txt"


def answer():
    try:
        return log_experiment(json.load(sys.stdin))
    except wandb.Error as error:
        return {"server": wandb.setup().settings.base_url, "failure": str(error)}


def log_experiment(wanted):
    known = offline_run(wanted["id"])
    if known is not None:
        return {"where": str(known), "already": True}
    run = wandb.init(
        project=wanted["project"],
        id=wanted["id"],
        name=wanted["id"],
        resume="allow",
        config=wanted["config"],
        save_code=False,
        settings=wandb.Settings(console="off", silent=True, init_timeout=30),
    )
    folder = pathlib.Path(run.dir).parent.absolute()
    already = run.summary.get("experiment") == wanted["hash"]
    if not already:
        log(run, wanted)
    run.finish()
    if run.settings.mode == "offline":
        (folder / MARK).write_text(wanted["hash"] + "\n")
    return {"where": run.url or str(folder), "already": already}


def offline_run(run_id):
    """The folder of this experiment's offline run; what a logging cut short left is removed."""
    settings = wandb.setup().settings
    if settings.mode != "offline":
        return None
    for folder in sorted(pathlib.Path(settings.wandb_dir).absolute().glob(f"offline-run-*-{run_id}")):
        if (folder / MARK).exists():
            return folder
        shutil.rmtree(folder)
    return None


def log(run, wanted):
    """A row a point; each training goes along its own step. Rows that an earlier try sent are not sent again."""
    for training in wanted["trainings"]:
        run.define_metric(f"{training}/step", hidden=True)
        run.define_metric(f"{training}/*", step_metric=f"{training}/step")
    sent = run.step
    for number, row in list(enumerate(wanted["rows"]))[sent:]:
        run.log(row, step=number)
    run.summary.update({**wanted["metrics"], "experiment": wanted["hash"]})


print("\n" + json.dumps(answer()))
