//! Which programs a request is about: from the words of the task to the programs that people use for it.
//!
//! What lives here: the table, and how a cue is read. It errs on the side of finding a program: a lesson that is shown
//! in vain costs a few tokens, one that is not shown costs the user a second correction. Only `lesson` uses this.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use super::words::{Words, stem};

/// A program, other names for it, and cues. A cue holds when each of its words, or one of the alternatives between `|`,
/// is in the text, and none behind `!` is. `<file>` and the like are shapes (see `words`).
const PROGRAMS: &[(&str, &str, &[&str])] = &[
    (
        "ls",
        "eza exa lsd",
        &[
            "list|show|what|which|zeig|montr|muestr file|folder|directory|datei|ordner|fichier|archivo !contain|named",
            "list !process|container|branch|service|package|commit|port|user",
            "hidden file",
        ],
    ),
    (
        "find",
        "fd locate",
        &[
            "find|locate|search|look|where|such|cherch|busc|trouv file|folder|directory|datei|ordner|named|called|fichier|archivo|dossier",
            "file bigger|larger|smaller|older|newer|empty|modified|changed|named|ending",
            "where <file>",
            "find <file>",
        ],
    ),
    (
        "grep",
        "rg ag ack ripgrep egrep fgrep ugrep",
        &[
            "search|such|suche|cherch|busc|durchsuche !named|bigger|larger|older|newer|called|web|package|image",
            "find|look|locate <file>|word|text|line|string|pattern|todo|occurrence|mention|in",
            "line|zeile|row|ligne with|contain|match|have|that|of|mit|avec|in",
            "contain|contains|mention|occurrence|match|appear|occur",
            "file|every for contain|todo",
        ],
    ),
    (
        "cat",
        "bat batcat",
        &[
            "show|print|display|view|content|read|output|see|zeig|affich|muestr <file>",
            "what <file>",
            "content file",
            "concatenate",
            "join file",
        ],
    ),
    ("less", "more most", &["page|scroll|pager|through", "read long|through", "view|read <file>"]),
    ("head", "", &["first|top|begin|start line|row|<number>|<file>"]),
    ("tail", "", &["last|end|newest|latest line|row|<number>|<file>", "follow|watch log|<file>"]),
    (
        "rm",
        "trash trash-put rip",
        &[
            "delete|erase|trash|wipe|lösch|losch|lösche|supprim|borr|elimin|shred",
            "remove|clean|throw|rid|clear !package|container|image|branch|user|duplicate|column|space",
        ],
    ),
    ("rmdir", "", &["delete|remove empty folder|directory"]),
    ("cp", "", &["copy|duplicate|kopier|copi|copie|backup|back !server|remote|machine", "copy"]),
    ("mv", "", &["move|rename|verschieb|umbenenn|déplac|renomm|mover|renombr", "call|name <file>"]),
    (
        "mkdir",
        "",
        &["create|make|new|add|erstell|anleg|neu folder|directory|dir|ordner|verzeichnis|dossier|carpeta"],
    ),
    ("touch", "", &["create|make|new|empty file|<file>", "timestamp"]),
    ("ln", "", &["link|symlink|symbolic|shortcut"]),
    (
        "chmod",
        "",
        &["executable|permission|writable|readable|chmod|rights|mode", "make <file> run|executable"],
    ),
    ("chown", "", &["owner|ownership|belong|own"]),
    (
        "tar",
        "bsdtar gtar",
        &["archive|pack|unpack|extract|tarball|compress|bundle|entpack|untar", "<file> unpack"],
    ),
    ("zip", "7z", &["zip|compress|pack|archive"]),
    ("unzip", "", &["unzip|unpack|extract|decompress|entpack"]),
    ("gzip", "pigz gunzip", &["compress|gzip|decompress|uncompress"]),
    (
        "curl",
        "xh http curlie",
        &[
            "fetch|download|get|request|post|header|send|call|hit|load|query <url>|http|url|api|endpoint|page|localhost",
            "http|https|endpoint|api|rest",
            "<url>",
            "download",
        ],
    ),
    (
        "wget",
        "aria2c wget2",
        &["download|fetch|mirror|save|get <url>|file|site|page|<file>", "download", "<url>"],
    ),
    (
        "ssh",
        "mosh autossh",
        &[
            "log|connect|login|ssh|shell|verbind server|host|machine|box|to|into|remote|auf|mit",
            "remote command|shell|machine|host",
        ],
    ),
    ("scp", "sftp", &["copy|upload|transfer|send|put|push|bring server|host|machine|remote|box|to|from"]),
    ("rsync", "rclone", &["sync|synchron|synchronize|mirror|copy|backup|transfer|replicate"]),
    (
        "git",
        "hub gh",
        &[
            "commit|branch|merge|rebase|stash|push|pull|repository|repo|checkout|staged|unstaged|clone|cherry|remote|untracked",
            "undo|show|see|list|compare change|history|diff",
            "tag",
            "log !<file>|service|system",
            "switch",
        ],
    ),
    (
        "docker",
        "podman nerdctl docker-compose podman-compose",
        &["container|docker|compose", "image !resize|picture|photo|convert", "volume"],
    ),
    ("kubectl", "oc k3s", &["pod|kubernetes|k8s|deployment|namespace|cluster|replica"]),
    (
        "npm",
        "pnpm yarn bun npx",
        &[
            "dependency|dependencies|package|module node|js|javascript|npm|install|update|project",
            "install dependency|package|dependencies",
            "script run",
            "frontend|node|javascript|typescript",
        ],
    ),
    (
        "pip",
        "pip3 uv pipx",
        &[
            "package|module|library|requirements|dependency python|install",
            "install|requirements.txt python|package|requirements.txt|requests|numpy",
            "virtualenv|venv",
        ],
    ),
    ("cargo", "", &["cargo|crate|rust", "build|test|run|compile project|crate"]),
    ("go", "", &["golang"]),
    ("make", "gmake just ninja remake", &["build|compile|target|make|bau"]),
    ("cmake", "", &["configure|generate build"]),
    ("gcc", "clang tcc cc", &["compile", "build c|program"]),
    ("diff", "delta colordiff icdiff", &["compare|differ|difference|diff|unterschied|vergleich"]),
    ("wc", "", &["count|many|number|zähl line|word|character|byte|file|wort|zeile", "how long <file>"]),
    ("sort", "gsort", &["sort|order|alphabetical|sortier|tri|trier|rank"]),
    ("uniq", "", &["duplicate|unique|distinct|repeated|once"]),
    ("cut", "", &["column|field|character|part"]),
    ("awk", "gawk mawk", &["column|field|sum|average|total"]),
    (
        "sed",
        "gsed sd perl",
        &[
            "replace|substitute|swap|ersetz|remplac",
            "delete|remove|print|insert line",
            "change|turn word|text|every|all|<file>",
        ],
    ),
    ("tr", "", &["uppercase|lowercase|upper|lower|translate|capital"]),
    ("jq", "", &["json|<file> json", "json"]),
    (
        "du",
        "dust gdu ncdu",
        &[
            "size|big|large|space|usage|much|biggest|largest|heavy|groß folder|directory|file|take|disk|here|use|ordner",
            "disk usage",
        ],
    ),
    ("df", "duf", &["disk|drive|partition|filesystem", "free|full|left space|disk"]),
    ("free", "", &["memory|ram|swap"]),
    ("ps", "procs", &["process|processes|running|prozess|pid|program run"]),
    ("top", "htop btop", &["cpu|load|busy|monitor|process", "process|program use|cpu|memory"]),
    ("kill", "", &["kill|stop|end|terminate|quit process|pid|<number>|program|job", "kill"]),
    ("pkill", "killall", &["kill|stop|end|terminate all|every|process|named"]),
    (
        "apt",
        "apt-get nala aptitude dnf yum pacman brew apk zypper",
        &[
            "install|installier|instal",
            "package|software|paket|upgrade",
            "remove|uninstall|update package|program|system|software",
        ],
    ),
    (
        "sudo",
        "doas run0",
        &[
            "root|admin|administrator|privilege|sudo",
            "install|upgrade|mount|reboot|shutdown|service|systemd|firewall|unmount",
            "restart|start|stop|enable|disable service|server|nginx|daemon|apache|docker|ssh|postgres",
            "add|create|delete|new user|group",
            "<path> /etc|/usr|/var|system",
        ],
    ),
    (
        "systemctl",
        "service",
        &[
            "service|daemon|systemd|unit",
            "restart|start|stop|enable|disable|reload|status|neustart !container|process|server",
            "restart|reload",
            "reboot",
        ],
    ),
    ("journalctl", "", &["log|journal service|journal|boot|system|unit|today|since", "journal"]),
    ("ping", "fping gping", &["ping|reachable|alive|reach|online|erreichbar|latency"]),
    ("dig", "nslookup drill", &["dns|resolve|lookup|nameserver|record|domain"]),
    ("ss", "netstat", &["port|listen|socket|connection|open"]),
    ("lsof", "", &["open|use port|file|by", "which process"]),
    ("ip", "ifconfig", &["ip|address|interface|route|network"]),
    (
        "nano",
        "vim vi nvim emacs micro hx code codium zed kak",
        &["edit|bearbeit|modifi|modify|édit|editar", "open|change|fix <file>|file|editor"],
    ),
    ("man", "tldr", &["manual|man|help|doc|documentation|handbuch"]),
    ("which", "", &["where|path|which installed|command|program|is", "installed"]),
    ("date", "gdate", &["date|time|today|clock|day|week|datum|uhr|heure|hora"]),
    ("cal", "", &["calendar|month"]),
    ("python", "python3 pypy3 ipython", &["python", "run|execute|start script|<file>|.py", "interpreter"]),
    ("node", "deno", &["run|execute <file>|script|javascript", "javascript"]),
    ("psql", "postgres", &["postgres|postgresql|sql|database|db|query|table"]),
    ("mysql", "mariadb", &["mysql|mariadb|sql|database|query|table"]),
    ("sqlite3", "", &["sqlite|sql|database|query|table"]),
    ("redis-cli", "valkey-cli", &["redis|key|cache"]),
    ("ffmpeg", "", &["video|audio|mp3|mp4|movie|sound|gif|clip|record"]),
    ("convert", "magick", &["image|picture|photo|resize|png|jpg|bild|rotate|thumbnail"]),
    ("tree", "broot", &["tree", "structure|recursive folder|directory|list"]),
    ("mount", "", &["mount|attach disk|drive|usb|image|share|<path>", "mount"]),
    ("umount", "", &["unmount|eject|umount|detach"]),
    ("crontab", "", &["cron|schedule|every|daily|nightly|hourly|regularly|job"]),
    ("tmux", "screen zellij", &["tmux|session|pane|detach|screen"]),
    ("openssl", "", &["certificate|cert|tls|ssl|encrypt|decrypt|key"]),
    ("gpg", "", &["encrypt|decrypt|sign|gpg"]),
    ("sha256sum", "md5sum shasum", &["checksum|hash|sha256|md5"]),
    ("history", "", &["history", "previous|last|earlier command"]),
    ("xdg-open", "open", &["open browser|picture|pdf|folder|page|image|<url>|<file>"]),
    (
        "cd",
        "z zoxide",
        &["go|change|enter|switch|jump|wechsle folder|directory|into|to|up|<path>|home|ordner"],
    ),
    ("pwd", "", &["current|where folder|directory|am|path"]),
    ("stat", "gstat", &["detail|metadata|modified|inode"]),
    ("who", "w whoami", &["who|logged|user"]),
    ("terraform", "tofu", &["infrastructure|terraform|provision|plan"]),
    ("ansible", "ansible-playbook", &["playbook|ansible"]),
    ("helm", "", &["chart|helm"]),
    ("watch", "", &["repeat|watch|every second|<number>"]),
    ("xargs", "parallel", &["parallel|each"]),
    (
        "shutdown",
        "poweroff reboot",
        &["shutdown|reboot|power|off|turn machine|computer|system|off", "reboot|shutdown"],
    ),
    ("bash", "zsh dash fish sh", &["shell|script", "run|execute <file>|script"]),
    ("test", "pytest jest tox", &[]),
];

/// Programs without a task of their own that lessons are about.
const OTHERS: &str = "tee nl paste comm split shuf rev env printf echo alias export chsh su useradd usermod passwd \
    traceroute nmap iptables ufw hostname uname uptime dmesg lsblk fdisk dd lspci lsusb free nproc locale xz bzip2 \
    rustc rustup rustfmt clippy java javac mvn gradle ruby gem bundle php composer dotnet swift bazel meson conda poetry \
    snap flatpak pandoc latex pdflatex svn hg gcloud aws az vagrant systemd-analyze strace gdb valgrind perf time \
    screenfetch neofetch fzf yq xclip pbcopy wl-copy youtube-dl yt-dlp source prettier black ruff eslint mypy cpio";

/// One cue, its words stemmed.
pub(super) struct Cue {
    /// Thought of by a person, so that it may be read in lessons too, whose words are not those of requests.
    is_thought_of: bool,
    program: &'static str,
    all: Vec<Vec<String>>,
    none: Vec<String>,
}

impl Cue {
    pub(super) fn holds(&self, words: &Words) -> bool {
        self.all.iter().all(|any| any.iter().any(|word| words.stems.contains(word)))
            && !self.none.iter().any(|word| words.stems.contains(word))
    }
}

/// The table made ready: names to the name of their program, and each cue under the words that it begins with.
struct Table {
    names: HashMap<&'static str, &'static str>,
    cues: Vec<Cue>,
    by_word: HashMap<String, Vec<usize>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { names: HashMap::new(), cues: Vec::new(), by_word: HashMap::new() };
    for &(program, also, cues) in PROGRAMS {
        table.names.insert(program, program);
        for other in also.split_whitespace() {
            table.names.entry(other).or_insert(other);
        }
        table.cues.extend(cues.iter().map(|cue| read_cue(program, cue)));
    }
    for (program, cue) in counted() {
        table.names.entry(program).or_insert(program);
        table.cues.push(Cue { is_thought_of: false, ..read_cue(program, &cue) });
    }
    for name in OTHERS.split_whitespace() {
        table.names.entry(name).or_insert(name);
    }
    for (idx, cue) in table.cues.iter().enumerate() {
        for word in cue.all.first().into_iter().flatten() {
            table.by_word.entry(word.clone()).or_default().push(idx);
        }
    }
    table
});

/// Cues that were counted, not thought of.
fn counted() -> impl Iterator<Item = (&'static str, String)> {
    let lines = include_str!("program_words.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).flat_map(|(program, words)| {
        words.split([' ', ';']).filter(|cue| !cue.is_empty()).map(move |cue| (program, cue.replace('+', " ")))
    })
}

/// Reads a cue. `program` is whose it is.
pub(super) fn read_cue(program: &'static str, cue: &str) -> Cue {
    let alternatives = |part: &str| part.split('|').map(stem).collect::<Vec<_>>();
    let (none, all): (Vec<&str>, Vec<&str>) = cue.split(' ').partition(|part| part.starts_with('!'));
    Cue {
        is_thought_of: true,
        program,
        all: all.into_iter().map(alternatives).collect(),
        none: none.into_iter().flat_map(|part| alternatives(part.trim_start_matches('!'))).collect(),
    }
}

/// Names under which one program goes: a lesson about one holds for the other.
const SAME: &[&[&str]] = &[
    &["python", "python3"],
    &["pip", "pip3"],
    &["vi", "vim"],
    &["apt", "apt-get"],
    &["docker", "docker-compose"],
    &["grep", "egrep", "fgrep"],
    &["awk", "gawk"],
];

/// The name that stands for all names of a program.
pub(super) fn canonical(name: &str) -> &str {
    SAME.iter().find(|same| same.contains(&name)).and_then(|same| same.first()).copied().unwrap_or(name)
}

/// Whether this is the name of a program that many machines have.
pub(super) fn is_known(name: &str) -> bool {
    TABLE.names.contains_key(name)
}

/// Whether a program's name is as often an everyday word.
pub(super) fn is_everyday_word(name: &str) -> bool {
    matches!(
        name,
        "make"
            | "test"
            | "code"
            | "find"
            | "sort"
            | "cut"
            | "head"
            | "less"
            | "more"
            | "time"
            | "which"
            | "watch"
            | "who"
            | "date"
            | "open"
            | "screen"
            | "top"
            | "kill"
            | "file"
            | "go"
            | "history"
            | "service"
            | "just"
            | "free"
            | "man"
            | "source"
            | "look"
            | "tree"
            | "mount"
            | "convert"
            | "install"
            | "env"
            | "split"
            | "w"
            | "z"
            | "python"
    )
}

/// The program that is used for the same tasks, for names such as `podman` or `dnf`.
pub(super) fn kin(name: &str) -> Option<&'static str> {
    PROGRAMS
        .iter()
        .find(|(_, also, cues)| !cues.is_empty() && also.split_whitespace().any(|other| other == name))
        .map(|(program, ..)| *program)
}

/// Programs by which the task might be done, and those that are named; canonical names.
pub(super) fn likely(words: &Words) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = named(words).map(|name| canonical(name).to_owned()).collect();
    found.extend(for_task(words).map(str::to_owned));
    found
}

/// Programs whose cues hold.
fn for_task(words: &Words) -> impl Iterator<Item = &'static str> {
    holding(words).map(|cue| canonical(cue.program))
}

/// Programs at which a lesson's own words hint.
pub(super) fn hinted(words: &Words) -> impl Iterator<Item = &'static str> {
    holding(words).filter(|cue| cue.is_thought_of).map(|cue| canonical(cue.program))
}

fn holding(words: &Words) -> impl Iterator<Item = &'static Cue> {
    let cues = words.stems.iter().filter_map(|word| TABLE.by_word.get(word)).flatten();
    cues.filter_map(|idx| TABLE.cues.get(*idx)).filter(|cue| cue.holds(words))
}

/// Programs that the text names.
pub(super) fn named(words: &Words) -> impl Iterator<Item = &str> {
    words.tokens.iter().map(String::as_str).filter(|token| is_known(token))
}

/// Whether the task might be done with this program, known to the table or not.
pub(super) fn is_likely(program: &str, words: &Words, likely: &BTreeSet<String>) -> bool {
    words.says(program)
        || likely.contains(canonical(program))
        || kin(program).is_some_and(|kin| likely.contains(canonical(kin)))
}

/// The first program that a command runs, past `sudo`, `env` and assignments.
pub(super) fn first_program(command: &str) -> Option<String> {
    let mut words = command.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_wrapper = matches!(word, "sudo" | "doas" | "env" | "time" | "nice" | "nohup" | "command");
        let is_assignment = word.split_once('=').is_some_and(|(name, _)| is_variable(name));
        let stands_before_more = (is_wrapper || is_assignment) && words.peek().is_some();
        if !stands_before_more && !word.starts_with('-') {
            let name = word.rsplit('/').next().unwrap_or(word).to_lowercase();
            return Some(name).filter(|name| !name.is_empty());
        }
    }
    None
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: &str, with: &str, without: &str) {
        let words = Words::of(request);
        let found = likely(&words);
        for program in with.split_whitespace() {
            assert!(is_likely(program, &words, &found), "{request:?} is about {program}: {found:?}");
        }
        for program in without.split_whitespace() {
            assert!(!is_likely(program, &words, &found), "{request:?} is not about {program}: {found:?}");
        }
    }

    #[test]
    fn tasks_lead_to_programs() {
        check("search app.log for timeout", "grep rg", "ls rm git");
        check("lines with timeout in app.log", "grep", "rm cp");
        check("where does TODO appear in main.c?", "grep", "rm");
        check("look for files called notes", "find fd", "rm git");
        check("find files bigger than 10 MB", "find", "rm");
        check("list the files here", "ls", "grep git rm find");
        check("show app.log", "cat bat", "ls rm");
        check("delete old.log", "rm", "ls grep");
        check("get rid of build", "rm", "git");
        check("rename a.txt to b.txt", "mv", "rm");
        check("copy a.txt to b.txt", "cp", "rm mv");
        check("how full are the disks?", "df", "rm git");
        check("install htop", "apt sudo dnf", "git");
        check("commit with the message fix typo", "git", "rm");
        check("show the running containers", "docker podman", "rm git");
        check("edit notes.md", "nano vim", "rm");
        check("unpack backup.tar.gz", "tar", "rm git");
        check("download https://a.example/x.zip", "curl wget", "rm");
        check("restart nginx", "systemctl sudo", "rm");
        check("lösche alte.log", "rm", "git");
    }

    #[test]
    fn talk_is_about_no_program() {
        for request in ["hello", "thanks a lot", "who am I to judge", "write Anna a mail that I am ill"] {
            let found = likely(&Words::of(request));
            assert!(
                !["rm", "grep", "git", "mv"].iter().any(|program| found.contains(*program)),
                "{request}: {found:?}"
            );
        }
    }

    #[test]
    fn a_named_program_is_likely_whether_known_or_not() {
        check("where is grep installed?", "grep", "rm");
        check("zorn through server.log", "zorn", "rm");
        check("run python3 x.py", "python python3", "rm");
    }

    #[test]
    fn the_first_program_stands_behind_sudo_and_assignments() {
        for (command, expected) in [
            ("grep -r x .", Some("grep")),
            ("sudo -n apt install htop", Some("apt")),
            ("LANG=C /usr/bin/sort a", Some("sort")),
            ("sudo", Some("sudo")),
            ("", None),
            ("--x", None),
        ] {
            assert_eq!(first_program(command).as_deref(), expected, "{command}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC*") {
            let words = Words::of(&text);
            proptest::prop_assert!(likely(&words).iter().all(|name| is_likely(name, &words, &likely(&words))));
            let _ = first_program(&text);
        }
    }
}
