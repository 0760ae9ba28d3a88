import type { Explanation } from './explanation.ts'

/** What can be wrong with sources, texts, tokenizers and tokens. */
export const sources = {
  SOURCE_INVALID: {
    means: 'A source is none that is known.',
    cause: 'A slip in its scheme, or a path without file:.',
    advice: 'Write file:PATH, builtin:NAME, hub:OWNER/REPO@REVISION or https://…#sha256=….',
  },
  SOURCE_ABSENT: {
    means: 'The download stage lacks the source of one of its outputs.',
    cause: '`out:` names an output whose input is not given.',
    advice: 'Add the source under `in:`, or remove the output.',
  },
  SOURCE_UNPAIRED: {
    means: 'An input of the download stage has no output of its name, or an output no input.',
    cause: 'A name that was changed on one side.',
    advice: 'Name both alike; the message says which is alone.',
  },
  SOURCE_FILE: {
    means: 'A source is one file where a folder is needed, or a folder where a file is.',
    cause: 'A model given by one of its files, or a text by its folder.',
    advice: 'Name the folder of a model, or the file of a text.',
  },
  SOURCE_LACKS: {
    means: 'A repository or folder lacks a file that is needed of it.',
    cause: 'A model without a tokenizer, or weights in a format that is not read.',
    advice: 'Take a repository that has it; a tokenizer may have a source of its own.',
  },
  HUB_NOT_FOUND: {
    means: 'The hub has no such repository, revision or file.',
    cause: 'A slip in its name, or a private repository without HF_TOKEN, which looks the same.',
    advice: 'Look the name up on the hub; set HF_TOKEN for a private one.',
  },
  HUB_UNAUTHORIZED: {
    means: 'The hub asks who you are.',
    cause: 'A private or gated repository, or a token that has expired.',
    advice: 'Set HF_TOKEN, or log in with the hub’s own client.',
  },
  HUB_FORBIDDEN: {
    means: 'The hub knows who you are and refuses.',
    cause: 'A gated repository whose terms were not accepted, or a token without the right to read it.',
    advice: 'Accept the terms on the repository’s page, then run again.',
  },
  HUB_BUSY: {
    means: 'The hub gets too many requests.',
    cause: 'Many runs at once, or none that says who it is.',
    advice: 'Wait and run again; HF_TOKEN raises the limits.',
  },
  HUB_UNREACHABLE: {
    means: 'The hub could not be reached. What is fetched so far is kept.',
    cause: 'No network, a proxy, or a wrong HF_ENDPOINT.',
    advice:
      'Run again when the network is there: it goes on where it stopped. Files that are there already need no hub: file:PATH.',
  },
  HUB_DIGEST: {
    means: 'What the hub sent has not the digest that it gave: it is thrown away.',
    cause: 'A connection or proxy that changes what it carries.',
    advice: 'Run again; if it comes again, fetch the file by hand and take file:PATH.',
  },
  HUB_BROKEN: {
    means: 'The hub answered something that is no answer of a hub.',
    cause: 'HF_ENDPOINT names another server, or a proxy is between.',
    advice: 'Correct HF_ENDPOINT; `curl` shows what answers.',
  },
  HUB_OFFLINE: {
    means: 'HF_HUB_OFFLINE is set, and the cache does not hold what is asked for.',
    cause: 'The files were never fetched, or for another HF_HOME.',
    advice: 'Unset HF_HUB_OFFLINE once, or set HF_HOME to where they are.',
  },
  WEB_NOT_FOUND: {
    means: 'The server has no such file.',
    cause: 'A slip in the address, or a file that moved.',
    advice: 'Open the address in a browser, and correct it.',
  },
  WEB_UNAUTHORIZED: {
    means: 'The server asks who you are.',
    cause: 'A file that needs a login.',
    advice: 'Fetch it by hand and take file:PATH.',
  },
  WEB_FORBIDDEN: {
    means: 'The server refuses to give the file.',
    cause: 'Its terms, or this machine’s address.',
    advice: 'Fetch it by hand and take file:PATH.',
  },
  WEB_BUSY: { means: 'The server gets too many requests.', cause: 'Many runs at once.', advice: 'Wait and run again.' },
  WEB_UNREACHABLE: {
    means: 'The server could not be reached. What is fetched so far is kept.',
    cause: 'No network, or a proxy.',
    advice: 'Run again: it goes on where it stopped.',
  },
  WEB_DIGEST: {
    means: 'The file has not the digest after #sha256=.',
    cause: 'It was changed on the server, or the digest is of another file.',
    advice: 'If you trust the new file, write its digest; else find the old one.',
  },
  WEB_BROKEN: {
    means: 'The server answered something that is no file.',
    cause: 'A page of a proxy or a login.',
    advice: 'Open the address in a browser; take the address of the file itself.',
  },
  WEB_OFFLINE: {
    means: 'HF_HUB_OFFLINE is set, and a file of https: is not in the cache.',
    cause: 'It was never fetched here.',
    advice: 'Unset HF_HUB_OFFLINE once, or take file:PATH.',
  },
  SUMS_INVALID: {
    means: 'A line of a SHA256SUMS file is not a digest and a name.',
    cause: 'A page of a server in place of the file.',
    advice: 'Take the address of a file as `sha256sum` writes it.',
  },
  DISK_SMALL: {
    means: 'What is to be fetched is larger than the room that the disk has left.',
    cause: 'A large model, and the cache on a small disk.',
    advice: 'Make room, or set HF_HOME to a larger disk.',
  },
  WRITE_FAILED: {
    means: 'A file could not be written.',
    cause: 'The disk is full, or its folder may not be written; the message has the system’s own reason.',
    advice: 'Mend that and give the command again.',
  },
  FOLDER_TAKEN: {
    means: 'The folder to write holds something already.',
    cause: 'The command was given before.',
    advice: 'Name an empty or a new folder.',
  },
  FOLDER_INSIDE: {
    means: 'The folder to write lies inside of the one that is read.',
    cause: 'A relative path that was meant from elsewhere.',
    advice: 'Name a folder beside it.',
  },
  FILE_TOO_LARGE: {
    means: 'A file is larger than what is read at once.',
    cause: 'A whole corpus in one file.',
    advice: 'Split it into several.',
  },
  FILE_NOT_JSON: {
    means: 'A file is no valid JSON.',
    cause: 'It was cut, edited, or is a page of a server.',
    advice: 'The message has the place; get the file anew.',
  },
  FILE_NOT_UTF8: {
    means: 'A text is not UTF-8. The message has the offset of the first wrong byte.',
    cause: 'A file in another encoding.',
    advice: '`iconv -f latin1 -t utf-8` converts it.',
  },
  ROW_INVALID: {
    means: 'A line of a JSON-lines file is no JSON object.',
    cause: 'A blank or cut line, or one JSON list over several lines.',
    advice: 'Write one object a line; the message has the line’s number.',
  },
  COLUMN_MISSING: {
    means: 'A Parquet or JSON-lines file has no column of the name that is needed.',
    cause: 'Rows of another kind than `rows:` says.',
    advice: 'Set `rows:` to what the file holds; the message lists its columns.',
  },
  PARQUET_INVALID: {
    means: 'A file is no valid Parquet.',
    cause: 'A download that broke off, or a page of a server.',
    advice: 'Get it anew.',
  },
  CORPUS_INVALID: {
    means: 'A corpus is not laid out as `documents` says.',
    cause: '`documents: article` for a text without titles, or a corpus.json of another program.',
    advice: 'Set `documents:` to `line` or `whole`.',
  },
  CORPUS_EMPTY: {
    means: 'A split of the corpus holds no text.',
    cause: 'An empty file, or the wrong one for that split.',
    advice: 'Give each split a text; `train:`, `validation:` and `test:` name the files.',
  },
  TEXT_EMPTY: {
    means: 'A text gives no token to score.',
    cause: 'An empty file, or one with a single token.',
    advice: 'Give a text of at least two tokens.',
  },
  TOKENIZER_INVALID: {
    means: 'A tokenizer.json, or vocab.json and merges.txt, is damaged or of a kind that is not read.',
    cause: 'A download that broke off, or a tokenizer that is not byte-level BPE or words.',
    advice: 'Get it anew, or take the tokenizer of GPT-2 or GPT-Neo.',
  },
  TOKENIZER_NO_EOS: {
    means: 'The tokenizer does not say which token ends a document.',
    cause: 'A tokenizer without special tokens.',
    advice: 'Take `separator: none`, or a tokenizer whose config names its eos_token.',
  },
  TOKENIZER_NO_TOKEN: {
    means: 'The tokenizer has no token for a part of the text, and none for what is unknown.',
    cause: 'A small vocabulary that was made of another text.',
    advice: 'Take a tokenizer that covers the text; the message has the part.',
  },
  TOKENS_INVALID: {
    means: 'A folder of tokens is of another version, or was not made by the stage tokenize.',
    cause: 'An input that names another stage’s output.',
    advice: 'Take `tokenize.tokens`, and run that stage again.',
  },
  TOKENS_DAMAGED: {
    means: 'A file of tokens is not as long as its description says.',
    cause: 'It was cut or edited.',
    advice: '`pipeline verify` heals it, or names what is to be made anew.',
  },
  TOKENS_EMPTY: {
    means: 'A split has too few tokens for a single row.',
    cause: 'A tiny text, or a context that is longer than it.',
    advice: 'Give more text, or a smaller `context`.',
  },
  PACKING_INVALID: {
    means: 'Context and stride do not cut rows.',
    cause: 'A stride that is larger than the context.',
    advice: 'Let `stride` be at most `context`, and that at most what the model takes.',
  },
  VOCABULARY_DIFFERS: {
    means: 'The ids of a text are of another tokenizer than the model’s: it would read nonsense.',
    cause: 'Text that was tokenized for another model.',
    advice: 'Tokenize it with the model’s own tokenizer: `in: { tokenizer: … }` of the stage tokenize.',
  },
  ITEMS_INVALID: {
    means: 'A line of a file of items is not what its format asks for.',
    cause: 'Another data set than `format:` says.',
    advice: 'Set `format:` to that of the file; the message has the line and what was expected.',
  },
  ITEMS_EMPTY: {
    means: 'A file of items holds none.',
    cause: 'An empty or wrong file.',
    advice: 'Give the file of items; `items: 0` takes all.',
  },
  WORLD_TOO_SMALL: {
    means: 'The built-in world has too few people or places for items of four endings.',
    cause: 'A change of its code.',
    advice: 'Let stories have at least four of each.',
  },
} as const satisfies Readonly<Record<string, Explanation>>
