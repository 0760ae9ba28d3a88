import type { Explanation } from './explanation.ts'

/** What can be wrong with the store, remotes, keys and recorded experiments. */
export const results = {
  MOVED_ASIDE: {
    means: 'Said, not failed: a file of yours stood where a link to a result belongs. It was moved, never deleted.',
    cause: 'A result’s link was replaced by a copy, or an edit.',
    advice: 'Nothing; the message says where it is now.',
  },
  RESULT_DAMAGED: {
    means:
      'A result’s files are not what its manifest says. It was moved aside and is made anew, or healed from the remote.',
    cause: 'An edit of a file in artifacts/store, or a disk that fails.',
    advice: 'Nothing for this one; `pipeline verify` reads all results. Copy a result before you edit it.',
  },
  RESULT_MISSING: {
    means: 'The result that a command asks for is not in the store.',
    cause: 'The stage has not run, or gc removed it.',
    advice: '`pipeline run STAGE` first, or `pipeline pull` it.',
  },
  STORE_MISSING: {
    means: 'The store, or a result in it, is gone while a run was using it. Nothing is made in its place.',
    cause: 'It was moved away, or its disk was unmounted.',
    advice: 'Bring it back and run again.',
  },
  STORE_FAILED: {
    means: 'The file system that the store is on gave an error which is no matter of room or rights.',
    cause: 'A disk, a mount or a server that failed; the message has the system’s own reason.',
    advice: 'Mend it and run again: what was published is in the store.',
  },
  DISK_FULL: {
    means: 'The disk has no room left. What was published before is whole.',
    cause: 'Results, checkpoints or targets that grew.',
    advice: '`pipeline du` says what results take, `pipeline gc` removes what nothing needs; then run again.',
  },
  NOT_WRITABLE: {
    means: 'The store cannot be written.',
    cause: 'Permissions, a read-only file system, or a disk that fails.',
    advice: 'See to it that you may write to artifacts/; the message has the system’s own reason.',
  },
  TOO_MANY_FILES: {
    means: 'The system’s limit of open files is reached.',
    cause: 'A low limit, or many stages at once.',
    advice: 'Raise it (`ulimit -n 4096`), or run with fewer `--jobs`.',
  },
  NOT_DETERMINISTIC: {
    means: 'A stage gave other bytes from the same inputs. The first result stays.',
    cause: 'A clock, a random seed, an order of files or threads in its code.',
    advice:
      '`pipeline verify --twice STAGE` shows where they differ; a stage whose numbers may differ within bounds says so by `tolerance:`.',
  },
  CURVES_UNREADABLE: {
    means: 'A warning: the curves of a training are not lines of JSON and are not in metrics.jsonl.',
    cause: 'A stage of your own that writes another format to an output named `curves`.',
    advice: 'Write a JSON object a line, or give the output another name.',
  },
  METRICS_INVALID: {
    means: 'The output that `metrics:` names is no JSON object.',
    cause: 'A list or a number at its top, or text.',
    advice: 'Let the stage write an object: {"loss": 0.1}.',
  },
  METRICS_MISSING: {
    means: 'An experiment has no metrics here.',
    cause: 'It was recorded elsewhere, or before `metrics:` was set.',
    advice: 'Run it again.',
  },
  METRICS_DAMAGED: {
    means: 'The metrics.jsonl of an experiment is not whole.',
    cause: 'It was cut or edited.',
    advice: 'Run the experiment again: that writes it.',
  },
  EXPERIMENT_UNKNOWN: {
    means: 'No recorded experiment has this hash or tag.',
    cause: 'A slip, or an experiment of another folder.',
    advice: '`pipeline list` shows those that are here; `pipeline pull HASH` brings one from the remote.',
  },
  EXPERIMENT_AMBIGUOUS: {
    means: 'The digits fit more than one experiment.',
    cause: 'Too few of them.',
    advice: 'Give more digits, or tag it.',
  },
  RECORD_DAMAGED: {
    means: 'An experiment’s record.json does not give the hash that it stands under.',
    cause: 'It was cut or edited.',
    advice: 'Pull it anew, or take it from its pin in git; else remove its folder.',
  },
  RECORD_OLD: {
    means: 'The record is of an earlier version, which did not keep what is needed here.',
    cause: 'It was written before an update of this package.',
    advice: 'Run the experiment again.',
  },
  BUNDLE_DAMAGED: {
    means: 'The recorded code of an experiment is not there, or not whole.',
    cause: 'Files of its folder were removed or edited.',
    advice: '`pipeline pull HASH`, or take it from its pin in git.',
  },
  SOURCE_CHANGED: {
    means:
      'A file that an experiment read is not what it was then, and neither a copy nor git has it, so that the experiment cannot be reproduced here.',
    cause: 'The data was edited or removed since, and was too large for the copy that a run keeps.',
    advice: 'Put back the file with the digest that the message names, or `pipeline pull` the experiment.',
  },
  SOURCE_RECORDED: {
    means:
      'A warning: a file that the experiment read is another one by now. The one that was recorded is read instead.',
    cause: 'The data was edited since.',
    advice: 'Nothing.',
  },
  SOURCE_NOT_KEPT: {
    means: 'A warning: no copy of a file that the experiment reads could be kept beside its record.',
    cause: 'The disk is full, or `artifacts/experiments` may not be written.',
    advice: 'See to it that the folder can be written and run again; results are right without.',
  },
  ENV_CHANGED: {
    means: 'An environment variable that a stage declares is not what it was.',
    cause: 'Another shell, or a job that does not get it.',
    advice: 'Set it to the value that it had.',
  },
  PACKAGE_CHANGED: {
    means: 'A warning: packages are installed in other versions than those that the experiment ran with.',
    cause: 'package-lock.json was changed since.',
    advice: 'For the same bytes install those of then: `git checkout COMMIT package-lock.json`, then `npm ci`.',
  },
  NOT_REPRODUCED: {
    means: 'A stage gave other outputs than the record says.',
    cause: 'Another machine or engine rounds otherwise; or a stage that is not deterministic.',
    advice:
      'The message names the first difference; give `tolerance:` where such a difference is right, and try `pipeline verify --twice STAGE`.',
  },
  WITHIN_TOLERANCE: {
    means: 'Said, not failed: an output is not the same to the byte, but within the stage’s own tolerance.',
    cause: 'Another machine or engine rounds otherwise.',
    advice: 'Nothing.',
  },
  PIN_GIT: {
    means: 'git could not add the folder of a pinned experiment.',
    cause: 'The folder is no git repository, or a lock of another git is left.',
    advice: 'The message has git’s own words; `git init`, or add the folder by hand.',
  },
  PIN_UNREADABLE: {
    means: 'A pinned experiment cannot be read, so that gc does not know what it needs and removes nothing.',
    cause: 'Its record was edited or its permissions changed.',
    advice: 'Put it back from git, or remove the pin.',
  },
  STORE_USER_UNREADABLE: {
    means:
      'Another folder that shares this store cannot be read, so that gc does not know what it needs and removes nothing.',
    cause: 'Its permissions, or a disk that is not mounted.',
    advice: 'See to it that you may read it, or run gc as who may.',
  },
  TAG_INVALID: {
    means: 'The name cannot be a tag: it must be a file name everywhere, and no hash.',
    cause: 'A slash, a space, or sixteen hexadecimal digits.',
    advice: 'Take letters, digits, "_" and "-".',
  },
  TAG_UNKNOWN: {
    means: 'No experiment has this tag.',
    cause: 'A slip, or a tag of another folder.',
    advice: '`pipeline list` shows the tags.',
  },
  TAG_INCOMPLETE: {
    means: 'The command needs a hash and a name, or --delete and a name.',
    cause: 'One of the two was left out.',
    advice: '`pipeline tag HASH NAME`, or `pipeline tag --delete NAME`.',
  },
  REMOTE_MISSING: {
    means: 'The command needs a `remote:`, which pipeline.yaml does not name.',
    cause: 'The remote is in a recipe that was not given.',
    advice: 'Add `remote: s3://BUCKET/PREFIX` or `file:PATH`, or name the recipe with -p.',
  },
  REMOTE_FAILED: {
    means: 'The remote could not be reached, or refused. The run goes on without it.',
    cause: 'No network, wrong credentials, or a bucket that does not exist.',
    advice: 'The message has the reason; `pipeline push` carries the rest once it is mended.',
  },
  REMOTE_LEASE_FAILED: {
    means:
      'A warning: a remote gave no lease, by which machines that share it tell each other what they make. Work may have been done twice; results are right.',
    cause: 'It is slow, or may not be written.',
    advice: 'Nothing, or allow this user to write to it.',
  },
  REMOTE_DAMAGED: {
    means: 'What the remote gave is not what its digest says. It is not taken; the stage runs.',
    cause: 'An upload that broke off, or an edit in the bucket.',
    advice: '`pipeline push` from a machine that has the result replaces it.',
  },
  REMOTE_UNTRUSTED: {
    means: 'A result in the remote is not signed by a key that `trust:` names. It is not taken; the stage runs.',
    cause: 'It was pushed without a key, or with another.',
    advice: 'Push it with a trusted key, or add the public key to `trust:` if you trust its owner.',
  },
  LINKS_MISSING: {
    means:
      'A result in the remote has links within an output, and the disk that the store is on can make none. It is not taken; the stage runs.',
    cause: 'The store is on exFAT or FAT, or on Windows without the right to make links.',
    advice: 'Put artifacts/store on another disk, or let the stage copy files in place of linking them.',
  },
  PUSH_STOPPED: {
    means: 'A run was stopped before all its results were pushed.',
    cause: 'Ctrl-C at its end.',
    advice: '`pipeline push` pushes the rest.',
  },
  SIGNING_KEY_MISSING: {
    means: 'pipeline.yaml trusts signed results alone, and PIPELINE_SIGNING_KEY names no key to sign with.',
    cause: 'The variable is not set in this shell or job.',
    advice: 'Set it to the file of your private key; `pipeline keygen FILE` makes one.',
  },
  SIGNING_KEY_INVALID: {
    means: 'The file that PIPELINE_SIGNING_KEY names is no private key of ed25519.',
    cause: 'The public key, or a key of another kind.',
    advice: 'Name the file that `pipeline keygen` wrote.',
  },
  SIGNING_KEY_UNTRUSTED: {
    means: 'The key that PIPELINE_SIGNING_KEY names is none that pipeline.yaml trusts.',
    cause: 'A new key that is not listed yet.',
    advice: 'Add its public half to `trust:`, or sign with a key that is listed.',
  },
  KEYGEN_EXISTS: {
    means: 'The file is there already: a key is never overwritten.',
    cause: 'A key of that name was made before.',
    advice: 'Name another file.',
  },
  KEYGEN_FAILED: {
    means: 'The file of a new key cannot be written.',
    cause: 'Its folder is not there, or may not be written.',
    advice: 'The message has the system’s own reason.',
  },
  FOLDER_EXISTS: {
    means: 'The folder to write is there already.',
    cause: 'The command was given before.',
    advice: 'Name another folder, or remove that one.',
  },
} as const satisfies Readonly<Record<string, Explanation>>
