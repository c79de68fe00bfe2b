//! Processes, power, accounts, services, network.

use super::{DangerKind, Finding, Rule, grave, is_dry, is_program, mild, named};
use crate::shell::parse::Simple;

pub(super) const RULES: &[Rule] = &[kill, power, accounts, services, network, packages];

fn kill(command: &Simple) -> Option<Finding> {
    if is_program(command, &["killall5"]) {
        return grave(DangerKind::Kill, "Ends every process of the machine.");
    }
    if is_program(command, &["kill"]) && !command.has(&["-l", "-L", "--list", "--table"]) {
        let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
        // `-1` is everything as a target and the signal 1 as the first word before others.
        let targets = match words.as_slice() {
            [first, rest @ ..] if first.starts_with('-') && !rest.is_empty() && *first != "--" => rest,
            all => all,
        };
        if targets.contains(&"-1") {
            return grave(DangerKind::Kill, "Ends every process that this user may end.");
        }
        if targets.contains(&"1") {
            return grave(DangerKind::Kill, "Signals the process that runs the whole system.");
        }
        let is_hard = words.iter().any(|word| ["-9", "-KILL", "-SIGKILL"].contains(word));
        let is_hard =
            is_hard || words.windows(2).any(|pair| matches!(pair, ["-s", "KILL" | "SIGKILL" | "9"]));
        return is_hard
            .then(|| mild(DangerKind::Kill, "Ends a process without letting it save anything."))
            .flatten();
    }
    if is_program(command, &["pkill", "killall", "xkill", "skill"]) && !command.has(&["-l", "--list-name"]) {
        if command.has_flag("u", &["user", "euid"]) && command.operands().count() <= 1 {
            return grave(DangerKind::Kill, "Ends every process of a user.");
        }
        let why = format!("Ends every process that matches {}.", named(command.operands().take(1)));
        return mild(DangerKind::Kill, why);
    }
    None
}

fn power(command: &Simple) -> Option<Finding> {
    let first = command.operands().next().map(|word| word.text.as_str());
    let ends = match command.program()? {
        "shutdown" => !command.has_flag("c", &["show"]),
        "reboot" | "halt" | "poweroff" => true,
        "init" | "telinit" => matches!(first, Some("0" | "6")),
        "systemctl" => {
            matches!(
                first,
                Some(
                    "poweroff"
                        | "reboot"
                        | "halt"
                        | "kexec"
                        | "rescue"
                        | "emergency"
                        | "suspend"
                        | "hibernate"
                )
            )
        }
        _ => false,
    };
    if !ends {
        return None;
    }
    grave(DangerKind::Shutdown, "Stops or restarts the machine; what is not saved is lost.")
}

fn accounts(command: &Simple) -> Option<Finding> {
    let why = match command.program()? {
        "userdel" | "deluser" | "groupdel" | "delgroup" => "Deletes an account.",
        "passwd" if command.has_flag("dl", &["delete", "lock"]) => {
            "Takes an account's password away or locks it."
        }
        "crontab" if command.has_flag("r", &[]) => "Deletes every scheduled job of this user.",
        "visudo" | "chsh" => return mild(DangerKind::SystemChange, "Changes how accounts work."),
        "usermod" | "gpasswd" => return mild(DangerKind::SystemChange, "Changes an account."),
        "history" if command.has_flag("c", &[]) => {
            return mild(DangerKind::SystemChange, "Forgets the shell's history.");
        }
        "ssh-keygen" if command.has_flag("R", &[]) => {
            return mild(DangerKind::SystemChange, "Forgets the known key of a host.");
        }
        _ => return None,
    };
    grave(DangerKind::SystemChange, why)
}

fn services(command: &Simple) -> Option<Finding> {
    let first = command.operands().next().map(|word| word.text.as_str());
    match command.program()? {
        "systemctl" if matches!(first, Some("stop" | "disable" | "mask" | "kill" | "isolate")) => {
            mild(DangerKind::SystemChange, format!("Stops a service: {}.", named(command.operands().skip(1))))
        }
        "service" if command.has(&["stop"]) => mild(DangerKind::SystemChange, "Stops a service."),
        "launchctl" if matches!(first, Some("unload" | "bootout" | "remove" | "disable")) => {
            mild(DangerKind::SystemChange, "Stops a service.")
        }
        "swapoff" if command.has_flag("a", &["all"]) => mild(
            DangerKind::SystemChange,
            "Takes the swap space away; programs may be ended for lack of memory.",
        ),
        "umount" if command.has_flag("fla", &["force", "lazy", "all"]) => mild(
            DangerKind::SystemChange,
            "Takes a file system away from programs that may be writing to it.",
        ),
        "rmmod" => mild(DangerKind::SystemChange, "Takes a driver out of the running kernel."),
        "setenforce" if first == Some("0") => {
            grave(DangerKind::SystemChange, "Turns off a guard of the system's security.")
        }
        "csrutil" | "spctl" if command.has(&["disable", "--master-disable"]) => {
            grave(DangerKind::SystemChange, "Turns off a guard of the system's security.")
        }
        _ => None,
    }
}

fn network(command: &Simple) -> Option<Finding> {
    let cuts = match command.program()? {
        "iptables" | "ip6tables" => command.has_flag("FX", &["flush", "delete-chain"]),
        "nft" => command.has(&["flush"]),
        "ufw" => command.has(&["disable", "reset"]),
        "ifconfig" => command.has(&["down"]),
        "ip" => command.has(&["down", "flush"]) || command.has(&["route"]) && command.has(&["del"]),
        "ifdown" => true,
        "nmcli" => command.has(&["off", "down", "delete"]),
        _ => false,
    };
    if !cuts {
        return None;
    }
    grave(DangerKind::SystemChange, "Opens the firewall or cuts the network; a remote session may be lost.")
}

/// Package tools, with the words that remove. Those of one project are mild: a file brings the packages back.
const REMOVERS: &[(&[&str], &[&str], bool)] = &[
    (&["apt", "apt-get", "aptitude"], &["remove", "purge", "autoremove", "autopurge"], true),
    (&["dnf", "yum", "microdnf", "zypper"], &["remove", "erase", "autoremove", "rm"], true),
    (&["apk", "opkg", "pkg", "xbps-remove"], &["del", "delete", "remove"], true),
    (
        &["brew", "port", "snap", "flatpak", "nix-env", "choco", "winget", "scoop"],
        &["uninstall", "remove", "rm", "-e"],
        true,
    ),
    (&["pip", "pip3", "pipx", "uv", "conda", "mamba", "poetry", "pdm"], &["uninstall", "remove"], false),
    (&["npm", "pnpm", "yarn", "bun"], &["uninstall", "remove", "rm", "un"], false),
    (&["cargo", "gem", "go", "composer", "bundle"], &["uninstall", "remove", "clean"], false),
];

fn packages(command: &Simple) -> Option<Finding> {
    let program = command.program()?;
    if is_dry(command) || program.starts_with("apt") && command.has_flag("s", &[]) {
        return None;
    }
    let is_bundle = match program {
        "pacman" | "yay" | "paru" => command.arguments().iter().any(|word| word.text.starts_with("-R")),
        "dpkg" => command.has_flag("rP", &["remove", "purge"]),
        "rpm" => command.has_flag("e", &["erase"]),
        _ => false,
    };
    let verb = command.operands().next().map(|word| word.text.as_str());
    let sub_verb = command.operands().nth(1).map(|word| word.text.as_str());
    let row = REMOVERS.iter().find(|(names, verbs, _)| {
        let is_verb = verb.is_some_and(|verb| verbs.contains(&verb))
            || verbs.iter().any(|verb| verb.starts_with('-') && command.has(&[verb]));
        names.contains(&program)
            && (is_verb || program == "uv" && verb == Some("pip") && sub_verb == Some("uninstall"))
    });
    if program == "cargo" && verb == Some("clean") || program == "bundle" && verb == Some("clean") {
        return mild(DangerKind::RecursiveDelete, "Deletes what was built; the next build starts over.");
    }
    match row {
        _ if is_bundle => {
            grave(DangerKind::PackageRemoval, "Removes packages from the system; others may need them.")
        }
        Some((.., true)) => {
            grave(DangerKind::PackageRemoval, "Removes packages from the system; others may need them.")
        }
        Some((.., false)) => {
            mild(DangerKind::PackageRemoval, "Removes packages that this project or user has.")
        }
        None => None,
    }
}
