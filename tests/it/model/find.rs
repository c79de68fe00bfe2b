//! Lists, names, descriptions, removal and plans, over stores laid out as their programs lay them out.

use chela::model::details::{self, SpecialToken};
use chela::model::{Found, Owner, find, quantize, remove, resolve};

use super::fixture::{Home, gguf};

fn rows(home: &Home) -> Vec<Found> {
    find::list(&home.roots).into_iter().filter(|row| row.name != "chela-starter").collect()
}

#[track_caller]
fn names(home: &Home, expected: &[(&str, Owner)]) {
    let rows = rows(home);
    let found: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.owner)).collect();
    assert_eq!(found, expected);
}

#[test]
fn an_empty_home_has_the_starter() {
    let home = Home::new();
    let rows = find::list(&home.roots);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].name.as_str(), &rows[0].problem), ("chela-starter", &None));
}

#[test]
fn every_store_is_searched() {
    let home = Home::new();
    home.put("chela/models/mine-Q8_0.gguf", &gguf("llama", 1));
    home.put_ollama("registry.ollama.ai/library/qwen3/0.6b", "aa", Some(&gguf("qwen3", 2)));
    home.put(".lmstudio/models/org/repo-GGUF/model-Q4_K_M.gguf", &gguf("qwen2", 3));
    home.put(".cache/lm-studio/models/old/repo/older.gguf", &gguf("qwen2", 4));
    home.put_huggingface("org/hub-GGUF", "c0ffee", "deep/hub-Q8_0.gguf", &gguf("gemma3", 5));
    home.put(".cache/llama.cpp/ggml-org_x_x-Q8_0.gguf", &gguf("llama", 6));
    names(
        &home,
        &[
            ("mine-Q8_0", Owner::Chela),
            ("qwen3:0.6b", Owner::Ollama),
            ("org/repo-GGUF:model-Q4_K_M", Owner::LmStudio),
            ("old/repo:older", Owner::LmStudio),
            ("org/hub-GGUF:hub-Q8_0", Owner::HuggingFace),
            ("ggml-org_x_x-Q8_0", Owner::LlamaCpp),
        ],
    );
}

#[test]
fn a_row_says_what_the_header_says() {
    let home = Home::new();
    let bytes = gguf("gemma3", 5);
    let path = home.put("chela/models/g.gguf", &bytes);
    let row = rows(&home).remove(0);
    let header = row.header.clone().unwrap();
    assert_eq!((row.path.clone(), row.size, &row.problem), (path, bytes.len() as u64, &None));
    assert_eq!((header.parameters, header.context, header.quantization.as_str()), (4096, 2048, "Q8_0"));
    assert!(!header.trainable && header.not_trainable_because.unwrap().contains("gemma3"));
    let json = serde_json::to_value(&row).unwrap();
    assert_eq!((json["where"].as_str(), json["architecture"].as_str()), (Some("chela"), Some("gemma3")));
}

#[test]
fn broken_files_are_listed_with_their_reason() {
    let home = Home::new();
    home.put("chela/models/cut.gguf", &gguf("llama", 1)[..3000]);
    home.put("chela/models/page.gguf", b"<html>not found</html>");
    home.put_ollama("registry.ollama.ai/library/gone/latest", "bb", None);
    home.put(".ollama/models/manifests/registry.ollama.ai/library/torn/latest", b"{\"layers\":");
    let problems: Vec<_> = rows(&home).into_iter().map(|row| (row.name, row.problem.unwrap())).collect();
    let problem = |name: &str| &problems.iter().find(|(row, _)| row == name).unwrap().1;
    assert!(problem("cut").contains("truncated"), "{problems:?}");
    assert!(problem("page").contains("web page"), "{problems:?}");
    assert!(problem("gone:latest").contains("ollama pull gone:latest"), "{problems:?}");
    assert!(problem("torn:latest").contains("manifest cannot be read"), "{problems:?}");
}

#[test]
fn one_file_under_two_names_is_one_row() {
    let home = Home::new();
    home.put_ollama("registry.ollama.ai/library/qwen3/0.6b", "aa", Some(&gguf("qwen3", 2)));
    home.put_ollama("registry.ollama.ai/library/qwen3/latest", "aa", None);
    let blob = home.dir.path().join(".ollama/models/blobs/sha256-aa");
    std::fs::create_dir_all(home.models_dir()).unwrap();
    std::os::unix::fs::symlink(blob, home.models_dir().join("linked.gguf")).unwrap();
    names(&home, &[("linked", Owner::Chela)]);
    assert_eq!(resolve::resolve(&home.roots, "qwen3:latest").unwrap().name, "linked");
    // Removing the link leaves Ollama's file.
    let removed = remove::remove(&home.roots, "linked").unwrap();
    assert_eq!(removed.files, [home.models_dir().join("linked.gguf")]);
    names(&home, &[("qwen3:0.6b", Owner::Ollama)]);
}

#[test]
fn equal_names_say_whose_they_are() {
    let home = Home::new();
    home.put(".lmstudio/models/org/repo/m-Q8_0.gguf", &gguf("llama", 1));
    home.put_huggingface("org/repo", "0ld", "m-Q8_0.gguf", &gguf("llama", 2));
    home.put_huggingface("org/repo", "new", "m-Q8_0.gguf", &gguf("llama", 3));
    home.put(".cache/huggingface/hub/models--org--repo/refs/main", b"new\n");
    names(
        &home,
        &[
            ("org/repo:m-Q8_0", Owner::LmStudio),
            ("org/repo:m-Q8_0@huggingface", Owner::HuggingFace),
            ("org/repo:m-Q8_0@huggingface-2", Owner::HuggingFace),
        ],
    );
    assert!(rows(&home)[1].path.to_string_lossy().contains("/snapshots/new/"));
    let lmstudio = resolve::resolve(&home.roots, "org/repo:m-Q8_0@lmstudio").unwrap();
    assert_eq!(lmstudio.owner, Owner::LmStudio);
}

#[test]
fn projectors_and_later_parts_are_no_models() {
    let home = Home::new();
    home.put("chela/models/mmproj-x-F16.gguf", &gguf("clip", 1));
    home.put("chela/models/vision.gguf", &gguf("clip", 2));
    home.put("chela/models/x-00001-of-00002.gguf", &gguf("llama", 3));
    home.put("chela/models/x-00002-of-00002.gguf", &gguf("llama", 4));
    names(&home, &[("x", Owner::Chela)]);
    let row = rows(&home).remove(0);
    assert_eq!((row.size, row.header.unwrap().parameters), (2 * gguf("llama", 3).len() as u64, 2 * 4096));
}

#[test]
fn a_missing_part_is_a_problem() {
    let home = Home::new();
    home.put("chela/models/x-00001-of-00002.gguf", &gguf("llama", 3));
    let problem = rows(&home).remove(0).problem.unwrap();
    assert!(problem.contains("x-00002-of-00002.gguf"), "{problem}");
    let error = resolve::resolve(&home.roots, "x").unwrap_err().to_string();
    assert!(error.starts_with("x cannot be used: a part of it is missing"), "{error}");
}

fn three_models() -> Home {
    let home = Home::new();
    home.put_huggingface("Qwen/Qwen3-0.6B-GGUF", "c1", "Qwen3-0.6B-Q8_0.gguf", &gguf("qwen3", 1));
    home.put_huggingface("Qwen/Qwen3-0.6B-GGUF", "c1", "Qwen3-0.6B-Q4_K_M.gguf", &gguf("qwen3", 2));
    home.put_ollama("registry.ollama.ai/library/llama3.2/1b", "cc", Some(&gguf("llama", 3)));
    home
}

#[track_caller]
fn resolves(wanted: &str, expected: &str) {
    assert_eq!(resolve::resolve(&three_models().roots, wanted).unwrap().name, expected);
}

#[test]
fn short_forms_of_a_name_resolve() {
    resolves("Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0", "Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0");
    resolves("Qwen3-0.6B-Q8_0", "Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0");
    resolves("qwen/qwen3-0.6b-gguf:q4_k_m", "Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q4_K_M");
    resolves("llama3.2:1b", "llama3.2:1b");
    resolves("llama3.2:1b@ollama", "llama3.2:1b");
}

#[track_caller]
fn refuses(wanted: &str, expected: &str) {
    assert_eq!(resolve::resolve(&three_models().roots, wanted).unwrap_err().to_string(), expected);
}

#[test]
fn a_near_miss_is_answered_with_suggestions() {
    refuses("llama3.2", "no model \"llama3.2\"; did you mean llama3.2:1b; `chela model list` shows all");
    refuses(
        "chela-statrer",
        "no model \"chela-statrer\"; did you mean chela-starter; `chela model list` shows all",
    );
    refuses("zzzz", "no model \"zzzz\"; `chela model list` shows all");
    refuses("/no/such.gguf", "there is no file /no/such.gguf; `chela model list` shows what there is");
    refuses(
        "Qwen/Qwen3-0.6B-GGUF",
        "\"Qwen/Qwen3-0.6B-GGUF\" could be Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q4_K_M or \
         Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0; write one of these names",
    );
}

#[test]
fn a_path_resolves_to_its_listed_name_or_to_itself() {
    let home = Home::new();
    let known = home.put("chela/models/mine.gguf", &gguf("llama", 1));
    let stray = home.put("elsewhere/stray.gguf", &gguf("llama", 2));
    let resolved = |path: &std::path::Path| resolve::resolve(&home.roots, path.to_str().unwrap()).unwrap();
    assert_eq!((resolved(&known).name.as_str(), resolved(&known).owner), ("mine", Owner::Chela));
    assert_eq!(
        (resolved(&stray).name.as_str(), resolved(&stray).owner),
        (stray.to_str().unwrap(), Owner::Elsewhere)
    );
}

#[test]
fn details_show_what_the_list_leaves_out() {
    let home = Home::new();
    home.put("chela/models/mine.gguf", &gguf("llama", 1));
    let found = resolve::locate(&home.roots, "mine").unwrap();
    let details = details::details(found.clone());
    assert_eq!((details.title.as_deref(), details.n_tensors), (Some("Tiny"), Some(1)));
    assert_eq!(details.template.unwrap().head, "{{ messages }}");
    // The largest number means "none".
    assert_eq!(details.special_tokens, [SpecialToken { role: "bos", id: 1, text: None }]);
    let hashes = details::sha256(&found, &mut |_| {}).unwrap();
    assert_eq!((hashes.len(), hashes[0].sha256.len()), (1, 64));
    let starter = details::details(resolve::locate(&home.roots, "chela-starter").unwrap());
    assert!(starter.attribution.unwrap().contains("tldr-pages"));
    assert!(starter.template.unwrap().n_chars > 0);
}

#[track_caller]
fn rm_refuses(home: &Home, name: &str, expected: &str) {
    assert_eq!(remove::remove(&home.roots, name).unwrap_err().to_string(), expected);
    assert!(resolve::locate(&home.roots, name).is_ok(), "{name} must still be there");
}

#[test]
fn only_own_files_are_removed() {
    let home = three_models();
    let stray = home.put("elsewhere/stray.gguf", &gguf("llama", 9));
    let stray = stray.to_str().unwrap();
    rm_refuses(
        &home,
        "llama3.2:1b",
        "llama3.2:1b belongs to ollama, chela does not remove it; `ollama rm llama3.2:1b` does",
    );
    rm_refuses(
        &home,
        "chela-starter",
        "chela-starter is part of chela and would be back at the next start; nothing was removed",
    );
    let outside = "is not in chela's models directory; remove it yourself if you no longer need it";
    rm_refuses(&home, stray, &format!("{stray} {outside}"));
    let error = remove::remove(&home.roots, "Qwen3-0.6B-Q8_0").unwrap_err().to_string();
    assert!(error.contains("`hf cache`"), "{error}");
}

#[test]
fn removing_a_split_model_removes_all_parts_and_notes() {
    let home = Home::new();
    for part in 1..=2 {
        home.put(&format!("chela/models/x-0000{part}-of-00002.gguf"), &gguf("llama", part));
        home.put(&format!("chela/models/x-0000{part}-of-00002.gguf.json"), b"{}");
    }
    let removed = remove::remove(&home.roots, "x").unwrap();
    assert_eq!((removed.files.len(), removed.freed), (4, 2 * gguf("llama", 1).len() as u64));
    names(&home, &[]);
}

#[test]
fn a_quantization_is_planned_before_it_is_made() {
    let home = Home::new();
    home.put("chela/models/mine-Q8_0.gguf", &gguf("llama", 1));
    let found = resolve::resolve(&home.roots, "mine-Q8_0").unwrap();
    let plan = quantize::plan(&found, "q4_k_m", home.models_dir()).unwrap();
    assert_eq!(plan.output, home.models_dir().join("mine-Q4_K_M.gguf"));
    assert_eq!((plan.input.clone(), plan.kind.name), (found.path.clone(), "Q4_K_M"));
    assert!(plan.warning.unwrap().contains("Q8_0"));
    let refused = |kind: &str| quantize::plan(&found, kind, home.models_dir()).unwrap_err().to_string();
    assert!(refused("Q9_9").contains("choose one of F16, Q8_0, Q6_K"), "{}", refused("Q9_9"));
    assert_eq!(refused("F16"), "mine-Q8_0 is Q8_0 already; F16 would be no smaller and no better");
    home.put("chela/models/mine-Q4_K_M.gguf", b"");
    assert!(refused("Q4_K_M").contains("exists"));
}
