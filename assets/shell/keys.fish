# chela's keys for fish: words become a command in the line, which the person runs. Nothing here runs a suggestion.
#
# The settings stand in front of this file; a variable wins over them: CHELA_KEYS=off turns everything off,
# CHELA_KEY_ASK, CHELA_KEY_ASK_EMPTY, CHELA_KEY_FIX and CHELA_KEY_TEACH name keys (alt-a, ctrl-g, ?, off),
# CHELA_ANNOUNCE_FIX=off and CHELA_QUIET="grep diff" say when a failure is announced.
# The ghost text is fish's own, from its history: fish lets nobody else write it.
function __chela_setting --argument-names variable setting otherwise
    if set -q $variable
        echo $$variable
    else if set -q $setting
        echo $$setting
    else
        echo $otherwise
    end
end

if status is-interactive; and test -z "$CHELA_DISABLE"; and test (__chela_setting CHELA_KEYS __chela_k_on on) != off
    and test "$TERM" != dumb; and not set -q __chela_keys_on
    set -g __chela_keys_on 1
    set -g __chela_s ''
    set -g __chela_failed ''
    set -g __chela_failed_text ''
    set -q __chela_bin; or set -g __chela_bin chela
    set -g __chela_empty (__chela_setting CHELA_KEY_ASK_EMPTY __chela_k_empty '?')
    set -g __chela_fix_key (__chela_setting CHELA_KEY_FIX __chela_k_fix alt-f)
    set -g __chela_announce (__chela_setting CHELA_ANNOUNCE_FIX __chela_k_announce on)
    set -g __chela_quiet (string split ' ' -- (__chela_setting CHELA_QUIET __chela_k_quiet 'grep egrep fgrep rg diff cmp test [ false'))

    # Asks chela and puts what comes back into the line. The prompt of chela stands below the last row of the line.
    function __chela_suggest
        if not command -q $__chela_bin
            printf '\nchela: there is no program %s; put it on the PATH\n' $__chela_bin >&2
            commandline --function repaint
            return
        end
        set -l more
        test -n "$__chela_id"; and set -a more --shell-id $__chela_id
        test -n "$__chela_failed_text"; and set -a more --failed $__chela_failed_text --status $__chela_failed
        set -l cursor (commandline --cursor)
        set -l got (command $__chela_bin suggest --shell fish --below --keep-paste $more $argv </dev/tty | string collect)
        set -l parts (string split --max 1 \x1f -- $got)
        if test (count $parts) -eq 2
            set -g __chela_s $parts[1]
            commandline --replace -- $parts[2]
        else
            commandline --cursor $cursor
        end
        commandline --function repaint
    end

    # On an empty line the prompt of chela; elsewhere the character itself.
    function __chela_ask_empty
        set -l line (commandline | string collect)
        if test -z "$line"
            __chela_suggest
        else
            commandline --insert -- $__chela_empty
        end
    end

    # What stands in the line is the question; on an empty line chela asks.
    function __chela_ask
        set -l line (commandline | string collect)
        __chela_suggest --line "$line"
    end

    # The suggestion in the line was wrong; what should have been there?
    function __chela_teach
        if test -n "$__chela_s"
            __chela_suggest --teach --suggestion $__chela_s
        else
            __chela_suggest --teach
        end
    end

    # After a failure, on an empty line: the fix. Elsewhere what the key means in fish: a word forward.
    function __chela_fix
        set -l line (commandline | string collect)
        if test -n "$line"
            commandline --function forward-word
        else if test -n "$__chela_failed"
            __chela_suggest --fix
        end
    end

    # After each command: what failed, and one dim line about it.
    function __chela_keys_post --on-event fish_postexec
        set -l s $status
        set -g __chela_s ''
        set -g __chela_failed ''
        set -g __chela_failed_text ''
        contains -- $s 0 130 137 141 143 148; and return
        set -q fish_private_mode; and return
        test -z "$CHELA_DISABLE"; or return
        string match --quiet --regex '^\s' -- $argv[1]; and return
        set -g __chela_failed $s
        set -g __chela_failed_text $argv[1]
        test $__chela_announce = off; and return
        set -l program (string match --regex '^[^\s]+' -- $argv[1])
        if test $s -eq 1; and contains -- (string replace --regex '.*/' '' -- $program) $__chela_quiet
            return
        end
        set -l name (string match --regex '^(alt|ctrl)-(.)$' -- $__chela_fix_key); or return
        set -l how (string replace alt Alt -- $name[2] | string replace ctrl Ctrl)+(string upper -- $name[3])
        # Behind output that did not end its line, on a line of its own.
        printf '%s\r\e[2mchela: %s puts a fix into the line\e[0m\e[K\n' (string repeat --count $COLUMNS ' ') $how
    end

    # __chela_key MODE KEY FUNCTION
    function __chela_key --argument-names mode key function
        set -l letter (string sub --start -1 -- $key)
        if string match --quiet --regex '^alt-.$' -- $key
            bind --mode $mode \e$letter $function
        else if string match --quiet --regex '^ctrl-[a-z]$' -- $key
            eval bind --mode $mode \\c$letter $function
        else if string match --quiet --regex '^.$' -- $key
            bind --mode $mode -- $key $function
        else if not contains -- "$key" off ''
            echo "chela: no such key: $key (alt-a, ctrl-g, ? or off)" >&2
        end
    end

    # Takes back what was bound before the way of typing was changed.
    function __chela_unbind --argument-names mode
        for binding in (bind --mode $mode --user 2>/dev/null | string match --regex '^bind .*__chela_(?:ask|ask_empty|fix|teach)$')
            eval (string replace --regex '^bind (.*) __chela_\w+$' 'bind --erase $1' -- $binding)
        end
    end

    # In vi mode the insert mode is another one, and `default` is the command mode, in which nothing is bound.
    function __chela_bind --on-variable fish_key_bindings
        set -l keys (__chela_setting CHELA_KEY_ASK __chela_k_ask alt-a) $__chela_fix_key \
            (__chela_setting CHELA_KEY_TEACH __chela_k_teach alt-n)
        set -l mode default
        if test "$fish_key_bindings" = fish_vi_key_bindings -o "$fish_key_bindings" = fish_hybrid_key_bindings
            set mode insert
        end
        test $mode = insert; and __chela_unbind default; or __chela_unbind insert
        __chela_key $mode $keys[1] __chela_ask
        __chela_key $mode $keys[2] __chela_fix
        __chela_key $mode $keys[3] __chela_teach
        string match --quiet --regex '^.$' -- $__chela_empty; and __chela_key $mode $__chela_empty __chela_ask_empty
    end
    __chela_bind
end
