# chela: which commands ran, where, and how they ended. Builtins only: no process is started for a prompt.
#
# In `chela shell` this terminal belongs to chela and marks (OSC 133, signed with a nonce) are printed around each command.
# Anywhere else nothing is printed: a finished command becomes a record in a private file of this shell.
# A leading space, HISTORY_IGNORE, `chela off` (CHELA_OFF=1) and CHELA_DISABLE=1 keep a command out of both. zle-line-init and keymap-select are left alone.

# An alias of the user's must not change what follows; so they are off before the next command is even read.
'builtin' 'typeset' -g +x __chela_aliases=''
[[ ! -o aliases ]] || __chela_aliases=aliases
'builtin' 'setopt' no_aliases

if [[ -o interactive ]]; then
  # Children must not read the nonce.
  builtin typeset -g +x CHELA_ACTIVE CHELA_NONCE CHELA_SHELL_ID CHELA_CTL

  # Once for each shell: which form this is, and where its files are.
  __chela_begin() {
    emulate -L zsh
    zmodload zsh/datetime zsh/system 2>/dev/null
    typeset -g +x __chela_on=1 __chela_marks= __chela_s= __chela_ran= __chela_ps1= __chela_text= __chela_cwd= __chela_t=
    typeset -g +x __chela_id __chela_log __chela_dir=@STATE@
    typeset -gi +x __chela_n=0 __chela_fd=1 __chela_bytes=0
    if [[ -n $CHELA_NONCE && -n $CHELA_ACTIVE && ${TTY:-/dev/fd/0} -ef $CHELA_ACTIVE ]]; then
      # For shells below this one: the terminal has an owner. It is no secret.
      typeset -gx CHELA_TTY=$CHELA_ACTIVE
      __chela_marks=1 __chela_id=$CHELA_SHELL_ID
      # The terminal itself, wherever an instant prompt or the user sends the shell's output meanwhile.
      sysopen -o cloexec -wu __chela_fd -- $CHELA_ACTIVE 2>/dev/null || __chela_fd=1
    else
      # The variables of a terminal that is not this one (tmux, screen, ssh) say nothing here.
      unset CHELA_ACTIVE CHELA_NONCE CHELA_SHELL_ID CHELA_CTL
      builtin printf -v __chela_id '%08x' $(( (RANDOM << 17 ^ RANDOM << 2 ^ $$ ^ ${EPOCHREALTIME#*.}) & 0xffffffff ))
    fi
    __chela_log=$__chela_dir/$__chela_id.log
    # chela makes the directory; this is for one that was removed since.
    [[ -d $__chela_dir ]] || ( umask 077 && command mkdir -p -- $__chela_dir ) 2>/dev/null
  }

  # Last before a command runs: its text as it was typed.
  __chela_before() {
    emulate -L zsh
    __chela_ran= __chela_text=$1 __chela_cwd=$PWD __chela_t=$EPOCHREALTIME
    [[ -z $CHELA_DISABLE$CHELA_OFF && $1 != [[:space:]]* && -n $1 ]] || return 0
    [[ -z $HISTORY_IGNORE || $1 != ${~HISTORY_IGNORE} ]] || return 0
    __chela_ran=1
    [[ -n $__chela_marks ]] || return 0
    # Nobody reads a command of this size, and a part of it would be a lie.
    local cmd=
    (( $#1 > 16384 )) || builtin printf -v cmd ';cmd=%q' "$1"
    builtin printf -v cmd '\e]133;C;n=%d;nonce=%s;t=%s;d=%q%s%s\a' \
      $__chela_n "$CHELA_NONCE" "$__chela_t" "$PWD" "$cmd" "${__chela_s:+;s=$__chela_s}"
    builtin print -nru $__chela_fd -- "$cmd"
  }

  # First of what runs before a prompt, so that no output of the others counts as the command's. In one statement,
  # because the next one resets both.
  __chela_first() {
    local st=$? ps="${(j: :)pipestatus[@]}"
    emulate -L zsh
    if [[ -n $__chela_ran ]]; then
      # What sets no pipestatus (a function's definition, `&`) leaves that of an earlier command.
      [[ " $ps " == *" $st "* ]] || ps=$st
      if [[ -n $__chela_marks ]]; then __chela_mark; else __chela_record; fi
    fi
    __chela_ran= __chela_s=
    __chela_place
    return st
  }

  __chela_mark() {
    local mark
    builtin printf -v mark '\e]133;D;%d;n=%d;nonce=%s;t=%s;ps=%s;d=%q\a' \
      $st $__chela_n "$CHELA_NONCE" "$EPOCHREALTIME" "$ps" "$PWD"
    builtin print -nru $__chela_fd -- "$mark"
    (( ++__chela_n ))
  }

  # One record in the shell's own file: fields end with \x1f, the record with \x1e. Without chela's daemon, which takes
  # records away, the file stops growing at a megabyte.
  __chela_record() {
    (( $#__chela_text <= 16384 )) || return 0
    local record now=$EPOCHREALTIME ms= ended=
    if [[ -n $now ]]; then
      ended=${${now/[.,]/}[1,13]}
      ms=$(( ended - ${${__chela_t/[.,]/}[1,13]} ))
    fi
    builtin printf -v record 'v1\x1fzsh\x1f%s\x1f%q\x1f%s\x1f%s\x1f%q\x1f%q\x1f%s\x1f%s\x1f%s\x1e' \
      "$__chela_id" "$__chela_text" $st "$ps" "$__chela_cwd" "$PWD" "$ms" "$__chela_s" "$ended"
    [[ -s $__chela_log ]] || __chela_bytes=0
    (( (__chela_bytes += $#record) <= 1048576 )) || return 0
    { builtin print -rn -- "$record" >>| $__chela_log } 2>/dev/null
  }

  # Last of what runs before a prompt: themes write PS1 anew each time. Nothing is added where the terminal's own
  # integration prints prompt marks.
  __chela_last() {
    # Without it there is no way to say that a mark has no width.
    [[ -o promptpercent ]] || return 0
    emulate -L zsh
    [[ $PS1 != "$__chela_ps1" && -n $PS1 ]] || return 0
    local a=$'%{\e]133;A\a%}' b=$'%{\e]133;B\a%}'
    local ps1=${${PS1//"$a"/}//"$b"/}
    [[ $ps1 == *(133\;[ABP]|633\;[AB]|__vsc_)* ]] || PS1=$a$ps1$b
    __chela_ps1=$PS1
  }

  # Our hooks in their places, whatever was put before or after them since.
  __chela_place() {
    emulate -L zsh
    local last=${__chela_marks:+__chela_last}
    [[ $precmd_functions[1] == __chela_first && ( -z $last || $precmd_functions[-1] == $last ) ]] ||
      precmd_functions=(__chela_first ${precmd_functions:#__chela_(first|last)} $last)
    [[ $preexec_functions[-1] == __chela_before ]] ||
      preexec_functions=(${preexec_functions:#__chela_before} __chela_before)
  }

  # `chela off` and `chela on` are the shell's own business; everything else is the program's. An alias of this name goes
  # first, and so does a function of the person's.
  (( $+functions[chela] )) || function chela {
    case ${1-} in
    off)
      export CHELA_OFF=1
      builtin print -r -- 'off the record: what runs in this shell is told nobody, and what is asked in it is kept nowhere; chela on ends it'
      ;;
    on)
      builtin unset CHELA_OFF
      builtin print -r -- 'on the record again'
      ;;
    *) command chela "$@" ;;
    esac
  }

  if [[ -z ${CHELA_DISABLE-} ]]; then
    [[ -n ${__chela_on-} ]] || __chela_begin
    __chela_place
  fi
fi

[[ -z $__chela_aliases ]] || 'builtin' 'setopt' aliases
'builtin' 'unset' __chela_aliases
