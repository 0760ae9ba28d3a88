/** What can be wrong in pipeline.yaml, in a recipe, in `--set`, and between a stage's module and what is asked of it. */
export const configuration = {
  FILE_MISSING:
    'A file that was named is not there. The message names the nearest file that is; paths in pipeline.yaml are relative to its own folder, those of options to the folder where the command runs.',
  FILE_UNREADABLE: 'A file is there but cannot be read as text: its permissions forbid it, or it is not UTF-8.',
  YAML_SYNTAX:
    'The file is not valid YAML 1.2. The place is where reading broke off; the mistake is often a line above it: an indentation, a missing quote, a tab.',
  YAML_TOO_LARGE:
    'The file, its aliases and references unfolded, holds more values or deeper levels than are read. A few aliases of aliases can stand for billions of values: give a corpus or a table as a file of its own.',
  KEY_DUPLICATE: 'A map has one key twice. YAML readers disagree on which counts, so neither does: remove one.',
  KEY_INVALID: 'A key of a map is no text, such as a list or null. Write it in quotes.',
  KEY_UNKNOWN:
    'A key is none of those that this place takes. The message names the nearest; pipeline.schema.json lets an editor complete them.',
  KEY_MISSING: 'A map lacks a key that it must have.',
  NUMBER_INEXACT:
    'An integer is beyond what a double holds exactly (±2⁵³ − 1): it would be another number in the key. Write it in quotes if it is a name.',
  VALUE_INVALID: 'A value is of another type, or outside of the range that its key takes.',
  SET_INVALID: 'What stands after --set is no `name=value`: write --set distill.temperature=4.',
  PARAM_UNKNOWN:
    'A reference `${a.b}` or --set names a parameter that is not under `params:`. A new one is written there first, so that a misspelt name is no new parameter.',
  PARAM_CYCLE: 'Parameters refer to one another in a circle: none of them has a value.',
  PARAM_RESERVED: 'A parameter has a name that means something in `${…}` already, such as `matrix` or `in`.',
  PARAM_UNUSED: 'A warning: nothing refers to this parameter, so that changing it changes nothing.',
  REFERENCE_INVALID: 'A `${…}` is not written as a reference, or names what is not there where it stands.',
  NAME_INVALID:
    'A name of a stage, an input, an output or an axis has characters that a folder or a reference cannot take: letters, digits, "_" and "-" are taken. Or it is so long that Windows would not take the paths made of it.',
  NAME_RESERVED:
    'The name is the pipeline’s own, as a folder in artifacts or as a word in a reference, or Windows keeps it for a device (`con`, `aux.txt`, `com1`). Choose another.',
  NAME_COLLISION:
    'Two names of stages, or two values of an axis, differ in upper and lower case alone, or in the Unicode form of an accent: some file systems do not tell them apart.',
  STAGE_UNKNOWN: 'A stage that was named is not in pipeline.yaml.',
  STAGE_CYCLE: 'Stages read one another in a circle, which the message shows: none can run first.',
  PROGRAM_INVALID: 'A stage has both `run:` and `cmd:`, or neither: it takes one of the two.',
  PROGRAM_MISSING: 'The file of `run:` is not there. It is relative to pipeline.yaml.',
  MATRIX_INVALID:
    'The matrix of a stage has an axis or a value that cannot name a cell, a value twice, or too many cells.',
  CELL_UNKNOWN: 'A cell that was named is none of the matrix. Cells are named by their values: stage[2,0.5].',
  INPUT_INVALID:
    'The source of an input is none that is known: a path, `stage.output`, file:, builtin:, hub: or https:.',
  INPUT_MISSING: 'An input is a file or folder that is not there.',
  INPUT_HOLDS_OUTPUTS:
    'An input holds, or lies in, the folder artifacts, which every run writes: it would never be the same twice. Take `stage.output` for a result.',
  OUTPUT_UNKNOWN: 'A reference names an output that the stage does not make.',
  OUTPUT_INVALID: 'The file of an output would leave the result’s folder, or cannot be a file name everywhere.',
  OUTPUT_COLLISION: 'Two outputs of a stage are one file, or one lies inside the other.',
  INPUT_ABSENT: 'The stage’s module asks for an input that pipeline.yaml does not give it.',
  INPUT_SHAPE: 'The stage’s module takes one path where all cells of a matrix are given, or the other way round.',
  INPUT_UNKNOWN: 'pipeline.yaml gives a stage an input that its module does not take.',
  OUTPUT_ABSENT: 'The stage’s module makes an output that `out:` does not name.',
  PARAMETER_ABSENT: 'The stage’s module asks for a parameter that has no default and is not under `with:`.',
  PARAMETER_INVALID: 'A parameter under `with:` is of another type, or outside of the range that the stage takes.',
  PARAMETER_UNKNOWN: 'A parameter under `with:` is none of the stage’s.',
  MODULE_BROKEN:
    'The file of `run:` cannot be loaded, or its default export was not made by defineStage(). It is loaded before anything runs, to check inputs, outputs and parameters.',
  SHARDS_REFUSED:
    'A stage has `shards:` and its work does not divide: it is a program, or its module does not declare `shards: { unit, units, run, merge }`.',
  BUNDLE_FAILED: 'The code of a stage cannot be bundled: a syntax error, or an import that leads nowhere.',
  BUNDLE_DYNAMIC_IMPORT:
    'The code of a stage imports a path that is known only when it runs, so that it cannot be hashed. Import by a fixed text.',
  BUNDLE_WORKER: 'A stage starts its own file as a worker thread. Give the worker a file of its own.',
  PACKAGE_MISSING:
    'The code of a stage imports a package that package-lock.json does not have, so that its version cannot be in the key. Install it with npm.',
  MEMORY_TOO_LARGE: 'A stage’s `resources.memory` is more than this machine, or its container, has.',
} as const
