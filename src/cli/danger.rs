//! Why a command is dangerous, for those who show it.

/// One sentence for each danger; none: it is not known to be dangerous.
pub(super) fn reasons(command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let is_recursive_delete = words.windows(2).any(|pair| {
        matches!(pair, ["rm", option] if option.starts_with('-') && option.contains(['r', 'R', 'f']))
    });
    let is_raw_write = words.contains(&"dd") || words.iter().any(|word| word.starts_with("mkfs"));
    let found = [(is_recursive_delete, "it deletes files for good"), (is_raw_write, "it overwrites a disk or a file")];
    found.into_iter().filter(|(holds, _)| *holds).map(|(_, why)| why.to_owned()).collect()
}
