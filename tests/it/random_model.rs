//! Random models: whole files of true geometry, the same for the same seed.

use std::fs;

use chela::gguf::{Gguf, TensorType};
use chela::model::check::check_file;
use chela::model::random::{Architecture, Geometry, TYPES, write_random};

use crate::vectors::{as_gguf, own_vocab};

fn vocab() -> Gguf {
    as_gguf(own_vocab("qwen2", &["h e"], &["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
}

#[track_caller]
fn check_passes(geometry: &Geometry) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("random.gguf");
    write_random(&path, geometry, &vocab(), 7).unwrap();
    let checked = check_file(&path).unwrap();
    assert_eq!(checked.warnings, Vec::<String>::new());
    assert_eq!(checked.summary.architecture, geometry.architecture.name());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left behind");
}

#[test]
fn both_architectures_and_all_types_pass_the_check() {
    for architecture in [Architecture::Qwen2, Architecture::Qwen3] {
        for matrices in TYPES {
            check_passes(&Geometry { matrices, ..Geometry::tiny(architecture) });
        }
    }
}

#[test]
fn the_vocabulary_is_filled_up_to_the_rows_that_are_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("random.gguf");
    let geometry = Geometry { n_vocab: Some(1024), ..Geometry::tiny(Architecture::Qwen2) };
    write_random(&path, &geometry, &vocab(), 7).unwrap();
    let gguf = Gguf::open(&path).unwrap();
    assert_eq!(gguf.tokens().unwrap().len(), 1024);
    assert_eq!(gguf.tokens().unwrap().text(1023), Some("[PAD1023]"));
    assert_eq!(gguf.tensor("token_embd.weight").unwrap().dims, [256, 1024]);
}

#[test]
fn the_same_seed_writes_the_same_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, seed| {
        let path = dir.path().join(name);
        write_random(&path, &Geometry::tiny(Architecture::Qwen3), &vocab(), seed).unwrap();
        fs::read(path).unwrap()
    };
    assert_eq!(write("a.gguf", 1), write("b.gguf", 1));
    assert_ne!(write("c.gguf", 1), write("d.gguf", 2));
}

#[test]
fn a_type_that_cannot_be_made_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let geometry = Geometry { matrices: TensorType::Q4_K, ..Geometry::tiny(Architecture::Qwen2) };
    let error = write_random(&dir.path().join("x.gguf"), &geometry, &vocab(), 1).unwrap_err();
    assert!(error.to_string().contains("not in Q4_K"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn presets_have_the_size_of_the_real_models() {
    let geometry = Geometry::preset("qwen2-0.5b").unwrap();
    assert_eq!((geometry.width, geometry.n_layers, geometry.ffn_width), (896, 24, 4864));
    assert_eq!(Geometry::preset("qwen3-0.6b").unwrap().head_width, 128);
    assert_eq!(Geometry::preset("no-such"), None);
}
