//! Looking through programs that run other programs: `sudo`, `env`, `xargs`, `find -exec`, `bash -c`, `ssh`.

use super::read::{DEEPEST, read};
use super::word::is_assignment;
use super::{Joined, Line, RedirectKind, Simple, Unknown, Why, Word};

/// A program whose first operand, after its own options, is another program.
struct Wrapper {
    name: &'static str,
    /// Letters of short options that take the next word.
    letters: &'static str,
    /// Long options that take the next word.
    long: &'static [&'static str],
    /// Operands of its own before the program (`timeout 5`).
    n_own: usize,
    is_elsewhere: bool,
}

const fn wrapper(name: &'static str, letters: &'static str, long: &'static [&'static str]) -> Wrapper {
    Wrapper { name, letters, long, n_own: 0, is_elsewhere: false }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper("sudo", "ughpCDRTUrtc", &["user", "group", "host", "prompt", "chdir", "chroot", "role", "type"]),
    wrapper("doas", "uC", &[]),
    wrapper("pkexec", "", &["user"]),
    wrapper("run0", "ug", &["user", "group"]),
    wrapper("env", "uCS", &["unset", "chdir", "split-string"]),
    wrapper("nice", "n", &["adjustment"]),
    wrapper("ionice", "cnpPu", &["class", "classdata"]),
    wrapper("nohup", "", &[]),
    wrapper("time", "fo", &["format", "output"]),
    Wrapper { n_own: 1, ..wrapper("timeout", "sk", &["signal", "kill-after"]) },
    Wrapper { n_own: 1, ..wrapper("gtimeout", "sk", &["signal", "kill-after"]) },
    wrapper("stdbuf", "ioe", &["input", "output", "error"]),
    wrapper("setsid", "", &[]),
    wrapper("command", "", &[]),
    wrapper("builtin", "", &[]),
    wrapper("exec", "a", &[]),
    wrapper("noglob", "", &[]),
    wrapper("nocorrect", "", &[]),
    Wrapper { n_own: 1, ..wrapper("chrt", "TPD", &[]) },
    Wrapper { n_own: 1, ..wrapper("taskset", "", &[]) },
    wrapper("unbuffer", "", &[]),
    wrapper("caffeinate", "tw", &[]),
    wrapper("strace", "eopsuaEIOPSX", &[]),
    wrapper("ltrace", "eopsunaFlA", &[]),
    wrapper(
        "xargs",
        "IdnPLsaERJS",
        &["replace", "delimiter", "max-args", "max-procs", "max-lines", "max-chars", "arg-file"],
    ),
    wrapper("busybox", "", &[]),
    wrapper("toybox", "", &[]),
    wrapper("systemd-run", "pMHuE", &["unit", "property", "slice", "uid", "gid", "setenv", "description"]),
    wrapper("unshare", "", &[]),
    wrapper("proxychains", "f", &[]),
    wrapper("dbus-run-session", "", &[]),
    Wrapper { n_own: 1, ..wrapper("flock", "wE", &["timeout", "wait", "conflict-exit-code"]) },
    Wrapper { n_own: 1, is_elsewhere: true, ..wrapper("chroot", "", &[]) },
    Wrapper { is_elsewhere: true, ..wrapper("nsenter", "tSG", &["target"]) },
];

/// Programs that take a script as text: after `-c`, or from stdin, or a file's name.
pub(crate) const SHELLS: &[&str] =
    &["sh", "bash", "zsh", "dash", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "rbash", "pwsh"];

/// What a command runs besides itself.
enum Inner {
    Words { from: usize, to: usize },
    Script { text: String, at: Word },
    Unknown(Why, Word),
}

/// Puts behind each command what it runs, again and again.
pub(super) fn look_through(line: &mut Line, depth: usize) {
    let commands = std::mem::take(&mut line.commands);
    for command in commands {
        let (inners, is_elsewhere) = inners(&command);
        line.commands.push(command.clone());
        for inner in inners {
            match inner {
                Inner::Unknown(why, word) => line.unknown.push(Unknown { why, span: word.span }),
                _ if depth >= DEEPEST => {
                    line.unknown.push(Unknown { why: Why::TooDeep, span: command.span.clone() });
                }
                inner => {
                    let mut found = opened(&command, inner, depth);
                    look_through(&mut found, depth + 1);
                    let is_elsewhere = is_elsewhere || command.is_elsewhere;
                    line.commands.extend(
                        found.commands.into_iter().map(|inner| ran_by(&command, inner, is_elsewhere)),
                    );
                    line.unknown.extend(found.unknown);
                }
            }
        }
    }
}

/// What stands inside, as a line.
fn opened(command: &Simple, inner: Inner, depth: usize) -> Line {
    match inner {
        Inner::Unknown(why, word) => {
            Line { unknown: vec![Unknown { why, span: word.span }], ..Line::default() }
        }
        Inner::Script { text, at } => read(&text, Some(at.span), depth + 1),
        Inner::Words { from, to } => {
            let words = command.words.get(from..to).unwrap_or_default();
            let n_set = words.iter().take_while(|word| is_assignment(&word.text)).count();
            let (assignments, words) = words.split_at(n_set);
            let Some((first, last)) = words.first().zip(words.last()) else { return Line::default() };
            let span = first.span.start.min(last.span.start)..last.span.end.max(first.span.end);
            let unknown = (!first.is_known || first.is_pattern)
                .then(|| Unknown { why: Why::Program, span: first.span.clone() });
            let simple = Simple {
                joined: command.joined,
                assignments: assignments.to_vec(),
                words: words.to_vec(),
                redirects: command.redirects.clone(),
                span,
                has_more_words: matches!(command.program(), Some("xargs" | "parallel" | "fd" | "fdfind")),
                ..Simple::default()
            };
            Line { commands: vec![simple], unknown: unknown.into_iter().collect() }
        }
    }
}

fn ran_by(outer: &Simple, mut inner: Simple, is_elsewhere: bool) -> Simple {
    if inner.through.is_empty() && inner.joined == Joined::First {
        inner.joined = outer.joined;
    }
    inner.through.splice(0..0, outer.program().map(str::to_owned));
    inner.is_nested |= outer.is_nested;
    inner.is_elsewhere |= is_elsewhere;
    inner.has_more_words |= outer.has_more_words;
    inner
}

/// What a command runs, and whether it does so elsewhere.
fn inners(command: &Simple) -> (Vec<Inner>, bool) {
    let Some(program) = command.program() else { return (Vec::new(), false) };
    let here = |inners| (inners, false);
    let elsewhere = |inner: Option<Inner>| (inner.into_iter().collect(), true);
    match program {
        "find" | "gfind" => here(after_each(command, &["-exec", "-execdir", "-ok", "-okdir"], &[";", "+"])),
        "fd" | "fdfind" => here(after_each(command, &["-x", "-X", "--exec", "--exec-batch"], &[";"])),
        "eval" => here(joined_words(command, 1).into_iter().collect()),
        "source" | "." => here(
            command.words.get(1).map(|word| Inner::Unknown(Why::Script, word.clone())).into_iter().collect(),
        ),
        "trap" => here(
            command.operands().next().filter(|_| command.words.len() > 2).map(script).into_iter().collect(),
        ),
        "watch" => {
            let from = operand_at(command, "nqd", &["interval", "equexit"], 0);
            here(from.and_then(|from| joined_words(command, from)).into_iter().collect())
        }
        "runuser" if own_options(command, "u", &["user"], 0).has_flag("u", &["user"]) => {
            here(words_from(command, operand_at(command, "ugG", &["user", "group"], 0)))
        }
        "su" | "runuser" | "sg" | "script" => {
            here(value_of(command, 'c', "command").map(script).into_iter().collect())
        }
        "ssh" | "mosh" | "slogin" => elsewhere(
            operand_at(command, "BbcDEeFIiJLlmOopQRSWw", &["ssh", "port"], 1)
                .and_then(|from| joined_words(command, from)),
        ),
        "docker" | "podman" | "nerdctl" => elsewhere(in_container(command)),
        "kubectl" | "oc" => elsewhere(after_dashes(command)),
        "git" => here(by_git(command).into_iter().collect()),
        "parallel" => here(in_parallel(command).into_iter().collect()),
        name if SHELLS.contains(&name) => here(of_shell(command).into_iter().collect()),
        name => match WRAPPERS.iter().find(|wrapper| wrapper.name == name) {
            Some(wrapper) => (wrapped(command, wrapper).into_iter().collect(), wrapper.is_elsewhere),
            None => (Vec::new(), false),
        },
    }
}

fn script(word: &Word) -> Inner {
    if word.is_known {
        Inner::Script { text: word.text.clone(), at: word.clone() }
    } else {
        Inner::Unknown(Why::Script, word.clone())
    }
}

fn wrapped(command: &Simple, wrapper: &Wrapper) -> Option<Inner> {
    let from = operand_at(command, wrapper.letters, wrapper.long, wrapper.n_own);
    let own = own_options(command, wrapper.letters, wrapper.long, wrapper.n_own);
    match wrapper.name {
        "command" if own.has_flag("vV", &[]) => return None,
        "sudo" if own.has_flag("el", &["edit", "list"]) => return None,
        // A login shell gets the words joined; without words it is interactive.
        "sudo" | "doas" if own.has_flag("is", &["login", "shell"]) => return joined_words(command, from?),
        "env" => {
            if let Some(text) = value_of(&own, 'S', "split-string") {
                return Some(script(text));
            }
        }
        "flock"
            if from.and_then(|from| command.words.get(from - 1)).is_some_and(|word| word.text == "-c") =>
        {
            return command.words.get(from?).map(script);
        }
        _ => {}
    }
    Some(Inner::Words { from: from?, to: command.words.len() })
}

fn words_from(command: &Simple, from: Option<usize>) -> Vec<Inner> {
    from.map(|from| Inner::Words { from, to: command.words.len() }).into_iter().collect()
}

/// The command up to what it runs: its own options are there, those of what it runs are not.
fn own_options(command: &Simple, letters: &str, long: &[&str], n_own: usize) -> Simple {
    let end = operand_at(command, letters, long, n_own).unwrap_or(command.words.len());
    Simple { words: command.words.get(..end).unwrap_or_default().to_vec(), ..Simple::default() }
}

/// Where the operand number `n` stands, when these options take a word of their own. Assignments are passed over
/// together with what follows them by [`opened`].
fn operand_at(command: &Simple, letters: &str, long: &[&str], n: usize) -> Option<usize> {
    let mut at = 1;
    let mut n_seen = 0;
    let mut only_operands = false;
    while let Some(word) = command.words.get(at) {
        let text = word.text.as_str();
        if only_operands || !text.starts_with('-') || text == "-" {
            if n_seen == n {
                return Some(at);
            }
            n_seen += 1;
        } else if text == "--" {
            only_operands = true;
        } else if takes_next(text, letters, long) {
            at += 1;
        }
        at += 1;
    }
    None
}

/// Whether an option's value is the next word: `-u root`, `--user root`, but not `-uroot` and `--user=root`.
fn takes_next(option: &str, letters: &str, long: &[&str]) -> bool {
    if let Some(name) = option.strip_prefix("--") {
        return long.contains(&name);
    }
    let bundle = option.trim_start_matches('-');
    bundle.find(|letter| letters.contains(letter)).is_some_and(|at| at + 1 == bundle.len())
}

/// The value of a script option: `-c X`, `-lc X`, `-cX`, `--command X`, `--command=X`.
fn value_of<'a>(command: &'a Simple, letter: char, long: &str) -> Option<&'a Word> {
    let at = command.words.iter().skip(1).position(|word| match word.text.strip_prefix("--") {
        Some(name) => name == long,
        None => word.text.strip_prefix('-').is_some_and(|bundle| bundle.ends_with(letter)),
    })?;
    command.words.get(at + 2)
}

/// The words from here on, joined by blanks, as a script.
fn joined_words(command: &Simple, from: usize) -> Option<Inner> {
    let words = command.words.get(from..).filter(|words| !words.is_empty())?;
    let (first, last) = words.first().zip(words.last())?;
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let word = Word {
        text,
        span: first.span.start.min(last.span.start)..last.span.end.max(first.span.end),
        is_known: words.iter().all(|word| word.is_known),
        ..Word::default()
    };
    Some(script(&word))
}

/// `find … -exec PROGRAM … ;`
fn after_each(command: &Simple, starts: &[&str], ends: &[&str]) -> Vec<Inner> {
    let mut found = Vec::new();
    for (at, word) in command.words.iter().enumerate() {
        if starts.contains(&word.text.as_str()) {
            let rest = command.words.get(at + 1..).unwrap_or_default();
            let length =
                rest.iter().position(|word| ends.contains(&word.text.as_str())).unwrap_or(rest.len());
            found.push(Inner::Words { from: at + 1, to: at + 1 + length });
        }
    }
    found
}

/// `git submodule foreach SCRIPT`, `git bisect run PROGRAM …`.
fn by_git(command: &Simple) -> Option<Inner> {
    let verbs = |first: &str, second: &str| {
        let at = command.words.windows(2).position(|pair| {
            let mut texts = pair.iter().map(|word| word.text.as_str());
            texts.next() == Some(first) && texts.next() == Some(second)
        })?;
        let rest = command.words.get(at + 2..)?;
        Some(at + 2 + rest.iter().take_while(|word| word.text.starts_with('-')).count())
    };
    match (verbs("submodule", "foreach"), verbs("bisect", "run")) {
        (Some(from), _) => joined_words(command, from),
        (_, Some(from)) => Some(Inner::Words { from, to: command.words.len() }),
        _ => None,
    }
}

fn after_dashes(command: &Simple) -> Option<Inner> {
    let at = command.words.iter().position(|word| word.text == "--")?;
    command.has(&["exec", "debug"]).then_some(Inner::Words { from: at + 1, to: command.words.len() })
}

/// `docker exec [options] NAME PROGRAM …`, `docker compose exec …`, `docker run …`.
fn in_container(command: &Simple) -> Option<Inner> {
    let verb = command.words.iter().position(|word| ["exec", "run"].contains(&word.text.as_str()))?;
    let rest = Simple { words: command.words.get(verb..)?.to_vec(), ..Simple::default() };
    let long = &[
        "env",
        "user",
        "workdir",
        "volume",
        "publish",
        "name",
        "network",
        "entrypoint",
        "mount",
        "env-file",
        "platform",
        "memory",
        "cpus",
        "gpus",
        "hostname",
        "label",
        "add-host",
        "device",
        "restart",
        "pull",
        "index",
    ];
    let from = verb + operand_at(&rest, "euwvplmh", long, 1)?;
    Some(Inner::Words { from, to: command.words.len() })
}

fn in_parallel(command: &Simple) -> Option<Inner> {
    let from = operand_at(command, "jINnLSX", &["jobs", "results", "joblog", "delay", "timeout"], 0)?;
    let rest = command.words.get(from..)?;
    let length = rest.iter().position(|word| word.text.starts_with(":::")).unwrap_or(rest.len());
    match rest.first() {
        Some(word) if length == 1 && word.text.contains(' ') => Some(script(word)),
        _ if length == 0 => None,
        _ => Some(Inner::Words { from, to: from + length }),
    }
}

/// A shell's script: after `-c`, in a here-document, or unknown: in a file, or from the pipe before it.
fn of_shell(command: &Simple) -> Option<Inner> {
    let long = &["rcfile", "init-file"];
    let first = operand_at(command, "oO", long, 0).and_then(|at| command.words.get(at));
    if own_options(command, "oO", long, 0).has_flag("c", &["command"]) {
        return first.map(script);
    }
    if let Some(text) = command.given_text().filter(|_| first.is_none()) {
        return Some(script(text));
    }
    let program = command.words.first()?;
    let reads = command.joined == Joined::Pipe
        || command.redirects.iter().any(|redirect| redirect.kind == RedirectKind::Read);
    match first {
        Some(file) => Some(Inner::Unknown(Why::Script, file.clone())),
        None if reads => Some(Inner::Unknown(Why::Script, program.clone())),
        None => None,
    }
}
