//! Rules of the code base that the compiler does not check.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What each folder may use, in the order of the loop. A row may only name rows above it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("redact", &["config"]),
    ("turn", &["config"]),
    ("gguf", &["config", "turn"]),
    ("engine", &["config", "turn", "gguf"]),
    ("signal", &["config", "turn"]),
    ("judge", &["config", "turn", "engine", "signal"]),
    ("lesson", &["config", "turn"]),
    ("adapter", &["config", "turn", "gguf", "engine"]),
    ("learn", &["config", "turn", "gguf", "engine", "lesson", "adapter"]),
    ("store", &["config", "turn", "engine", "signal", "judge", "lesson", "adapter"]),
    ("model", &["config", "turn", "gguf", "engine"]),
    (
        "daemon",
        &[
            "config", "redact", "turn", "gguf", "engine", "signal", "judge", "lesson", "adapter", "learn",
            "store", "model",
        ],
    ),
    ("client", &["config", "turn", "daemon"]),
    ("shell", &["config", "redact", "turn", "daemon", "client"]),
    ("tui", &["config", "redact", "turn", "gguf", "engine", "lesson", "model", "daemon", "client"]),
    (
        "cli",
        &[
            "config", "redact", "turn", "gguf", "engine", "signal", "judge", "lesson", "adapter", "learn",
            "store", "model", "daemon", "client", "shell", "tui",
        ],
    ),
];

/// These see the daemon through its words only: everything else of it is in another process.
const ONLY_THE_WIRE: &[&str] = &["client", "shell", "tui"];

/// The one folder that may name a heavy dependency.
const HOMES: &[(&str, &str)] = &[
    ("llama_cpp_2", "engine"),
    ("llama_cpp_sys_2", "engine"),
    ("rusqlite", "store"),
    ("tar", "store"),
    ("aho_corasick", "redact"),
    ("hf_hub", "model"),
    ("safetensors", "adapter"),
    ("rayon", "learn"),
    ("tokenizers", "model"),
    ("axum", "daemon"),
    ("minijinja", "turn"),
    ("minijinja_contrib", "turn"),
    ("ratatui", "tui"),
    ("ratatui_textarea", "tui"),
    ("crossterm", "tui"),
    ("pulldown_cmark", "tui"),
    ("syntect", "tui"),
    ("portable_pty", "shell"),
    ("filedescriptor", "shell"),
    ("landlock", "shell"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
];

const MAX_LINES: usize = 600;

/// Names that say nothing about what is inside.
const BANNED_NAMES: &[&str] = &[
    "manager", "handler", "handlers", "helper", "helpers", "util", "utils", "common", "misc", "data", "info",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `dir`, without what git does not keep.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if ["target", ".git", ".tools", "dist"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn rust_files(folder: &str) -> Vec<(String, String)> {
    files_below(&root().join(folder))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs"))
        .map(|path| (shown(&path), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// A path as people write it: relative to the root.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The text without its unit tests, which stand at the foot of a file.
fn product(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod ").map_or(text, |(product, _)| product)
}

/// The text without comment lines: what the compiler sees.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// `src/engine/ffi.rs` → `engine`, `src/main.rs` → `main`.
fn module_of(name: &str) -> &str {
    let inside = name.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What follows each `prefix` that stands as a word of its own.
fn after_each<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    text.match_indices(prefix)
        .filter(|(at, _)| !text[..*at].ends_with(is_word))
        .map(|(at, _)| &text[at + prefix.len()..])
        .collect()
}

/// Paths below the crate's root that `text` names, with two segments where it names two: `engine`, `daemon::wire`.
fn used_paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for rest in after_each(text, "crate::") {
        if let Some(group) = rest.strip_prefix('{') {
            paths.extend(group_members(group));
        } else {
            paths.push(leading_path(rest));
        }
    }
    paths
}

/// The members of `a::{b, c}, d}` as they begin: `a`, `d`.
fn group_members(group: &str) -> Vec<String> {
    let (mut depth, mut members, mut start) = (0, Vec::new(), 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(leading_path(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(leading_path(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    members.retain(|member| !member.is_empty());
    members
}

fn leading_path(text: &str) -> String {
    let mut segments = text.trim_start().splitn(3, "::");
    let ident = |part: &str| part.chars().take_while(|c| is_word(*c)).collect::<String>();
    let first = segments.next().map(ident).unwrap_or_default();
    match segments.next().map(ident) {
        Some(second) if !second.is_empty() => format!("{first}::{second}"),
        _ => first,
    }
}

#[test]
fn rows_only_name_rows_above_them() {
    for (at, (row, allowed)) in MAY_USE.iter().enumerate() {
        for used in *allowed {
            let above = MAY_USE[..at].iter().any(|(name, _)| name == used);
            assert!(above, "the row of {row} names {used}, which is not above it");
        }
    }
}

#[test]
fn the_architecture_page_lists_the_modules_in_this_order() {
    let page = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let listed: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`]").map(|(name, _)| name))
        .collect();
    let rows: Vec<&str> = MAY_USE.iter().map(|(row, _)| *row).collect();
    assert_eq!(listed, rows);
}

#[test]
fn modules_use_only_what_stands_above_them() {
    for (name, text) in rust_files("src") {
        let module = module_of(&name);
        if ["main", "bin", "lib"].contains(&module) {
            continue;
        }
        let row = MAY_USE.iter().find(|(row, _)| *row == module);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{module} has no row in MAY_USE"));
        for path in used_paths(&code(&text)) {
            let used = path.split("::").next().unwrap();
            assert!(used == module || allowed.contains(&used), "{name} uses crate::{path}");
            if ONLY_THE_WIRE.contains(&module) && used == "daemon" {
                assert_eq!(path, "daemon::wire", "{name} may know of the daemon only its wire");
            }
        }
    }
}

#[test]
fn heavy_dependencies_have_one_home() {
    for (name, text) in rust_files("src") {
        let (module, text) = (module_of(&name), code(product(&text)));
        for (dependency, home) in HOMES {
            let is_named = !after_each(&text, &format!("{dependency}::")).is_empty();
            assert!(!is_named || module == *home, "{name} names {dependency}, whose home is src/{home}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_is_short_enough_to_read() {
    for (name, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        assert!(text.starts_with("//! "), "{name} does not say in its first line what it is");
        let is_test = name.starts_with("tests/") || name.ends_with("/tests.rs");
        let lines = product(&text).lines().count();
        assert!(is_test || lines <= MAX_LINES, "{name} has {lines} lines, at most {MAX_LINES} are readable");
    }
}

#[test]
fn unsafe_code_is_in_the_ffi_files_and_the_kernels() {
    for (name, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        let has_unsafe = after_each(&code(&text), concat!("un", "safe"))
            .iter()
            .any(|rest| rest.starts_with([' ', '(']) && !rest.starts_with(" code"));
        let homes = ["src/engine/ffi.rs", "src/engine/ffi/", "src/learn/kernels/"];
        let is_home = homes.iter().any(|home| name.starts_with(home));
        assert!(!has_unsafe || is_home, "{name} has unsafe code");
    }
}

#[test]
fn names_say_what_is_inside() {
    for (name, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        for part in name.trim_end_matches(".rs").split(['/', '_']) {
            assert!(!BANNED_NAMES.contains(&part), "{name}: \"{part}\" says nothing");
        }
        for rest in after_each(&code(&text), "mod ") {
            let module: String = rest.chars().take_while(|c| is_word(*c)).collect();
            assert!(!BANNED_NAMES.contains(&module.as_str()), "{name}: module \"{module}\" says nothing");
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    let leftovers = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("thread::sl", "eep("),
    ];
    for (name, text) in rust_files("src").into_iter().chain(rust_files("tests")) {
        let is_test = name.starts_with("tests/") || name.ends_with("/tests.rs");
        for leftover in leftovers {
            // Product code may wait for a moment (a retry, a frame); a test that does hopes.
            let searched = if leftover.contains("sleep") && !is_test { "" } else { text.as_str() };
            assert!(!searched.contains(leftover), "{name} contains {leftover}");
        }
    }
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let places = [concat!("/wo", "rk/"), concat!("../sha", "red")];
    for path in files_below(root()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for place in places {
            let found = text.match_indices(place).find(|(at, _)| {
                !text[..*at].ends_with(|before: char| before.is_alphanumeric() || "~._-/}".contains(before))
            });
            assert!(found.is_none(), "{} names {place}", shown(&path));
        }
    }
}

#[test]
fn every_setting_is_explained_where_it_stands() {
    let text = chela::config::DEFAULT_FILE;
    let lines: Vec<&str> = text.lines().collect();
    for key in chela::config::known_keys() {
        let (_, name) = key.split_once('.').unwrap();
        let at = lines.iter().position(|line| line.starts_with(&format!("# {name} = "))).unwrap();
        let above = lines[at - 1];
        assert!(above.starts_with("# ") && above.ends_with('.'), "{key} has no sentence above it: {above}");
    }
}

#[test]
fn the_changelog_says_what_is_unreleased() {
    let text = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let first = text.lines().find(|line| line.starts_with("## "));
    assert_eq!(first, Some("## Unreleased"));
    assert!(text.contains("\n### Added\n"));
}

#[test]
fn scripts_can_be_run() {
    let scripts = ["setup", "run", "test", "check", "dist"].map(|name| format!("scripts/{name}"));
    for script in scripts.iter().map(String::as_str).chain([".ci/run"]) {
        let path = root().join(script);
        let mode = fs::metadata(&path).unwrap_or_else(|_| panic!("{script} is missing")).permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} is not executable");
        assert!(fs::read_to_string(&path).unwrap().starts_with("#!/usr/bin/env bash\n"), "{script}");
    }
}

/// Lines of the README's code blocks that begin with `program`, without prompt, comment and redirection.
fn readme_commands(program: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```").skip(1).step_by(2);
    blocks
        .flat_map(str::lines)
        .map(|line| line.trim_start_matches("$ "))
        .filter_map(|line| line.split([';', '#', '>']).next())
        .flat_map(|line| line.split(" | "))
        .map(str::trim)
        .filter(|line| line.split(' ').next() == Some(program))
        .map(str::to_owned)
        .collect()
}

/// Splits at spaces outside double quotes.
fn words(line: &str) -> Vec<String> {
    line.split('"')
        .enumerate()
        .flat_map(|(at, part)| if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_readme_names_commands_that_exist() {
    let commands = readme_commands("chela");
    assert!(commands.len() >= 10, "the README shows hardly any command: {commands:?}");
    for line in commands {
        let parsed = chela::cli::command().try_get_matches_from(words(&line));
        assert!(parsed.is_ok(), "README: {line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn the_readme_names_scripts_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let named = after_each(&readme, "scripts/");
    assert!(named.len() >= 2);
    for rest in named {
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        assert!(root().join("scripts").join(&name).is_file(), "README names scripts/{name}");
    }
}

#[test]
fn used_paths_reads_single_and_grouped_imports() {
    let text =
        "use crate::turn::Turn;\nuse crate::{config::{A, B}, engine, daemon::wire::C,};\nmy_crate::x()";
    assert_eq!(used_paths(text), ["turn::Turn", "config", "engine", "daemon::wire"]);
}
