//! Subjects that a lesson and a request may share without sharing a word: mails, times, sizes, editing, branches.
//!
//! The cues are read as those of `programs`. Only `relevance` uses this.

use std::sync::LazyLock;

use super::programs::{Cue, read_cue};
use super::words::Words;

/// A subject: its name as `chela why` shows it, cues in the lesson, cues in the request.
type Subject = (&'static str, &'static [&'static str], &'static [&'static str]);

const SUBJECTS: &[Subject] = &[
    (
        "mail",
        &["mail|email|e-mail|letter|signature|brief|lettre|carta", "sign !commit|tag"],
        &[
            "mail|email|e-mail|letter|draft|invitation|invite|memo|brief|lettre|carta",
            "write|tell|inform|remind|schreib|sag to|that|know|dass",
            "let know",
        ],
    ),
    (
        "times",
        &["clock|24-hour|24h|24-hours|12-hour|12h|am|pm|hour|<time>|uhr", "time write|format|show|use|give"],
        &[
            "<time>|time|clock|meet|appointment|calendar|schedul|deadline|lunch|dinner|breakfast|noon|midnight|train|flight|remind|reminder|hour|alarm|evening|morning|afternoon|when|late|early|tonight|uhr|heure|hora",
        ],
    ),
    (
        "dates",
        &["date|dates|dd.mm.yyyy|yyyy-mm-dd|mm/dd/yyyy|<date>|datum", "day first|month|format"],
        &[
            "<date>|date|due|deadline|today|tomorrow|yesterday|january|february|march|april|june|july|august|september|october|november|december|birthday|calendar|schedul|when|appointment|week|month|year|monday|tuesday|wednesday|thursday|friday|saturday|sunday|datum|fecha",
            "<number> may",
        ],
    ),
    (
        "sizes",
        &["size|byte|human-readable|gigabyte|megabyte|größe"],
        &[
            "size|big|large|largest|biggest|disk|space|memory|usage|long|list|much|full|free|heavy|du|df|ls|ram|groß",
        ],
    ),
    (
        "lists",
        &[
            "line|entries|item|row|output|result|list limit|most|more|first|cap|maximum|max|only|than|least <number>",
        ],
        &["list|show|print|history|process|file|log|find|all|search|which|every|display|zeig"],
    ),
    (
        "names",
        &[
            "snake_case|kebab-case|camelcase|pascalcase|snake-case|camel-case",
            "name file|folder|variable|function|branch|script lower|case|space|underscore|hyphen|dash|start|begin|prefix|without|short",
        ],
        &[
            "create|make|new|save|rename|touch|mkdir|script|function|variable|move|export|download|erstell|store",
            "name|call|write|add <file>|file|folder|branch|function|script|variable",
        ],
    ),
    (
        "code",
        &[
            "indent|tab|tabs|semicolon|docstring|type annotation|hint",
            "comment|function|variable|class|quote !mail|sentence|short answer",
        ],
        &[
            "code|function|script|class|method|python|rust|javascript|program|implement|fix|refactor|bug|test|loop|<file>",
        ],
    ),
    (
        "the main file",
        &["main|entry file|point", "program start|starts"],
        &["main file|program", "entry|start file|point|program", "main"],
    ),
    ("commits", &["commit"], &["commit|message|save"]),
    (
        "branches",
        &["branch|trunk", "main|master not|no|there", "merge into"],
        &["branch|main|master|trunk|merge|rebase|checkout|switch|pull|push|git|feature|release|diff"],
    ),
    (
        "git remote",
        &["remote origin|git|push|name|our", "remote !machine|server|command|user"],
        &["push|pull|fetch|remote|origin|upstream|git"],
    ),
    (
        "ssh",
        &[
            "ssh|sshd|remote !git|branch",
            "log server|machine|host",
            "connect|login|account|identity|key|am <path>|servers|server|as",
        ],
        &["ssh|scp|rsync|sftp|log|login|connect|host|server|remote|copy|upload|verbind"],
    ),
    (
        "editing",
        &["editor|edit|editing"],
        &[
            "edit|nano|vi|vim|emacs|modify|bearbeit|editor",
            "open|change|write|fix|add|put <file>|<path>|config|file|note|line",
        ],
    ),
    ("paging", &["pager", "page|read long|file"], &["less|more|page|pager|read|scroll|show|through|view"]),
    (
        "pictures",
        &["picture|image|photo"],
        &["open|picture|image|show|view|photo|display|png|jpg|gif|webp|resize|convert"],
    ),
    ("browsing", &["browser", "page open|web"], &["open|http|browser|url|web|page|<url>|site"]),
    ("tests", &["test|suite"], &["test|check|suite|prove|verify|ci"]),
    ("building", &["build|compile|bau"], &["build|make|compile|cargo|bau|binary|release|target"]),
    ("deploying", &["deploy|ship|release|live"], &["deploy|ship|roll|live|release|publish|production"]),
    (
        "serving",
        &["server dev|local|development", "app start|run|serve"],
        &["serve|start|run|app|local|server|dev|localhost"],
    ),
    (
        "formatting code",
        &["format|formatter code|formatter|with|by", "format is|:|run"],
        &["format|tidy|black|fmt|prettier|clean|style"],
    ),
    ("linting", &["lint|linter", "check code"], &["lint|check|style|warning|quality"]),
    (
        "ports",
        &["port"],
        &["port|curl|localhost|server|http|connect|open|ssh|scp|listen|endpoint|request|app"],
    ),
    ("logs", &["log|logs folder|directory|file|in|are|live|go|<path>"], &["log|logs|journal|error"]),
    ("temporary files", &["temp|temporary|scratch|tmp|/tmp"], &["temp|temporary|scratch|tmp|/tmp|mktemp"]),
    ("backups", &["backup|safety", "back up"], &["backup|back|copy|copies|safe|safety|save|archive|sync"]),
    ("downloads", &["download"], &["wget|curl|download|get|http|fetch|<url>|save"]),
    (
        "databases",
        &["database|db|postgres|mysql|sqlite"],
        &["psql|sql|database|db|table|query|dump|mysql|postgres|migrate"],
    ),
    (
        "kubernetes",
        &["namespace|kubernetes|kubectl|k8s"],
        &["kube|kubectl|pod|pods|k8s|namespace|service|deployment|cluster|kubernetes"],
    ),
    ("python", &["python interpreter|script|.py|here|our"], &["python|.py|script|pip|interpreter"]),
    (
        "packages",
        &["package|software manager|install|installed", "install something|software|to|with"],
        &[
            "install|installiere|installe|instala|remove|package|apt|dnf|yum|brew|pacman|apk|pkg|snap|dpkg|upgrade|software|update|uninstall",
        ],
    ),
    (
        "deleting",
        &["delete|remove|erase|deletion|removal|lösche", "bin|trash"],
        &["delete|remove|erase|rid|trash|wipe|clean|throw|clear|lösche|losch|supprim|borra|elimin|rm|purge"],
    ),
    (
        "care",
        &[
            "dry run",
            "backup|confirm|ask|check|careful|question|permission first|befor|destructive|always|run|sudo|overwrit",
        ],
        &[
            "delete|remove|erase|overwrite|move|replace|sync|deploy|push|install|clean|drop|rid|trash|wipe|kill|restart|reset|format|migrate|update|upgrade|send|sudo|mirror|rename|truncate|chmod|chown|apply|publish|lösche|merge|rebase",
        ],
    ),
];

/// Programs whose tasks touch a subject.
const PROGRAMS_OF: &[(&str, &[&str])] = &[
    ("lists", &["ls", "find", "ps", "grep", "history", "lsof", "tree", "du"]),
    ("sizes", &["ls", "du", "df", "free"]),
    ("deleting", &["rm"]),
    ("python", &["python"]),
    ("branches", &["git"]),
    ("git remote", &["git"]),
    ("editing", &["nano"]),
    ("ssh", &["ssh", "scp", "rsync"]),
    ("paging", &["less"]),
    ("packages", &["apt"]),
    ("databases", &["psql"]),
    ("kubernetes", &["kubectl"]),
    ("backups", &["cp"]),
    ("downloads", &["curl", "wget"]),
];

/// Cues of a lesson that holds for the manner of every answer, whatever is asked.
const MANNER: &[&str] = &[
    "answer|reply|respond|response|explain|explanation|emoji|emojis|markdown|bullet|table|json|tone|formal|formally|casual",
    "friendly|polite|brief|concise|terse|detail|sentence|joke|humor|metric|celsius|unit|apologise|apologize|greet|style",
    "option|flag|switch long|full|short|spell|readable|letter|longform|name",
    "call me|user",
    "name|address me|my|user",
    "antwort|antworte|sprich|sprache|language|kurz|réponds|responde|habla",
    "command only|no|comment",
    "du|sie duzen|siezen",
    "i|im am|new|beginner|expert",
];

struct Table {
    lesson: Vec<Vec<Cue>>,
    request: Vec<Vec<Cue>>,
    manner: Vec<Cue>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let cues = |list: &[&'static str]| list.iter().map(|cue| read_cue("", cue)).collect::<Vec<_>>();
    Table {
        lesson: SUBJECTS.iter().map(|(_, lesson, _)| cues(lesson)).collect(),
        request: SUBJECTS.iter().map(|(_, _, request)| cues(request)).collect(),
        manner: cues(MANNER),
    }
});

/// Which of the subjects a lesson is about.
pub(super) fn of_lesson(words: &Words) -> Vec<usize> {
    holding(&TABLE.lesson, words)
}

/// Which of the subjects a request may touch.
pub(super) fn of_request(words: &Words) -> Vec<usize> {
    holding(&TABLE.request, words)
}

fn holding(subjects: &[Vec<Cue>], words: &Words) -> Vec<usize> {
    let holds = |cues: &Vec<Cue>| cues.iter().any(|cue| cue.holds(words));
    subjects.iter().enumerate().filter(|(_, cues)| holds(cues)).map(|(idx, _)| idx).collect()
}

/// Programs for whose tasks a lesson on this subject matters.
pub(super) fn programs_of(subject: usize) -> &'static [&'static str] {
    let name = name(subject);
    PROGRAMS_OF.iter().find(|(of, _)| *of == name).map_or(&[], |(_, programs)| programs)
}

/// The subject's name.
pub(super) fn name(subject: usize) -> &'static str {
    SUBJECTS.get(subject).map_or("", |(name, ..)| name)
}

/// Whether a lesson is about the manner of every answer.
pub(super) fn is_manner(words: &Words) -> bool {
    TABLE.manner.iter().any(|cue| cue.holds(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lesson: &str, expected: &[&str]) {
        let found: Vec<&str> = of_lesson(&Words::of(lesson)).into_iter().map(name).collect();
        assert_eq!(found, expected, "{lesson}");
    }

    #[test]
    fn lessons_have_subjects() {
        check("use 24-hour times", &["times"]);
        check("sign mails with Jo", &["mail"]);
        check("write dates as YYYY-MM-DD", &["dates"]);
        check("my editor is hx", &["editing"]);
        check("human-readable sizes", &["sizes"]);
        check("show at most 20 lines", &["lists"]);
        check("use kebab-case for file names", &["names"]);
        check("the default branch is trunk", &["branches"]);
        check("answer in German", &[]);
        check("keep answers short", &[]);
        check("use long options", &[]);
    }

    #[test]
    fn manners_hold_for_every_answer() {
        for lesson in [
            "answer in German",
            "keep answers short",
            "use long options",
            "call me Jo",
            "do not use emojis",
            "be brief",
        ] {
            assert!(is_manner(&Words::of(lesson)), "{lesson}");
        }
        for lesson in ["use rg instead of grep", "staging is kiwi-7", "never force push"] {
            assert!(!is_manner(&Words::of(lesson)), "{lesson}");
        }
    }

    #[test]
    fn requests_touch_subjects() {
        let about = |request: &str, subject: &str| {
            of_request(&Words::of(request)).into_iter().any(|found| name(found) == subject)
        };
        assert!(about("note: meeting on Friday at 3 pm", "times"));
        assert!(about("tell Anna that I am late", "mail"));
        assert!(about("reminder: the invoice is due on 31 July 2026", "dates"));
        assert!(about("merge feature into main", "branches"));
        assert!(about("how big is this folder?", "sizes"));
        assert!(!about("list the files here", "mail"));
        assert!(!about("search app.log for timeout", "times"));
    }
}
