//! Where `chela shell` must not start, and why. Pure: the surroundings are a value.

/// What was found around the process. Variables that are set to nothing count as not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    pub is_input_terminal: bool,
    pub is_output_terminal: bool,
    /// The terminal is the one that a running `chela shell` made.
    pub is_own_terminal: bool,
    pub term: Option<String>,
    pub term_program: Option<String>,
    pub ci: Option<String>,
    pub inside_emacs: Option<String>,
    /// Set by VS Code where it reads the environment of a shell that nobody sees.
    pub vscode_resolving: Option<String>,
    pub ssh: Option<String>,
    pub disable: Option<String>,
}

/// Who wants the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A person typed it.
    Typed,
    /// A start file runs it in every shell: it must give way wherever a shell of its own would be in the way.
    StartFile,
}

/// Why there is no shell of chela's here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("CHELA_DISABLE is set")]
    Disabled,
    #[error("chela shell needs a terminal for its input and output; run the command without it in scripts")]
    NoTerminal,
    #[error("this is chela shell already; `exit` leaves it")]
    Inside,
    #[error("the terminal says that it cannot do more than print (TERM=dumb); use the plain shell here")]
    Dumb,
    #[error("Emacs runs this shell and reads what it prints; use the plain shell here")]
    Emacs,
    #[error("this is a build server (CI is set)")]
    BuildServer,
    #[error("Warp draws its shell itself")]
    Warp,
    #[error("VS Code reads the environment of this shell")]
    VsCode,
    #[error("this is a remote shell; type `chela shell` to have it here")]
    Remote,
}

/// Whether a shell may be started.
pub(super) fn check(around: &Surroundings, wish: Wish) -> Result<(), Refusal> {
    let set = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    let always = [
        (set(&around.disable), Refusal::Disabled),
        (!around.is_input_terminal || !around.is_output_terminal, Refusal::NoTerminal),
        (around.is_own_terminal, Refusal::Inside),
        (around.term.as_deref().is_none_or(|term| term == "dumb" || term.is_empty()), Refusal::Dumb),
        (set(&around.inside_emacs), Refusal::Emacs),
    ];
    let unasked = [
        (set(&around.ci), Refusal::BuildServer),
        (around.term_program.as_deref() == Some("WarpTerminal"), Refusal::Warp),
        (set(&around.vscode_resolving), Refusal::VsCode),
        (set(&around.ssh), Refusal::Remote),
    ];
    let unasked = unasked.into_iter().filter(|_| wish == Wish::StartFile);
    match always.into_iter().chain(unasked).find(|(applies, _)| *applies) {
        Some((_, refusal)) => Err(refusal),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Surroundings {
        Surroundings {
            is_input_terminal: true,
            is_output_terminal: true,
            term: Some("xterm-256color".into()),
            ..Surroundings::default()
        }
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Surroundings), typed: Option<Refusal>, start_file: Option<Refusal>) {
        let mut around = terminal();
        change(&mut around);
        let found = (check(&around, Wish::Typed).err(), check(&around, Wish::StartFile).err());
        assert_eq!(found, (typed, start_file));
    }

    #[test]
    fn a_terminal_is_a_place_to_start() {
        refused(|_| (), None, None);
    }

    #[test]
    fn both_ends_must_be_a_terminal() {
        refused(|a| a.is_input_terminal = false, Some(Refusal::NoTerminal), Some(Refusal::NoTerminal));
        refused(|a| a.is_output_terminal = false, Some(Refusal::NoTerminal), Some(Refusal::NoTerminal));
    }

    #[test]
    fn nobody_starts_where_it_cannot_work() {
        refused(|a| a.disable = Some("1".into()), Some(Refusal::Disabled), Some(Refusal::Disabled));
        refused(|a| a.is_own_terminal = true, Some(Refusal::Inside), Some(Refusal::Inside));
        refused(|a| a.term = Some("dumb".into()), Some(Refusal::Dumb), Some(Refusal::Dumb));
        refused(|a| a.term = None, Some(Refusal::Dumb), Some(Refusal::Dumb));
        refused(|a| a.inside_emacs = Some("1".into()), Some(Refusal::Emacs), Some(Refusal::Emacs));
    }

    #[test]
    fn a_start_file_gives_way_where_nobody_asked() {
        refused(|a| a.ci = Some("1".into()), None, Some(Refusal::BuildServer));
        refused(|a| a.term_program = Some("WarpTerminal".into()), None, Some(Refusal::Warp));
        refused(|a| a.vscode_resolving = Some("1".into()), None, Some(Refusal::VsCode));
        refused(|a| a.ssh = Some("1".into()), None, Some(Refusal::Remote));
    }

    #[test]
    fn set_to_nothing_is_not_set() {
        refused(|a| a.disable = Some(String::new()), None, None);
    }
}
