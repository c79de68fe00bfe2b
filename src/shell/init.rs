//! What `chela init` prints, and the one line that it keeps in a shell's startup file. Pure: text in, text out; files
//! are the caller's.
//!
//! The line says at its end how it came in, so that taking it out leaves the file byte for byte as it was.

use super::keys;
use crate::config;
use crate::daemon::wire::shell::ShellKind;

/// The script of a shell: the hooks, then the keys. `records` is the folder where a shell without chela's terminal leaves
/// what ran in it; `chela` the program that the keys call.
pub fn script(kind: ShellKind, records: &str, chela: &str, settings: &config::Shell) -> String {
    let hooks = match kind {
        ShellKind::Bash => include_str!("../../assets/shell/chela.bash"),
        ShellKind::Zsh => include_str!("../../assets/shell/chela.zsh"),
        ShellKind::Fish => include_str!("../../assets/shell/chela.fish"),
    };
    let hooks = hooks.replace("@STATE@", &quoted(kind, records));
    let program = match kind {
        ShellKind::Bash | ShellKind::Zsh => format!("__chela_bin={}", quoted(kind, chela)),
        ShellKind::Fish => format!("set -g __chela_bin {}", quoted(kind, chela)),
    };
    format!("{hooks}\n{program}\n{}", keys::script(kind, settings))
}

/// `text` as one word of the shell, whatever is in it.
pub fn quoted(kind: ShellKind, text: &str) -> String {
    match kind {
        ShellKind::Bash | ShellKind::Zsh => format!("'{}'", text.replace('\'', r"'\''")),
        ShellKind::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
    }
}

/// What a line in the startup file is for. The end of the line says it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The hooks, at the end of the file: after what others put there.
    Hooks,
    /// `chela shell` instead of this shell, at its top: what is above runs twice.
    Exec,
}

impl Purpose {
    fn mark(self) -> &'static str {
        match self {
            Self::Hooks => "# added by chela init",
            Self::Exec => "# added by chela init --exec",
        }
    }
}

/// The line that reads chela's own file `script`, and does nothing when that is gone.
pub fn hooks_line(kind: ShellKind, script: &str) -> String {
    let script = quoted(kind, script);
    match kind {
        ShellKind::Bash | ShellKind::Zsh => format!("if [ -r {script} ]; then . {script}; fi"),
        ShellKind::Fish => format!("if test -r {script}; source {script}; end"),
    }
}

/// The line that puts `chela shell` in this shell's place: interactive, on a terminal that chela does not own yet, and
/// once. `exec` keeps the process number, so a plain shell that `chela shell` falls back to sees its own in
/// `CHELA_EXEC` and stays.
pub fn exec_line(kind: ShellKind, chela: &str) -> String {
    let chela = quoted(kind, chela);
    match kind {
        ShellKind::Bash => format!(
            "if [[ $- == *i* && -t 0 && -t 1 && -z ${{CHELA_DISABLE-}} && ${{CHELA_EXEC-}} != \"$$\" && -x {chela} && \
             ! ( ${{CHELA_ACTIVE-}} -ef /dev/fd/0 || ${{CHELA_TTY-}} -ef /dev/fd/0 ) ]]; then \
             CHELA_EXEC=$$ exec {chela} shell; fi"
        ),
        ShellKind::Zsh => format!(
            "if [[ -o interactive && -t 0 && -t 1 && -z ${{CHELA_DISABLE-}} && ${{CHELA_EXEC-}} != $$ && -x {chela} && \
             ${{TTY-}} != \"${{CHELA_ACTIVE--}}\" && ${{TTY-}} != \"${{CHELA_TTY--}}\" ]]; then \
             CHELA_EXEC=$$ exec {chela} shell; fi"
        ),
        ShellKind::Fish => format!(
            "if status is-interactive; and test -t 0; and test -t 1; and test -z \"$CHELA_DISABLE\"; \
             and test \"$CHELA_EXEC\" != $fish_pid; and test -x {chela}; \
             and not test /dev/fd/0 -ef \"$CHELA_ACTIVE\"; and not test /dev/fd/0 -ef \"$CHELA_TTY\"; \
             set -gx CHELA_EXEC $fish_pid; exec {chela} shell; end"
        ),
    }
}

/// How a line came into the file: what has to go with it.
const ALONE: &str = "";
const WITH_LINE_BREAK: &str = " (with the line break above)";
const WITH_FILE: &str = " (with this file)";

/// The startup file with `line` in it; `None` when it holds exactly that already. `before` is `None` when there is no
/// such file. An older line of the same purpose is replaced where it stands.
pub fn with_line(before: Option<&[u8]>, purpose: Purpose, line: &str) -> Option<Vec<u8>> {
    let Some(before) = before else {
        return Some(format!("{line} {}{WITH_FILE}\n", purpose.mark()).into_bytes());
    };
    let mut lines = lines_of(before);
    let mark = purpose.mark();
    if let Some(ours) = lines.iter_mut().find(|found| origin(found, purpose).is_some()) {
        let origin = origin(ours, purpose).unwrap_or(ALONE);
        *ours = format!("{line} {mark}{origin}\n").into_bytes();
    } else if purpose == Purpose::Exec {
        lines.insert(0, format!("{line} {mark}\n").into_bytes());
    } else if before.is_empty() || before.ends_with(b"\n") {
        lines.push(format!("{line} {mark}\n").into_bytes());
    } else {
        lines.push(format!("\n{line} {mark}{WITH_LINE_BREAK}\n").into_bytes());
    }
    let after = lines.concat();
    (after != before).then_some(after)
}

/// A startup file without chela's lines.
#[derive(Debug, PartialEq, Eq)]
pub struct Without {
    pub text: Vec<u8>,
    /// The file came with the line, and nothing else is in it.
    pub remove_file: bool,
}

/// Takes out every line of chela's; `None` when there is none.
pub fn without_lines(before: &[u8]) -> Option<Without> {
    let mut text: Vec<u8> = Vec::with_capacity(before.len());
    let (mut found, mut came_with_file) = (false, false);
    for line in lines_of(before) {
        match origin(&line, Purpose::Exec).or_else(|| origin(&line, Purpose::Hooks)) {
            None => text.extend(line),
            Some(origin) => {
                found = true;
                came_with_file |= origin == WITH_FILE;
                if origin == WITH_LINE_BREAK && text.ends_with(b"\n") {
                    text.pop();
                }
            }
        }
    }
    let remove_file = came_with_file && text.is_empty();
    found.then_some(Without { text, remove_file })
}

fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// How one of chela's lines came in; `None` for a line of anybody else.
fn origin(line: &[u8], purpose: Purpose) -> Option<&'static str> {
    let line = line.trim_ascii_end();
    [ALONE, WITH_LINE_BREAK, WITH_FILE].into_iter().find(|origin| {
        let end = format!(" {}{origin}", purpose.mark());
        line.ends_with(end.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_quoted(kind: ShellKind, text: &str, expected: &str) {
        assert_eq!(quoted(kind, text), expected);
    }

    #[test]
    fn paths_are_one_word_whatever_is_in_them() {
        check_quoted(ShellKind::Bash, "/a b/$(x)", "'/a b/$(x)'");
        check_quoted(ShellKind::Zsh, "/it's", r"'/it'\''s'");
        check_quoted(ShellKind::Fish, r"/it's\", r"'/it\'s\\'");
    }

    #[track_caller]
    fn check_kind(program: &str, expected: Option<ShellKind>) {
        assert_eq!(ShellKind::of(program), expected);
    }

    #[test]
    fn a_shell_is_known_by_the_end_of_its_path() {
        check_kind("/usr/bin/zsh", Some(ShellKind::Zsh));
        check_kind("-bash", Some(ShellKind::Bash));
        check_kind("fish", Some(ShellKind::Fish));
        check_kind("/bin/dash", None);
    }

    #[test]
    fn scripts_have_no_place_left_open() {
        for kind in ShellKind::ALL {
            let script = script(kind, "/s t/shell", "/b n/chela", &config::Shell::default());
            assert!(script.contains("'/s t/shell'"), "{}", kind.name());
            assert!(!script.contains("@STATE@"), "{}", kind.name());
        }
    }

    #[track_caller]
    fn check_added(before: &str, purpose: Purpose, expected: &str) {
        let after = with_line(Some(before.as_bytes()), purpose, "LINE").unwrap();
        assert_eq!(String::from_utf8(after).unwrap(), expected);
    }

    #[test]
    fn the_hooks_go_to_the_end_and_exec_to_the_top() {
        check_added("a\n", Purpose::Hooks, "a\nLINE # added by chela init\n");
        check_added("", Purpose::Hooks, "LINE # added by chela init\n");
        check_added("a", Purpose::Hooks, "a\nLINE # added by chela init (with the line break above)\n");
        check_added("a", Purpose::Exec, "LINE # added by chela init --exec\na");
    }

    #[test]
    fn an_older_line_is_replaced_where_it_stands() {
        check_added("OLD # added by chela init\nb\n", Purpose::Hooks, "LINE # added by chela init\nb\n");
        check_added(
            "a\nOLD # added by chela init (with the line break above)\nb\n",
            Purpose::Hooks,
            "a\nLINE # added by chela init (with the line break above)\nb\n",
        );
    }

    #[test]
    fn a_file_that_came_with_the_line_goes_with_it() {
        let with = with_line(None, Purpose::Hooks, "LINE").unwrap();
        assert_eq!(without_lines(&with), Some(Without { text: vec![], remove_file: true }));
        let used = [with, b"alias x=y\n".to_vec()].concat();
        assert_eq!(without_lines(&used), Some(Without { text: b"alias x=y\n".into(), remove_file: false }));
    }

    #[test]
    fn a_file_without_our_line_is_left_alone() {
        assert_eq!(without_lines(b"# not added by chela, init\n"), None);
    }

    proptest! {
        #[test]
        fn taking_the_lines_out_leaves_what_was_there(before: Vec<u8>, exec: bool, hooks: bool) {
            let mut text = before.clone();
            for (wanted, purpose) in [(exec, Purpose::Exec), (hooks, Purpose::Hooks)] {
                if wanted {
                    text = with_line(Some(&text), purpose, "LINE").unwrap();
                    prop_assert_eq!(with_line(Some(&text), purpose, "LINE"), None);
                }
            }
            let after = without_lines(&text).map_or(text, |without| without.text);
            prop_assert_eq!(after, before);
        }
    }
}
