//! The key scripts of the shells, with the settings in front of them: what `chela init` prints behind the hooks. Pure.

use crate::config;
use crate::daemon::wire::shell::ShellKind;

/// The script for one shell. Settings are single-quoted assignments, so nothing in them is ever run.
pub fn script(shell: ShellKind, settings: &config::Shell) -> String {
    let on = |flag: bool| if flag { "on" } else { "off" };
    let assignments = [
        ("on", on(settings.enabled)),
        ("ask", &settings.key_ask),
        ("empty", &settings.key_ask_empty),
        ("fix", &settings.key_fix),
        ("teach", &settings.key_teach),
        ("announce", on(settings.announce_fix)),
        ("quiet", &settings.quiet),
        ("ghost", settings.ghost.name()),
    ];
    let lines = assignments.map(|(name, value)| assignment(shell, name, value));
    let keys = match shell {
        ShellKind::Bash => include_str!("../../assets/shell/keys.bash"),
        ShellKind::Zsh => include_str!("../../assets/shell/keys.zsh"),
        ShellKind::Fish => include_str!("../../assets/shell/keys.fish"),
    };
    format!("{}{keys}", lines.concat())
}

fn assignment(shell: ShellKind, name: &str, value: &str) -> String {
    match shell {
        ShellKind::Fish => {
            let value = value.replace('\\', "\\\\").replace('\'', "\\'");
            format!("set -g __chela_k_{name} '{value}'\n")
        }
        ShellKind::Bash | ShellKind::Zsh => {
            format!("__chela_k_{name}='{}'\n", value.replace('\'', r"'\''"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stand_in_front_of_the_script() {
        let settings = config::Shell { enabled: false, key_fix: "ctrl-g".into(), ..config::Shell::default() };
        let text = script(ShellKind::Zsh, &settings);
        assert!(text.starts_with("__chela_k_on='off'\n__chela_k_ask='alt-a'\n"), "{text}");
        assert!(text.contains("\n__chela_k_fix='ctrl-g'\n") && text.contains("zle -N chela-ask"));
    }

    #[test]
    fn a_quote_in_a_setting_ends_nothing() {
        assert_eq!(assignment(ShellKind::Bash, "quiet", "a'; b"), "__chela_k_quiet='a'\\''; b'\n");
        assert_eq!(assignment(ShellKind::Fish, "quiet", "a'; b\\"), "set -g __chela_k_quiet 'a\\'; b\\\\'\n");
    }
}
