# chela: which commands ran, where, and how they ended. Builtins only: no process is started for a prompt.
#
# In `chela shell` this terminal belongs to chela and marks (OSC 133, signed with a nonce) are printed around each command.
# Anywhere else nothing is printed: a finished command becomes a record in a private file of this shell.
# A leading space, `set +o history`, `chela off` (CHELA_OFF=1) and CHELA_DISABLE=1 keep a command out of both.
#
# bash >= 4.4. Older ones (macOS has 3.2) have no PS0: there a command is known by the history alone, so without duration,
# without the output of `chela shell`, and not when it is repeated while HISTCONTROL has ignoredups.

# shellcheck disable=SC2016,SC2178 # PS0 is expanded later; PROMPT_COMMAND is a text in an old bash
if [[ -n ${BASH_VERSION-} && $- == *i* ]]; then
  # With `set -a` in the startup file all of this would be in every program's environment.
  [[ $- != *a* ]] || __chela_all=1
  set +a
  # Children must not read the nonce.
  export -n CHELA_ACTIVE CHELA_NONCE CHELA_SHELL_ID CHELA_CTL

  # Once for each shell: which form this is, and where its files are.
  __chela_begin() {
    export -n __chela_on=1 __chela_marks='' __chela_n=0 __chela_s='' __chela_ps1='' __chela_tail='' __chela_bytes=0
    export -n __chela_dir=@STATE@ __chela_id __chela_log __chela_line __chela_ps0 __chela_h=''
    __chela_c='' __chela_d='' __chela_t='' __chela_typed=''
    __chela_v=$((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1]))
    if ((__chela_v >= 404)); then declare -gA __chela_none=(); fi
    if [[ -n ${CHELA_NONCE-} && -n ${CHELA_ACTIVE-} && ( /dev/fd/0 -ef $CHELA_ACTIVE || /dev/fd/2 -ef $CHELA_ACTIVE ) ]]; then
      # For shells below this one: the terminal has an owner. It is no secret.
      export CHELA_TTY=$CHELA_ACTIVE
      ((__chela_v < 404)) || __chela_marks=1
      __chela_id=$CHELA_SHELL_ID
    else
      # The variables of a terminal that is not this one (tmux, screen, ssh) say nothing here.
      unset -v CHELA_ACTIVE CHELA_NONCE CHELA_SHELL_ID CHELA_CTL
      builtin printf -v __chela_id '%08x' $((${SRANDOM:-RANDOM << 17 ^ RANDOM << 2 ^ $$} & 0xffffffff))
    fi
    __chela_log=$__chela_dir/$__chela_id.log __chela_line=$__chela_dir/$__chela_id.line
    # chela makes the directory; this is for one that was removed since.
    [[ -d $__chela_dir ]] || (umask 077 && command mkdir -p "$__chela_dir") 2>/dev/null
  }

  # First of the prompt's commands, so that no output of the others counts as the command's: its status, its end.
  # Status and PIPESTATUS are saved in one statement, because the next one resets PIPESTATUS.
  __chela_first() {
    __chela_status=$? __chela_pipe=("${PIPESTATUS[@]}") __chela_flags=$-
    [[ $- != *[eux]* ]] || { set +eux; } 2>/dev/null
    local IFS=' ' text='' number=$HISTCMD
    # Before 5.1 HISTCMD says nothing here: the history is not the prompt commands'.
    ((__chela_v >= 501)) || __chela_newest 2>/dev/null
    if [[ -n $__chela_c ]]; then
      # What sets no PIPESTATUS (a function's definition, `&`, Ctrl+Z) leaves that of an earlier command.
      [[ " ${__chela_pipe[*]} " == *" $__chela_status "* ]] || __chela_pipe=("$__chela_status")
      if [[ -n $__chela_marks ]]; then __chela_mark; elif [[ -z ${CHELA_DISABLE-}${CHELA_OFF-} ]]; then __chela_record 2>/dev/null; fi
    fi
    __chela_c='' __chela_d='' __chela_t='' __chela_s='' __chela_h=$number
    local looked=$__chela_tail
    [[ -n $looked ]] || __chela_look
    __chela_place
    # The last entry is not there, or not before the next prompt.
    [[ $looked == __chela_last ]] || __chela_settle
    __chela_return
  }

  # Last of them: others may have written PS0 and PS1 anew, and read the history of other shells.
  __chela_last() {
    __chela_flags=$-
    [[ $- != *[eux]* ]] || { set +eux; } 2>/dev/null
    if [[ -z $__chela_tail ]]; then
      # The first entry was overwritten before it ever ran.
      __chela_status=0
      __chela_look
      __chela_place
    fi
    __chela_settle
    __chela_return
  }

  # The user's options again (`local -` would, before 5.1, also read the history file once more). Since 5.1 every prompt
  # command sees the status, whatever the one before it returned; and with `set -e` one that is not zero ends the shell.
  __chela_return() {
    if [[ $__chela_flags == *[eux]* ]]; then
      {
        [[ $__chela_flags != *e* ]] || set -e
        [[ $__chela_flags != *u* ]] || set -u
        [[ $__chela_flags != *x* ]] || set -x
      } 2>/dev/null
    fi
    ((__chela_v >= 501)) || [[ $__chela_flags == *e* ]] || return "$__chela_status"
  }

  __chela_settle() {
    [[ ${PS0-} == *"$__chela_ps0"* ]] || PS0=${PS0-}$__chela_ps0
    [[ -z $__chela_marks || $PS1 == "$__chela_ps1" ]] || __chela_wrap
    if ((__chela_v >= 501)); then
      __chela_h=$HISTCMD
    else
      local text number
      __chela_newest 2>/dev/null
      __chela_h=$number
    fi
  }

  # Prompt marks, unless the terminal's own integration prints them.
  __chela_wrap() {
    local a='\[\e]133;A\a\]' b='\[\e]133;B\a\]' ps1=$PS1
    ps1=${ps1//"$a"/} ps1=${ps1//"$b"/}
    case $ps1 in
    *133\;[ABP]* | *633\;[AB]* | *__vsc_*) ;;
    *) PS1=$a$ps1$b ;;
    esac
    __chela_ps1=$PS1
  }

  # The end mark. What the history holds is this command only if the history grew by one.
  __chela_mark() {
    local hidden=''
    {
      builtin printf 'n=%s\0' "$__chela_n"
      if [[ -n ${CHELA_DISABLE-}${CHELA_OFF-} ]]; then
        hidden=1
      elif [[ -n $__chela_typed ]]; then
        builtin printf '%5d  %s\n' "$number" "$__chela_typed"
      elif [[ $number == "$((__chela_h + 1))" ]]; then
        HISTTIMEFORMAT='' builtin history 1
      elif [[ ! -o history || -n ${HISTIGNORE-} || ${HISTCONTROL-} == ignorespace ]]; then
        hidden=1
      fi
      builtin printf '\0'
    } 2>/dev/null >>"$CHELA_CTL"
    builtin printf '\e]133;D;%s;n=%s;nonce=%s;t=%s;h=%s;ps=%s;d=%s%s\a' "$__chela_status" "$__chela_n" "$CHELA_NONCE" \
      "${EPOCHREALTIME-}" "$number" "${__chela_pipe[*]}" "${PWD@Q}" "${hidden:+;p=1}" >&2
    __chela_n=$((__chela_n + 1))
  }

  # One record in the shell's own file: fields end with \x1f, the record with \x1e. Without chela's daemon, which takes
  # records away, the file stops growing at a megabyte.
  __chela_record() {
    local now ms='' ended record
    __chela_text
    # Nobody reads a command of this size, and a part of it would be a lie.
    [[ -n $text && $text != [[:space:]]* && ${#text} -le 16384 ]] || return 0
    if [[ -n ${EPOCHREALTIME-} ]]; then
      now=${EPOCHREALTIME/[!0-9]/} ms=$(((now - ${__chela_t/[!0-9]/}) / 1000)) ended=$((now / 1000))
    else
      builtin printf -v ended '%(%s)T000' -1
    fi
    builtin printf -v record 'v1\x1fbash\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1e' "$__chela_id" "${text@Q}" \
      "$__chela_status" "${__chela_pipe[*]}" "${__chela_d@Q}" "${PWD@Q}" "$ms" "$__chela_s" "$ended"
    __chela_append
  }

  __chela_append() {
    [[ -s $__chela_log ]] || __chela_bytes=0
    __chela_bytes=$((__chela_bytes + ${#record}))
    if ((__chela_bytes <= 1048576)); then builtin printf '%s' "$record" >>"$__chela_log"; fi
  }

  # The command's text. One that is not in the history (leading space, HISTIGNORE, history off) is nobody's business; one
  # that repeats the last is the last, if only repeating can have kept it out.
  __chela_text() {
    if [[ -n $__chela_typed ]]; then
      text=$__chela_typed
    elif [[ $number == "$((__chela_h + 1))" ]] ||
      [[ $number == "$__chela_h" && -o history && -z ${HISTIGNORE-} && ${HISTCONTROL-} == ignoredups ]]; then
      [[ -n $text ]] || __chela_newest
    else
      text=''
    fi
  }

  # The newest entry of the history, `  501  text`, by way of a file: builtins can be read in no other way without a fork.
  # It is written over and ended with a NUL; to empty it first would make the disk wait.
  __chela_newest() {
    { HISTTIMEFORMAT='' builtin history 1 && builtin printf '\0'; } 1<>"$__chela_line"
    IFS= builtin read -r -d '' text <"$__chela_line"
    text="${text#"${text%%[! ]*}"}"
    number=${text%%[!0-9]*} text=${text#*[0-9][ *] }
    while [[ $text == *$'\n' ]]; do text=${text%$'\n'}; done
    # What is private does not stay there.
    if [[ $text == [[:space:]]* || -n ${CHELA_OFF-} ]]; then builtin : >|"$__chela_line"; fi
  }

  # At the first prompt: a DEBUG trap of the user's would take a last entry of ours for a command that was typed (timers
  # would run while the prompt waits), so there is none then. Only a prompt command sees that trap; a function does not.
  __chela_look() {
    local trap=''
    builtin read -r -d '' trap 2>/dev/null <"$__chela_line"
    if [[ $trap == *DEBUG* && -z ${bash_preexec_imported-}${__bp_imported-} ]]; then __chela_tail=none; else __chela_tail=__chela_last; fi
    __chela_entry=__chela_first
  }

  # Our entries in their places, whatever was put before or after them since. bash-preexec's last entry stays the last,
  # for it begins to take commands for typed ones.
  __chela_place() {
    local tail=$__chela_tail
    # Before the first prompt bash-preexec has not taken its place yet.
    [[ -n $tail || -n ${bash_preexec_imported-}${__bp_imported-} ]] || tail=__chela_last
    [[ $tail == none ]] && tail=''
    if ((__chela_v < 501)); then __chela_place_in_text; else __chela_place_in_list; fi
  }

  __chela_place_in_list() {
    local entry last='' n=${#PROMPT_COMMAND[@]}
    local -a rest=()
    ((n == 0)) || last=${PROMPT_COMMAND[*]: -1}
    [[ ${PROMPT_COMMAND[0]-} == "$__chela_entry" && ($last == "${tail:-$last}" || $last == *"$tail; __bp_interactive_mode"*) ]] &&
      return 0
    for entry in "${PROMPT_COMMAND[@]}"; do
      case $entry in '' | __chela_first | __chela_last | "$__chela_probe; __chela_first") continue ;; esac
      if [[ -n $tail && $entry == *__bp_interactive_mode* ]]; then
        entry=${entry//__chela_last; /}
        entry=${entry/__bp_interactive_mode/$tail; __bp_interactive_mode} tail=''
      fi
      rest+=("$entry")
    done
    PROMPT_COMMAND=("$__chela_entry" "${rest[@]}" ${tail:+"$tail"})
  }

  # Before 5.1 PROMPT_COMMAND is one text, and a line break in it would put a line of it into the history.
  __chela_place_in_text() {
    local all=${PROMPT_COMMAND[0]-} n='
'
    [[ $all == "$__chela_entry;"* && ($all == *";$tail" || $all == *"$tail; __bp_interactive_mode"*) ]] && return 0
    all=${all//"$__chela_probe; "/} all=${all//__chela_first[;$n]/} all=${all//[;$n]__chela_last/} all=${all//__chela_last; /}
    all=${all%"${all##*[!$' \t\n;']}"}
    if [[ -n $tail && $all == *__bp_interactive_mode* ]]; then
      all=${all/__bp_interactive_mode/$tail; __bp_interactive_mode} tail=''
    fi
    PROMPT_COMMAND="$__chela_entry;${all:+$all;}$tail"
  }

  # ble.sh runs the line itself and has hooks of its own, which say the text.
  __chela_ble_before() {
    __chela_typed=$1 __chela_c='' __chela_d=$PWD __chela_t=${EPOCHREALTIME-}
    [[ $1 == [[:space:]]* || -n ${CHELA_DISABLE-}${CHELA_OFF-} ]] && return 0
    __chela_c=1
    [[ -z $__chela_marks ]] ||
      builtin printf '\e]133;C;n=%s;nonce=%s;t=%s;d=%s%s\a' "$__chela_n" "$CHELA_NONCE" "$__chela_t" "${PWD@Q}" \
        "${__chela_s:+;s=$__chela_s}" >&2
  }

  __chela_ble_after() {
    __chela_status=$? __chela_pipe=("${BLE_PIPESTATUS[@]}") __chela_flags=$-
    [[ $- != *[eux]* ]] || { set +eux; } 2>/dev/null
    local IFS=' ' text='' number=$HISTCMD
    if [[ -n $__chela_c ]]; then
      if [[ -n $__chela_marks ]]; then __chela_mark; else __chela_record 2>/dev/null; fi
    fi
    __chela_c='' __chela_s='' __chela_typed=''
    __chela_return
  }

  # bash before 4.4: a command ran if the history grew by one; the history knows when it began. Comments, syntax errors
  # (258) and a here-document, of which it has the first line only, are left out.
  __chela_old() {
    __chela_status=$? __chela_pipes="${PIPESTATUS[*]}"
    local text='' number='' began record IFS=' '
    HISTTIMEFORMAT='%s ' builtin history 1 2>/dev/null >|"$__chela_line"
    IFS= builtin read -r -d '' text 2>/dev/null <"$__chela_line"
    text="${text#"${text%%[! ]*}"}"
    number=${text%%[!0-9]*} text=${text#*[0-9][ *] }
    began=${text%% *} text=${text#* } text=${text%?}
    if [[ $text == [[:space:]]* || -n ${CHELA_OFF-} ]]; then
      builtin : 2>/dev/null >|"$__chela_line"
    elif [[ -z ${CHELA_DISABLE-} && -n $__chela_h && $number == "$((__chela_h + 1))" && ${#text} -le 16384 &&
      $text != [\#]* && $text != *'<<'* && __chela_status -lt 256 ]]; then
      [[ " $__chela_pipes " == *" $__chela_status "* ]] || __chela_pipes=$__chela_status
      builtin printf -v record 'v1\x1fbash\x1f%s\x1f%q\x1f%s\x1f%s\x1f%q\x1f%q\x1f\x1f%s\x1f%s000\x1e' "$__chela_id" "$text" \
        "$__chela_status" "$__chela_pipes" "$__chela_d" "$PWD" "$__chela_s" "$began"
      __chela_append 2>/dev/null
    fi
    __chela_s='' __chela_d=$PWD __chela_h=${number:-0}
    return "$__chela_status"
  }

  # `chela off` and `chela on` are the shell's own business; everything else is the program's. An alias of this name goes
  # first, and so does a function of the person's.
  declare -F chela >/dev/null || function chela {
    case ${1-} in
    off)
      export CHELA_OFF=1
      builtin printf '%s\n' 'off the record: what runs in this shell is told nobody, and what is asked in it is kept nowhere; chela on ends it'
      ;;
    on)
      unset -v CHELA_OFF
      builtin printf '%s\n' 'on the record again'
      ;;
    *) command chela "$@" ;;
    esac
  }

  if [[ -z ${CHELA_DISABLE-} ]]; then
    [[ -n ${__chela_on-} ]] || __chela_begin
    if ((__chela_v < 404)); then
      case ${PROMPT_COMMAND[0]-} in
      __chela_old*) ;;
      *) PROMPT_COMMAND[0]="__chela_old${PROMPT_COMMAND[0]:+
${PROMPT_COMMAND[0]}}" ;;
      esac
    elif [[ -n ${BLE_VERSION-} ]] && declare -F blehook >/dev/null; then
      blehook PREEXEC-=__chela_ble_before PREEXEC+=__chela_ble_before PRECMD-=__chela_ble_after PRECMD+=__chela_ble_after
    elif [[ ${PROMPT_COMMAND@a} != *r* && ${PS0@a} != *r* ]] && shopt -q promptvars; then
      # PS0 is expanded by the shell itself: as the key of an empty map, ${name:=value} keeps a value and prints nothing.
      __chela_ps0='${__chela_none[${__chela_c:=1}${__chela_d:=$PWD}${__chela_t:=${EPOCHREALTIME-}}]-}'
      [[ -z $__chela_marks ]] ||
        __chela_ps0+='\e]133;C;n=${__chela_n};nonce=${CHELA_NONCE};t=${EPOCHREALTIME-};h=\!;d=${PWD@Q}${__chela_s:+;s=$__chela_s}${CHELA_DISABLE:+;p=1}${CHELA_OFF:+;p=1}\a'
      __chela_probe="builtin trap -p DEBUG 2>/dev/null >|${__chela_line@Q}"
      [[ -n $__chela_tail ]] || __chela_entry="$__chela_probe; __chela_first"
      __chela_place
    fi
  fi
  [[ -z ${__chela_all-} ]] || set -a
  unset -v __chela_all
fi
