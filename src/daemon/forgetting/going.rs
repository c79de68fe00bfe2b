//! What goes with what a person names: lessons that rest on nothing else, versions that were taught any of it, and what
//! stays and should be known. Reads only, but for what was typed.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::note::Note;
use super::{failed, files, now_ms, typed};
use crate::daemon::error::ApiError;
use crate::daemon::learner;
use crate::daemon::state::Daemon;
use crate::daemon::wire::forgetting::{Forget, ForgottenCounts, ForgottenTurn};
use crate::daemon::wire::shell::ShellCommand;
use crate::lesson::{Lesson, LessonId, State};
use crate::store::{LessonFilter, Meant, Named, Reader, StoreError, TurnRow};
use crate::turn::{Message, PolicyVersion, Role, TurnId};

/// Prompts that are asked before and after; and of these how many for one lesson that no turn taught.
const PROMPTS: usize = 4;
/// Turns and lessons that a report shows.
const LISTED: usize = 10;

/// See the module's page.
#[derive(Debug)]
pub(super) struct Going {
    pub(super) meant: Meant,
    pub(super) counts: ForgottenCounts,
    lessons: Vec<Lesson>,
    /// The newest of the turns.
    rows: Vec<TurnRow>,
    pub(super) versions: Vec<PolicyVersion>,
    /// Other lessons that the weights of those versions hold.
    pub(super) held: Vec<LessonId>,
    /// Versions that served and were not taught any of it, oldest first.
    sound: Vec<PolicyVersion>,
    pub(super) notes: Vec<String>,
    typed: Arc<typed::Going>,
}

impl Going {
    pub(super) async fn find(daemon: &Daemon, wish: &Forget) -> Result<Self, ApiError> {
        let shelf = daemon.policies.parents().await?;
        let (named, asked, typed) = (named(wish), wish.clone(), daemon.paths.typed_files());
        let mut going = daemon.ledger.ask(move |reader| read(reader, &named, &asked, shelf, &typed)).await?;
        going.counts.shell_commands += daemon.shells.count(&|command| going.is_command_meant(wish, command));
        going.counts.copies = copies(&daemon.paths.ledger()).len();
        if let Some(text) = &wish.matching {
            going.counts.log_lines = files::count_in_logs(&daemon.paths, text);
        }
        if !wish.all {
            let note = |copy: PathBuf| {
                let copy = copy.display();
                format!("{copy} is an unreadable ledger and may still hold it; remove it yourself")
            };
            going.notes.extend(unreadable(&daemon.paths.ledger()).into_iter().map(note));
        }
        Ok(going)
    }

    pub(super) fn note(&self, is_all: bool) -> Note {
        let by_number = |rows: &[TurnId]| if is_all { Vec::new() } else { rows.to_vec() };
        Note {
            lessons: self.meant.lessons.clone(),
            turns: by_number(&self.meant.turns),
            versions: self.versions.clone(),
            states: self.meant.states.clone(),
            sessions: self.meant.sessions.clone(),
            words: self.meant.words.clone(),
            all_up_to: is_all.then_some(self.meant.newest_turn),
            at: now_ms(),
        }
    }

    /// Oldest first.
    pub(super) fn listed_lessons(&self) -> Vec<Lesson> {
        self.lessons.iter().skip(self.lessons.len().saturating_sub(LISTED)).cloned().collect()
    }

    /// Oldest first.
    pub(super) fn listed_turns(&self) -> Vec<ForgottenTurn> {
        let said = |row: &TurnRow| ForgottenTurn { turn: row.id, request: last_said(row).to_owned() };
        self.rows.iter().map(said).collect()
    }

    /// Removes what people typed of it; how many lines that were.
    pub(super) async fn remove_typed(&self, daemon: &Daemon) -> Result<usize, ApiError> {
        let mut n_removed = 0;
        for typed in daemon.paths.typed_files() {
            let (file, going, turns) = (typed.clone(), Arc::clone(&self.typed), self.meant.turns.clone());
            let removed = daemon.ledger.ask(move |reader| typed::remove(&file, &going, reader, &turns));
            n_removed += removed.await?.map_err(|err| failed(&typed, &err))?;
        }
        Ok(n_removed)
    }

    /// Whether a command that is remembered of a shell goes.
    pub(super) fn is_command_meant(&self, wish: &Forget, command: &ShellCommand) -> bool {
        let holds = |text: &String| {
            let places = [
                Some(&command.text),
                command.output.as_ref(),
                Some(&command.cwd),
                command.cwd_after.as_ref(),
            ];
            let text = text.to_lowercase();
            places.into_iter().flatten().any(|place| place.to_lowercase().contains(&text))
        };
        let is_of = |turn: TurnId| self.meant.turns.binary_search(&turn).is_ok();
        wish.all
            || wish.since.is_some_and(|since| command.ended_ms >= since)
            || wish.project.as_ref().is_some_and(|folder| Path::new(&command.cwd).starts_with(folder))
            || wish.matching.as_ref().is_some_and(holds)
            || command.suggestion.is_some_and(is_of)
    }

    /// What would serve where `served` does.
    pub(super) fn serves_instead(&self, served: PolicyVersion) -> PolicyVersion {
        if !self.versions.contains(&served) {
            return served;
        }
        let below = self.sound.iter().filter(|version| **version < served);
        below.max().copied().unwrap_or(PolicyVersion::BASE)
    }

    /// The requests that it was about: those of its turns, and what a round would ask about a lesson without any.
    pub(super) async fn prompts(&self, daemon: &Arc<Daemon>) -> Result<Vec<Vec<Message>>, ApiError> {
        let of_lessons = self.lessons.iter().flat_map(|lesson| &lesson.sources);
        let turns: BTreeSet<TurnId> = of_lessons.copied().chain(self.rows.iter().map(|row| row.id)).collect();
        let mut prompts = Vec::new();
        for turn in turns.into_iter().take(PROMPTS) {
            let thread = daemon.ledger.thread_to(turn).await?;
            prompts.push(conversation(&thread));
        }
        let lessons: Vec<LessonId> = self.lessons.iter().map(|lesson| lesson.id).take(PROMPTS).collect();
        let room = PROMPTS.saturating_sub(prompts.len()).max(1);
        let about = learner::requests_about(daemon, &lessons, room).await?;
        prompts.extend(about.into_iter().take(room));
        Ok(prompts)
    }
}

fn named(wish: &Forget) -> Named {
    Named {
        turns: wish.turns.clone(),
        lessons: wish.lessons.clone(),
        sessions: wish.sessions.clone(),
        project: wish.project.as_ref().map(|folder| match folder.trim_end_matches('/') {
            "" => "/".to_owned(),
            folder => folder.to_owned(),
        }),
        since: wish.since,
        matching: wish.matching.clone(),
        all: wish.all,
    }
}

/// Messages up to the last turn's answer, which is left out.
pub(in crate::daemon) fn conversation(thread: &[TurnRow]) -> Vec<Message> {
    let mut messages = Vec::new();
    for (at, turn) in thread.iter().enumerate() {
        messages.extend(turn.messages.iter().cloned());
        if at + 1 < thread.len() && !turn.is_forgotten() {
            messages.push(Message::new(Role::Assistant, &turn.response));
        }
    }
    messages
}

fn last_said(row: &TurnRow) -> &str {
    let said = row.messages.iter().rfind(|message| message.role == Role::User);
    said.map_or("", |message| &message.content)
}

fn read(
    reader: &mut Reader,
    named: &Named,
    wish: &Forget,
    shelf: Vec<(PolicyVersion, PolicyVersion)>,
    typed_files: &[PathBuf],
) -> Result<Going, StoreError> {
    let meant = reader.meant(named)?;
    let lessons = lessons(reader, &meant.lessons)?;
    let runs = reader.runs(usize::MAX)?;
    let made: Vec<_> =
        runs.iter().filter_map(|run| run.candidate.map(|version| (version, run.parent))).collect();
    let notes = if wish.all { Vec::new() } else { of_unknown_origin(&shelf, &made) };
    let mut taught = meant.taught.clone();
    if wish.all {
        taught.extend(shelf.iter().map(|(version, _)| *version));
    }
    let versions = with_descendants(taught, &made.into_iter().chain(shelf).collect::<Vec<_>>());
    let goes: HashSet<LessonId> = meant.lessons.iter().copied().collect();
    let in_force = reader.lessons_in_force()?;
    let held = in_force.iter().filter(|lesson| {
        matches!(lesson.state, State::Learned(version) if versions.contains(&version))
            && !goes.contains(&lesson.id)
    });
    let sound = reader.serving()?.into_iter().map(|row| row.version).filter(|one| !versions.contains(one));
    let typed = typed::Going {
        all: wish.all,
        since: wish.since,
        matching: wish.matching.clone(),
        taught: lessons.iter().map(|lesson| lesson.text.clone()).collect(),
    };
    let mut n_typed = 0;
    for file in typed_files {
        n_typed += typed::count(file, &typed, reader, &meant.turns)?;
    }
    let newest = meant.turns.get(meant.turns.len().saturating_sub(LISTED)..).unwrap_or_default();
    Ok(Going {
        held: held.map(|lesson| lesson.id).collect(),
        sound: sound.collect(),
        rows: newest.iter().map(|turn| reader.turn(*turn).map(|turn| turn.row)).collect::<Result<_, _>>()?,
        counts: ForgottenCounts {
            turns: meant.turns.len(),
            lessons: meant.lessons.len(),
            sessions: meant.sessions.len(),
            followed: meant.states.len(),
            shell_commands: meant.n_shell_commands,
            samples: meant.n_samples,
            runs: meant.n_runs,
            versions: versions.len(),
            prompts: meant.n_prompts,
            words: meant.words.len() + meant.folders.len(),
            typed: n_typed,
            log_lines: 0,
            copies: 0,
        },
        versions: versions.into_iter().collect(),
        typed: Arc::new(typed),
        notes,
        lessons,
        meant,
    })
}

/// What versions learned that no run of the ledger made is not known.
fn of_unknown_origin(
    shelf: &[(PolicyVersion, PolicyVersion)],
    made: &[(PolicyVersion, PolicyVersion)],
) -> Vec<String> {
    let is_known = |version: &PolicyVersion| made.iter().any(|(known, _)| known == version);
    let note = |version: &PolicyVersion| {
        format!("{version} was trained on a file or imported; whether it holds any of this is not known here")
    };
    shelf.iter().map(|(version, _)| version).filter(|version| !is_known(version)).map(note).collect()
}

/// Oldest first.
fn lessons(reader: &mut Reader, ids: &[LessonId]) -> Result<Vec<Lesson>, StoreError> {
    let wanted: HashSet<LessonId> = ids.iter().copied().collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut lessons = reader.lessons(&LessonFilter::default(), usize::MAX)?;
    lessons.retain(|lesson| wanted.contains(&lesson.id));
    lessons.sort_by_key(|lesson| lesson.id);
    Ok(lessons)
}

/// The versions, and all that were built on them. `made`: versions with what each was made from.
fn with_descendants(
    versions: BTreeSet<PolicyVersion>,
    made: &[(PolicyVersion, PolicyVersion)],
) -> BTreeSet<PolicyVersion> {
    let mut all = versions;
    loop {
        let found = made.iter().filter(|(version, parent)| all.contains(parent) && !all.contains(version));
        let found: Vec<PolicyVersion> = found.map(|(version, _)| *version).collect();
        if found.is_empty() {
            return all;
        }
        all.extend(found);
    }
}

/// Copies of the ledger that were made before it was brought up to date.
pub(super) fn copies(ledger: &Path) -> Vec<PathBuf> {
    beside(ledger, |rest| rest.starts_with(".v") && rest.contains(".bak"))
}

/// Ledgers that could not be read and were set aside.
pub(super) fn unreadable(ledger: &Path) -> Vec<PathBuf> {
    beside(ledger, |rest| rest.starts_with(".corrupt-"))
}

/// Files in the same folder whose names begin with this one's, and go on as `is_meant` says.
fn beside(path: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Some((folder, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            entry.file_name().to_str().and_then(|one| one.strip_prefix(name)).is_some_and(&is_meant)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(taught: &[u32], made: &[(u32, u32)], expected: &[u32]) {
        let versions = |numbers: &[u32]| numbers.iter().copied().map(PolicyVersion).collect::<BTreeSet<_>>();
        let made: Vec<_> =
            made.iter().map(|(version, parent)| (PolicyVersion(*version), PolicyVersion(*parent))).collect();
        assert_eq!(with_descendants(versions(taught), &made), versions(expected));
    }

    #[test]
    fn what_was_built_on_a_version_holds_what_that_was_taught() {
        check(&[], &[(1, 0), (2, 1)], &[]);
        check(&[1], &[(1, 0), (2, 1), (4, 2), (3, 0)], &[1, 2, 4]);
        check(&[2], &[(4, 2), (2, 1), (5, 4)], &[2, 4, 5]);
    }

    #[test]
    fn versions_that_no_run_made_are_named() {
        let (one, two) = ((PolicyVersion(1), PolicyVersion(0)), (PolicyVersion(2), PolicyVersion(1)));
        let notes = of_unknown_origin(&[one, two], &[one]);
        assert_eq!(
            notes,
            ["v2 was trained on a file or imported; whether it holds any of this is not known here"]
        );
    }

    #[test]
    fn a_damaged_circle_of_versions_has_an_end() {
        check(&[1], &[(1, 2), (2, 1)], &[1, 2]);
    }
}
