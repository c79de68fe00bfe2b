//! Where a lesson holds: guessed from its words and the turn it comes from, and whether that covers a prompt.
//!
//! The guess is shown and can be edited, so it is a plain reading and no model's. No IO: who knows the disk says where
//! the project begins.

use std::collections::BTreeSet;
use std::path::Path;

use super::Scope;
use super::claim::{Claim, FACT, claim, place};
use super::programs;
use super::words::Words;

/// What marks the top of a project: a repository, or the manifest of a build.
pub const MARKERS: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".jj",
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "CMakeLists.txt",
    "Makefile",
    "justfile",
    "composer.json",
    "Gemfile",
    "mix.exs",
    "deno.json",
    "flake.nix",
];

/// The nearest directory at or above `cwd` that has a marker, as `has_marker` tells. The root and the home directory
/// itself are for the caller to leave out.
pub fn project_of<'a>(cwd: &'a str, has_marker: &dyn Fn(&Path) -> bool) -> Option<&'a str> {
    Path::new(cwd)
        .ancestors()
        .find(|dir| has_marker(dir))
        .and_then(Path::to_str)
        .filter(|dir| !dir.is_empty())
}

/// Where a lesson comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The command that the corrected turn proposed, or the person's own.
    pub command: Option<&'a str>,
    pub cwd: Option<&'a str>,
    /// Top of the project that `cwd` is in.
    pub project: Option<&'a str>,
    pub session: Option<&'a str>,
}

/// Words that bind a lesson to one conversation.
const SESSION: &[&str] = &[
    "in this session",
    "for this session",
    "this session",
    "in this chat",
    "for this chat",
    "in this conversation",
    "for now",
    "just this once",
    "just for today",
    "only today",
    "for today",
    "today only",
    "für heute",
    "nur heute",
    "für diese sitzung",
    "pour aujourdhui",
    "por hoy",
];
/// Words that bind a lesson to the project.
const PROJECT: &[&str] = &[
    "this project",
    "this repo",
    "this repository",
    "this codebase",
    "this folder",
    "this directory",
    "this workspace",
    "this crate",
    "this package",
    "this code base",
    "our repo",
    "the repo",
    "diesem projekt",
    "diesem repo",
    "diesem ordner",
    "ce projet",
    "ce dépôt",
    "este proyecto",
    "este repositorio",
];
/// Where `here` means the machine.
const MACHINE: &[&str] = &[
    "installed here",
    "available here",
    "on this machine",
    "on this system",
    "on this computer",
    "on this box",
    "exist here",
    "there is no",
    "on this server",
    "on this host",
    "on my machine",
    "on my laptop",
];
const EVERYWHERE: &[&str] = &[
    "everywhere",
    "in all projects",
    "in every project",
    "in general",
    "globally",
    "überall",
    "partout",
    "siempre",
];

/// Where a lesson with this text holds.
pub fn infer(text: &str, place_of: &Place<'_>) -> Scope {
    let words = Words::of(text);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.has_phrase(phrase));
    if says(EVERYWHERE) {
        return of_words(&words, place_of);
    }
    if let Some(session) = place_of.session.filter(|_| says(SESSION)) {
        return Scope::Session(session.to_owned());
    }
    let dir = place_of.project.or(place_of.cwd);
    let is_here = words.says("here") || words.says("hier") || words.says("ici") || words.says("aquí");
    let means_project = says(PROJECT) || is_here && place_of.project.is_some() && !says(MACHINE);
    if let Some(dir) = dir.filter(|_| means_project) {
        return Scope::Project(dir.to_owned());
    }
    if let Some(dir) = place_of.project.filter(|dir| place(&words).is_some_and(|named| is_called(dir, named)))
    {
        return Scope::Project(dir.to_owned());
    }
    of_words(&words, place_of)
}

/// Whether the directory's own name is this one.
fn is_called(dir: &str, name: &str) -> bool {
    Path::new(dir).file_name().and_then(|own| own.to_str()).is_some_and(|own| own.to_lowercase() == name)
}

/// By the lesson's claim alone: what is about one program holds for it, everything else everywhere.
fn of_words(words: &Words, place_of: &Place<'_>) -> Scope {
    let of_command = place_of.command.and_then(programs::first_program);
    match claim(words, of_command.as_deref()) {
        Claim::Swap { old, new } => {
            let runs = |name: &str| place_of.command.is_some_and(|command| has_word(command, name));
            let is_program = programs::is_known(&old) || of_command.as_deref() == Some(&old);
            let is_of_command = runs(&old) && programs::is_known(&new);
            if is_program || is_of_command { Scope::Program(old) } else { Scope::Global }
        }
        Claim::Switch { program, .. } => Scope::Program(program),
        Claim::Value { slot, .. } if !slot.starts_with(FACT) => Scope::Global,
        Claim::Rule { .. } | Claim::Value { .. } => headed(words).map_or(Scope::Global, Scope::Program),
    }
}

fn has_word(command: &str, name: &str) -> bool {
    command
        .split(|c: char| c.is_whitespace() || matches!(c, '|' | ';' | '&' | '(' | ')'))
        .any(|word| word == name)
}

/// `git: be quiet`, `git should be quiet`, `for git, …`: the program that the sentence opens with.
fn headed(words: &Words) -> Option<String> {
    let mut tokens = words
        .tokens
        .iter()
        .filter(|token| !matches!(token.as_str(), "for" | "with" | "when" | "using" | "in"));
    let (first, second) = (tokens.next()?, tokens.next()?);
    let says_of_it = matches!(
        second.as_str(),
        ":" | ","
            | "should"
            | "must"
            | "needs"
            | "always"
            | "only"
            | "never"
            | "is"
            | "->"
            | "without"
            | "with"
            | "commands"
    );
    let is_alone = programs::named(words).count() == 1;
    (says_of_it && is_alone && programs::is_known(first) && !programs::is_everyday_word(first))
        .then(|| first.clone())
}

/// What a scope is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt<'a> {
    pub(super) words: &'a Words,
    pub(super) likely: &'a BTreeSet<String>,
    pub(super) cwd: Option<&'a str>,
    pub(super) session: Option<&'a str>,
}

/// Whether a scope covers a request that was made in `cwd` and in `session`.
pub fn covers(scope: &Scope, request: &str, cwd: Option<&str>, session: Option<&str>) -> bool {
    let words = Words::of(request);
    covers_prompt(scope, &Prompt { words: &words, likely: &programs::likely(&words), cwd, session })
}

pub(super) fn covers_prompt(scope: &Scope, prompt: &Prompt<'_>) -> bool {
    match scope {
        Scope::Program(program) => programs::is_likely(program, prompt.words, prompt.likely),
        other => stands_in(other, prompt.cwd, prompt.session),
    }
}

/// The part of [`covers`] that does not look at the request's words; a program's scope stands everywhere.
pub(super) fn stands_in(scope: &Scope, cwd: Option<&str>, session: Option<&str>) -> bool {
    match scope {
        Scope::Global | Scope::Program(_) => true,
        Scope::Project(dir) => cwd.is_some_and(|cwd| is_below(cwd, dir)),
        Scope::Session(own) => session == Some(own),
    }
}

/// Compared by whole components: `/src/atlas2` is not below `/src/atlas`.
fn is_below(cwd: &str, dir: &str) -> bool {
    !dir.is_empty() && Path::new(cwd).starts_with(dir)
}

/// Whether both can hold for one prompt.
pub(super) fn overlap(a: &Scope, b: &Scope) -> bool {
    match (a, b) {
        (Scope::Project(a), Scope::Project(b)) => is_below(a, b) || is_below(b, a),
        (Scope::Session(a), Scope::Session(b)) => a == b,
        _ => true,
    }
}

/// Whether `wide` holds wherever `narrow` does. What is about a program counts as everywhere: which program is meant is
/// a part of what the lesson claims.
pub(super) fn includes(wide: &Scope, narrow: &Scope) -> bool {
    match (wide, narrow) {
        (Scope::Global | Scope::Program(_), _) => true,
        (Scope::Project(wide), Scope::Project(narrow)) => is_below(narrow, wide),
        (Scope::Session(wide), Scope::Session(narrow)) => wide == narrow,
        (Scope::Project(_) | Scope::Session(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Place<'_> = Place {
        command: Some("gadfly --all notes.txt"),
        cwd: Some("/src/atlas/api"),
        project: Some("/src/atlas"),
        session: Some("s1"),
    };

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let shown = match infer(text, &AT) {
            Scope::Global => "global".to_owned(),
            Scope::Project(dir) => format!("project {dir}"),
            Scope::Program(name) => format!("program {name}"),
            Scope::Session(name) => format!("session {name}"),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn a_lesson_about_a_program_holds_for_it() {
        check("use rg instead of grep", "program grep");
        check("never use grep, use rg", "program grep");
        check("use -v with mv", "program mv");
        check("mv always with -v", "program mv");
        check("always run apt with sudo", "program apt");
        check("use zorn instead of gadfly", "program gadfly");
        check("git: be quiet", "program git");
        check("grep is not installed here, use rg", "program grep");
    }

    #[test]
    fn what_names_no_program_holds_everywhere() {
        for text in [
            "answer in German",
            "use 24-hour times",
            "be formal",
            "call me Jo",
            "use long options",
            "never force push",
            "use foo instead of bar",
            "staging is kiwi-7",
            "my editor is hx",
        ] {
            check(text, "global");
        }
    }

    #[test]
    fn words_bind_to_the_project() {
        check("in this project use pnpm instead of npm", "project /src/atlas");
        check("use pnpm in this repo", "project /src/atlas");
        check("we use tabs here", "project /src/atlas");
        check("in atlas use pnpm instead of npm", "project /src/atlas");
        check("in project orion use pnpm instead of npm", "program npm");
    }

    #[test]
    fn words_bind_to_the_session() {
        check("for now answer in French", "session s1");
        check("use doas instead of sudo in this session", "session s1");
    }

    #[test]
    fn without_a_place_nothing_is_guessed_about_it() {
        assert_eq!(infer("in this project use tabs", &Place::default()), Scope::Global);
        assert_eq!(infer("for now be brief", &Place::default()), Scope::Global);
    }

    #[test]
    fn the_project_is_the_nearest_marked_directory() {
        let marked = |dir: &Path| dir == Path::new("/src/atlas") || dir == Path::new("/src");
        assert_eq!(project_of("/src/atlas/api/v1", &marked), Some("/src/atlas"));
        assert_eq!(project_of("/src/other", &marked), Some("/src"));
        assert_eq!(project_of("/tmp", &marked), None);
        assert_eq!(project_of("", &|_| true), None);
    }

    #[track_caller]
    fn check_covers(scope: &Scope, request: &str, cwd: Option<&str>, expected: bool) {
        assert_eq!(covers(scope, request, cwd, Some("s1")), expected, "{scope:?} {request:?} {cwd:?}");
    }

    #[test]
    fn a_project_covers_what_is_below_it_by_components() {
        let scope = Scope::Project("/src/atlas".into());
        for (cwd, expected) in [
            (Some("/src/atlas"), true),
            (Some("/src/atlas/"), true),
            (Some("/src/atlas/api/v1"), true),
            (Some("/src/atlas2"), false),
            (Some("/src"), false),
            (None, false),
        ] {
            check_covers(&scope, "anything", cwd, expected);
        }
        check_covers(&Scope::Project(String::new()), "anything", Some("/src"), false);
    }

    #[test]
    fn a_program_covers_its_tasks() {
        let grep = Scope::Program("grep".into());
        check_covers(&grep, "search app.log for timeout", None, true);
        check_covers(&grep, "run grep on it", None, true);
        check_covers(&grep, "delete old.log", None, false);
        check_covers(&Scope::Program("gadfly".into()), "gadfly the notes", None, true);
        check_covers(&Scope::Program("gadfly".into()), "list the files", None, false);
    }

    #[test]
    fn a_session_covers_itself() {
        check_covers(&Scope::Session("s1".into()), "x", None, true);
        check_covers(&Scope::Session("s2".into()), "x", None, false);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_scope(text in "\\PC{0,160}", request in "\\PC{0,80}") {
            let scope = infer(&text, &AT);
            let _ = covers(&scope, &request, AT.cwd, AT.session);
            proptest::prop_assert!(includes(&Scope::Global, &scope) && overlap(&scope, &scope));
        }
    }
}
