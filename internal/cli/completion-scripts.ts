/** Shells that complete `lane`. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/*
 * Each hands the line's words to the hidden verb `__complete`, which prints a candidate per line, `value<tab>meaning`,
 * already narrowed down to what was typed; `:files` asks for the shell's own completion of files. Nothing of it is ever
 * evaluated by the shell, as `compgen -W` would: names and titles come from lanes.
 */
const BASH = String.raw`# bash completion for lane:  source <(lane completion bash)
_lane_complete() {
  local line tab=$'\t'
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
      return 0
    fi
    COMPREPLY+=("${"$"}{line%%"$tab"*}")
  done < <("${"$"}{COMP_WORDS[0]}" __complete -- "${"$"}{COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _lane_complete lane
`;

const ZSH = String.raw`#compdef lane
# zsh completion for lane:  source <(lane completion zsh)   (after compinit)
_lane() {
  local line value tab=$'\t'
  local -a found
  for line in "${"$"}{(@f)$("${"$"}{words[1]}" __complete -- "${"$"}{(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == :files ]]; then
      _files
      return
    fi
    value=${"$"}{line%%$tab*}
    found+=("${"$"}{value//:/\\:}:${"$"}{line#*$tab}")
  done
  _describe -V 'lane' found
}
if [[ $funcstack[1] == _lane ]]; then _lane "$@"; else compdef _lane lane; fi
`;

const FISH = String.raw`# fish completion for lane:  lane completion fish | source
function __lane_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test "$found" = :files
        __fish_complete_path (commandline -ct)
    else
        string join \n -- $found
    end
end
complete -c lane -f -a '(__lane_complete)'
`;

/** The script that a shell reads to complete `lane`. */
export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
