# chela: which commands ran, where, and how they ended. Builtins only: no process is started for a prompt.
#
# In `chela shell` this terminal belongs to chela and marks (OSC 133, signed with a nonce) are printed around each command.
# Anywhere else nothing is printed: a finished command becomes a record in a private file of this shell.
# A leading space, private mode, `chela off` (CHELA_OFF=1) and CHELA_DISABLE=1 keep a command out of both.

if status is-interactive
    # Children must not read the nonce. Without the value, -u would leave the exported one as it is.
    for name in CHELA_ACTIVE CHELA_NONCE CHELA_SHELL_ID CHELA_CTL
        set -q $name; and set -gu $name $$name
    end

    # Once for each shell: which form this is, and where its files are.
    function __chela_begin
        set -gu __chela_on 1
        set -gu __chela_marks
        set -gu __chela_n 0
        set -gu __chela_s
        set -gu __chela_c
        set -gu __chela_records
        set -gu __chela_dir @STATE@
        # fish 4 prints plain marks of its own, unless it was told not to.
        set -gu __chela_native
        if string match -qr '^([4-9]|\d\d)' -- $version
            status test-feature mark-prompt 2>/dev/null
            test $status -eq 1; or set __chela_native ';f=1'
        end
        if set -q CHELA_NONCE; and set -q CHELA_ACTIVE; and __chela_owns_tty
            # For shells below this one: the terminal has an owner. It is no secret.
            set -gx CHELA_TTY $CHELA_ACTIVE
            set __chela_marks 1
            set -gu __chela_id $CHELA_SHELL_ID
        else
            # The variables of a terminal that is not this one (tmux, screen, ssh) say nothing here.
            set -e CHELA_ACTIVE CHELA_NONCE CHELA_SHELL_ID CHELA_CTL
            set -gu __chela_id (printf '%04x%04x' (random 0 65535) (random 0 65535))
        end
        set -gu __chela_log $__chela_dir/$__chela_id.log
        set -gu __chela_line $__chela_dir/$__chela_id.line
        # chela makes the directory; this is for one that was removed since.
        test -d $__chela_dir; or command mkdir -m 700 -p $__chela_dir 2>/dev/null
    end

    function __chela_owns_tty
        test /dev/fd/0 -ef $CHELA_ACTIVE 2>/dev/null; or test (builtin realpath /dev/fd/0 2>/dev/null)x = {$CHELA_ACTIVE}x
    end

    function __chela_prompt --on-event fish_prompt
        test -n "$__chela_marks" -a -z "$__chela_native"
        and printf '\e]133;A;n=%d;nonce=%s\a' $__chela_n $CHELA_NONCE
    end

    function __chela_before --on-event fish_preexec
        set -g __chela_c
        set -q fish_private_mode; and return
        test -z "$CHELA_DISABLE$CHELA_OFF"; and string match -qr '^\S' -- "$argv[1]"; or return
        set __chela_c 1
        set -g __chela_d $PWD
        test -n "$__chela_marks"; or return
        # Nobody reads a command of this size, and a part of it would be a lie.
        set -l cmd
        test (string length -- "$argv[1]") -gt 16384
        or set cmd ';cmd='(string escape --style=url -- "$argv[1]")
        set -l s
        test -n "$__chela_s"; and set s ";s=$__chela_s"
        printf '\e]133;C;n=%d;nonce=%s;d=%s%s%s%s\a' $__chela_n $CHELA_NONCE (string escape --style=url -- $PWD) "$cmd" "$s" "$__chela_native"
    end

    # Status and pipestatus in one statement: the next one resets them.
    function __chela_after --on-event fish_postexec
        set -l ended $status $pipestatus
        if test -n "$__chela_c"
            set __chela_c
            if test -n "$__chela_marks"
                printf '\e]133;D;%d;n=%d;nonce=%s;ms=%s;ps=%s;d=%s%s\a' $ended[1] $__chela_n $CHELA_NONCE "$CMD_DURATION" \
                    "$ended[2..]" (string escape --style=url -- $PWD) "$__chela_native"
                set __chela_n (math $__chela_n + 1)
            else
                __chela_record $argv[1] $ended 2>/dev/null
            end
        end
        set __chela_s
        return $ended[1]
    end

    # One record in the shell's own file: fields end with \x1f, the record with \x1e. Without chela's daemon, which takes
    # records away, the file stops growing at a thousand of them. What can be said without a substitution is: each one
    # costs a fifth of a millisecond.
    function __chela_record
        string match -qr '^[\s\S]{16385}' -- "$argv[1]"; and return
        test -s $__chela_log; or set __chela_records
        set -q __chela_records[1000]; and return
        set -a __chela_records 1
        set -l quoted "$argv[1]" "$__chela_d" $PWD
        # Most texts are their own quotation.
        string match -qr '[^A-Za-z0-9_./ :=@,+-]' -- $quoted; and set quoted (string escape --style=url -- $quoted)
        # fish has no clock among its builtins; a file that is written to has.
        echo >>$__chela_line
        printf 'v1\x1ffish\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s000\x1e' $__chela_id $quoted[1] $argv[2] \
            "$argv[3..]" $quoted[2] $quoted[3] "$CMD_DURATION" "$__chela_s" (path mtime -- $__chela_line) >>$__chela_log
    end

    # `chela off` and `chela on` are the shell's own business; everything else is the program's. A function of the person's
    # goes first.
    if not functions -q chela
        function chela
            switch "$argv[1]"
                case off
                    set -gx CHELA_OFF 1
                    builtin echo 'off the record: what runs in this shell is told nobody, and what is asked in it is kept nowhere; chela on ends it'
                case on
                    set -e CHELA_OFF
                    builtin echo 'on the record again'
                case '*'
                    command chela $argv
            end
        end
    end

    if test -z "$CHELA_DISABLE"; and not set -q __chela_on
        __chela_begin
    end
end
