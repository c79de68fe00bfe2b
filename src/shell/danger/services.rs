//! Databases, containers, clusters, clouds, and what is published.

use super::{DangerKind, Finding, Rule, grave, is_dry, is_program, mild};
use crate::shell::parse::Simple;

pub(super) const RULES: &[Rule] =
    &[sql, other_databases, containers, kubernetes, infrastructure, clouds, publish, code];

/// Programs that send their words to a database.
pub(super) const SQL_CLIENTS: &[&str] = &[
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "sqlite",
    "duckdb",
    "sqlcmd",
    "clickhouse-client",
    "clickhouse",
    "cockroach",
    "pgcli",
    "mycli",
    "litecli",
    "bq",
    "snowsql",
    "cqlsh",
    "trino",
    "usql",
];

fn sql(command: &Simple) -> Option<Finding> {
    if !is_program(command, SQL_CLIENTS) {
        return None;
    }
    let texts = command.arguments().iter().chain(command.given_text());
    texts.into_iter().find_map(|word| destroys(&word.text)).and_then(|why| grave(DangerKind::DropTables, why))
}

/// What a text in SQL destroys.
pub(super) fn destroys(sql: &str) -> Option<&'static str> {
    // `-eDROP …`, as `mysql` takes it.
    let sql = sql.strip_prefix("-e").or_else(|| sql.strip_prefix("-c")).unwrap_or(sql);
    sql.split(';').find_map(|statement| {
        let words: Vec<String> = statement
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // An option such as `-e` or `--command=` may stand before the statement.
        let start =
            words.iter().position(|word| ["drop", "truncate", "delete", "update", "alter"].contains(word))?;
        if start > 1 && words.first() != Some(&"with") && words.first() != Some(&"begin") {
            return None;
        }
        let filtered = words.contains(&"where") || words.contains(&"limit");
        match words.get(start..)? {
            [
                "drop",
                "table" | "database" | "schema" | "view" | "index" | "user" | "role" | "keyspace" | "column"
                | "owned" | "materialized",
                ..,
            ] => Some("Drops a table, database or other object with all that is in it."),
            ["alter", "table", rest @ ..] if rest.contains(&"drop") => {
                Some("Drops a part of a table with all that is in it.")
            }
            ["truncate", ..] => Some("Empties a table."),
            ["delete", "from", ..] if !filtered => Some("Deletes every row of a table: there is no WHERE."),
            ["update", _, "set", ..] if !filtered => Some("Changes every row of a table: there is no WHERE."),
            _ => None,
        }
    })
}

fn other_databases(command: &Simple) -> Option<Finding> {
    let has_word = |any: &[&str]| {
        command
            .arguments()
            .iter()
            .any(|word| any.iter().any(|one| word.text.to_ascii_lowercase().contains(one)))
    };
    let destroys = match command.program()? {
        "dropdb" | "dropuser" => true,
        "mysqladmin" => command.has(&["drop"]),
        "redis-cli" | "valkey-cli" => has_word(&["flushall", "flushdb"]),
        "mongo" | "mongosh" => has_word(&["dropdatabase", ".drop(", "deletemany({})", "remove({})"]),
        "pg_restore" => command.has_flag("c", &["clean"]),
        "rails" | "rake" => has_word(&["db:drop", "db:reset", "db:purge"]),
        "manage.py" => command.has(&["flush", "reset_db"]),
        "prisma" => has_word(&["reset"]),
        _ => false,
    };
    let is_django = is_program(command, &["python", "python3"])
        && has_word(&["manage.py"])
        && command.has(&["flush", "reset_db"]);
    if !destroys && !is_django {
        return None;
    }
    grave(DangerKind::DropTables, "Deletes a database or all that is in it.")
}

fn containers(command: &Simple) -> Option<Finding> {
    let is_compose = is_program(command, &["docker-compose", "podman-compose"]);
    if !is_program(command, &["docker", "podman", "nerdctl"]) && !is_compose {
        return None;
    }
    let words: Vec<&str> = command.operands().map(|word| word.text.as_str()).collect();
    let down = words.contains(&"down") && (is_compose || words.first() == Some(&"compose"));
    if down && command.has_flag("v", &["volumes", "rmi"]) {
        return grave(DangerKind::Containers, "Stops the containers and deletes their volumes.");
    }
    match words.as_slice() {
        ["system" | "volume", "prune", ..] => grave(
            DangerKind::Containers,
            "Deletes containers, images, networks or volumes that are not in use now.",
        ),
        [_, "prune", ..] => mild(DangerKind::Containers, "Deletes what is not in use now."),
        ["volume", "rm" | "remove", ..] => {
            grave(DangerKind::Containers, "Deletes a volume with what is in it.")
        }
        ["rm", ..] | ["container", "rm", ..] => {
            let level = if command.has_flag("fv", &["force", "volumes"]) { grave } else { mild };
            level(DangerKind::Containers, "Deletes a container with what was written in it.".to_owned())
        }
        ["rmi", ..] | ["image", "rm", ..] => {
            mild(DangerKind::Containers, "Deletes an image; it may have to be fetched again.")
        }
        ["kill", ..] => mild(DangerKind::Kill, "Ends a container without letting it save anything."),
        ["swarm", "leave", ..] | ["stack" | "service", "rm", ..] => {
            grave(DangerKind::Containers, "Takes services down.")
        }
        _ => None,
    }
}

fn kubernetes(command: &Simple) -> Option<Finding> {
    if is_dry(command) {
        return None;
    }
    let has_verb = |verbs: &[&str]| command.operands().any(|word| verbs.contains(&word.text.as_str()));
    match command.program()? {
        "kubectl" | "oc" | "k" if has_verb(&["delete"]) => {
            grave(DangerKind::Infrastructure, "Deletes objects of a cluster, and what runs in them.")
        }
        "kubectl" | "oc" if has_verb(&["drain", "cordon", "taint"]) => {
            grave(DangerKind::Infrastructure, "Moves everything off a node of a cluster.")
        }
        "kubectl" | "oc" if has_verb(&["replace"]) && command.has_flag("", &["force"]) => {
            grave(DangerKind::Infrastructure, "Deletes objects of a cluster and makes them anew.")
        }
        "kubectl" | "oc" if has_verb(&["scale"]) && command.has(&["--replicas=0"]) => {
            grave(DangerKind::Infrastructure, "Stops every copy of a service.")
        }
        "helm" if has_verb(&["uninstall", "delete", "rollback"]) => {
            grave(DangerKind::Infrastructure, "Takes a release out of a cluster.")
        }
        "kubeadm" | "minikube" | "kind" | "k3d" | "eksctl" if has_verb(&["reset", "delete"]) => {
            grave(DangerKind::Infrastructure, "Deletes a cluster.")
        }
        _ => None,
    }
}

fn infrastructure(command: &Simple) -> Option<Finding> {
    let verb = command.operands().next().map(|word| word.text.as_str());
    match command.program()? {
        "terraform" | "tofu" | "terragrunt" => match verb? {
            "destroy" => {
                grave(DangerKind::Infrastructure, "Destroys everything that this configuration has made.")
            }
            "run-all" if command.has(&["destroy"]) => {
                grave(DangerKind::Infrastructure, "Destroys everything that this configuration has made.")
            }
            "apply" if command.has(&["-destroy", "--destroy"]) => {
                grave(DangerKind::Infrastructure, "Destroys everything that this configuration has made.")
            }
            "apply" if command.has(&["-auto-approve", "--auto-approve"]) => grave(
                DangerKind::Infrastructure,
                "Changes the infrastructure without showing what would change.",
            ),
            "state" if command.has(&["rm", "push"]) => {
                grave(DangerKind::Infrastructure, "Changes what the tool believes to exist.")
            }
            "force-unlock" | "taint" => {
                mild(DangerKind::Infrastructure, "Changes what the next run will do.")
            }
            _ => None,
        },
        "pulumi" | "cdk" | "sst" | "serverless" | "sls" | "vagrant" | "packer" | "fly" | "flyctl"
            if command.has(&["destroy", "remove"]) =>
        {
            grave(DangerKind::Infrastructure, "Destroys machines or services with what is on them.")
        }
        "heroku"
            if command
                .arguments()
                .iter()
                .any(|word| word.text.ends_with(":destroy") || word.text == "pg:reset") =>
        {
            grave(DangerKind::Infrastructure, "Destroys an application or its database.")
        }
        _ => None,
    }
}

fn clouds(command: &Simple) -> Option<Finding> {
    if is_dry(command) || command.has(&["--dryrun"]) {
        return None;
    }
    let words: Vec<&str> = command.operands().map(|word| word.text.as_str()).collect();
    let destroys = match command.program()? {
        "aws" => match words.as_slice() {
            ["s3", "rm", ..] => command.has_flag("", &["recursive"]),
            ["s3", "rb", ..] => true,
            ["s3", "sync", ..] => command.has_flag("", &["delete"]),
            [_, verb, ..] => {
                verb.starts_with("delete-") || verb.starts_with("terminate-") || verb.starts_with("purge-")
            }
            _ => false,
        },
        "gcloud" | "az" | "doctl" | "hcloud" | "linode-cli" | "oci" | "ibmcloud" => {
            words.iter().any(|word| ["delete", "purge", "destroy", "rm"].contains(word))
        }
        "gsutil" => words.contains(&"rm") || words.contains(&"rb"),
        "gh" | "glab" => {
            matches!(
                words.as_slice(),
                ["repo" | "release" | "secret" | "run" | "project" | "gist" | "issue", "delete", ..]
            )
        }
        "mc" => {
            matches!(words.as_slice(), ["rm" | "rb", ..]) && command.has_flag("r", &["recursive", "force"])
        }
        "restic" | "borg" => words.iter().any(|word| ["forget", "prune", "delete"].contains(word)),
        _ => false,
    };
    if !destroys {
        return None;
    }
    grave(
        DangerKind::Infrastructure,
        "Deletes something that is stored elsewhere; nothing here brings it back.",
    )
}

fn publish(command: &Simple) -> Option<Finding> {
    if is_dry(command) {
        return None;
    }
    let verb = command.operands().next().map(|word| word.text.as_str());
    let publishes = match command.program()? {
        "npm" | "pnpm" | "yarn" | "cargo" | "poetry" | "uv" | "bun" => {
            matches!(verb, Some("publish" | "unpublish" | "yank"))
        }
        "twine" => verb == Some("upload"),
        "gem" => matches!(verb, Some("push" | "yank")),
        _ => false,
    };
    if !publishes {
        return None;
    }
    grave(
        DangerKind::Publish,
        "Publishes or withdraws a package for everybody; a version cannot be used again.",
    )
}

/// Code in another language that deletes.
fn code(command: &Simple) -> Option<Finding> {
    let runs = is_program(
        command,
        &[
            "python",
            "python3",
            "python2",
            "perl",
            "ruby",
            "node",
            "deno",
            "bun",
            "php",
            "lua",
            "awk",
            "gawk",
            "mawk",
            "osascript",
        ],
    );
    if !runs {
        return None;
    }
    let signs = [
        "rmtree",
        "rm -r",
        "rm -f",
        "os.remove",
        "os.unlink",
        "unlink(",
        "unlink ",
        "rmdir",
        "rmSync",
        "rm_rf",
        "rm_r(",
        "rimraf",
        "File.delete",
        "remove_tree",
        "mkfs",
        "unlinkSync",
    ];
    let texts = command.arguments().iter().chain(command.given_text());
    let deletes = texts.into_iter().any(|word| signs.iter().any(|sign| word.text.contains(sign)));
    if !deletes {
        return None;
    }
    grave(DangerKind::RecursiveDelete, "Runs code that deletes files; which ones, only the code knows.")
}
