/** What can go wrong while stages run, in the store, in remotes and with recorded experiments. */
export const running = {
  STAGE_FAILED:
    'The code of a stage threw an error. The message shows the end of its log and where the whole of it lies; `pipeline run STAGE` runs it alone.',
  COMMAND_FAILED: 'The program of a `cmd:` stage ended with an exit code other than 0, or by a signal.',
  STAGE_DIED:
    'A stage’s process ended before it said that it was done. SIGKILL without a hand that sent it is most often the system that was out of memory: dmesg says so. Lower the batch, or give `resources.memory`, so that fewer run at once.',
  STAGE_TIMEOUT: 'A stage ran longer than its `timeout`. It keeps its checkpoint: raise the limit and run again.',
  STAGE_CANCELLED:
    'A stage was stopped, by Ctrl-C or because another failed. The next run goes on from its checkpoint.',
  RETRY: 'Said, not failed: a stage failed and is tried again, as its `retries:` says.',
  STOPPED: 'A command was stopped. What it had done is done.',
  SHARDS_FAILED:
    'Some parts of a stage with `shards:` failed. Those that are done are kept: the next run makes the others alone.',
  SHARDS_FEWER: 'Said, not failed: a stage’s work has fewer units than `shards:` asks for parts: it has as many parts.',
  SHARDS_INVALID: 'The module of a stage says that its work has a number of units that is no number of units.',
  OUTPUT_MISSING: 'A stage ended well and did not write one of its outputs: nothing of it is kept as a result.',
  OUTPUT_LINK: 'An output is a link to something outside of it, which a cached result cannot carry. Copy the file.',
  INPUT_CHANGED: 'A file changed while the stage that reads it ran. Its result has no right key and is not kept.',
  INPUT_CHANGING: 'A file changes while its digest is taken. Run again when nothing writes to it.',
  INPUT_LINK: 'A link in an input runs in a circle.',
  INPUT_NAME: 'A file in an input has a name that is not UTF-8, which cannot be in a key.',
  INPUT_SPECIAL: 'An input holds a socket, pipe or device, which has no content to hash.',
  INPUT_UNREADABLE: 'An input cannot be read: its permissions forbid it, or the disk failed.',
  LOCK_WAIT:
    'Said, not failed: another run makes the same result. This one waits, and then shares it. The message says who it is.',
  SLURM_MISSING:
    'Stages are to run as jobs of Slurm, and its commands (sbatch, squeue, scancel) are not on this machine.',
  SLURM_REFUSED:
    'sbatch does not take a stage’s jobs: a partition or account that does not exist, more than any node has, or a limit of the site. The message has its words.',
  SLURM_AWAY:
    'Said, not failed: Slurm’s controller cannot be reached. The run waits and tries again; jobs that run go on.',
  SLURM_FULL:
    'Said, not failed: Slurm’s queue is full, or this user may have no more jobs in it. The run hands in the others as those that run end.',
  SLURM_QUEUED: 'Said, not failed: jobs were handed in to Slurm. The message has their number.',
  SLURM_ADOPTED:
    'Said, not failed: jobs of an earlier run, which was stopped or died, still make these results. They are watched, not handed in again.',
  SLURM_REQUEUED:
    'Said, not failed: Slurm ended a job because its node failed or another job came first, and queued it again. It goes on from its checkpoint.',
  SLURM_TIMEOUT:
    'Slurm ended a job at its time limit. It keeps its checkpoint: raise `timeout` or `slurm.time`, or run again.',
  SLURM_OUT_OF_MEMORY:
    'A job took more memory than it had asked for and was ended. Raise the stage’s `resources.memory`.',
  SLURM_NODE_FAILED: 'A job’s node failed, and Slurm did not queue it again. Run again.',
  SLURM_PREEMPTED: 'A job was ended to make room for another, and Slurm did not queue it again. Run again.',
  SLURM_CANCELLED: 'A job was cancelled by scancel or an administrator, not by this run.',
  SLURM_LOST: 'A job is gone from Slurm’s queue and its accounts, and its result is not in the store. Run again.',
  SLURM_JOB_DIED:
    'A job ended before it could say how its stage went. The message has the end of its output; a folder that is not shared with the nodes is the usual cause.',
  LOCK_LOST:
    'Said, not failed: this run stood still, or did not see another machine in time, and that machine makes the same result now. This one stops making it, waits, and then shares it.',
  GPU_WAIT: 'Said, not failed: all GPUs are taken by stages of other runs on this host.',
  GPU_NOT_SHARED:
    'A warning: the folder by which runs on this host share GPUs cannot be written, so that two may take the same one.',
  MOVED_ASIDE: 'Said, not failed: a file of yours stood where a link to a result belongs. It was moved, never deleted.',
  CHECKPOINT_REFUSED:
    'Said, not failed: a checkpoint of other settings lay in the place of this stage’s. It was moved.',
  CHECKPOINT_FOREIGN: 'A checkpoint is of another training: its model, its data or its settings are not these.',
  RESULT_DAMAGED:
    'A result’s files are not what its manifest says: bit rot, or an edit. It was moved aside and is made anew, or healed from the remote. `pipeline verify` reads all results.',
  RESULT_MISSING: 'The result that a command asks for is not in the store. Run the stage first.',
  STORE_MISSING:
    'The store, or a result in it, is gone while a run was using it: moved away, or its disk unmounted. Nothing is made in its place. Bring it back and run again.',
  STORE_FAILED:
    'The file system that the store is on gave an error which is no matter of room or rights: a disk, a mount or a server that failed. What was published is in it.',
  DISK_FULL:
    'The disk has no room left. `pipeline du` says what results take, `pipeline gc` removes what nothing needs.',
  NOT_WRITABLE: 'The store cannot be written: permissions, a read-only file system, or a disk that fails.',
  TOO_MANY_FILES: 'The system’s limit of open files is reached: raise it (ulimit -n).',
  NOT_DETERMINISTIC:
    'A stage gave other bytes from the same inputs. The first result stays. `pipeline verify --twice STAGE` shows where they differ; a stage whose numbers may differ within bounds says so by `tolerance:`.',
  UNDECLARED_READ: 'By --audit: a stage read a file that is not among its inputs, so that its key does not know of it.',
  UNDECLARED_WRITE: 'By --audit: a stage wrote outside of its outputs.',
  UNDECLARED_ENV: 'By --audit: a stage read an environment variable that its `env:` does not name.',
  UNDECLARED_PROGRAM: 'By --audit: a stage ran a program whose version is in no key.',
  UNDECLARED_HOST: 'By --audit: a stage asked another machine over the network, whose answer is in no key.',
  NOT_AUDITED: 'What a program opens is seen through strace, which is not there or may not trace.',
  CURVES_UNREADABLE: 'A warning: the curves of a training are not lines of JSON and are not in metrics.jsonl.',
  LOG_UNSAID: 'The command needs a stage, or --to and a program.',
  LOG_MISSING: 'The stage has not run here, or what it wrote was removed with its result.',
  METRICS_INVALID: 'The output that `metrics:` names is no JSON object.',
  METRICS_MISSING: 'An experiment has no metrics here. Run it again.',
  METRICS_DAMAGED: 'The metrics.jsonl of an experiment was cut or edited. Run the experiment again: that writes it.',
  STEP_CHANGED:
    'A step of a workflow is of another pipeline than the one that is here: code, parameters, packages or sources were edited since it was written. Write the workflow anew.',
  STEP_EARLY:
    'A step of a workflow reads a stage that has no result yet, in the store or the remote: its own step comes first.',
  EXPERIMENT_UNKNOWN: 'No recorded experiment has this hash or tag. `pipeline list` shows them.',
  EXPERIMENT_AMBIGUOUS: 'The digits fit more than one experiment. Give more of them.',
  RECORD_DAMAGED: 'An experiment’s record.json was cut or edited, and does not give the hash that it stands under.',
  RECORD_OLD: 'The record is of an earlier version, which did not keep what is needed here. Run the experiment again.',
  BUNDLE_DAMAGED: 'The recorded code of an experiment is not there, or not whole. Pull it, or take it from its pin.',
  SOURCE_CHANGED:
    'A file that an experiment read is not what it was then, and neither a copy nor git has it, so that it cannot be reproduced here.',
  SOURCE_RECORDED:
    'A warning: a file that the experiment read is another one by now. The one that was recorded is read instead.',
  SOURCE_NOT_KEPT:
    'A warning: no copy of a file that the experiment reads could be kept beside its record. The run itself needs none.',
  ENV_CHANGED: 'An environment variable that a stage declares is not what it was when the experiment ran.',
  PACKAGE_CHANGED: 'A warning: packages are installed in other versions than those that the experiment ran with.',
  NOT_REPRODUCED:
    'A stage gave other outputs than the record says. The message names the first one and where it differs.',
  WITHIN_TOLERANCE: 'Said, not failed: an output is not the same to the byte, but within the stage’s own tolerance.',
  PIN_GIT: 'git could not add the folder of a pinned experiment.',
  PIN_UNREADABLE: 'A pinned experiment cannot be read, so that gc does not know what it needs and removes nothing.',
  STORE_USER_UNREADABLE:
    'Another folder that shares this store cannot be read, so that gc does not know what it needs and removes nothing.',
  TAG_INVALID: 'The name cannot be a tag: it must be a file name everywhere, and no hash.',
  TAG_UNKNOWN: 'No experiment has this tag.',
  TAG_INCOMPLETE: 'The command needs a hash and a name, or --delete and a name.',
  REMOTE_MISSING: 'The command needs a `remote:`, which pipeline.yaml does not name.',
  REMOTE_FAILED:
    'The remote could not be reached, or refused. The run goes on without it; `pipeline push` carries the rest.',
  REMOTE_LEASE_FAILED:
    'A warning: a remote that is slow or may not be written gave no lease, by which machines that share it tell each other what they make. Work may have been done twice; results are right.',
  REMOTE_DAMAGED: 'What the remote gave is not what its digest says. It is not taken; the stage runs.',
  REMOTE_UNTRUSTED:
    'A result in the remote is not signed by a key that `trust:` names. It is not taken; the stage runs.',
  PUSH_STOPPED: 'A run was stopped before all its results were pushed.',
  SIGNING_KEY_MISSING: 'pipeline.yaml trusts signed results alone, and PIPELINE_SIGNING_KEY names no key to sign with.',
  SIGNING_KEY_INVALID: 'The file that PIPELINE_SIGNING_KEY names is no private key of ed25519.',
  SIGNING_KEY_UNTRUSTED: 'The key that PIPELINE_SIGNING_KEY names is none that pipeline.yaml trusts.',
  KEYGEN_EXISTS: 'The file is there already: a key is never overwritten.',
  KEYGEN_FAILED: 'The file of a new key cannot be written.',
  PORT_IN_USE: 'Another program listens on the port that the page should have.',
  PORT_REFUSED: 'This user may not listen on the port that the page should have.',
  FOLDER_EXISTS: 'The folder to write is there already.',
} as const
