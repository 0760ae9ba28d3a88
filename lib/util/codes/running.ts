import type { Explanation } from './explanation.ts'

/** What can go wrong while stages run, as processes here or as jobs of a cluster. */
export const running = {
  STAGE_FAILED: {
    means: 'The code of a stage threw an error.',
    cause: 'What the end of its log says, which the message shows.',
    advice:
      'Read the whole log, whose path is named; `pipeline run STAGE --debug` runs it alone, with its log as it comes and the stack of the error.',
  },
  COMMAND_FAILED: {
    means: 'The program of a `cmd:` stage ended with an exit code other than 0, or by a signal.',
    cause: 'What the end of its log says, which the message shows.',
    advice: 'Run the program by hand with the same arguments; its log has all that it wrote.',
  },
  STAGE_DIED: {
    means: 'A stage’s process ended before it said that it was done.',
    cause: 'SIGKILL without a hand that sent it is most often the system, out of memory; else a crash of a library.',
    advice:
      '`dmesg` says whether it was memory: lower the batch, or give `resources.memory`, so that fewer stages run at once. The next run goes on from the checkpoint.',
  },
  STAGE_TIMEOUT: {
    means: 'A stage ran longer than its `timeout`. It keeps its checkpoint.',
    cause: 'A limit for another machine, or work that grew.',
    advice: 'Raise `timeout` and run again: it goes on from the checkpoint.',
  },
  STAGE_CANCELLED: {
    means: 'A stage was stopped before its end.',
    cause: 'Ctrl-C, or another stage that failed.',
    advice: 'Run again: it goes on from its checkpoint. `--keep-going` lets the others end after a failure.',
  },
  RETRY: {
    means: 'Said, not failed: a stage failed and is tried again, as its `retries:` says.',
    cause: 'A failure that may pass, such as a network’s.',
    advice: 'Nothing; the log of each try is kept.',
  },
  STOPPED: {
    means: 'A command was stopped. What it had done is done.',
    cause: 'Ctrl-C, or the end of its terminal.',
    advice: 'Give the command again: it does the rest.',
  },
  SHARDS_FAILED: {
    means: 'Some parts of a stage with `shards:` failed. Those that are done are kept.',
    cause: 'What the message says of each part.',
    advice: 'Mend the cause and run again: the missing parts alone are made.',
  },
  SHARDS_FEWER: {
    means: 'Said, not failed: a stage’s work has fewer units than `shards:` asks for parts, and has as many parts.',
    cause: 'A smaller corpus than the number was chosen for.',
    advice: 'Nothing, or lower `shards:`.',
  },
  SHARDS_INVALID: {
    means: 'The module of a stage says that its work has a number of units that is none.',
    cause: '`units()` of the module gives a fraction, less than 0 or no number.',
    advice: 'Let `units()` give a whole number.',
  },
  OUTPUT_MISSING: {
    means: 'A stage ended well and did not write one of its outputs: nothing of it is kept as a result.',
    cause: 'A path of its own in place of `out.NAME`, or a branch in which it is not written.',
    advice: 'Write every output to the path in `out`, or declare it with "?".',
  },
  OUTPUT_LINK: {
    means: 'An output is a link to something outside of it, which a result that is kept cannot carry.',
    cause: 'A program that links in place of copying.',
    advice: 'Let the stage copy the file.',
  },
  INPUT_CHANGED: {
    means: 'A file changed while the stage that reads it ran. Its result has no right key and is not kept.',
    cause: 'It was saved in an editor, or another program writes it.',
    advice: 'Run again.',
  },
  INPUT_CHANGING: {
    means: 'A file changes while its digest is taken.',
    cause: 'A program that still writes it, such as a download.',
    advice: 'Run again when nothing writes to it.',
  },
  INPUT_LINK: {
    means: 'A link in an input runs in a circle.',
    cause: 'A link that points to a folder above itself.',
    advice: 'Remove the link, or name a narrower input.',
  },
  INPUT_NAME: {
    means: 'A file in an input has a name that is not UTF-8, which cannot be in a key.',
    cause: 'Files from an old archive or system.',
    advice: 'Rename it; `convmv -f latin1 -t utf8` does a whole folder.',
  },
  INPUT_SPECIAL: {
    means: 'An input holds a socket, pipe or device, which has no content to hash.',
    cause: 'A folder that a running program uses.',
    advice: 'Name a narrower input.',
  },
  INPUT_UNREADABLE: {
    means: 'An input cannot be read.',
    cause: 'Its permissions forbid it, or the disk failed.',
    advice: 'See to it that you may read it (`ls -l`); the message has the system’s own reason.',
  },
  LOCK_WAIT: {
    means: 'Said, not failed: another run makes the same result. This one waits, and then shares it.',
    cause: 'Two runs of the same stage at once; the message says who the other is.',
    advice: 'Nothing. A run that died is noticed, and its lock is taken over.',
  },
  LOCK_LOST: {
    means:
      'Said, not failed: another machine makes the result that this run was making. This one stops making it, waits, and then shares it.',
    cause: 'This machine stood still, or did not see the other in time.',
    advice: 'Nothing; results are right.',
  },
  SLURM_MISSING: {
    means: 'Stages are to run as jobs of Slurm, and its commands (sbatch, squeue, scancel) are not on this machine.',
    cause: 'The command was given on a laptop, or Slurm’s folder is not in PATH.',
    advice: 'Run it on a login node, or with `--executor local`.',
  },
  SLURM_REFUSED: {
    means: 'sbatch does not take a stage’s jobs.',
    cause: 'A partition or account that does not exist, more than any node has, or a limit of the site.',
    advice: 'The message has sbatch’s words: correct `slurm:` or `resources:`; `sinfo` lists the partitions.',
  },
  SLURM_AWAY: {
    means: 'Said, not failed: Slurm’s controller cannot be reached. Jobs that run go on.',
    cause: 'It restarts, or is overloaded.',
    advice: 'Nothing: the run waits and tries again.',
  },
  SLURM_FULL: {
    means: 'Said, not failed: Slurm’s queue is full, or this user may have no more jobs in it.',
    cause: 'A limit of the site.',
    advice: 'Nothing: the other jobs are handed in as those that run end.',
  },
  SLURM_QUEUED: {
    means: 'Said, not failed: jobs were handed in to Slurm.',
    cause: 'A stage with `executor: slurm`.',
    advice: 'Nothing; `squeue -j` with the number in the message shows them.',
  },
  SLURM_ADOPTED: {
    means: 'Said, not failed: jobs of an earlier run still make these results. They are watched, not handed in again.',
    cause: 'The earlier run was stopped or died.',
    advice: 'Nothing.',
  },
  SLURM_REQUEUED: {
    means: 'Said, not failed: Slurm ended a job and queued it again. It goes on from its checkpoint.',
    cause: 'Its node failed, or another job came first.',
    advice: 'Nothing.',
  },
  SLURM_TIMEOUT: {
    means: 'Slurm ended a job at its time limit. It keeps its checkpoint.',
    cause: 'A limit that is too short for the work.',
    advice: 'Raise `timeout` or `slurm.time`, or run again as it is: it goes on from the checkpoint.',
  },
  SLURM_OUT_OF_MEMORY: {
    means: 'A job took more memory than it had asked for and was ended.',
    cause: '`resources.memory` is too small, or not given.',
    advice: 'Raise the stage’s `resources.memory`, or lower its batch.',
  },
  SLURM_NODE_FAILED: {
    means: 'A job’s node failed, and Slurm did not queue it again.',
    cause: 'The hardware, or a reboot.',
    advice: 'Run again: it goes on from the checkpoint. `slurm.options: [--exclude=NODE]` keeps off a node.',
  },
  SLURM_PREEMPTED: {
    means: 'A job was ended to make room for another, and Slurm did not queue it again.',
    cause: 'A partition whose jobs may be ended.',
    advice: 'Run again: it goes on from the checkpoint. `retries:` does so by itself.',
  },
  SLURM_CANCELLED: {
    means: 'A job was cancelled, not by this run.',
    cause: 'scancel, or an administrator.',
    advice: 'Ask who did, then run again.',
  },
  SLURM_LOST: {
    means: 'A job is gone from Slurm’s queue and its accounts, and its result is not in the store.',
    cause: 'Slurm’s records were purged, or its accounting is off.',
    advice: 'Run again.',
  },
  SLURM_JOB_DIED: {
    means: 'A job ended before it could say how its stage went.',
    cause: 'A folder that the nodes do not share; else Node missing on them.',
    advice: 'Put the project on a file system that all nodes see; the message has the end of the job’s output.',
  },
  GPU_WAIT: {
    means: 'Said, not failed: all GPUs are taken by stages of other runs on this host.',
    cause: 'Several runs at once.',
    advice: 'Nothing: the stage starts when one is free. CUDA_VISIBLE_DEVICES narrows the choice.',
  },
  GPU_NOT_SHARED: {
    means:
      'A warning: the folder by which runs on this host share GPUs cannot be written, so that two may take the same one.',
    cause: 'It belongs to another user.',
    advice: 'Remove the folder that the message names, or see to it that you may write there.',
  },
  CHECKPOINT_REFUSED: {
    means: 'Said, not failed: a checkpoint of another key lay in the place of this stage’s. It was moved.',
    cause: 'A folder that was copied by hand.',
    advice: 'Nothing; remove what was moved when you do not need it.',
  },
  CHECKPOINT_FOREIGN: {
    means: 'A checkpoint is of another training: its model, its data or its settings are not these.',
    cause: 'A file that was put into the stage’s checkpoint by hand.',
    advice: 'Remove the checkpoint, or take the pipeline that it is of.',
  },
  STEP_CHANGED: {
    means: 'A step of a workflow is of another pipeline than the one that is here.',
    cause: 'Code, parameters, packages or sources were edited since the workflow was written.',
    advice: 'Write the workflow anew: `pipeline export --to argo`.',
  },
  STEP_EARLY: {
    means: 'A step of a workflow reads a stage that has no result yet, in the store or the remote.',
    cause: 'The step was run by hand, or the steps do not share a folder.',
    advice: 'Run that stage’s own step first; the message names it.',
  },
  UNDECLARED_READ: {
    means: 'By --audit: a stage read a file that is not among its inputs, so that its key does not know of it.',
    cause: 'A path in the code in place of an input.',
    advice: 'Add the file under `in:` and read it by the path in `in.NAME`.',
  },
  UNDECLARED_WRITE: {
    means: 'By --audit: a stage wrote outside of its outputs.',
    cause: 'A path in the code in place of an output, or a program’s own cache.',
    advice: 'Write to `out.NAME`; let a program’s cache lie in the folder for temporary files.',
  },
  UNDECLARED_ENV: {
    means: 'By --audit: a stage read an environment variable that its `env:` does not name.',
    cause: '`process.env.NAME`, or a library that reads it.',
    advice: 'Name it under `env:`, which puts its value into the key, or make it a parameter.',
  },
  UNDECLARED_PROGRAM: {
    means: 'By --audit: a stage ran a program whose version is in no key.',
    cause: 'A program from PATH that the stage calls.',
    advice: 'Make the program an input (`file:PATH`), or do its work by a package.',
  },
  UNDECLARED_HOST: {
    means: 'By --audit: a stage asked another machine over the network, whose answer is in no key.',
    cause: 'A download in the code.',
    advice: 'Let a source do it: `hub:` or `https://…#sha256=…` under `in:`.',
  },
  NOT_AUDITED: {
    means: 'What a program opens is seen through strace, which is not there or may not trace.',
    cause: 'strace is not installed, or the container forbids it.',
    advice: '`apt-get install strace`; in a container add the capability SYS_PTRACE.',
  },
} as const satisfies Readonly<Record<string, Explanation>>
