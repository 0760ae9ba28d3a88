import type { Explanation } from './explanation.ts'

/** What can be wrong with a teacher's targets and with files of weights. */
export const models = {
  TARGETS_INVALID: {
    means: 'A file is no file of a teacher’s targets, or damaged.',
    cause: 'An input that names another output, or a file that was edited.',
    advice: 'Take `teacher-logits.targets`; `pipeline verify` reads it again.',
  },
  TARGETS_OLD: {
    means: 'Targets are of an earlier format.',
    cause: 'They were made before an update of this package.',
    advice: 'Run teacher-logits again.',
  },
  TARGETS_TRUNCATED: {
    means: 'A file of targets was cut short.',
    cause: 'A copy that broke off, or a disk that was full.',
    advice: '`pipeline verify` moves it aside; run teacher-logits again.',
  },
  TARGETS_RANGE: {
    means: 'A row beyond the end of the targets was asked for, or a value in them is none that can be.',
    cause: 'Targets of a shorter text, or a file that is damaged.',
    advice: 'Run teacher-logits again on the text that is trained on.',
  },
  TARGETS_MISMATCH: {
    means:
      'The targets were made for another text, tokenizer, packing or teacher than the training has: learning from them would teach noise.',
    cause: '`context`, `attend` or the corpus was changed on one side.',
    advice: 'Give both stages the same values, for instance by one `${context}`; the message says what differs.',
  },
  TARGETS_LOSS: {
    means: 'This loss needs the teacher’s whole distribution, and the targets hold part of it.',
    cause: '`form: sampled` or `topk` with another loss than forward-kl.',
    advice: 'Take `form: hidden`, or `loss: forward-kl`.',
  },
  TARGETS_TEMPERATURE: {
    means: 'The targets are for other temperatures than the training’s.',
    cause: 'A temperature that was changed in one of two stages.',
    advice: 'Take `form: hidden`, which is exact at any, or make targets at that temperature.',
  },
  CONFIG_INVALID: {
    means: 'A model’s config.json does not describe a model.',
    cause: 'A folder of another kind, or a file that was edited.',
    advice: 'Take the config.json that belongs to the weights; the message names the field.',
  },
  CONFIG_UNSUPPORTED: {
    means: 'A model is of an architecture, or has a setting, that is not read.',
    cause: 'Another family than GPT-2 and GPT-Neo.',
    advice: 'Take a GPT-2 or a GPT-Neo.',
  },
  WEIGHTS_INDEX: {
    means: 'The index of a model in several files does not fit them.',
    cause: 'A download that broke off, or files of two models in one folder.',
    advice: 'Get the model anew.',
  },
  WEIGHTS_MISSING: {
    means: 'A model lacks a weight that its config.json asks for.',
    cause: 'A config.json of another model, or one file of several.',
    advice: 'Get the whole model, with its own config.json.',
  },
  WEIGHTS_SHAPE: {
    means: 'A weight has another shape than config.json asks for.',
    cause: 'A config.json of another size of the model.',
    advice: 'Get the model with its own config.json.',
  },
  WEIGHTS_UNTIED: {
    means: 'config.json says that the output head is the token embedding, and the file has another head.',
    cause: 'A model whose head was trained apart.',
    advice: 'Set "tie_word_embeddings": false in its config.json.',
  },
  TENSOR_MISSING: {
    means: 'A file of weights has no tensor of that name.',
    cause: 'A checkpoint of another model.',
    advice: 'Get the file that belongs to the model.',
  },
  SAFETENSORS_INVALID: {
    means: 'A file is no valid safetensors.',
    cause: 'A pointer of Git LFS, or a page of a server, in place of the file.',
    advice: 'Look at its size, and get it anew.',
  },
  SAFETENSORS_TRUNCATED: {
    means: 'A safetensors file is shorter than its header says.',
    cause: 'A download that broke off.',
    advice: 'Get it anew.',
  },
  SAFETENSORS_HOLE: {
    means: 'A safetensors file has bytes between its tensors that belong to none.',
    cause: 'A program that does not write the format as it is.',
    advice: 'Save it anew with the safetensors library.',
  },
  SAFETENSORS_OVERLAP: {
    means: 'Two tensors of a safetensors file share bytes.',
    cause: 'A program that does not write the format as it is, or a file that was made to mislead.',
    advice: 'Save it anew from a source that you trust.',
  },
  SAFETENSORS_F16_RANGE: {
    means: 'A weight is beyond what half precision holds (65,504).',
    cause: 'A model that has diverged, or one that needs float32.',
    advice: 'Write F32: `dtype: F32`.',
  },
  TORCH_INVALID: {
    means: 'A pytorch_model.bin is damaged.',
    cause: 'A download that broke off, or a pointer of Git LFS in place of the file.',
    advice: 'Get it anew, or take safetensors.',
  },
  TORCH_TRUNCATED: {
    means: 'A pytorch_model.bin was cut short.',
    cause: 'A download that broke off.',
    advice: 'Get it anew.',
  },
  TORCH_LEGACY: {
    means: 'A pytorch_model.bin is of the form before PyTorch 1.6.',
    cause: 'An old checkpoint.',
    advice: 'Load and save it with a newer PyTorch, or take safetensors.',
  },
  PICKLE_INVALID: {
    means: 'The pickle in a pytorch_model.bin is damaged, or is no state dict.',
    cause: 'A whole model was saved, and not its state_dict().',
    advice: 'Save model.state_dict(), or safetensors.',
  },
  PICKLE_UNSAFE: {
    means: 'The pickle in a pytorch_model.bin would run code when PyTorch loads it. It is refused; nothing was run.',
    cause: 'A checkpoint with Python objects in it, or one that was made to attack.',
    advice: 'Take safetensors, or a source that you trust.',
  },
} as const satisfies Readonly<Record<string, Explanation>>
