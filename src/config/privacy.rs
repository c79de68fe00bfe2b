//! What is kept of a person, for how long, and what is learned from: the `[privacy]` section, and the rules that its
//! lists make. Part of `file`. What a rule does is the daemon's; here is only which rule concerns what.
//!
//! An entry of `ignore` and `never_learn` is a surface (`chat`, `ask`, `shell`, `do`, `endpoint`) or a folder with all
//! below it (`~/clients/*`, `/srv/secret`): `*` and `?` stand for letters of one name, `**` for any folders.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// Names that no stored text, prompt or training text holds. Their order numbers their placeholders.
    pub hide: Vec<String>,
    /// Nothing of these is recorded.
    pub ignore: Vec<String>,
    /// These are recorded, and nothing is learned from them.
    pub never_learn: Vec<String>,
    /// After so many days a turn is removed; 0: never.
    pub keep_days: u32,
    /// Its first output line is the ledger's key, or a passphrase; empty: none.
    pub key_command: String,
    /// The same from a file that only its owner may read.
    pub key_file: String,
}

/// Where the ledger's key comes from. Never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Command(String),
    File(PathBuf),
}

impl KeySource {
    /// The setting that names it.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Command(_) => KEY_COMMAND,
            Self::File(_) => KEY_FILE,
        }
    }
}

const KEY_COMMAND: &str = "privacy.key_command";
const KEY_FILE: &str = "privacy.key_file";

/// Where something was asked, as rules name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    Chat,
    Ask,
    Shell,
    Do,
    Endpoint,
}

impl Surface {
    const ALL: [(&'static str, Self); 5] = [
        ("chat", Self::Chat),
        ("ask", Self::Ask),
        ("shell", Self::Shell),
        ("do", Self::Do),
        ("endpoint", Self::Endpoint),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, surface)| *surface)
    }
}

/// What may be kept of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    Nothing,
    /// It is recorded and teaches nothing.
    Unlearned,
    All,
}

impl Privacy {
    /// Where the ledger's key comes from; `None`: the ledger is a plain file.
    pub fn key_source(&self) -> Option<KeySource> {
        if !self.key_command.is_empty() {
            return Some(KeySource::Command(self.key_command.clone()));
        }
        let file = (!self.key_file.is_empty()).then_some(self.key_file.as_str())?;
        let home = || directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
        let below = file.strip_prefix("~/").and_then(|rest| home().map(|home| home.join(rest)));
        Some(KeySource::File(below.unwrap_or_else(|| PathBuf::from(file))))
    }

    /// What is wrong with the first entry that is no rule, or with where the key is.
    pub(super) fn problem(&self) -> Option<String> {
        if !self.key_command.is_empty() && !self.key_file.is_empty() {
            return Some(format!("{KEY_COMMAND} and {KEY_FILE} are both set; one of them names the key"));
        }
        if !self.key_file.is_empty() && !self.key_file.starts_with(['/', '~']) {
            return Some(format!("{KEY_FILE} must be a whole path (/… or ~/…)"));
        }
        let lists = [("privacy.ignore", &self.ignore), ("privacy.never_learn", &self.never_learn)];
        lists.into_iter().find_map(|(key, entries)| {
            entries
                .iter()
                .find_map(|entry| Rule::read(entry).err().map(|why| format!("{key}: \"{entry}\" {why}")))
        })
    }
}

/// The rules of the settings, ready to be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    ignore: Vec<Rule>,
    never_learn: Vec<Rule>,
}

impl Rules {
    /// The rules on this machine: `~` is the person's home, and a folder is meant under its other names too, which
    /// links give it.
    pub fn here(settings: &Privacy) -> Self {
        let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
        Self::new(settings, home.as_deref(), &|path| std::fs::canonicalize(path).ok())
    }

    /// `real`: the folder that a path with links names.
    fn new(settings: &Privacy, home: Option<&Path>, real: &dyn Fn(&Path) -> Option<PathBuf>) -> Self {
        let rules = |entries: &[String]| {
            let rules = entries.iter().filter_map(|entry| Rule::read(entry).ok());
            rules.flat_map(|rule| rule.placed(home, real)).collect()
        };
        Self { ignore: rules(&settings.ignore), never_learn: rules(&settings.never_learn) }
    }

    /// What may be kept of what was asked through `surface` in a folder. `folders`: the folder by each name that it has.
    pub fn keep(&self, surface: Surface, folders: &[PathBuf]) -> Keep {
        let concern = |rules: &[Rule]| rules.iter().any(|rule| rule.concerns(surface, folders));
        match (concern(&self.ignore), concern(&self.never_learn)) {
            (true, _) => Keep::Nothing,
            (false, true) => Keep::Unlearned,
            (false, false) => Keep::All,
        }
    }

    /// The same for a folder as a client names it, by its real name too.
    pub fn keep_in(&self, surface: Surface, folder: Option<&str>) -> Keep {
        if self.ignore.is_empty() && self.never_learn.is_empty() {
            return Keep::All;
        }
        let named = folder.map(PathBuf::from);
        let real = named.as_ref().and_then(|folder| std::fs::canonicalize(folder).ok());
        let folders: Vec<PathBuf> = named.into_iter().chain(real).collect();
        self.keep(surface, &folders)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Surface(Surface),
    Folder(Vec<String>),
}

const HOME: &str = "~";

impl Rule {
    /// `Err`: what is wrong with it.
    fn read(entry: &str) -> Result<Self, &'static str> {
        if let Some(surface) = Surface::named(entry) {
            return Ok(Self::Surface(surface));
        }
        if !entry.starts_with('/') && entry != HOME && !entry.starts_with("~/") {
            return Err("is neither a folder (/… or ~/…) nor chat, ask, shell, do or endpoint");
        }
        let parts: Vec<String> =
            entry.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if parts.iter().any(|part| part == "." || part == "..") {
            return Err("holds . or ..; write the whole path");
        }
        if parts.iter().any(|part| part.contains("**") && part != "**") {
            return Err("holds ** beside letters; ** stands alone between two slashes");
        }
        if entry.contains(['[', ']', '{', '}']) {
            return Err("holds brackets or braces, which mean nothing here; write an entry for each folder");
        }
        if parts.iter().skip(1).any(|part| part == HOME) {
            return Err("holds ~ in the middle; ~ is only the beginning");
        }
        Ok(Self::Folder(parts))
    }

    /// The rule where it is, and where it really is.
    fn placed(self, home: Option<&Path>, real: &dyn Fn(&Path) -> Option<PathBuf>) -> Vec<Self> {
        let Self::Folder(parts) = self else { return vec![self] };
        let parts = match parts.split_first() {
            Some((first, rest)) if first == HOME => {
                // Without a home nothing is below it.
                let Some(home) = home else { return Vec::new() };
                [names(home), rest.to_vec()].concat()
            }
            _ => parts,
        };
        let plain = parts.iter().take_while(|part| !part.contains(['*', '?'])).count();
        let (plain, pattern) = parts.split_at(plain);
        let folder: PathBuf = std::iter::once("/").chain(plain.iter().map(String::as_str)).collect();
        let other = real(&folder).map(|real| [names(&real), pattern.to_vec()].concat());
        let other = other.filter(|other| *other != parts);
        std::iter::once(parts).chain(other).map(Self::Folder).collect()
    }

    fn concerns(&self, surface: Surface, folders: &[PathBuf]) -> bool {
        match self {
            Self::Surface(one) => *one == surface,
            Self::Folder(pattern) => folders.iter().any(|folder| begins(&names(folder), pattern)),
        }
    }
}

fn names(path: &Path) -> Vec<String> {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}

/// Whether the path, or a folder that it is in, is what the pattern says.
fn begins(path: &[String], pattern: &[String]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, _) => true,
        (Some((part, rest)), _) if part == "**" => {
            (0..=path.len()).any(|skipped| begins(path.get(skipped..).unwrap_or_default(), rest))
        }
        (Some(_), None) => false,
        (Some((part, rest)), Some((name, below))) => is_like(name, part) && begins(below, rest),
    }
}

/// Whether a name is what a pattern with `*` and `?` says. Goes back to the last star only: that is enough.
fn is_like(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) = (name.chars().collect(), pattern.chars().collect());
    let (mut at, mut of, mut star) = (0, 0, None);
    while let Some(letter) = name.get(at) {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((stood, taken)) => {
                    star = Some((stood, taken + 1));
                    (at, of) = (taken + 1, stood + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(of).all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(ignore: &[&str], never_learn: &[&str]) -> Rules {
        let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
        let settings = Privacy { ignore: list(ignore), never_learn: list(never_learn), ..Privacy::default() };
        assert_eq!(settings.problem(), None);
        let real = |path: &Path| (path == Path::new("/home/anna/link")).then(|| PathBuf::from("/mnt/disk"));
        Rules::new(&settings, Some(Path::new("/home/anna")), &real)
    }

    #[track_caller]
    fn check(entry: &str, folder: &str, expected: bool) {
        let kept = rules(&[entry], &[]).keep(Surface::Chat, &[PathBuf::from(folder)]);
        assert_eq!(kept == Keep::Nothing, expected, "{entry} and {folder}");
    }

    #[test]
    fn a_folder_is_meant_with_all_below_it() {
        check("/srv/a", "/srv/a", true);
        check("/srv/a/", "/srv/a/b/c", true);
        check("/srv/a", "/srv/ab", false);
        check("/srv/a", "/srv", false);
        check("/", "/anywhere", true);
    }

    #[test]
    fn the_home_is_the_persons() {
        check("~/clients", "/home/anna/clients/x", true);
        check("~", "/home/anna", true);
        check("~", "/home/bert", false);
    }

    #[test]
    fn stars_stand_for_letters_and_two_of_them_for_folders() {
        check("~/clients/*", "/home/anna/clients/acme/src", true);
        check("~/clients/*", "/home/anna/clients", false);
        check("/srv/*-secret", "/srv/my-secret/x", true);
        check("/srv/*-secret", "/srv/my-secrets", false);
        check("/srv/?", "/srv/ab", false);
        check("/**/private", "/a/b/private/c", true);
        check("/**/private", "/private", true);
        check("/**/private", "/a/b", false);
    }

    #[test]
    fn a_folder_behind_a_link_is_the_same_folder() {
        check("~/link", "/mnt/disk/src", true);
        check("~/link/*", "/mnt/disk/src", true);
    }

    #[test]
    fn a_surface_is_named_by_its_word() {
        let rules = rules(&["endpoint"], &["shell", "/srv"]);
        assert_eq!(rules.keep(Surface::Endpoint, &[]), Keep::Nothing);
        assert_eq!(rules.keep(Surface::Shell, &[]), Keep::Unlearned);
        assert_eq!(rules.keep(Surface::Ask, &[PathBuf::from("/srv/x")]), Keep::Unlearned);
        assert_eq!(rules.keep(Surface::Ask, &[]), Keep::All);
    }

    #[test]
    fn what_is_ignored_is_not_recorded_whatever_else_is_said_of_it() {
        assert_eq!(rules(&["chat"], &["chat"]).keep(Surface::Chat, &[]), Keep::Nothing);
    }

    #[track_caller]
    fn key(command: &str, file: &str) -> Result<Option<KeySource>, String> {
        let settings = Privacy { key_command: command.into(), key_file: file.into(), ..Privacy::default() };
        settings.problem().map_or_else(|| Ok(settings.key_source()), Err)
    }

    #[test]
    fn the_key_comes_from_one_place() {
        assert_eq!(key("", ""), Ok(None));
        assert_eq!(key("pass show chela", ""), Ok(Some(KeySource::Command("pass show chela".into()))));
        assert_eq!(key("", "/k"), Ok(Some(KeySource::File("/k".into()))));
        assert!(key("", "k").unwrap_err().contains("whole path"));
        assert!(key("a", "/k").unwrap_err().contains("both set"));
    }

    #[track_caller]
    fn refused(entry: &str, why: &str) {
        let settings = Privacy { never_learn: vec!["/ok".into(), entry.into()], ..Privacy::default() };
        let problem = settings.problem().unwrap();
        assert!(problem.starts_with(&format!("privacy.never_learn: \"{entry}\" ")), "{problem}");
        assert!(problem.contains(why), "{problem}");
    }

    #[test]
    fn what_is_no_rule_is_refused_by_name() {
        refused("clients/acme", "neither a folder");
        refused("", "neither a folder");
        refused("terminal", "neither a folder");
        refused("~bert/x", "neither a folder");
        refused("/srv/../etc", "whole path");
        refused("/srv/a**", "stands alone");
        refused("/srv/{a,b}", "brackets");
        refused("/srv/~/a", "only the beginning");
    }

    proptest! {
        #[test]
        fn a_name_is_like_itself_and_like_a_star(name in "[a-z*?]{0,12}") {
            let around = format!("*{name}*");
            prop_assert!(is_like(&name, &name) && is_like(&name, "*") && is_like(&name, &around));
        }

        #[test]
        fn any_text_is_a_rule_or_has_a_reason(entry in "\\PC{0,20}", folder in "(/[a-z]{1,3}){0,4}") {
            if let Ok(rule) = Rule::read(&entry) {
                rule.concerns(Surface::Chat, &[PathBuf::from(folder)]);
            }
        }
    }
}
