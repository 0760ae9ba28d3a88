import type { Explanation } from './explanation.ts'

/** What can be wrong with reports, exports, trackers and the commands on models and experiments. */
export const commands = {
  MODEL_MISSING: {
    means: 'The model of an experiment is not in the store any more.',
    cause: 'gc removed it.',
    advice: 'Run the experiment again, or `pipeline pull` it.',
  },
  GGUF_ARCHITECTURE: {
    means: 'llama.cpp does not know this architecture.',
    cause: 'A GPT-Neo, which llama.cpp has no model for.',
    advice: 'Take `--format safetensors` or `onnx`.',
  },
  GGUF_TOKENIZER: {
    means: 'llama.cpp does not know this kind of tokenizer.',
    cause: 'A tokenizer of whole words, such as the small world’s.',
    advice: 'Take `--format safetensors` or `onnx`.',
  },
  SCORES_INVALID: {
    means: 'A file of scores is damaged or of another version.',
    cause: 'It was edited, or made before an update of this package.',
    advice: 'Run evaluate again.',
  },
  SCORES_MISSING: {
    means: 'A file of scores cannot be read.',
    cause: 'An input of the report that is no output of evaluate.',
    advice: 'Take `evaluate.scores`.',
  },
  SCORES_ITEMS_DIFFER: {
    means: 'Two models were scored on different items: no paired test can compare them.',
    cause: '`items`, `format` or `convention` differ from cell to cell.',
    advice: 'Score all models with the same parameters.',
  },
  CURVES_INVALID: {
    means: 'A file of curves is damaged or of another version.',
    cause: 'It was edited, or made before an update of this package.',
    advice: 'Run the training again.',
  },
  CURVES_MISSING: {
    means: 'A file of curves cannot be read.',
    cause: 'An input of the report that is no output of a training.',
    advice: 'Take `distill.curves`.',
  },
  AGREEMENT_INVALID: {
    means: 'A file of agreement is damaged or of another version.',
    cause: 'It was edited, or made before an update of this package.',
    advice: 'Run agreement again.',
  },
  AGREEMENT_MISSING: {
    means: 'A file of agreement cannot be read.',
    cause: 'An input of the report that is no output of agreement.',
    advice: 'Take `agreement.agreement`.',
  },
  MEASURED_INVALID: {
    means: 'A file of the targets’ measured bias is damaged or of another version.',
    cause: 'It was edited, or made before an update of this package.',
    advice: 'Run teacher-logits again.',
  },
  MEASURED_MISSING: {
    means: 'A file of the targets’ measured bias cannot be read.',
    cause: 'An input of the report that is no output of teacher-logits.',
    advice: 'Take `teacher-logits.targets`.',
  },
  SWEEP_AXES: {
    means: 'The models of a sweep are not cells of the axes that `axes` names.',
    cause: 'An axis that was added to the matrix alone.',
    advice: 'Let `axes` of the report name the axes of the matrix, in their order.',
  },
  REPORT_MISSING: {
    means: 'An experiment has no page.',
    cause: 'pipeline.yaml has no `page:`, or the stage that makes it did not run.',
    advice: 'Set `page: report.page` and run; `pipeline show HASH` has the numbers.',
  },
  FIELD_UNKNOWN: {
    means: 'No experiment has a parameter or metric of this name.',
    cause: 'A slip in its name.',
    advice: 'Take the nearest, which the message gives; `pipeline show HASH` lists them.',
  },
  FIELD_AMBIGUOUS: {
    means: 'A short name fits several parameters or metrics.',
    cause: 'A name such as `student`, which stands in several groups.',
    advice: 'Write it whole: acc.student.',
  },
  WHERE_INVALID: {
    means: 'A condition is not written as NAME=VALUE (or !=, <, <=, >, >=).',
    cause: 'A space, or a > that the shell took.',
    advice: "Put it in quotes: --where 'acc.student>0.5'.",
  },
  TOPIC_UNKNOWN: {
    means: '`pipeline help` takes a command, or the code at the end of a message.',
    cause: 'A slip in either.',
    advice: 'Take the nearest, which the message gives; `pipeline help` lists the commands.',
  },
  OPTION_UNUSED: {
    means: 'An option is given that would have no effect here.',
    cause: 'It belongs to another form of the command.',
    advice: 'Leave it out; `pipeline help COMMAND` says what it is for.',
  },
  DIR_UNUSED: {
    means: '--dir is for TensorBoard alone.',
    cause: 'It was given with another tracker.',
    advice: 'Leave it out.',
  },
  LOG_UNSAID: {
    means: '`log` needs a stage whose log is printed, or --to and a program.',
    cause: 'Neither was given.',
    advice: '`pipeline log STAGE`, or `pipeline log --to tensorboard`.',
  },
  LOG_MISSING: {
    means: 'There is no log of the stage here.',
    cause: 'It has not run here, its name is misspelt, or what it wrote was removed with its result.',
    advice: 'Run it: `pipeline run STAGE`.',
  },
  INIT_EXISTS: {
    means: 'The folder has files already that a new project would write. Nothing was written.',
    cause: 'A folder that holds a project.',
    advice: 'Name an empty folder: `pipeline init FOLDER`.',
  },
  PORT_IN_USE: {
    means: 'Another program listens on the port that the page should have.',
    cause: 'An earlier `pipeline ui` that still runs.',
    advice: 'Leave --port out: a free one is taken.',
  },
  PORT_REFUSED: {
    means: 'This user may not listen on the port that the page should have.',
    cause: 'A port below 1024.',
    advice: 'Give a --port from 1024, or leave it out.',
  },
  MLFLOW_URI: {
    means: 'MLFLOW_TRACKING_URI is not set, or is no address.',
    cause: 'It is set in another shell, or is a path.',
    advice: 'Set it to the address of the server: http://127.0.0.1:5000.',
  },
  MLFLOW_UNREACHABLE: {
    means: 'The MLflow server could not be reached.',
    cause: 'It does not run, or the address is another one.',
    advice: 'Start it (`mlflow server`), or correct MLFLOW_TRACKING_URI.',
  },
  MLFLOW_UNAUTHORIZED: {
    means: 'The MLflow server asks for a name and a password, or a token.',
    cause: 'They are not set, or not right.',
    advice: 'Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.',
  },
  MLFLOW_REFUSED: {
    means: 'The MLflow server refused a call.',
    cause: 'Its version, or a right that is missing; the message has its own words.',
    advice: 'Mend that, then `pipeline log --to mlflow HASH`.',
  },
  WANDB_MISSING: {
    means: 'Weights & Biases needs Python and its own client.',
    cause: 'It is not installed for the python3 that is found.',
    advice: 'python3 -m pip install wandb.',
  },
  WANDB_FAILED: {
    means: 'The client of Weights & Biases took nothing.',
    cause: 'No key, or no network; the message has its own words.',
    advice: 'Set WANDB_API_KEY, or WANDB_MODE=offline.',
  },
  LOG_STOPPED: {
    means: 'Logging was stopped.',
    cause: 'Ctrl-C.',
    advice: 'Give the command again: it logs what is not there yet.',
  },
  TOOL_FAILED: {
    means: 'The process that computes for a command ended without an answer.',
    cause: 'Out of memory, or a library that crashed.',
    advice: 'The message has the end of what it wrote; try another --engine.',
  },
  TOOL_STOPPED: {
    means: 'The process that computes for a command was stopped.',
    cause: 'Ctrl-C.',
    advice: 'Give the command again.',
  },
} as const satisfies Readonly<Record<string, Explanation>>
