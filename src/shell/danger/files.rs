//! Deleting, overwriting, devices and rights.

use super::places::{Place, is_device, is_important, place};
use super::{DangerKind, Finding, Rule, grave, is_dry, is_program, mild, named};
use crate::shell::parse::{RedirectKind, Simple, Word};

pub(super) const RULES: &[Rule] = &[
    delete,
    delete_found,
    mirror,
    shred,
    write_device,
    make_file_system,
    redirect,
    overwrite,
    move_away,
    change_rights,
];

fn delete(command: &Simple) -> Option<Finding> {
    if !is_program(command, &["rm", "unlink", "del", "rimraf"]) {
        return None;
    }
    let targets: Vec<&Word> = command.operands().collect();
    if targets.is_empty() && !command.has_more_words {
        return None;
    }
    let is_found =
        command.through.iter().any(|outer| ["find", "fd", "fdfind", "gfind"].contains(&outer.as_str()));
    let is_recursive = command.has_flag("rR", &["recursive"]) || is_program(command, &["rimraf"]);
    let asks = command.has_flag("iI", &["interactive"]) && !command.has_flag("f", &["force"]);
    if asks {
        let kind = if is_recursive { DangerKind::RecursiveDelete } else { DangerKind::Delete };
        return mild(kind, format!("Deletes {} after asking for each.", named(targets.into_iter())));
    }
    if let Some(sweeping) = targets.iter().find_map(|word| sweeping(word)) {
        let kind = if is_recursive { DangerKind::RecursiveDelete } else { DangerKind::Delete };
        return grave(kind, format!("Deletes {sweeping}; nothing brings it back."));
    }
    match (is_found, command.has_more_words, is_recursive) {
        (true, ..) => grave(
            DangerKind::RecursiveDelete,
            "Deletes every file that the search finds; nothing brings them back.",
        ),
        (_, true, true) => grave(
            DangerKind::RecursiveDelete,
            "Deletes every directory that it is handed, with all that is in it, unseen.",
        ),
        (_, true, false) => grave(DangerKind::Delete, "Deletes every file that it is handed, unseen."),
        (_, _, true) => grave(
            DangerKind::RecursiveDelete,
            format!("Deletes {} and everything in it; nothing brings it back.", named(targets.into_iter())),
        ),
        _ => mild(
            DangerKind::Delete,
            format!("Deletes {}; nothing brings it back.", named(targets.into_iter())),
        ),
    }
}

/// What a path that takes everything with it stands for.
fn sweeping(word: &Word) -> Option<&'static str> {
    match place(word) {
        Place::Root => Some("the whole system"),
        Place::Home => Some("a whole home directory"),
        Place::System => Some("a directory that the system needs"),
        Place::Here => Some("everything in this directory, or the one above"),
        Place::Other => None,
    }
}

fn delete_found(command: &Simple) -> Option<Finding> {
    let deletes = is_program(command, &["find", "gfind"]) && command.has(&["-delete"]);
    if !deletes {
        return None;
    }
    grave(DangerKind::RecursiveDelete, "Deletes everything that the search finds; nothing brings it back.")
}

fn mirror(command: &Simple) -> Option<Finding> {
    let deletes = command.arguments().iter().any(|word| {
        word.text.starts_with("--delete") || word.text == "--del" || word.text == "--remove-source-files"
    });
    if is_program(command, &["rsync"]) && deletes && !is_dry(command) && !command.has_flag("n", &[]) {
        let target = command.operands().last();
        let why =
            format!("Deletes files in {} that the other side does not have.", named(target.into_iter()));
        return grave(DangerKind::RecursiveDelete, why);
    }
    let copies =
        is_program(command, &["rclone"]) && command.has(&["sync", "purge", "delete"]) && !is_dry(command);
    if copies {
        return grave(
            DangerKind::RecursiveDelete,
            "Deletes files on the other side that are not on this one.",
        );
    }
    None
}

fn shred(command: &Simple) -> Option<Finding> {
    if !is_program(command, &["shred", "srm", "wipe"]) {
        return None;
    }
    let why = format!("Overwrites {} so that it can never be read again.", named(command.operands()));
    grave(DangerKind::Overwrite, why)
}

fn write_device(command: &Simple) -> Option<Finding> {
    if !is_program(command, &["dd", "dcfldd", "ddrescue"]) {
        return None;
    }
    let target = command.arguments().iter().find_map(|word| word.text.strip_prefix("of="))?;
    if ["/dev/null", "/dev/stdout", "/dev/stderr"].contains(&target) {
        return None;
    }
    let target = super::shortened(target);
    if is_device(&target) {
        return grave(
            DangerKind::DeviceWrite,
            format!("Writes over the device `{target}` and what is on it."),
        );
    }
    mild(DangerKind::Overwrite, format!("Writes over `{target}`."))
}

fn make_file_system(command: &Simple) -> Option<Finding> {
    let program = command.program()?;
    let makes = program == "mkfs"
        || program.starts_with("mkfs.")
        || [
            "mke2fs",
            "mkswap",
            "wipefs",
            "blkdiscard",
            "mkdosfs",
            "sgdisk",
            "cfdisk",
            "sfdisk",
            "fdisk",
            "gdisk",
            "parted",
        ]
        .contains(&program);
    let only_looks = command.has_flag("ld", &["list", "dump", "no-act"])
        || command.has(&["print", "-p"])
        || program == "wipefs" && command.arguments().iter().all(|word| !word.text.starts_with('-'));
    if makes && !only_looks {
        let why = format!("Formats or partitions {}; what is on it is lost.", named(command.operands()));
        return grave(DangerKind::DeviceWrite, why);
    }
    let destroys: &[(&str, &[&str])] = &[
        ("cryptsetup", &["luksFormat", "erase", "luksErase", "reencrypt"]),
        ("diskutil", &["eraseDisk", "eraseVolume", "partitionDisk", "secureErase", "reformat"]),
        ("zpool", &["destroy", "labelclear"]),
        ("zfs", &["destroy", "rollback"]),
        ("mdadm", &["--zero-superblock"]),
        ("hdparm", &["--security-erase", "--trim-sector-ranges"]),
        ("nvme", &["format", "sanitize"]),
        ("lvm", &["lvremove", "vgremove", "pvremove"]),
    ];
    let is_listed = destroys.iter().any(|(name, verbs)| *name == program && command.has(verbs));
    if is_listed || ["lvremove", "vgremove", "pvremove"].contains(&program) {
        return grave(DangerKind::DeviceWrite, "Destroys a volume or device and what is on it.");
    }
    None
}

fn redirect(command: &Simple) -> Option<Finding> {
    let reads: Vec<&str> = if is_program(command, &["echo", "printf", "tee"]) {
        Vec::new()
    } else {
        let input =
            command.redirects.iter().filter(|one| one.kind == RedirectKind::Read).map(|one| &one.target);
        command.operands().chain(input).map(|word| word.text.as_str()).collect()
    };
    command.redirects.iter().find_map(|one| {
        let target = &one.target;
        let shown = named(std::iter::once(target));
        match one.kind {
            RedirectKind::Write | RedirectKind::Append | RedirectKind::ReadWrite
                if is_device(&target.text) =>
            {
                grave(DangerKind::DeviceWrite, format!("Writes over the device {shown} and what is on it."))
            }
            RedirectKind::Write if reads.contains(&target.text.as_str()) && target.text != "/dev/null" => {
                grave(DangerKind::Overwrite, format!("Empties {shown} before it is read."))
            }
            RedirectKind::Write if is_important(target) => {
                grave(DangerKind::Overwrite, format!("Replaces {shown}; what was in it is lost."))
            }
            RedirectKind::Append if target.text.starts_with("/proc/") || target.text.starts_with("/sys/") => {
                grave(
                    DangerKind::SystemChange,
                    format!("Writes to {shown}, which steers the running system."),
                )
            }
            _ => None,
        }
    })
}

fn overwrite(command: &Simple) -> Option<Finding> {
    if is_program(command, &["truncate"]) {
        let why = format!("Cuts {} off; what is beyond is lost.", named(command.operands()));
        return grave(DangerKind::Overwrite, why);
    }
    if is_program(command, &["tee", "sponge"]) && !command.has_flag("a", &["append"]) {
        let target = command.operands().find(|word| is_important(word) || is_device(&word.text))?;
        let shown = named(std::iter::once(target));
        if is_device(&target.text) {
            return grave(
                DangerKind::DeviceWrite,
                format!("Writes over the device {shown} and what is on it."),
            );
        }
        return grave(DangerKind::Overwrite, format!("Replaces {shown}; what was in it is lost."));
    }
    if is_program(command, &["cp", "install", "ln"]) {
        let keeps = command.has_flag("inb", &["no-clobber", "interactive", "backup"]);
        let target = command.operands().last().filter(|_| command.operands().count() > 1)?;
        let source = command.operands().next()?;
        let shown = named(std::iter::once(target));
        if is_device(&target.text) {
            return grave(
                DangerKind::DeviceWrite,
                format!("Writes over the device {shown} and what is on it."),
            );
        }
        if source.text == "/dev/null" {
            return grave(DangerKind::Overwrite, format!("Empties {shown}."));
        }
        if is_important(target) && !keeps && !target.text.ends_with('/') {
            return mild(DangerKind::Overwrite, format!("May replace {shown}."));
        }
    }
    None
}

fn move_away(command: &Simple) -> Option<Finding> {
    if !is_program(command, &["mv"]) {
        return None;
    }
    let targets: Vec<&Word> = command.operands().collect();
    let last = targets.last()?;
    if last.text == "/dev/null" {
        return grave(DangerKind::Delete, "Moves files to `/dev/null`, where they are lost.");
    }
    let sources = targets.get(..targets.len() - 1)?;
    let moved =
        sources.iter().find(|word| matches!(place(word), Place::Root | Place::Home | Place::System))?;
    let why = format!("Moves {} away from where the system looks for it.", named(std::iter::once(*moved)));
    grave(DangerKind::SystemChange, why)
}

fn change_rights(command: &Simple) -> Option<Finding> {
    if !is_program(command, &["chmod", "chown", "chgrp", "setfacl", "chattr"]) {
        return None;
    }
    let is_recursive = command.has_flag("R", &["recursive"]);
    let operands: Vec<&Word> = command.operands().collect();
    let opens = is_program(command, &["chmod"])
        && command.arguments().iter().any(|word| {
            ["777", "0777", "666", "a+rwx", "o+w", "a+w", "ugo+rwx", "a=rwx", "+w", "o+rwx"]
                .contains(&word.text.as_str())
        });
    let target = operands.iter().skip(1).find_map(|word| sweeping(word));
    let wide = operands.iter().skip(1).any(|word| !matches!(place(word), Place::Other | Place::Here));
    match (is_recursive, target, opens) {
        (true, Some(what), _) if wide => {
            grave(DangerKind::Permissions, format!("Changes the rights of {what}; programs stop working."))
        }
        (true, _, true) => {
            let shown = named(operands.into_iter().skip(1));
            grave(
                DangerKind::Permissions,
                format!("Lets every user of this machine change {shown} and all below."),
            )
        }
        (true, _, false) => {
            let shown = named(operands.into_iter().skip(1));
            mild(DangerKind::Permissions, format!("Changes the rights of everything in {shown}."))
        }
        (false, _, true) => {
            let shown = named(operands.into_iter().skip(1));
            mild(DangerKind::Permissions, format!("Lets every user of this machine change {shown}."))
        }
        (false, Some(what), false) if wide => {
            mild(DangerKind::Permissions, format!("Changes the rights of {what}."))
        }
        _ => None,
    }
}
