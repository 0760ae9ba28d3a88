import type { Explanation } from './explanation.ts'

/** What can be wrong with engines, training and scoring. */
export const learning = {
  ENGINE_UNKNOWN: {
    means: 'There is no engine of this name.',
    cause: 'A slip in --engine or PIPELINE_ENGINE.',
    advice: '`pipeline doctor` lists them.',
  },
  ENGINE_BROKEN: {
    means: 'The engine does not work on this machine.',
    cause: 'A driver, a library or an optional package that is not there.',
    advice: '`pipeline doctor` says why of each, and what would help; `--engine auto` takes one that works.',
  },
  ENGINE_PRECISION: {
    means: 'The engine does not compute in the `precision` that the stage asks for.',
    cause: '`precision: bf16` without an NVIDIA card, or `fp16` without a GPU that has it.',
    advice: 'Take an engine that does (docs/engines.md), or `precision: fp32`, which is another key.',
  },
  CUDA_MISSING: {
    means: 'A library of CUDA was not found in the places that the message names.',
    cause: 'The driver alone is installed.',
    advice:
      'Install NVRTC and cuBLASLt of CUDA 12 or 13: a toolkit, or the packages nvidia-cuda-nvrtc-cu12 and nvidia-cublas-cu12 of PyPI.',
  },
  CUDA_OLD: {
    means: 'The driver, the card or a library of CUDA is older than what the kernels need.',
    cause: 'A card before Ampere, or a driver for an earlier CUDA.',
    advice: 'Update the driver or library that the message names, or take another engine.',
  },
  DEVICE_FAILED: {
    means: 'The card, its driver or one of its libraries failed in the middle of work.',
    cause: 'A fault of the hardware, a driver that was updated, or another program that crashed the card.',
    advice: 'Run again: it goes on from the checkpoint. `nvidia-smi` and `dmesg` say more if it comes again.',
  },
  DEVICE_MEMORY: {
    means: 'The memory of the card, or of WebAssembly, is used up.',
    cause: 'A batch, context or model that is too large for it, or another program on the card.',
    advice: 'Raise `accumulate` or lower `batch`, `context` or `chunk`; `nvidia-smi` shows who else uses the card.',
  },
  TENSOR_TOO_LARGE: {
    means: 'A tensor is larger than one buffer of the device may be.',
    cause: 'A large vocabulary or batch on WebGPU.',
    advice: 'Lower `batch` or `chunk`, or take another engine.',
  },
  LOSS_NOT_FINITE: {
    means: 'The loss or a gradient is no number any more.',
    cause: 'A learning rate that is too high, or weights that are damaged.',
    advice: 'Lower `rate`, lengthen `warmup`, or lower `clip`; with `precision: fp16` try fp32.',
  },
  SCORE_NOT_FINITE: {
    means: 'A model gave a log-probability that is no number.',
    cause: 'Its weights are damaged, or its training diverged.',
    advice: 'Look at the training’s curves; take another checkpoint.',
  },
  ACCUMULATE_UNEVEN: {
    means: '`accumulate` does not divide the batch.',
    cause: 'One of the two was changed alone.',
    advice: 'Let `batch` be a multiple of `accumulate`.',
  },
  FREEZE_ALL: {
    means: '`freeze` leaves nothing that could learn.',
    cause: 'A pattern such as `*`.',
    advice: 'Name fewer weights.',
  },
  FREEZE_UNKNOWN: {
    means: 'A pattern of `freeze` is the name of no weight.',
    cause: 'A name of another architecture, or a layer that the model does not have.',
    advice: 'Take a name that the message lists: transformer.h.0.*.',
  },
  START_INVALID: {
    means: 'A model of this shape cannot start as an induction circuit.',
    cause: 'Too few layers or heads, or no global layer after a local one.',
    advice: 'Take `start: normal`, or the shape that the message asks for.',
  },
  ATTENTION_UNUSED: {
    means: '`attention` is given for an architecture that has one kind alone.',
    cause: 'A parameter of GPT-Neo with `architecture: gpt2`.',
    advice: 'Leave it out, or take gpt_neo.',
  },
  CONTEXT_TOO_LONG: {
    means: 'The context is longer than the model’s table of positions.',
    cause: 'A context for a larger model.',
    advice: 'Lower `context` to what the message says.',
  },
  PAIRS_UNUSED: {
    means: 'Hidden states or attention maps are to be drawn to a teacher that is not in the step.',
    cause: '`hiddenPairs` or `attentionPairs` with kept targets, which tell nothing of the teacher’s inside.',
    advice: 'Give the stage a `teacher` in place of `targets`, or leave the pairs out.',
  },
  LAYER_UNKNOWN: {
    means: 'A pair of layers names one that a model does not have.',
    cause: 'Pairs for a deeper model.',
    advice: 'Name a layer in the range that the message gives.',
  },
  MIX_UNKNOWN: {
    means: '`mix` names a corpus that `mixed` does not have.',
    cause: 'A slip in its name.',
    advice: 'Name the corpora as under `in: mixed`.',
  },
  MIX_ABSENT: {
    means: '`mix` lacks a corpus that `mixed` has.',
    cause: 'A corpus that was added without its share.',
    advice: 'Add its name and share to `mix`.',
  },
  TARGETS_NEEDED: {
    means: 'The loss learns from a teacher, and the stage is given neither targets nor a teacher.',
    cause: '`alpha` above 0 in a stage without `targets`.',
    advice: 'Add `targets: teacher-logits.targets` under `in:`, or set `alpha: 0`.',
  },
  TARGETS_UNUSED: {
    means: 'Targets are given that nothing would learn from.',
    cause: '`alpha: 0` in a stage with `targets` or a teacher.',
    advice: 'Remove them from `in:`, so that the stage does not wait for them, or raise `alpha`.',
  },
  TEACHER_TWICE: {
    means: 'The stage is given both targets and a teacher.',
    cause: 'A recipe that adds one and does not remove the other.',
    advice: 'Keep one; in a recipe `targets: null` removes an input.',
  },
  K_TOO_LARGE: {
    means: '`k` is larger than the vocabulary.',
    cause: 'A small tokenizer.',
    advice: 'Take at most as many as the message says.',
  },
  ITEM_EMPTY: {
    means: 'An item has a context or an ending without any token.',
    cause: 'A blank field in the file of items.',
    advice: 'Correct or remove the item; the message has its number.',
  },
  ITEM_TOO_LONG: {
    means: 'An ending alone is longer than the model’s table of positions.',
    cause: 'Items that were made for a model with a longer context.',
    advice: 'Remove the item, or take a model with a longer context.',
  },
  PROMPT_EMPTY: {
    means: 'A prompt has no token.',
    cause: 'An empty text in the list of prompts.',
    advice: 'Give it at least a word.',
  },
  PROMPT_TOO_LONG: {
    means: 'A prompt and what is to come are longer than the model’s table of positions.',
    cause: 'A long prompt, or many new tokens.',
    advice: 'Shorten the prompt, or ask for fewer tokens.',
  },
  IDS_EMPTY: {
    means: 'No token was given.',
    cause: 'An empty list after --ids.',
    advice: 'Give at least one id: --ids 1,2,3.',
  },
  IDS_INVALID: {
    means: '--ids takes whole numbers apart by commas.',
    cause: 'Words in place of ids, or spaces.',
    advice: 'Write --ids 1,2,3.',
  },
  ID_UNKNOWN: {
    means: 'An id is beyond the model’s vocabulary.',
    cause: 'Ids of another tokenizer.',
    advice: 'Give ids below the number that the message names.',
  },
} as const satisfies Readonly<Record<string, Explanation>>
