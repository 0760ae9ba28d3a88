import type { Command } from 'commander'
import { candidates } from '../complete.ts'
import { write } from '../output.ts'

export type Shell = 'bash' | 'zsh' | 'fish'

/** `pipeline completion SHELL`: what that shell has to read so that it completes the command. */
export function completion(shell: Shell): number {
  write(SCRIPTS[shell])
  return 0
}

/** What the scripts ask: a candidate a line for the last of the words. */
export async function complete(program: Command, words: readonly string[]): Promise<number> {
  for (const candidate of await candidates(program, words)) write(candidate)
  return 0
}

/** Each asks the project's own command, where there is one; files where there is no answer. */
const SCRIPTS = {
  bash: `# source <(pipeline completion bash)
_pipeline() {
  local line command="\${COMP_WORDS[0]}"
  [ -x node_modules/.bin/pipeline ] && command=node_modules/.bin/pipeline
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done \\
    < <("$command" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ "\${COMPREPLY[0]-}" == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _pipeline pipeline`,
  zsh: `#compdef pipeline
# source <(pipeline completion zsh), after compinit
_pipeline() {
  local command=$words[1]
  local -a found
  [[ -x node_modules/.bin/pipeline ]] && command=node_modules/.bin/pipeline
  found=("\${(@f)$("$command" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  if (( ! $#found )); then _files; return; fi
  compadd -S '' -- \${(M)found:#*=}
  compadd -- \${found:#*=}
}
compdef _pipeline pipeline`,
  fish: `# pipeline completion fish | source
function __pipeline_complete
  set -l words (commandline -opc)
  set -l command $words[1]
  test -x node_modules/.bin/pipeline; and set command node_modules/.bin/pipeline
  $command complete -- $words[2..-1] (commandline -ct | string collect --allow-empty) 2>/dev/null | string collect
  or __fish_complete_path (commandline -ct)
end
complete -c pipeline -f -a '(__pipeline_complete)'`,
} as const satisfies Record<Shell, string>
