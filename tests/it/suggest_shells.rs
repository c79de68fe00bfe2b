//! chela's keys in real shells: what is asked, what lands in the line, and that nothing of it runs by itself.

use chela::engine::scripted::Gate;

use crate::served::until;
use crate::suggest_pty::{PROMPT, Setup, Shell, line_of, serve, skipped};

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

const ESCAPE: &str = "\x1b";
const ALT_A: &str = "\x1ba";
const ALT_F: &str = "\x1bf";
const ALT_N: &str = "\x1bn";

#[test]
fn a_question_mark_on_an_empty_line_asks_and_the_command_waits_in_the_line() {
    let (served, engine) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("?");
        typed.until_shown("ask › ");
        typed.keys("make a file\r");
        typed.until_line("touch made");
        typed.until("the prompt of chela is gone", |screen| !screen.contents().contains("ask"));
        typed.run("echo over", "over");
        assert!(!typed.is_made("made"), "{shell:?} ran it");
        let prompt = engine.asked().pop().unwrap().prompt;
        let name = format!("{shell:?}").to_lowercase();
        assert!(prompt.contains(&format!("\nShell: {name}\n")) && prompt.contains("\nCwd: ~"), "{prompt}");
    }
    served.stop();
}

#[test]
fn a_question_can_be_pasted_and_the_shell_still_takes_pastes_afterwards() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("?");
        typed.until_shown("ask › ");
        typed.keys("\x1b[200~make\na file\x1b[201~");
        typed.until_shown("a file");
        typed.keys(" please make a file\r");
        typed.until_line("touch made");
        typed.keys("\x1b[200~ a b\x1b[201~");
        typed.until_line("touch made a b");
    }
    served.stop();
}

#[test]
fn a_question_mark_inside_a_line_is_a_question_mark() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("echo ab?");
        typed.until_line("echo ab?");
        typed.keys("\x1b[D\x1b[D?");
        typed.until("before the cursor", |screen| line_of(screen) == format!("{PROMPT}echo a?b?"));
    }
    served.stop();
}

#[test]
fn what_stands_in_the_line_is_the_question() {
    let (served, engine) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("make a file");
        typed.until_line("make a file");
        typed.keys(ALT_A);
        typed.until_line("touch made");
        assert!(engine.asked().pop().unwrap().prompt.contains("make a file"));
    }
    served.stop();
}

#[test]
fn the_turn_is_named_until_the_next_prompt() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("make a file");
        typed.until_line("make a file");
        typed.keys(ALT_A);
        typed.until_line("touch made");
        let newest = served.client.sessions(1, "").unwrap().sessions[0].id.clone();
        let turn = served.client.session(&newest).unwrap().turns.last().unwrap().id.0;
        typed.run("echo turn=$__chela_s.", &format!("turn={turn}."));
        typed.run("echo then=$__chela_s.", "then=.");
    }
    served.stop();
}

#[test]
fn after_a_failure_there_is_a_line_about_the_key_and_the_key_brings_the_fix() {
    let (served, engine) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.enter("ls /nonexistent/folder");
        typed.until_shown("chela: Alt+F puts a fix into the line");
        typed.keys(ALT_F);
        typed.until_line("echo fixed");
        let prompt = engine.asked().pop().unwrap().prompt;
        assert!(prompt.contains("This command failed:\n$ ls /nonexistent/folder\nexit "), "{prompt}");
    }
    served.stop();
}

#[test]
fn nothing_is_said_of_what_was_stopped_found_nothing_or_is_private() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        let before = if shell == Shell::Bash { "HISTCONTROL=ignorespace; echo set" } else { "echo set" };
        typed.run(before, "set");
        for quiet in ["grep zz /dev/null", "sh -c 'kill -INT $$'", " sh -c 'exit 7'"] {
            typed.enter(quiet);
        }
        assert!(!typed.screen().contains("chela:"), "{shell:?}\n{}", typed.screen());
    }
    served.stop();
}

#[test]
fn the_fix_key_on_a_line_with_words_goes_a_word_forward() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.enter("false");
        typed.keys("echo two\x01");
        typed.until_line("");
        typed.keys(&format!("{ALT_F}X"));
        typed.until("behind the word", |screen| {
            let line = line_of(screen);
            line == format!("{PROMPT}echoX two") || line == format!("{PROMPT}echo Xtwo")
        });
    }
    served.stop();
}

#[test]
fn leaving_puts_the_line_back_as_it_was() {
    let gate = Gate::default();
    let (served, _) = serve(&gate);
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        for leave in [ESCAPE, "\x03"] {
            typed.keys("\x15slow thing");
            typed.until_line("slow thing");
            let before = typed.screen();
            typed.keys(ALT_A);
            typed.until("the answer begins", |screen| screen.contents().contains("\n      echo"));
            typed.keys(leave);
            typed.until_line("slow thing");
            typed.until("no trace", |screen| screen.contents().trim_end() == before.trim_end());
            typed.keys("s");
            typed.until_line("slow things");
        }
    }
    gate.open();
    served.stop();
}

#[test]
fn a_dangerous_command_is_explained_and_needs_a_second_enter() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("?");
        typed.until_shown("ask › ");
        typed.keys("wipe it\r");
        typed.until_shown("Enter takes it");
        assert!(typed.screen().contains("\n      ! "), "no reason:\n{}", typed.screen());
        typed.keys(ESCAPE);
        typed.until_line("");
        typed.keys("wipe it");
        typed.until_line("wipe it");
        typed.keys(ALT_A);
        typed.until_shown("Enter takes it");
        typed.keys("\r");
        typed.until_line("rm -rf wiped");
    }
    served.stop();
}

#[test]
fn words_instead_of_a_command_are_shown_and_the_line_stays() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("who are you");
        typed.until_line("who are you");
        typed.keys(ALT_A);
        typed.until_shown("the answer is no command: I am an agent.");
        typed.keys(" ");
        typed.until_line("who are you");
    }
    served.stop();
}

#[test]
fn a_daemon_that_cannot_start_is_one_message_and_the_line_stays() {
    for shell in SHELLS {
        let home = tempfile::tempdir().unwrap();
        // The log cannot be written, so the daemon cannot be started.
        std::fs::create_dir_all(home.path().join("state/chela.log")).unwrap();
        let Some(typed) = Setup::of(shell, home.path()).start() else { continue };
        typed.keys("make a file");
        typed.until_line("make a file");
        typed.keys(ALT_A);
        typed.until_shown("the daemon does not start");
        typed.keys("\r");
        typed.until_line("make a file");
        typed.until("no trace", |screen| !screen.contents().contains("daemon"));
    }
}

#[test]
fn a_program_that_is_not_there_is_one_message_and_the_line_stays() {
    let home = tempfile::tempdir().unwrap();
    for shell in SHELLS {
        let gone =
            if shell == Shell::Fish { "set -g __chela_bin /no/chela" } else { "__chela_bin=/no/chela" };
        let setup = Setup { before: gone, ..Setup::of(shell, home.path()) };
        let Some(typed) = setup.start() else { continue };
        typed.keys("make a file");
        typed.until_line("make a file");
        typed.keys(ALT_A);
        typed.until_shown("chela: there is no program /no/chela");
        typed.until_line("make a file");
    }
}

#[test]
fn a_lesson_is_taught_and_the_question_asked_again() {
    let (served, engine) = serve(&Gate::default());
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("make a file");
        typed.until_line("make a file");
        typed.keys(ALT_A);
        typed.until_line("touch made");
        let n_asked = engine.asked().len();
        typed.keys(ALT_N);
        typed.until_shown("teach › ");
        typed.keys("use install instead of touch\r");
        until(|| {
            engine.asked().len() > n_asked && !served.client.lessons(None, "", 10).unwrap().lessons.is_empty()
        });
        typed.until_line("touch made");
        let prompt = engine.asked().pop().unwrap().prompt;
        assert!(
            prompt.contains("make a file") && prompt.contains("- use install instead of touch"),
            "{prompt}"
        );
    }
    served.stop();
}

#[test]
fn in_vi_mode_the_insert_mode_asks_and_the_command_mode_has_no_keys() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        let vi = match shell {
            Shell::Bash => "set -o vi",
            Shell::Zsh => "bindkey -v",
            Shell::Fish => {
                "function fish_mode_prompt; test $fish_bind_mode = default; and echo -n N; end; fish_vi_key_bindings"
            }
        };
        let Some(typed) = (Setup { before: vi, ..Setup::of(shell, served.home.path()) }).start() else {
            continue;
        };
        typed.keys("?");
        typed.until_shown("ask › ");
        typed.keys("make a file\r");
        typed.until_line("touch made");
        typed.keys(ESCAPE);
        // To fish, Esc and a letter are Alt only when they come in one piece; to the others whenever they are quick.
        if shell == Shell::Fish {
            typed.until("the command mode", |screen| line_of(screen) == format!("N{PROMPT}touch made"));
        }
        typed.keys("aX");
        typed.until("vi's own append", |screen| line_of(screen) == format!("{PROMPT}touch madeX"));
        assert!(!typed.screen().contains("ask › "));
    }
    served.stop();
}

#[test]
fn one_switch_takes_everything_away() {
    let (served, _) = serve(&Gate::default());
    chela::config::set_key(&served.paths.config_file(), "shell.enabled", "false").unwrap();
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("?");
        typed.until_line("?");
        typed.run("false; echo over", "over");
    }
    served.stop();
}

#[test]
fn keys_can_be_other_keys() {
    let (served, _) = serve(&Gate::default());
    chela::config::set_key(&served.paths.config_file(), "shell.key_ask", "ctrl-g").unwrap();
    chela::config::set_key(&served.paths.config_file(), "shell.key_ask_empty", ",").unwrap();
    for shell in SHELLS {
        let Some(typed) = Setup::of(shell, served.home.path()).start() else { continue };
        typed.keys("make a file");
        typed.until_line("make a file");
        typed.keys("\x07");
        typed.until_line("touch made");
        typed.keys("\x15,");
        typed.until_shown("ask › ");
        typed.keys(ESCAPE);
        typed.until_line("");
        typed.keys("?");
        typed.until_line("?");
    }
    served.stop();
}

#[test]
fn a_narrow_terminal_that_becomes_narrower_keeps_no_trace() {
    let (served, _) = serve(&Gate::default());
    for shell in SHELLS {
        // A terminal that cuts rows where others wrap them anew, as the one of the test does.
        let setup = Setup { columns: 40, term: "screen", ..Setup::of(shell, served.home.path()) };
        let Some(typed) = setup.start() else { continue };
        typed.keys("?");
        typed.until_shown("ask › ");
        typed.keys("a question that is longer than one row of this terminal");
        typed.until_shown("terminal");
        typed.resize(30);
        typed.keys("s\x17");
        typed.until("drawn anew", |screen| {
            screen.contents().contains("this ") && !screen.contents().contains("terminal")
        });
        typed.keys("\x03");
        typed.until("no trace", |screen| {
            !screen.contents().contains("question") && !screen.contents().contains("ask")
        });
        typed.run("echo over", "over");
    }
    served.stop();
}

/// zsh, which has ghost text.
fn ghost(served: &crate::served::Served, before: &str) -> Option<crate::suggest_pty::Typed> {
    Setup { before, ..Setup::of(Shell::Zsh, served.home.path()) }.start()
}

#[test]
fn zsh_shows_the_rest_of_a_line_of_its_history_and_right_takes_it() {
    let (served, engine) = serve(&Gate::default());
    if let Some(typed) = ghost(&served, "") {
        typed.run("echo one two three", "one two three");
        typed.keys("echo o");
        typed.until("the ghost", |screen| line_of(screen) == format!("{PROMPT}echo one two three"));
        typed.until_line("echo o");
        typed.keys("\x1b[1;3C");
        typed.until_line("echo one");
        typed.keys("\x1b[C");
        typed.until_line("echo one two three");
        typed.keys("\x15echo o");
        typed.until("the ghost again", |screen| line_of(screen) == format!("{PROMPT}echo one two three"));
        typed.keys("x\r");
        typed.until_shown("\nox");
        assert!(typed.screen().lines().any(|line| line.trim_end() == "P> echo ox"), "{}", typed.screen());
        assert!(engine.asked().is_empty(), "history needs no model");
    }
    served.stop();
}

#[test]
fn zsh_asks_the_model_for_what_the_history_does_not_know() {
    let (served, _) = serve(&Gate::default());
    if let Some(typed) = ghost(&served, "CHELA_GHOST=model") {
        typed.keys("zz -");
        typed.until("the ghost", |screen| line_of(screen) == format!("{PROMPT}zz --top"));
        typed.until_line("zz -");
        typed.keys("\x1b[C");
        typed.until_line("zz --top");
    }
    served.stop();
}

#[test]
fn zsh_keeps_what_typing_a_character_means() {
    let (served, _) = serve(&Gate::default());
    let magic = "autoload -Uz url-quote-magic; zle -N self-insert url-quote-magic";
    if let Some(typed) = ghost(&served, magic) {
        typed.keys("http://x/?");
        typed.until_line("http://x/\\?");
    }
    served.stop();
}

#[test]
fn zsh_autosuggestions_gets_the_model_as_one_of_its_strategies() {
    let places = ["/usr/share/zsh-autosuggestions", "/usr/share/zsh/plugins/zsh-autosuggestions"];
    let found = places.iter().map(|place| format!("{place}/zsh-autosuggestions.zsh"));
    let Some(plugin) = found.into_iter().find(|file| std::path::Path::new(file).exists()) else {
        skipped("zsh-autosuggestions");
        return;
    };
    let (served, _) = serve(&Gate::default());
    if let Some(typed) = ghost(&served, &format!("CHELA_GHOST=model\nsource {plugin}")) {
        typed.run("echo one two three", "one two three");
        typed.keys("echo o");
        typed.until("its own ghost", |screen| line_of(screen) == format!("{PROMPT}echo one two three"));
        typed.keys("\x15zz -");
        typed.until("the model's", |screen| line_of(screen) == format!("{PROMPT}zz --top"));
    }
    served.stop();
}
