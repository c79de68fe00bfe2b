//! `chela init`: prints a shell's hooks, or keeps them in a file of chela's with one line in the shell's startup file.
//!
//! A startup file is never written in place: it is replaced whole, a copy of what was there is kept first, and a file
//! that somebody else manages (read-only, another user's) is left alone, with a sentence that says what to put in it.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};

use super::place::{Place, variable};
use super::{Exit, exit, output};
use crate::config::disk::write_whole_with;
use crate::daemon::wire::shell::ShellKind;
use crate::shell::init::{Purpose, exec_line, hooks_line, script, with_line, without_lines};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Without it: the one of $SHELL; with --uninstall: all three
    shell: Option<ShellName>,
    /// Keep the hooks in chela's own file, and add one line that reads it to the shell's startup file
    #[arg(long, conflicts_with = "uninstall")]
    install: bool,
    /// Take line, file and folder away again
    #[arg(long)]
    uninstall: bool,
    /// The line that starts `chela shell` in place of every interactive shell, instead of the hooks
    #[arg(long, conflicts_with = "uninstall")]
    exec: bool,
    /// The startup file, if it is not the usual one
    #[arg(long, value_name = "FILE")]
    rc: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

impl From<ShellName> for ShellKind {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
        }
    }
}

pub(super) fn run(place: &Place, args: &InitArgs) -> anyhow::Result<Exit> {
    let named = args.shell.map(ShellKind::from);
    if args.uninstall {
        uninstall(place, named, args.rc.as_deref())?;
        return Ok(Exit::Done);
    }
    let kind = named
        .or_else(|| ShellKind::of(&variable("SHELL")?))
        .ok_or_else(|| exit::Stop::new(Exit::Usage, "which shell? say `chela init bash`, `zsh` or `fish`"))?;
    match (args.install, args.exec) {
        (false, false) => print_script(place, kind)?,
        (false, true) => output::line(&exec_line(kind, text(&program()?)?))?,
        (true, false) => install_hooks(place, kind, args.rc.clone())?,
        (true, true) => {
            let line = exec_line(kind, text(&program()?)?);
            let rc = args.rc.clone().map_or_else(|| startup_file(kind), Ok)?;
            put_line(place, &rc, Purpose::Exec, &line)?;
        }
    }
    Ok(Exit::Done)
}

fn print_script(place: &Place, kind: ShellKind) -> anyhow::Result<()> {
    // The script does without the folder; it is made here so that no shell has to start a program for it.
    let records = records_dir(place);
    private_dir(&records).ok();
    std::io::stdout().lock().write_all(whole_script(place, kind, &records)?.as_bytes())?;
    Ok(())
}

fn whole_script(place: &Place, kind: ShellKind, records: &Path) -> anyhow::Result<String> {
    Ok(script(kind, text(records)?, text(&program()?)?, &place.settings()?.shell))
}

fn install_hooks(place: &Place, kind: ShellKind, rc: Option<PathBuf>) -> anyhow::Result<()> {
    place.paths.create()?;
    let rc = std::path::absolute(rc.map_or_else(|| startup_file(kind), Ok)?)?;
    let (own, records) = (own_file(place, kind), records_dir(place));
    private_dir(&records).with_context(|| format!("cannot create {}", records.display()))?;
    private_dir(&own_dir(place)).with_context(|| format!("cannot create {}", own_dir(place).display()))?;
    let whole = format!("{READ_BY}{}\n{}", text(&rc)?, whole_script(place, kind, &records)?);
    write_whole_with(&own, |part| fs::write(part, &whole))
        .with_context(|| format!("cannot write {}", own.display()))?;
    output::note(&format!("wrote {}", own.display()));
    put_line(place, &rc, Purpose::Hooks, &hooks_line(kind, text(&own)?))
}

fn put_line(place: &Place, rc: &Path, purpose: Purpose, line: &str) -> anyhow::Result<()> {
    let refused = || format!("put this line into it yourself: {line}");
    let target = target_of(rc)?;
    let before = read(&target)?;
    let Some(after) = with_line(before.as_deref(), purpose, line) else {
        output::note(&format!("{} has the line already", rc.display()));
        return Ok(());
    };
    check_ours(rc, &target).with_context(refused)?;
    if let Some(before) = &before {
        private_dir(&own_dir(place))?;
        let copy = backup(place, rc);
        write_whole_with(&copy, |part| fs::write(part, before))
            .with_context(|| format!("cannot write {}", copy.display()))?;
        output::note(&format!("kept a copy of {} in {}", rc.display(), copy.display()));
    }
    replace(&target, &after).with_context(refused)?;
    output::note(&format!("added one line to {}", rc.display()));
    output::note(
        "open a new terminal, or read the file again; `chela init --uninstall` takes everything back",
    );
    Ok(())
}

fn uninstall(place: &Place, named: Option<ShellKind>, rc: Option<&Path>) -> anyhow::Result<()> {
    let kinds = named.map_or_else(|| ShellKind::ALL.to_vec(), |kind| vec![kind]);
    let mut found = false;
    for kind in kinds {
        let own = own_file(place, kind);
        let mut files = vec![startup_file(kind)?];
        files.extend(read_by(&own)?);
        files.extend(rc.map(Path::to_path_buf));
        files.dedup();
        for file in files {
            found |= take_lines(place, &file)?;
        }
        found |= remove(&own)?;
    }
    if ShellKind::ALL.iter().all(|kind| !own_file(place, *kind).exists()) {
        found |= remove_records(&records_dir(place))?;
    }
    // Only what is empty goes.
    for dir in [own_dir(place), records_dir(place), place.paths.config_dir.clone()] {
        fs::remove_dir(dir).ok();
    }
    output::note(if found {
        "open terminals keep the hooks until they close"
    } else {
        "nothing was installed"
    });
    Ok(())
}

/// Whether there was one.
fn take_lines(place: &Place, rc: &Path) -> anyhow::Result<bool> {
    let target = target_of(rc)?;
    let Some(without) = read(&target)?.as_deref().and_then(without_lines) else { return Ok(false) };
    check_ours(rc, &target).context("take the line that ends in \"# added by chela init\" out yourself")?;
    if without.remove_file {
        fs::remove_file(&target).with_context(|| format!("cannot remove {}", target.display()))?;
        output::note(&format!("removed {}, which came with chela's line", rc.display()));
    } else {
        replace(&target, &without.text)?;
        output::note(&format!("took chela's line out of {}", rc.display()));
    }
    remove(&backup(place, rc))?;
    Ok(true)
}

/// Records that nobody read any more.
fn remove_records(dir: &Path) -> anyhow::Result<bool> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(false) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "log" || end == "line") {
            remove(&path)?;
        }
    }
    Ok(true)
}

/// Where a link points to: dotfiles are often links into a repository, and must stay links.
fn target_of(rc: &Path) -> anyhow::Result<PathBuf> {
    match fs::canonicalize(rc) {
        Ok(target) => Ok(target),
        Err(err) if err.kind() == ErrorKind::NotFound && rc.is_symlink() => {
            bail!("{} is a link to a file that does not exist; make that file first", rc.display())
        }
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(rc.to_path_buf()),
        Err(err) => Err(err).with_context(|| format!("cannot read {}", rc.display())),
    }
}

/// Refuses a file that somebody else manages. Root may write everything, so permissions are looked at, not tried.
fn check_ours(rc: &Path, target: &Path) -> anyhow::Result<()> {
    let Ok(meta) = fs::metadata(target) else { return Ok(()) };
    let shown = if rc == target {
        rc.display().to_string()
    } else {
        format!("{} (a link to {})", rc.display(), target.display())
    };
    if !meta.is_file() {
        bail!("{shown} is not a file");
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        bail!("{shown} belongs to another user");
    }
    if meta.mode() & 0o200 == 0 {
        bail!("{shown} is read-only");
    }
    if meta.nlink() > 1 {
        bail!("{shown} has a second name (a hard link), which would keep the old text");
    }
    Ok(())
}

/// Replaces the file whole, with the permissions that it had.
fn replace(target: &Path, text: &[u8]) -> anyhow::Result<()> {
    let mode = fs::metadata(target).map_or(0o644, |meta| meta.mode() & 0o7777);
    if let Some(dir) = target.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    write_whole_with(target, |part| {
        fs::write(part, text)?;
        fs::set_permissions(part, Permissions::from_mode(mode))
    })
    .with_context(|| format!("cannot write {}", target.display()))
}

fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Whether it was there.
fn remove(path: &Path) -> anyhow::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => {
            output::note(&format!("removed {}", path.display()));
            Ok(true)
        }
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(false),
        Err(err) => Err(err).with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// The first line of chela's own file: which startup file reads it.
const READ_BY: &str = "# read by ";

fn read_by(own: &Path) -> anyhow::Result<Option<PathBuf>> {
    let Some(script) = read(own)? else { return Ok(None) };
    let first = script.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let path = std::str::from_utf8(first).ok().and_then(|line| line.strip_prefix(READ_BY));
    Ok(path.map(PathBuf::from))
}

fn own_dir(place: &Place) -> PathBuf {
    place.paths.config_dir.join("shell")
}

fn own_file(place: &Place, kind: ShellKind) -> PathBuf {
    own_dir(place).join(format!("chela.{}", kind.name()))
}

fn records_dir(place: &Place) -> PathBuf {
    place.paths.shell_dir()
}

fn backup(place: &Place, rc: &Path) -> PathBuf {
    let name = rc.file_name().unwrap_or_default().to_string_lossy();
    own_dir(place).join(format!("{}.before", name.trim_start_matches('.')))
}

/// What the shell reads when a terminal opens.
fn startup_file(kind: ShellKind) -> anyhow::Result<PathBuf> {
    let home = variable("HOME").map(PathBuf::from).context("no home directory: set HOME")?;
    let dir = |name| variable(name).map(PathBuf::from);
    Ok(match kind {
        ShellKind::Bash => home.join(".bashrc"),
        ShellKind::Zsh => dir("ZDOTDIR").unwrap_or(home).join(".zshrc"),
        ShellKind::Fish => dir("XDG_CONFIG_HOME").unwrap_or(home.join(".config")).join("fish/config.fish"),
    })
}

/// This program as the user calls it: a package manager moves the file behind that name with each version.
fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let own = fs::canonicalize(&own).unwrap_or(own);
    let path = variable("PATH").unwrap_or_default();
    let named = std::env::split_paths(&path)
        .map(|dir| dir.join("chela"))
        .find(|file| file.is_absolute() && fs::canonicalize(file).is_ok_and(|file| file == own));
    Ok(named.unwrap_or(own))
}

fn private_dir(dir: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .ok_or_else(|| anyhow!("the path {} is not UTF-8, which a script cannot name", path.display()))
}
