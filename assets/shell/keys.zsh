# chela's keys and ghost text for zsh: words become a command in the line, which the person runs. Nothing here runs one.
#
# The settings stand in front of this file; a variable wins over them: CHELA_KEYS=off turns everything off,
# CHELA_KEY_ASK, CHELA_KEY_ASK_EMPTY, CHELA_KEY_FIX and CHELA_KEY_TEACH name keys (alt-a, ctrl-g, ?, off),
# CHELA_ANNOUNCE_FIX=off and CHELA_QUIET="grep diff" say when a failure is announced, CHELA_GHOST is off, history or model.
# In vi mode no Alt key is bound, because Esc and a letter typed quickly is the same to a terminal; there `?` asks, and
# "fix it" is a question. Everything is drawn through the line editor; zle-line-init and keymap-select are left alone.
if [[ -o interactive && -o zle && -z ${CHELA_DISABLE-} && ${CHELA_KEYS-${__chela_k_on-on}} != off &&
  ${TERM:-dumb} != dumb && -z ${__chela_keys_on-} ]]; then
  typeset -g __chela_keys_on=1 __chela_s='' __chela_failed='' __chela_failed_text='' __chela_key_text=''
  typeset -gi __chela_has_run=0
  typeset -g __chela_empty=${CHELA_KEY_ASK_EMPTY-${__chela_k_empty-?}}
  typeset -g __chela_fix_key=${CHELA_KEY_FIX-${__chela_k_fix-alt-f}}
  typeset -g __chela_announce=${CHELA_ANNOUNCE_FIX-${__chela_k_announce-on}}
  typeset -g __chela_ghost_kind=${CHELA_GHOST-${__chela_k_ghost-history}}
  typeset -g __chela_quiet="${__chela_k_quiet-grep egrep fgrep rg diff cmp test [ [[ false}"
  typeset -g __chela_quiet=" ${CHELA_QUIET-$__chela_quiet} "

  # Asks chela and puts what comes back into the line. The prompt of chela stands below the last row of the line.
  __chela_suggest() {
    emulate -L zsh
    local got
    local -i cursor=CURSOR
    local -a more=()
    [[ -n ${__chela_id-} ]] && more+=(--shell-id $__chela_id)
    [[ -n $__chela_failed_text ]] && more+=(--failed $__chela_failed_text --status $__chela_failed)
    if ! command -v ${__chela_bin:-chela} >/dev/null; then
      zle -M "chela: there is no program ${__chela_bin:-chela}; put it on the PATH"
      return 0
    fi
    __chela_ghost_clear
    (( ${+widgets[autosuggest-clear]} )) && zle autosuggest-clear
    CURSOR=$#BUFFER
    zle -R
    got=$(command ${__chela_bin:-chela} suggest --shell zsh --below --keep-paste $more "$@" <${TTY:-/dev/tty})
    if [[ $got == *$'\x1f'* ]]; then
      __chela_s=${got%%$'\x1f'*}
      BUFFER=${got#*$'\x1f'}
      CURSOR=$#BUFFER
    else
      CURSOR=$cursor
    fi
    zle redisplay
  }

  # On an empty line the prompt of chela; elsewhere whatever typing the character does, url-quote-magic included.
  __chela_ask_empty() {
    if [[ -z $BUFFER && $CONTEXT == start ]]; then __chela_suggest; else zle self-insert; fi
  }

  # What stands in the line is the question; on an empty line chela asks.
  __chela_ask() { __chela_suggest --line "$BUFFER" }

  # The suggestion in the line was wrong; what should have been there?
  __chela_teach() { __chela_suggest --teach ${__chela_s:+--suggestion} ${__chela_s:+$__chela_s} }

  # After a failure, on an empty line: the fix. Elsewhere what the key means in zsh: a word forward.
  __chela_fix() {
    if [[ -n $BUFFER || $CONTEXT != start ]]; then
      zle forward-word
    elif [[ -n $__chela_failed ]]; then
      __chela_suggest --fix
    fi
  }

  __chela_keys_preexec() { __chela_has_run=1 __chela_key_text=$1 }

  # Before each prompt: what failed, and one dim line about it.
  __chela_keys_precmd() {
    local -i s=$?
    emulate -L zsh
    __chela_s=''
    (( __chela_has_run )) || return s
    __chela_has_run=0 __chela_failed='' __chela_failed_text=''
    (( s == 0 || s == 130 || s == 137 || s == 141 || s == 143 || s == 148 )) && return s
    [[ $__chela_key_text == [[:space:]]* || -n $CHELA_DISABLE ]] && return s
    __chela_failed=$s __chela_failed_text=$__chela_key_text
    local program=${${(z)__chela_key_text}[1]:t}
    [[ $__chela_announce == off || ( $s -eq 1 && $__chela_quiet == *" ${(q)program} "* ) ]] || __chela_announce_fix
    return s
  }

  # Behind output that did not end its line, on a line of its own.
  __chela_announce_fix() {
    local how=''
    (( ${+__chela_is_vi} )) || typeset -g __chela_is_vi="$(bindkey -lL main)"
    case $__chela_fix_key in
    alt-?)
      how="Alt+${(U)__chela_fix_key#alt-}"
      [[ $__chela_is_vi == *viins* ]] && how="$__chela_empty, then \"fix it\","
      ;;
    ctrl-?) how="Ctrl+${(U)__chela_fix_key#ctrl-}" ;;
    *) return ;;
    esac
    builtin print -n -f '%*s\r\e[2mchela: %s puts a fix into the line\e[0m\e[K\n' -- $COLUMNS '' $how
  }

  # __chela_key KEY WIDGET: binds it for typing; Alt keys not in vi's insert mode.
  __chela_key() {
    case $1 in
    off | '') return ;;
    alt-?) bindkey -M emacs "^[${1#alt-}" $2 ;;
    ctrl-?) bindkey -M emacs "^${(U)1#ctrl-}" $2; bindkey -M viins "^${(U)1#ctrl-}" $2 ;;
    ?)
      bindkey -M emacs -- "$1" $2
      bindkey -M viins -- "$1" $2
      # While history is searched the character is a part of what is searched for.
      bindkey -M isearch -- "$1" self-insert
      bindkey -M command -- "$1" self-insert
      ;;
    *) builtin print -u2 -r -- "chela: no such key: $1 (alt-a, ctrl-g, ? or off)" ;;
    esac
  }
  zle -N chela-ask __chela_ask
  zle -N chela-ask-empty __chela_ask_empty
  zle -N chela-fix __chela_fix
  zle -N chela-teach __chela_teach
  __chela_key "${CHELA_KEY_ASK-${__chela_k_ask-alt-a}}" chela-ask
  __chela_key "$__chela_fix_key" chela-fix
  __chela_key "${CHELA_KEY_TEACH-${__chela_k_teach-alt-n}}" chela-teach
  [[ $__chela_empty == ? ]] && __chela_key "$__chela_empty" chela-ask-empty

  # Ghost text. What follows in the newest line of the history that begins like this one is shown at once; where there is
  # none, the model is asked after a pause. The next key takes it all back.
  typeset -g __chela_ghost='' __chela_ghost_turn='' __chela_ghost_mark='' __chela_ghost_of='' __chela_ghost_pid=''
  typeset -g __chela_ghost_prefix='' __chela_ghost_line=''
  typeset -gi __chela_ghost_fd=-1
  typeset -gA __chela_ghost_keys=()

  __chela_ghost_show() {
    __chela_ghost=$1 __chela_ghost_turn=$2
    POSTDISPLAY=$1
    __chela_ghost_mark="$#BUFFER $(( $#BUFFER + $#1 )) fg=8"
    region_highlight+=("$__chela_ghost_mark")
  }

  __chela_ghost_clear() {
    __chela_ghost_cancel
    [[ -n $__chela_ghost ]] || return 0
    [[ $POSTDISPLAY == "$__chela_ghost" ]] && POSTDISPLAY=''
    region_highlight=("${(@)region_highlight:#$__chela_ghost_mark}")
    __chela_ghost='' __chela_ghost_turn='' __chela_ghost_of=''
  }

  # The question to the model, if one is on its way, is of no use any more.
  __chela_ghost_cancel() {
    (( __chela_ghost_fd >= 0 )) || return 0
    zle -F $__chela_ghost_fd 2>/dev/null
    exec {__chela_ghost_fd}<&-
    [[ -n $__chela_ghost_pid ]] && kill -TERM $__chela_ghost_pid 2>/dev/null
    __chela_ghost_fd=-1 __chela_ghost_pid=''
  }

  # Called before each drawing of the line. Most keys go on with a line that no line of the history begins like: they
  # are let through before anything that takes time, whatever the user's options are.
  __chela_ghost_update() {
    [[ -z $__chela_ghost$__chela_ghost_line && -n $__chela_ghost_prefix && $__chela_ghost_kind == history &&
      $BUFFER == "$__chela_ghost_prefix"* ]] && return 0
    emulate -L zsh -o extendedglob
    [[ $BUFFER == "$__chela_ghost_of" && CURSOR -eq $#BUFFER && $POSTDISPLAY == "$__chela_ghost" ]] && return 0
    __chela_ghost_clear
    __chela_ghost_of=$BUFFER
    [[ -n $POSTDISPLAY || -z $BUFFER || $CONTEXT != start || $KEYMAP == vicmd ]] && return 0
    [[ $BUFFER == *$'\n'* || $WIDGET == *(paste|isearch|history)* ]] && return 0
    (( CURSOR == $#BUFFER && $#BUFFER <= 200 && PENDING == 0 )) || return 0
    __chela_ghost_search
    if [[ -n $__chela_ghost_line ]]; then
      [[ $__chela_ghost_line == *$'\n'* ]] || __chela_ghost_show "${__chela_ghost_line#"$BUFFER"}" ''
    elif [[ $__chela_ghost_kind == model && $BUFFER != [[:space:]]* && $#BUFFER -ge 3 ]]; then
      __chela_ghost_ask
    fi
    return 0
  }

  # The newest line of the history that goes on where this one ends. Going through a long history takes milliseconds, so
  # what was found for the beginning of this line is looked at first.
  __chela_ghost_search() {
    [[ -n $__chela_ghost_prefix && $BUFFER == "$__chela_ghost_prefix"* ]] &&
      [[ -z $__chela_ghost_line || $__chela_ghost_line == "$BUFFER"?* ]] && return
    __chela_ghost_prefix=$BUFFER __chela_ghost_line=${history[(r)${(b)BUFFER}?*]}
  }

  # The line is done: no ghost stays behind it, and the history will be another one.
  __chela_ghost_finish() {
    __chela_ghost_clear
    __chela_ghost_prefix='' __chela_ghost_line=''
  }

  # Asks the model after a pause of 150 ms. The process says its number first, so that the next key can end it.
  __chela_ghost_ask() {
    exec {__chela_ghost_fd}< <(
      builtin print -r -- $sysparams[pid]
      zselect -t 15
      exec ${__chela_bin:-chela} suggest --complete --shell zsh ${__chela_id:+--shell-id} \
        ${__chela_id:+$__chela_id} --line "$BUFFER" </dev/null 2>/dev/null
    )
    zle -F -w $__chela_ghost_fd chela-ghost-answer
  }

  # What comes back: the number of the process, then the line and how it goes on.
  __chela_ghost_answer() {
    emulate -L zsh
    local got=''
    IFS='' builtin read -r -u $1 got
    if [[ $got == <-> ]]; then
      __chela_ghost_pid=$got
      return 0
    fi
    __chela_ghost_pid=''
    __chela_ghost_cancel
    local line=${got#*$'\x1f'}
    if [[ -z $POSTDISPLAY && $line == "$BUFFER"?* && CURSOR -eq $#BUFFER ]]; then
      __chela_ghost_show "${line#"$BUFFER"}" "${got%%$'\x1f'*}"
      __chela_ghost_of=$BUFFER
      zle -R
    fi
  }

  # Right, End: all of the ghost; with Alt one word of it. Without one, whatever the key did before.
  __chela_ghost_accept() {
    if [[ -n $__chela_ghost && $POSTDISPLAY == "$__chela_ghost" && CURSOR -eq $#BUFFER ]]; then
      local more=$__chela_ghost turn=$__chela_ghost_turn
      __chela_ghost_clear
      if [[ $WIDGET == chela-ghost-word ]]; then
        local rest=${more##[^[:alnum:]]#}
        rest=${rest##[[:alnum:]]#}
        more=${more%"$rest"}
      fi
      BUFFER+=$more
      CURSOR=$#BUFFER
      [[ -n $turn ]] && __chela_s=$turn
      return 0
    fi
    zle ${__chela_ghost_keys[$KEYS]:-forward-char}
  }

  __chela_ghost_accept_all() { emulate -L zsh -o extendedglob; __chela_ghost_accept }

  # With zsh-autosuggestions the model is one of its strategies, and this file draws nothing. It is asked in the process
  # that zsh-autosuggestions starts for it and ends with the next key.
  _zsh_autosuggest_strategy_chela() {
    typeset -g suggestion=''
    (( ${+ZSH_AUTOSUGGEST_USE_ASYNC} && $#1 >= 3 && $#1 <= 200 )) || return 0
    [[ $1 == [[:space:]]* || $1 == *$'\n'* ]] && return 0
    zselect -t 15
    local got=$(command ${__chela_bin:-chela} suggest --complete --shell zsh ${__chela_id:+--shell-id} \
      ${__chela_id:+$__chela_id} --line "$1" </dev/null 2>/dev/null)
    [[ $got == *$'\x1f'"$1"?* ]] && suggestion=${got#*$'\x1f'}
  }

  # At the first prompt, when every plugin is there.
  __chela_ghost_begin() {
    local -i s=$?
    precmd_functions=(${precmd_functions:#__chela_ghost_begin})
    [[ $__chela_ghost_kind == off ]] && return s
    zmodload zsh/zselect zsh/system 2>/dev/null || __chela_ghost_kind=history
    if (( ${+functions[_zsh_autosuggest_start]} )); then
      [[ $__chela_ghost_kind == model ]] && ZSH_AUTOSUGGEST_STRATEGY+=(chela)
      return s
    fi
    zmodload zsh/parameter 2>/dev/null && autoload -Uz +X add-zle-hook-widget 2>/dev/null || return s
    zle -N chela-ghost-update __chela_ghost_update
    zle -N chela-ghost-finish __chela_ghost_finish
    zle -N chela-ghost-answer __chela_ghost_answer
    zle -N chela-ghost-accept __chela_ghost_accept_all
    zle -N chela-ghost-word __chela_ghost_accept_all
    # The list of hooks costs a tenth of a millisecond with each key: where nobody else is there, the hook itself is
    # taken. Who uses the list later finds it and puts it first.
    if (( ${+widgets[zle-line-pre-redraw]} )); then
      add-zle-hook-widget line-pre-redraw chela-ghost-update
    else
      zle -N zle-line-pre-redraw __chela_ghost_update
    fi
    add-zle-hook-widget line-finish chela-ghost-finish
    # What the keys did before; asked in one go, because each question is a process.
    local -a keys=('^[[C' '^[OC' '^[[F' '^[OF' '^[[4~' '^E' '^[[1;3C')
    local -a were=("${(@f)$(for key in $keys; do bindkey -M main -- $key; done)}")
    local -i at
    local raw
    for at in {1..$#keys}; do
      raw=${(g:ceo:)keys[at]}
      __chela_ghost_keys[$raw]=${${were[at]##*\" }:#(undefined-key|chela-*)}
      if (( at < $#keys )); then
        bindkey -M main -- $keys[at] chela-ghost-accept
      else
        : ${__chela_ghost_keys[$raw]:=forward-word}
        bindkey -M main -- $keys[at] chela-ghost-word
      fi
    done
    return s
  }

  typeset -ga precmd_functions preexec_functions
  preexec_functions+=(__chela_keys_preexec)
  precmd_functions+=(__chela_keys_precmd __chela_ghost_begin)
  [[ -z $__chela_key_aliases ]] || builtin setopt aliases
  builtin unset __chela_key_aliases
fi
