import type { Explanation } from './explanation.ts'

/** What can be wrong in pipeline.yaml, in a recipe, in `--set`, and between a stage's module and what is asked of it. */
export const configuration = {
  FILE_MISSING: {
    means: 'A file that was named is not there.',
    cause:
      'A slip in its name, or a path that is meant from another folder: paths in pipeline.yaml are relative to its own folder, those of options to the folder where the command runs.',
    advice: 'Correct the path; the message names the nearest file that is there.',
  },
  FILE_UNREADABLE: {
    means: 'A file is there and cannot be read as text.',
    cause: 'Its permissions forbid it, or it is not UTF-8, as files of some Windows programs are.',
    advice: '`ls -l` shows the permissions, `file` the encoding; save it as UTF-8, or `iconv -t utf-8` it.',
  },
  YAML_SYNTAX: {
    means: 'The file is not valid YAML 1.2.',
    cause:
      'An indentation, a missing quote, a tab, or a `${…}` without quotes inside { } or [ ]; often a line above the place that is named, which is where reading broke off.',
    advice: 'Look at the line with the caret and the one before it.',
  },
  YAML_TOO_LARGE: {
    means: 'The file, its aliases and references unfolded, holds more values or deeper levels than are read.',
    cause: 'A few aliases of aliases, or lists of references to lists, which can stand for billions of values.',
    advice: 'Give a corpus or a table as a file of its own, and name it as an input.',
  },
  KEY_DUPLICATE: {
    means: 'A map has one key twice. YAML readers disagree on which of them counts, so neither does.',
    cause: 'A block that was copied and not renamed.',
    advice: 'Remove or rename one of the two; the message has the places of both.',
  },
  KEY_INVALID: {
    means: 'A key of a map is no text.',
    cause: 'A list, a map or null before a colon, often by a `?` or a missing name.',
    advice: 'Write the key as a text, in quotes if need be.',
  },
  KEY_UNKNOWN: {
    means: 'A key is none of those that this place takes.',
    cause: 'A slip in its name, or a key that stands one level too deep or too high.',
    advice: 'Take the name that the message suggests; an editor that knows pipeline.schema.json completes them.',
  },
  KEY_MISSING: {
    means: 'A map lacks a key that it must have.',
    cause: '`version: 1` or `stages:` was left out.',
    advice: 'Add the key that the message names.',
  },
  NUMBER_INEXACT: {
    means: 'An integer is beyond what a double holds exactly (±2⁵³ − 1): it would be another number in the key.',
    cause: 'An identifier that is made of digits alone.',
    advice: 'Write it in quotes, as text.',
  },
  VALUE_INVALID: {
    means: 'A value is of another type, or outside of the range, that its key takes.',
    cause: 'Text where a number is asked for, a single value where a list is, or a unit that is not known.',
    advice: "Write what the message expects; docs/parameters.md has each key's type and range.",
  },
  SET_INVALID: {
    means: 'What stands after --set is no `name=value`.',
    cause: 'A space around the `=`, or a value that the shell took apart.',
    advice: 'Write --set distill.temperature=4, in quotes where the value has spaces or brackets.',
  },
  PARAM_UNKNOWN: {
    means: 'A reference `${a.b}` or --set names a parameter that is not under `params:`.',
    cause: 'A slip in its name.',
    advice:
      'Take the nearest name, which the message gives; write a new parameter under `params:` first, so that a misspelt name is no new one.',
  },
  PARAM_CYCLE: {
    means: 'Parameters refer to one another in a circle: none of them has a value.',
    cause: 'Two parameters that were each made to follow the other.',
    advice: 'Give one of those in the circle, which the message shows, a value of its own.',
  },
  PARAM_RESERVED: {
    means: 'A parameter has a name that means something in `${…}` already: `matrix`, `in`, `out` or `with`.',
    cause: 'It was named after the part of a stage that takes it.',
    advice: 'Rename it, and the references to it.',
  },
  PARAM_UNUSED: {
    means: 'A warning: nothing refers to this parameter, so that changing it changes nothing.',
    cause: 'A stage that does not take it yet, or took it before.',
    advice: 'Refer to it as `${name}` under `with:`, or remove it.',
  },
  REFERENCE_INVALID: {
    means: 'A `${…}` is not written as a reference, or names what is not there where it stands.',
    cause:
      '`${matrix.…}` in a stage without that axis, `${in.…}` outside of `cmd:`, a map inside of a text, or a shell variable that was meant for the shell.',
    advice: 'Correct the name; write `$${` for a `${` that is meant as text.',
  },
  NAME_INVALID: {
    means:
      'A name of a stage, an input, an output or an axis has characters that a folder or a reference cannot take, or is so long that Windows would not take the paths made of it.',
    cause: 'A dot, a slash, a space or an accent in a name.',
    advice: 'Take letters, digits, "_" and "-", and fewer of them.',
  },
  NAME_RESERVED: {
    means:
      'The name is the pipeline’s own, as a folder in artifacts or as a word in a reference, or Windows keeps it for a device (`con`, `aux.txt`, `com1`).',
    cause: 'A stage that is called `store` or `experiments`, or an output `nul`.',
    advice: 'Choose another name.',
  },
  NAME_COLLISION: {
    means:
      'Two names of stages, or two values of an axis, are one name for a file system that does not tell upper from lower case, or two Unicode forms of an accent, apart.',
    cause: '`Train` beside `train`, or a name that was pasted from elsewhere.',
    advice: 'Rename one; write an axis as a map, short name: value.',
  },
  STAGE_UNKNOWN: {
    means: 'A stage that was named is not in pipeline.yaml.',
    cause: 'A slip in its name, or a recipe (`-p`) that adds it and was not given.',
    advice: 'Take the nearest name, which the message gives; `pipeline status` lists the stages.',
  },
  STAGE_CYCLE: {
    means: 'Stages read one another in a circle: none can run first.',
    cause: 'An input that names a later stage where an earlier one was meant.',
    advice: 'Change one of the inputs in the circle, which the message shows.',
  },
  PROGRAM_INVALID: {
    means: 'A stage has both `run:` and `cmd:`, or neither.',
    cause: 'A recipe that gives a stage of pipeline.yaml the other kind of program.',
    advice: 'Keep one of the two; in a recipe `run: null` removes the other.',
  },
  PROGRAM_MISSING: {
    means: 'The file or package of `run:` is not there.',
    cause: 'A path that is not meant from the folder of pipeline.yaml, or a package that is not installed.',
    advice: 'Correct the path, or `npm install` the package.',
  },
  MATRIX_INVALID: {
    means: 'The matrix of a stage has an axis or a value that cannot name a cell, a value twice, or too many cells.',
    cause: 'A list of maps or lists as an axis, or a product of long axes.',
    advice: 'Write the axis as a map, name: value; give it fewer values.',
  },
  CELL_UNKNOWN: {
    means: 'A cell that was named is none of the matrix.',
    cause:
      'Values in another order, or spelled otherwise (`1.0` is named `1`), or quotes missing around the brackets in a shell.',
    advice: "Name cells by their values in the order of the axes: 'stage[2,0.5]'; `pipeline status` lists them.",
  },
  INPUT_INVALID: {
    means: 'The source of an input is none that is known.',
    cause: 'A stage’s name without its output, or a scheme that is not read.',
    advice: 'Write `stage.output`, a path, file:PATH, builtin:NAME, hub:OWNER/REPO@REVISION or https://…#sha256=….',
  },
  INPUT_MISSING: {
    means: 'An input is a file or folder that is not there.',
    cause: 'A path that is not meant from the folder of pipeline.yaml, or data that was not fetched yet.',
    advice: 'Correct the path, or put the data there; the message names the nearest.',
  },
  INPUT_HOLDS_OUTPUTS: {
    means:
      'An input holds, or lies in, the folder artifacts, which every run writes: it would never be the same twice.',
    cause: '`.` as an input, or a path to a result.',
    advice: 'Name a narrower folder; for a result write `stage.output`.',
  },
  OUTPUT_UNKNOWN: {
    means: 'A reference, or pipeline.yaml’s `out:`, names an output that the stage does not make.',
    cause: 'A slip in its name, or a module whose outputs were renamed.',
    advice: 'Take a name that the message lists.',
  },
  OUTPUT_INVALID: {
    means: 'The file of an output would leave the result’s folder, or cannot be a file name everywhere.',
    cause: '`../`, an absolute path, or a character that Windows refuses.',
    advice: 'Give it a plain relative name: `[page: report.html]`.',
  },
  OUTPUT_COLLISION: {
    means: 'Two outputs of a stage are one file, or one lies inside the other.',
    cause: 'Two names with the same file name, or a folder and a file in it.',
    advice: 'Give each a place of its own.',
  },
  INPUT_ABSENT: {
    means: 'The stage’s module asks for an input that pipeline.yaml does not give it.',
    cause: 'A module that was given a new input, or one without "?" that was meant to be optional.',
    advice: 'Add it under `in:`.',
  },
  INPUT_SHAPE: {
    means: 'The stage’s module takes one path where all cells of a matrix are given, or the other way round.',
    cause: 'An input that reads a stage with a matrix from one without.',
    advice: 'Name one cell (`evaluate[student].scores`), or declare the input with {} in the module.',
  },
  INPUT_UNKNOWN: {
    means: 'pipeline.yaml gives a stage an input that its module does not take.',
    cause: 'A slip in its name.',
    advice: 'Take a name that the message lists.',
  },
  OUTPUT_ABSENT: {
    means: 'The stage’s module makes an output that `out:` does not name.',
    cause: 'A module that was given a new output.',
    advice: 'Add its name to `out:`.',
  },
  PARAMETER_ABSENT: {
    means: 'The stage’s module asks for a parameter that has no default and is not under `with:`.',
    cause: 'A module that was given a new parameter, or a name that is misspelt.',
    advice: 'Add it under `with:`; docs/parameters.md has those of the stages that come with the package.',
  },
  PARAMETER_INVALID: {
    means: 'A parameter under `with:` is of another type, or outside of the range, that the stage takes.',
    cause: 'A number in quotes, a share in percent, or a name that is none of the choices.',
    advice: 'Write what the message expects; docs/parameters.md has the types, ranges and choices.',
  },
  PARAMETER_UNKNOWN: {
    means: 'A parameter under `with:` is none of the stage’s.',
    cause: 'A slip in its name, or a parameter of another stage in a subtree that is handed over whole.',
    advice: 'Take a name that the message lists.',
  },
  MODULE_BROKEN: {
    means:
      'The file of `run:` cannot be loaded, or its default export was not made by defineStage(). It is loaded before anything runs, to check inputs, outputs and parameters.',
    cause: 'An error at its top level, or a package that is not installed.',
    advice: 'The message has the error; `node FILE` or an editor shows where it is thrown.',
  },
  SHARDS_REFUSED: {
    means: 'A stage has `shards:` and its work does not divide.',
    cause: 'It is a program, or its module does not declare `shards: { unit, units, run, merge }`.',
    advice: 'Remove `shards:`, or declare in the module how its work divides.',
  },
  BUNDLE_FAILED: {
    means: 'The code of a stage cannot be bundled.',
    cause: 'A syntax error, or an import that leads nowhere.',
    advice: 'Correct the line that the message names.',
  },
  BUNDLE_DYNAMIC_IMPORT: {
    means: 'The code of a stage imports a path that is known only when it runs, so that it cannot be hashed.',
    cause: '`import(name)` with a variable.',
    advice: 'Import each module by a fixed text, and choose among them.',
  },
  BUNDLE_WORKER: {
    means: 'A stage starts its own file as a worker thread.',
    cause: '`new Worker(new URL(import.meta.url))`.',
    advice: 'Give the worker a file of its own, which is then bundled and hashed with the stage.',
  },
  PACKAGE_MISSING: {
    means:
      'The code of a stage imports a package that package-lock.json does not have, so that its version cannot be in the key.',
    cause: 'It is installed elsewhere, or not saved.',
    advice: '`npm install PACKAGE` in the project.',
  },
  MEMORY_TOO_LARGE: {
    means: 'A stage’s `resources.memory` is more than this machine, or its container, has.',
    cause: 'The pipeline was written for a larger machine.',
    advice: 'Lower it, or run the stage where there is as much (`executor: slurm`).',
  },
} as const satisfies Readonly<Record<string, Explanation>>
