//! Shell commands as far as hints need them: which programs a line runs, what an option looks like. Pure.
//!
//! This is no shell parser: words are split at blanks, and where that is not enough (quotes, substitutions) the rules
//! that use it find nothing and leave the case to the model.

/// Programs that people suggest; an answer that begins with one of them is a command even without options.
const KNOWN: &str = " 7z ack ag ansible apk apt apt-get aria2c awk base64 bash bat brew btop bun bundle bzip2 convert comm delta just cal cargo cat cd chmod chown \
    chgrp clang cmake cmp comm composer conda cp cron crontab curl cut date dd deno df diff dig dir dirname dmesg dnf \
    docker docker-compose du dust echo ed emacs env exa export eza fd ffmpeg file find fish flatpak free gcc gem gh git \
    go gpg grep groups gunzip gzip head helm history hostname htop http hx id ifconfig ip iptables java jobs journalctl \
    jq just kak kill killall kubectl last less ln locate ls lsblk lscpu lsd lsof lsusb make man md5sum micro mkdir \
    mktemp mongo more mosh mount mv mvn mypy mysql nano nc ncdu nc neofetch netstat nginx nice ninja nl nmap node nohup \
    npm npx nvim open openssl pacman passwd paste patch perl pg_dump pgrep php ping pip pip3 pipx pkill pnpm podman \
    poetry printenv printf procs ps psql pwd pytest python python3 rails rake rename rg rm rmdir rsync ruby ruff rustc \
    rustup scp screen sd sed seq service sftp sh sha256sum shuf sleep snap sort split sqlite3 ss ssh ssh-keygen stat \
    sudo systemctl tac tail tar tee terraform test time tldr tmux top touch tr trash trash-put tree ts-node tsc tty \
    ufw umount uname uniq unzip uptime uv vi vim vimdiff w wc wget which who whoami xargs xh xxd xz yarn yq yum zcat zip \
    zoxide zsh zstd ";

/// What may stand before the program.
const BEFORE: &[&str] = &["sudo", "doas", "time", "nohup", "nice", "exec", "command", "env"];
/// Lines that begin with these hold several commands.
const KEYWORDS: &[&str] = &["for", "while", "until", "if", "case"];
const SEPARATORS: &[&str] = &["|", "||", "&&", ";", "|&"];
/// Programs whose first word is the real command.
const WITH_VERBS: &[&str] = &[
    "apt",
    "apt-get",
    "brew",
    "cargo",
    "dnf",
    "docker",
    "gh",
    "git",
    "go",
    "helm",
    "kubectl",
    "npm",
    "pip",
    "pnpm",
    "podman",
    "systemctl",
    "terraform",
    "uv",
    "yarn",
];

pub(super) fn is_known(word: &str) -> bool {
    !word.is_empty() && !word.contains(' ') && KNOWN.contains(&format!(" {word} "))
}

/// `-v`, `--dry-run`, `-maxdepth`.
pub(super) fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.".contains(c))
}

/// What a program's name may look like.
pub(super) fn is_program_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ['.', '~', '/'].contains(&c))
        && word.chars().any(|c| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "._+-/~".contains(c))
        && (2..=40).contains(&word.len())
}

/// The command that an answer consists of: its only line, or the only line of its only code block.
pub(super) fn line(answer: &str) -> Option<&str> {
    perhaps(answer).filter(|line| looks_like_command(line))
}

/// The same, where what was said about it (`add -v`) already shows that it is a command.
pub(super) fn perhaps(answer: &str) -> Option<&str> {
    let answer = answer.trim();
    let inner = match answer.strip_prefix("```") {
        Some(rest) => rest.split_once('\n')?.1.strip_suffix("```")?.trim(),
        None => answer.trim_matches('`'),
    };
    let inner = inner.strip_prefix("$ ").unwrap_or(inner);
    let is_simple = first(inner).is_some_and(|word| is_program_name(word) && !KEYWORDS.contains(&word));
    (!inner.contains('\n') && is_simple && !ends_as_prose(inner)).then_some(inner)
}

/// The first word that does not only stand before the program.
fn first(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| !BEFORE.contains(word) && !word.contains('='))
}

fn looks_like_command(line: &str) -> bool {
    let Some(first) = first(line) else { return false };
    let is_shell_form =
        |word: &str| is_flag(word) || word.contains(['/', '|', '*', '$', '>']) || is_file_name(word);
    first.contains('/')
        || is_known(first)
        || line.split_whitespace().count() <= 2
        || line.split_whitespace().any(is_shell_form)
}

/// `report.pdf`: a dot with a short ending behind it.
fn is_file_name(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && (1..=4).contains(&ending.len())
            && ending.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// A sentence's mark at the end; a last word of marks only is a folder or a pattern (`find .`, `cd ..`).
fn ends_as_prose(line: &str) -> bool {
    let is_place = |word: &str| word.chars().all(|c| ".?*!/".contains(c));
    line.ends_with(['.', '!', '?']) && !line.split_whitespace().next_back().is_some_and(is_place)
}

/// Programs of the line, in order, without what only stands before them.
pub(super) fn utilities(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at: Vec<usize> = (0..words.len()).filter(|&at| is_utility(&words, at)).collect();
    at.into_iter().filter_map(|at| words.get(at).copied()).collect()
}

/// Whether the word at this place is a program.
pub(super) fn is_utility(words: &[&str], at: usize) -> bool {
    let Some(word) = words.get(at) else { return false };
    if !is_program_name(word) || BEFORE.contains(word) {
        return false;
    }
    let before = words.get(..at).unwrap_or_default().iter().rev();
    let mut before = before.skip_while(|word| BEFORE.contains(word) || word.contains('=') && !is_flag(word));
    before.next().is_none_or(|word| SEPARATORS.contains(word) || word.ends_with(';'))
}

/// The first program of the line.
pub(super) fn program(line: &str) -> Option<&str> {
    utilities(line).first().copied()
}

/// How the program at or before this place is named in a hint: with its verb, where it has one (`git push`).
pub(super) fn governing(words: &[&str], at: usize) -> Option<String> {
    let place = (0..=at.min(words.len().saturating_sub(1))).rev().find(|&at| is_utility(words, at))?;
    let program = words.get(place)?;
    let verb = words.get(place + 1).filter(|verb| verb.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    match verb {
        Some(verb) if WITH_VERBS.contains(program) && !is_flag(verb) => Some(format!("{program} {verb}")),
        _ => Some((*program).to_owned()),
    }
}
