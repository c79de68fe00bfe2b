# chela's keys for bash: words become a command in the line, which the person runs. Nothing here runs a suggestion.
#
# The settings stand in front of this file; a variable wins over them: CHELA_KEYS=off turns everything off,
# CHELA_KEY_ASK, CHELA_KEY_ASK_EMPTY, CHELA_KEY_FIX and CHELA_KEY_TEACH name keys (alt-a, ctrl-g, ?, off),
# CHELA_ANNOUNCE_FIX=off and CHELA_QUIET="grep diff" say when a failure is announced.
# bash has no ghost text: its line editor cannot draw any. In vi mode no Alt key is bound, because Esc and a letter typed
# quickly is the same to a terminal; there `?` asks, and "fix it" is a question.
if [[ $- == *i* && -z ${CHELA_DISABLE-} && ${CHELA_KEYS-${__chela_k_on-on}} != off && ${TERM:-dumb} != dumb &&
  -z ${__chela_keys_on-} ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
  __chela_keys_on=1 __chela_s='' __chela_failed='' __chela_is_known='' __chela_number='' __chela_histcmd=''
  __chela_empty=${CHELA_KEY_ASK_EMPTY-${__chela_k_empty-?}}
  __chela_announce=${CHELA_ANNOUNCE_FIX-${__chela_k_announce-on}}
  __chela_quiet=" ${CHELA_QUIET-${__chela_k_quiet-grep egrep fgrep rg diff cmp test [ [[ false}} "
  __chela_fix_label=''

  # Asks chela and puts what comes back into the line. bash has taken its prompt line away; chela stands in its place.
  __chela_suggest() {
    { local -; set +eux; } 2>/dev/null
    local got text='' more=()
    [[ -n ${__chela_id-} ]] && more+=(--shell-id "$__chela_id")
    [[ $(builtin bind -v 2>/dev/null) == *'enable-bracketed-paste on'* ]] && more+=(--keep-paste)
    if [[ -n $__chela_failed && -n $__chela_is_known ]]; then
      text=$(HISTTIMEFORMAT='' builtin history 1)
      [[ $text =~ ^\ *[0-9]+[*\ ]\ ([^[:space:]].*)$ ]] &&
        more+=(--failed "${BASH_REMATCH[1]}" --status "$__chela_failed")
    fi
    if ! command -v "${__chela_bin:-chela}" >/dev/null; then
      builtin printf 'chela: there is no program %s; put it on the PATH\n' "${__chela_bin:-chela}" >&2
      return 0
    fi
    got=$(command "${__chela_bin:-chela}" suggest --shell bash "${more[@]}" "$@" </dev/tty)
    [[ $got == *$'\x1f'* ]] || return 0
    __chela_s=${got%%$'\x1f'*}
    READLINE_LINE=${got#*$'\x1f'}
    READLINE_POINT=${#READLINE_LINE}
  }

  # On an empty line the prompt of chela; elsewhere the character itself.
  __chela_ask_empty() {
    { local -; set +eux; } 2>/dev/null
    if [[ -z $READLINE_LINE ]]; then
      __chela_suggest
    else
      READLINE_LINE=${READLINE_LINE:0:READLINE_POINT}$__chela_empty${READLINE_LINE:READLINE_POINT}
      ((READLINE_POINT += ${#__chela_empty}))
    fi
  }

  # What stands in the line is the question; on an empty line chela asks.
  __chela_ask() { __chela_suggest --line "$READLINE_LINE"; }

  # The suggestion in the line was wrong; what should have been there?
  __chela_teach() { __chela_suggest --teach ${__chela_s:+--suggestion "$__chela_s"}; }

  # After a failure, on an empty line: the fix. Elsewhere what the key means in bash: a word forward.
  __chela_fix() {
    { local -; set +eux; } 2>/dev/null
    if [[ -z $READLINE_LINE ]]; then
      if [[ -n $__chela_failed ]]; then __chela_suggest --fix; fi
      return 0
    fi
    local rest=${READLINE_LINE:READLINE_POINT} passed
    passed=${rest%%[[:alnum:]]*}
    rest=${rest#"$passed"}
    ((READLINE_POINT += ${#passed}))
    passed=${rest%%[![:alnum:]]*}
    ((READLINE_POINT += ${#passed}))
    return 0
  }

  # Whether a failure with status 1 says nothing: `grep` that found nothing, and what else is named as quiet.
  __chela_is_quiet() {
    local line=''
    if [[ -n ${__chela_line-} ]] && { HISTTIMEFORMAT='' builtin history 1 >|"$__chela_line"; } 2>/dev/null; then
      builtin read -r line <"$__chela_line"
      builtin : >|"$__chela_line"
    else
      line=$(HISTTIMEFORMAT='' builtin history 1)
    fi
    [[ $line =~ ^\ *[0-9]+[*\ ]*\ ([^[:space:]]+) && $__chela_quiet == *" ${BASH_REMATCH[1]##*/} "* ]]
  }

  # Before each prompt: what failed, and one dim line about it.
  __chela_keys_prompt() {
    { local status=$?; local -; set +eux; } 2>/dev/null
    local number='\#'
    # Before 5.1 other commands may stand between the command and this one; the hooks saw its status first.
    ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) || status=${__chela_status-$status}
    number=${number@P}
    __chela_s=''
    if [[ -n $__chela_number && $number != "$__chela_number" ]]; then
      __chela_failed='' __chela_is_known=''
      case $status in
      0 | 130 | 137 | 141 | 143 | 148) ;;
      *) __chela_keys_failed ;;
      esac
    fi
    __chela_number=$number __chela_histcmd=$HISTCMD
    return "$status"
  }

  # The text of what failed is in the history only if the history grew by one: a leading space keeps it out.
  __chela_keys_failed() {
    [[ -z ${CHELA_DISABLE-} ]] || return 0
    __chela_failed=$status
    if ((HISTCMD == __chela_histcmd + 1)); then __chela_is_known=1; fi
    [[ $__chela_announce != off && -n $__chela_fix_label && $__chela_is_known ]] || return 0
    if ((status == 1)) && __chela_is_quiet; then return 0; fi
    # Behind output that did not end its line, on a line of its own.
    builtin printf '%*s\r\e[2mchela: %s puts a fix into the line\e[0m\e[K\n' "${COLUMNS:-80}" '' "$__chela_fix_label"
  }

  # __chela_key KEY FUNCTION: binds it for typing; Alt keys not in vi's insert mode.
  __chela_key() {
    case $1 in
    off | '') return ;;
    alt-?) builtin bind -m emacs -x "\"\\e${1#alt-}\": $2" ;;
    ctrl-?)
      builtin bind -m emacs -x "\"\\C-${1#ctrl-}\": $2"
      builtin bind -m vi-insert -x "\"\\C-${1#ctrl-}\": $2"
      ;;
    ?)
      builtin bind -m emacs -x "\"$1\": $2"
      builtin bind -m vi-insert -x "\"$1\": $2"
      ;;
    *) builtin printf 'chela: no such key: %s (alt-a, ctrl-g, ? or off)\n' "$1" >&2 ;;
    esac
  }
  __chela_key "${CHELA_KEY_ASK-${__chela_k_ask-alt-a}}" __chela_ask
  __chela_key "${CHELA_KEY_FIX-${__chela_k_fix-alt-f}}" __chela_fix
  __chela_key "${CHELA_KEY_TEACH-${__chela_k_teach-alt-n}}" __chela_teach
  [[ $__chela_empty == ? ]] && __chela_key "$__chela_empty" __chela_ask_empty

  # How the announcement names the way to a fix.
  __chela_fix_label=${CHELA_KEY_FIX-${__chela_k_fix-alt-f}}
  case $__chela_fix_label in
  alt-?) __chela_fix_label=${__chela_fix_label#alt-} __chela_fix_label=Alt+${__chela_fix_label^} ;;
  ctrl-?) __chela_fix_label=${__chela_fix_label#ctrl-} __chela_fix_label=Ctrl+${__chela_fix_label^} ;;
  *) __chela_fix_label='' ;;
  esac
  if [[ $__chela_fix_label == Alt* && -o vi ]]; then __chela_fix_label="$__chela_empty, then \"fix it\","; fi

  # In front of the person's own commands: a DEBUG trap takes what comes after them for a command that was typed. The
  # hooks, which have to be first, put themselves there.
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then
    PROMPT_COMMAND=(__chela_keys_prompt ${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"})
  else
    # Here it is a plain variable, as bash before 5.1 knows it.
    # shellcheck disable=SC2128,SC2178
    PROMPT_COMMAND="__chela_keys_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
  fi
fi
