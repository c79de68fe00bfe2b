//! How the hooks get into a shell without touching the user's files: start files of our own, which read the user's.
//! Pure: the files and variables are values; `claim` writes them.
//!
//! What always holds: the user's start files run once, in the shell's own order, and see the variables that they would
//! see without chela; the nonce is a variable of the shell, not of its children.

use std::ffi::OsString;
use std::path::Path;

use crate::daemon::wire::shell::ShellKind;

/// What the hooks are told.
#[derive(Debug, Clone)]
pub(super) struct Words {
    /// The terminal that the proxy made.
    pub(super) tty: String,
    pub(super) nonce: String,
    pub(super) shell_id: String,
    /// The control file.
    pub(super) control: String,
}

impl Words {
    fn pairs(&self) -> [(&'static str, &str); 4] {
        [
            ("CHELA_ACTIVE", &self.tty),
            ("CHELA_NONCE", &self.nonce),
            ("CHELA_SHELL_ID", &self.shell_id),
            ("CHELA_CTL", &self.control),
        ]
    }
}

/// How a shell is started.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StartPlan {
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
    /// Written into the private directory first.
    pub(super) files: Vec<(&'static str, String)>,
    /// Started as `-name`, without arguments: what `login` does.
    pub(super) is_dashed: bool,
}

/// Variables of the user that our own stand in for while the shell starts.
#[derive(Debug, Default)]
pub(super) struct Borrowed {
    pub(super) zdotdir: Option<OsString>,
    pub(super) env: Option<OsString>,
}

/// Plans the start of a shell with `hooks`. `dir` is the private directory.
pub(super) fn plan(
    kind: ShellKind,
    is_login: bool,
    dir: &Path,
    words: &Words,
    (hooks, borrowed): (&str, &Borrowed),
) -> StartPlan {
    let hooks_name = match kind {
        ShellKind::Bash => "chela.bash",
        ShellKind::Zsh => "chela.zsh",
        ShellKind::Fish => "chela.fish",
    };
    let hooks_path = dir.join(hooks_name).display().to_string();
    let mut plan = match kind {
        ShellKind::Bash if is_login => bash_login(dir, words, &hooks_path, borrowed),
        ShellKind::Bash => bash(dir, words, &hooks_path),
        ShellKind::Zsh => zsh(dir, words, &hooks_path, borrowed),
        ShellKind::Fish => fish(words, &hooks_path),
    };
    if is_login && kind == ShellKind::Fish {
        plan.args.insert(0, "--login".into());
    }
    plan.is_dashed = is_login && kind != ShellKind::Fish;
    plan.files.push((hooks_name, hooks.to_owned()));
    plan
}

/// A shell that is not known gets nothing but its login.
pub(super) fn plain(is_login: bool) -> StartPlan {
    StartPlan { is_dashed: is_login, ..StartPlan::default() }
}

/// The system's own start file has run when bash reads this one.
fn bash(dir: &Path, words: &Words, hooks: &str) -> StartPlan {
    let text = format!("{}[[ -r ~/.bashrc ]] && . ~/.bashrc\n. {}\n", assignments(words), quoted(hooks));
    let rc = dir.join("rc.bash");
    StartPlan {
        args: vec!["--rcfile".into(), rc.into_os_string()],
        files: vec![("rc.bash", text)],
        ..StartPlan::default()
    }
}

/// A login shell reads no rc file. In POSIX mode it reads `ENV` alone: that file ends the mode and what it changed, then
/// does what a login shell does.
fn bash_login(dir: &Path, words: &Words, hooks: &str, borrowed: &Borrowed) -> StartPlan {
    let restore_env = match borrowed.env.as_ref().and_then(|env| env.to_str()) {
        Some(env) => format!("export ENV={}\n", quoted(env)),
        None => "unset ENV\n".to_owned(),
    };
    let text = format!(
        "set +o posix\nunset POSIXLY_CORRECT\nshopt -u inherit_errexit 2>/dev/null\n\
         {restore_env}[[ ${{HISTFILE-}} == ~/.sh_history ]] && HISTFILE=~/.bash_history\n{}\
         [[ -r /etc/profile ]] && . /etc/profile\n\
         if [[ -r ~/.bash_profile ]]; then . ~/.bash_profile\n\
         elif [[ -r ~/.bash_login ]]; then . ~/.bash_login\n\
         elif [[ -r ~/.profile ]]; then . ~/.profile\nfi\n. {}\n",
        assignments(words),
        quoted(hooks)
    );
    let profile = dir.join("profile.bash");
    StartPlan {
        env: vec![("ENV", profile.into_os_string()), ("POSIXLY_CORRECT", "y".into())],
        files: vec![("profile.bash", text)],
        ..StartPlan::default()
    }
}

/// zsh looks for each start file where `ZDOTDIR` points at that moment: ours stand there until the last of them has
/// run, and each runs the user's with the user's own `ZDOTDIR`.
fn zsh(dir: &Path, words: &Words, hooks: &str, borrowed: &Borrowed) -> StartPlan {
    let ours = quoted(&dir.display().to_string());
    let theirs = match borrowed.zdotdir.as_ref().and_then(|zdotdir| zdotdir.to_str()) {
        Some(zdotdir) => format!("export ZDOTDIR={}", quoted(zdotdir)),
        None => "unset ZDOTDIR".to_owned(),
    };
    let environment = format!(
        "{}{theirs}\n[[ -r ${{ZDOTDIR:-$HOME}}/.zshenv ]] && source ${{ZDOTDIR:-$HOME}}/.zshenv\n{}",
        assignments(words),
        lend_zdotdir(&ours)
    );
    let profile = format!("{TAKE_ZDOTDIR}{}{}", zsh_source(".zprofile"), lend_zdotdir(&ours));
    // A history file beside our start files would be removed with them.
    let rc = format!(
        "{TAKE_ZDOTDIR}[[ ${{HISTFILE-}} == {ours}/* ]] && HISTFILE=${{ZDOTDIR:-$HOME}}/${{HISTFILE:t}}\n\
         {}unset __chela_zdotdir __chela_zexport\nsource {}\n",
        zsh_source(".zshrc"),
        quoted(hooks)
    );
    StartPlan {
        env: vec![("ZDOTDIR", dir.as_os_str().to_owned())],
        files: vec![(".zshenv", environment), (".zprofile", profile), (".zshrc", rc)],
        ..StartPlan::default()
    }
}

/// Gives the user's `ZDOTDIR` back, exported as it was, or not set as it was.
const TAKE_ZDOTDIR: &str = "if (( ${+__chela_zdotdir} )); then typeset -g ZDOTDIR=$__chela_zdotdir\n\
     [[ $__chela_zexport == *export* ]] && export ZDOTDIR\nelse unset ZDOTDIR; fi\n";

/// Keeps the user's `ZDOTDIR` and lets zsh find our next start file; a shell that will read none gets nothing of this.
fn lend_zdotdir(ours: &str) -> String {
    format!(
        "if [[ -o interactive && -o rcs ]]; then\n\
         if (( ${{+ZDOTDIR}} )); then __chela_zdotdir=$ZDOTDIR __chela_zexport=${{(t)ZDOTDIR}}\n\
         else unset __chela_zdotdir __chela_zexport; fi\n\
         unset ZDOTDIR; typeset -g +x ZDOTDIR={ours}\nfi\n"
    )
}

fn zsh_source(file: &str) -> String {
    format!("[[ -r ${{ZDOTDIR:-$HOME}}/{file} ]] && source ${{ZDOTDIR:-$HOME}}/{file}\n")
}

/// fish has no start file of ours before the user's: what the hooks need comes in its environment.
fn fish(words: &Words, hooks: &str) -> StartPlan {
    StartPlan {
        args: vec!["--init-command".into(), format!("source {}", fish_quoted(hooks)).into()],
        env: words.pairs().map(|(name, value)| (name, value.into())).to_vec(),
        ..StartPlan::default()
    }
}

/// Variables of the shell, hidden from its children, before anything of the user's runs.
fn assignments(words: &Words) -> String {
    let lines = words.pairs().map(|(name, value)| format!("{name}={}\n", quoted(value)));
    lines.concat()
}

/// As one word of bash and zsh.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// As one word of fish.
fn fish_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
