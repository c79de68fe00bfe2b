//! Git: what others have fetched, what history says, what no commit holds.

use super::{DangerKind, Finding, Rule, grave, is_program, mild};
use crate::shell::parse::{Simple, Word};

pub(super) const RULES: &[Rule] = &[push, rewrite, discard, clean, remove];

/// The verb of a git command and what follows it, behind git's own options.
fn verb(command: &Simple) -> Option<(&str, Simple)> {
    if !is_program(command, &["git", "yadm"]) {
        return None;
    }
    let mut at = 1;
    while let Some(word) = command.words.get(at) {
        if ["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"]
            .contains(&word.text.as_str())
        {
            at += 2;
        } else if word.text.starts_with('-') {
            at += 1;
        } else {
            let words = command.words.get(at..)?.to_vec();
            return Some((&word.text, Simple { words, ..Simple::default() }));
        }
    }
    None
}

fn push(command: &Simple) -> Option<Finding> {
    let ("push", rest) = verb(command)? else { return None };
    if rest.has_flag("n", &["dry-run"]) {
        return None;
    }
    let refs = || rest.operands().skip(1);
    if rest.has_flag("f", &["force", "mirror"]) || refs().any(|word| word.text.starts_with('+')) {
        return grave(
            DangerKind::ForcePush,
            "Replaces the history on the server; commits of others may be lost.",
        );
    }
    if rest.has_flag("d", &["delete", "prune"]) || refs().any(|word| word.text.starts_with(':')) {
        return grave(DangerKind::ForcePush, "Deletes a branch or tag on the server, for everybody.");
    }
    if rest.has_flag("", &["force-with-lease", "force-if-includes"]) {
        return mild(
            DangerKind::ForcePush,
            "Replaces the history on the server unless somebody has pushed since.",
        );
    }
    None
}

fn rewrite(command: &Simple) -> Option<Finding> {
    let (verb, rest) = verb(command)?;
    match verb {
        "filter-branch" | "filter-repo" => {
            grave(DangerKind::HistoryRewrite, "Rewrites the whole history; every commit gets another name.")
        }
        "rebase" if !rest.has_flag("", &["abort", "quit", "show-current-patch", "edit-todo"]) => {
            mild(DangerKind::HistoryRewrite, "Rewrites commits; who has them already will see conflicts.")
        }
        "commit" if rest.has_flag("", &["amend"]) => {
            mild(DangerKind::HistoryRewrite, "Replaces the last commit by another one.")
        }
        "reflog" if rest.has(&["expire", "delete"]) => {
            grave(DangerKind::HistoryRewrite, "Throws away the log that brings lost commits back.")
        }
        "gc" if rest.arguments().iter().any(|word| word.text.starts_with("--prune=")) => {
            grave(DangerKind::HistoryRewrite, "Deletes commits that no branch holds any more.")
        }
        "prune" if !rest.has_flag("n", &["dry-run"]) => {
            grave(DangerKind::HistoryRewrite, "Deletes commits that no branch holds any more.")
        }
        "update-ref" if rest.has_flag("d", &["delete"]) => {
            grave(DangerKind::HistoryRewrite, "Deletes a reference; its commits may be lost.")
        }
        "replace" => {
            mild(DangerKind::HistoryRewrite, "Puts another object in the place of one of history's.")
        }
        _ => None,
    }
}

fn discard(command: &Simple) -> Option<Finding> {
    let (verb, rest) = verb(command)?;
    let is_everything = |word: &Word| [".", ":/", "*", "./"].contains(&word.text.as_str());
    let has_paths = rest.arguments().iter().any(|word| word.text == "--");
    match verb {
        "reset" if rest.has_flag("", &["hard", "merge"]) => {
            grave(DangerKind::DiscardWork, "Throws away every change that is not committed.")
        }
        "checkout" if rest.has_flag("f", &["force"]) => {
            grave(DangerKind::DiscardWork, "Throws away every change that is not committed.")
        }
        "checkout" if has_paths || rest.operands().any(is_everything) => {
            grave(DangerKind::DiscardWork, "Throws away the changes in these files that are not committed.")
        }
        "switch" if rest.has_flag("f", &["force", "discard-changes"]) => {
            grave(DangerKind::DiscardWork, "Throws away every change that is not committed.")
        }
        "restore" if !rest.has_flag("S", &["staged"]) || rest.has_flag("W", &["worktree"]) => {
            grave(DangerKind::DiscardWork, "Throws away the changes in these files that are not committed.")
        }
        "stash" if rest.has(&["drop", "clear"]) => {
            grave(DangerKind::DiscardWork, "Throws away changes that were put aside.")
        }
        "branch"
            if rest.has_flag("D", &[])
                || rest.has_flag("d", &["delete"]) && rest.has_flag("f", &["force"]) =>
        {
            grave(DangerKind::DiscardWork, "Deletes a branch although its commits may be nowhere else.")
        }
        "branch" if rest.has_flag("d", &["delete"]) => {
            mild(DangerKind::DiscardWork, "Deletes a merged branch.")
        }
        "tag" if rest.has_flag("d", &["delete"]) => mild(DangerKind::DiscardWork, "Deletes a tag here."),
        "worktree" if rest.has(&["remove"]) && rest.has_flag("f", &["force"]) => {
            grave(DangerKind::DiscardWork, "Deletes a work tree with the changes in it.")
        }
        "submodule" if rest.has(&["deinit"]) && rest.has_flag("f", &["force"]) => {
            grave(DangerKind::DiscardWork, "Throws away the changes in a submodule.")
        }
        _ => None,
    }
}

fn clean(command: &Simple) -> Option<Finding> {
    let ("clean", rest) = verb(command)? else { return None };
    if rest.has_flag("n", &["dry-run"]) || rest.has_flag("i", &["interactive"]) {
        return None;
    }
    let (is_deep, is_ignored) = (rest.has_flag("d", &[]), rest.has_flag("xX", &[]));
    match (is_deep, is_ignored) {
        (_, true) => grave(
            DangerKind::RecursiveDelete,
            "Deletes every file that git does not know, ignored ones too; nothing brings them back.",
        ),
        (true, false) => grave(
            DangerKind::RecursiveDelete,
            "Deletes every file and directory that git does not know; nothing brings them back.",
        ),
        _ => grave(
            DangerKind::RecursiveDelete,
            "Deletes every file that git does not know; nothing brings them back.",
        ),
    }
}

fn remove(command: &Simple) -> Option<Finding> {
    let ("rm", rest) = verb(command)? else { return None };
    if rest.has_flag("n", &["dry-run", "cached"]) {
        return None;
    }
    if rest.has_flag("r", &[]) {
        let level = if rest.has_flag("f", &["force"]) { grave } else { mild };
        return level(DangerKind::RecursiveDelete, "Deletes files here and from the next commit.".to_owned());
    }
    mild(DangerKind::Delete, "Deletes files here and from the next commit.")
}
