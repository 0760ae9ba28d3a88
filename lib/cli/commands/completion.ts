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

/**
 * Each asks the project's own command, where there is one; files where there is no answer. Of `npx` they complete what comes
 * after `npx pipeline`, and leave the rest to what completed it before.
 */
const SCRIPTS = {
  bash: `# source <(npx pipeline completion bash)
_pipeline() {
  local line command="\${COMP_WORDS[0]}"
  [ -x node_modules/.bin/pipeline ] && command=node_modules/.bin/pipeline
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done \\
    < <("$command" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ "\${COMPREPLY[0]-}" == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
_pipeline_found=$(complete -p npx 2>/dev/null)
_pipeline_found=\${_pipeline_found##*-F }
[ "\${_pipeline_found%% *}" = _pipeline_npx ] || _pipeline_before_npx=\${_pipeline_found%% *}
_pipeline_npx() {
  if [[ "\${COMP_WORDS[1]-}" == pipeline && COMP_CWORD -gt 1 ]]; then
    COMP_WORDS=("\${COMP_WORDS[@]:1}")
    COMP_CWORD=$((COMP_CWORD - 1))
    _pipeline
  elif declare -F "$_pipeline_before_npx" >/dev/null; then "$_pipeline_before_npx" "$@"
  fi
}
complete -o default -F _pipeline pipeline
complete -o default -F _pipeline_npx npx`,
  zsh: `#compdef pipeline
# source <(npx pipeline completion zsh), after compinit
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
_pipeline_npx() {
  if [[ $words[2] == pipeline ]] && (( CURRENT > 2 )); then
    shift words
    (( CURRENT-- ))
    _pipeline
  elif [[ -n $_pipeline_before_npx ]]; then $_pipeline_before_npx "$@"
  else _files
  fi
}
if [[ \${_comps[npx]-} != _pipeline_npx ]]; then typeset -g _pipeline_before_npx=\${_comps[npx]-}; fi
compdef _pipeline pipeline
compdef _pipeline_npx npx`,
  fish: `# npx pipeline completion fish | source
function __pipeline_complete
  set -l words (commandline -opc)
  test $words[1] = npx; and set -e words[1]
  set -l command $words[1]
  test -x node_modules/.bin/pipeline; and set command node_modules/.bin/pipeline
  $command complete -- $words[2..-1] (commandline -ct | string collect --allow-empty) 2>/dev/null | string collect
  or __fish_complete_path (commandline -ct)
end
function __pipeline_after_npx
  set -l words (commandline -opc)
  test "$words[2]" = pipeline
end
complete -c pipeline -f -a '(__pipeline_complete)'
complete -c npx -n __pipeline_after_npx -f -a '(__pipeline_complete)'`,
} as const satisfies Record<Shell, string>
