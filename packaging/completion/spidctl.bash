# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Completion of spidctl's commands and options for bash.
_spidctl() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' i
  local commands="status flows alerts ports drops block unblock metrics analyze explain policy models train eval learn site spade version"
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --socket) ((i++)) ;;
      -*) ;;
      *)
        command=${COMP_WORDS[i]}
        break
        ;;
    esac
  done

  local options="--help"
  case $command in
    '')
      mapfile -t COMPREPLY < <(compgen -W "$commands --socket --help --version" -- "$word")
      return
      ;;
    status) options+=" --json --watch" ;;
    alerts) options+=" --json --follow --limit" ;;
    flows) options+=" --json --limit --ended" ;;
    ports | drops) options+=" --json --limit" ;;
    metrics) options+=" --json" ;;
    block) options+=" --for --json" ;;
    unblock) options+=" --json" ;;
    analyze)
      options+=" --json --policy --models --filter --threads --max-flows --profile --strict --strict-sessions --site --state"
      options+=" --session-frames --max-sessions --session-timeout"
      options+=" --spade --spade-config --spade-profile --alert-format --spade-state --spade-log"
      ;;
    explain) options+=" --capture --filter --models --site --state --policy --profile --against --json --strict --strict-sessions"
      options+=" --session-frames --max-sessions --session-timeout" ;;
    learn)
      options+=" --category --family --state --models --policy --filter --occasion-gap --config --json"
      [ "${COMP_WORDS[COMP_CWORD - 1]}" = learn ] && options+=" list show name merge forget export from"
      ;;
    site)
      options+=" --for --all-clear --label --as --category --state --config --models --policy --filter --json"
      [ "${COMP_WORDS[COMP_CWORD - 1]}" = site ] && options+=" status record review accept reject undo forget learn"
      ;;
    spade)
      options+=" --output --json"
      [ "${COMP_WORDS[COMP_CWORD - 1]}" = spade ] && options+=" status tables stats survey advise incidents import"
      ;;
    policy) [ "${COMP_WORDS[COMP_CWORD - 1]}" = policy ] && options+=" check reload" ;;
    eval)
      options+=" --set --labels --taxonomy --manifest --source --same --category --folds --hold-out --models --one-way"
      options+=" --local --local-share --ablation --strangers --profile --strict --flows-per-group --min-flows --flows-per-day"
      options+=" --threads --json --html --verdicts --details --session-frames --max-sessions --session-timeout"
      ;;
    train)
      options+=" --into --labels --taxonomy --manifest --same --category --flows-per-group"
      options+=" --min-flows --calibrate --calibrate-only --use-damaged --provenance --source --label --filter --from-flow --family --strict"
      options+=" --session-frames --max-sessions --session-timeout"
      ;;
    models)
      options+=" --models --json --into --keep --transport --family --category --rename --only --add --replace"
      options+=" --format --one-way --all-meters"
      [ "${COMP_WORDS[COMP_CWORD - 1]}" = models ] && options+=" list show merge rename forget export import"
      ;;
  esac
  if [[ $word == -* ]] || [[ $command =~ ^(policy|models|learn|site|spade)$ && ${COMP_WORDS[COMP_CWORD - 1]} == "$command" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ $command =~ ^(analyze|eval|explain|policy|train|learn|site|spade)$ ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  fi
}
complete -o filenames -F _spidctl spidctl
