//! Model files as the trainer opens them: what is read, what is refused by name, what is noticed when it changes.

use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chela::gguf::{Draft, Gguf, Metadata, Strings, TensorType};
use chela::learn::weights::{Architecture, Pairing, WeightError, WeightFile};
use chela::model::random::{self, write_random};

use crate::vectors::{as_gguf, own_vocab};

/// A tensor of the small model: what it is called, its shape, its type.
type Tensor = (String, Vec<u64>, TensorType);

/// A llama of two layers in F32 whose weights count up from tensor to tensor.
struct Model {
    metadata: Metadata,
    tensors: Vec<Tensor>,
}

const WIDTH: u64 = 32;
const FFN_WIDTH: u64 = 64;
const N_VOCAB: u64 = 5;

fn model() -> Model {
    let mut metadata = Metadata::default();
    metadata.set("general.architecture", "llama".into());
    for (key, number) in [
        ("block_count", 2_u32),
        ("context_length", 128),
        ("embedding_length", 32),
        ("feed_forward_length", 64),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        metadata.set(&format!("llama.{key}"), number.into());
    }
    metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5_f32.into());
    metadata.set("tokenizer.ggml.tokens", ["a", "b", "c", "d", "e"].into_iter().collect::<Strings>().into());
    let mut tensors =
        vec![tensor("token_embd.weight", &[WIDTH, N_VOCAB]), tensor("output_norm.weight", &[WIDTH])];
    for layer in 0..2 {
        for (name, dims) in [
            ("attn_norm", vec![WIDTH]),
            ("attn_q", vec![WIDTH, WIDTH]),
            ("attn_k", vec![WIDTH, 16]),
            ("attn_v", vec![WIDTH, 16]),
            ("attn_output", vec![WIDTH, WIDTH]),
            ("ffn_norm", vec![WIDTH]),
            ("ffn_gate", vec![WIDTH, FFN_WIDTH]),
            ("ffn_up", vec![WIDTH, FFN_WIDTH]),
            ("ffn_down", vec![FFN_WIDTH, WIDTH]),
        ] {
            tensors.push(tensor(&format!("blk.{layer}.{name}.weight"), &dims));
        }
    }
    Model { metadata, tensors }
}

fn tensor(name: &str, dims: &[u64]) -> Tensor {
    (name.to_owned(), dims.to_vec(), TensorType::F32)
}

impl Model {
    fn find(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|(other, ..)| other == name).unwrap()
    }

    fn without(mut self, name: &str) -> Self {
        self.tensors.retain(|(other, ..)| other != name);
        self
    }

    fn with(mut self, name: &str, dims: &[u64]) -> Self {
        self.tensors.push(tensor(name, dims));
        self
    }

    fn write(&self, path: &Path) {
        let mut draft = Draft::new(self.metadata.clone());
        for (name, dims, tensor_type) in &self.tensors {
            draft.tensor(name, dims, *tensor_type).unwrap();
        }
        let mut next = 0_u16;
        let mut bytes = Vec::new();
        draft
            .write(&mut bytes, &mut |tensor, out| {
                for _ in 0..tensor.n_bytes().unwrap() / 4 {
                    next = next.wrapping_add(1);
                    out.write_all(&f32::from(next).to_le_bytes())?;
                }
                Ok(())
            })
            .unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The model in a folder of its own.
fn written(model: &Model) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    model.write(&path);
    (dir, path)
}

fn opened(model: &Model) -> (tempfile::TempDir, WeightFile) {
    let (dir, path) = written(model);
    (dir, WeightFile::open(&path).unwrap())
}

#[track_caller]
fn check_refused(model: &Model, expected: &str) {
    let (_dir, path) = written(model);
    let error = WeightFile::open(&path).expect_err(expected).to_string();
    assert!(error.contains(expected) && error.contains("model.gguf"), "{error}");
}

fn sha256(path: &Path) -> String {
    WeightFile::open(path).unwrap().inspect(&|| true).unwrap().sha256
}

/// Where a tensor's data begin.
fn data_of(path: &Path, name: &str) -> u64 {
    let gguf = Gguf::open(path).unwrap();
    gguf.data_offset + gguf.tensor(name).unwrap().offset
}

/// Overwrites weight `at` of a tensor in place.
fn overwrite(path: &Path, name: &str, at: u64, weight: f32) {
    let file = File::options().write(true).open(path).unwrap();
    file.write_all_at(&weight.to_le_bytes(), data_of(path, name) + 4 * at).unwrap();
}

#[test]
fn shape_vectors_and_rows_are_those_of_the_file() {
    let (_dir, file) = opened(&model());
    assert_eq!((file.geometry.n_layers, file.layers.len(), file.geometry.n_vocab), (2, 2, 5));
    assert!(file.geometry.tied_head);
    assert_eq!(file.head, file.embedding);
    // The embedding has 160 weights, so the norm's count on from 161.
    assert_eq!(file.output_norm[..2], [161.0, 162.0]);
    assert_eq!(file.layers[0].attn_norm[..1], [193.0]);
    let q = &file.layers[0].q;
    assert_eq!((q.name.as_str(), q.n_rows, q.n_cols, q.row_bytes()), ("blk.0.attn_q.weight", 32, 32, 128));
    let mut bytes = Vec::new();
    file.read_rows(q, 2..4, &mut bytes).unwrap();
    let numbers: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let expected: Vec<f32> = (225 + 2 * 32_u16..).take(64).map(f32::from).collect();
    assert_eq!(numbers, expected);
    file.read_rows(q, 5..5, &mut bytes).unwrap();
    assert!(bytes.is_empty());
    file.check_unchanged().unwrap();
}

#[test]
fn rows_beyond_the_matrix_are_an_error() {
    let (_dir, file) = opened(&model());
    let error = file.read_rows(&file.embedding, 4..6, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "rows 4 to 6 are not all in tensor token_embd.weight, which has 5");
}

#[test]
fn optional_tensors_are_found() {
    let named = model()
        .with("output.weight", &[WIDTH, N_VOCAB])
        .with("rope_freqs.weight", &[4])
        .with("blk.0.attn_q.bias", &[WIDTH])
        .with("blk.1.attn_output.bias", &[WIDTH]);
    let (_dir, file) = opened(&named);
    assert!(!file.geometry.tied_head);
    assert_eq!(file.head.name, "output.weight");
    assert!(file.layers[0].q_bias.is_some() && file.layers[1].q_bias.is_none());
    assert!(file.layers[1].o_bias.is_some() && file.layers[0].k_bias.is_none());
    let (_dir, plain) = opened(&model());
    assert_ne!(file.rope_table().cos_sin(3), plain.rope_table().cos_sin(3));
}

#[test]
fn a_missing_tensor_is_named() {
    check_refused(&model().without("blk.1.ffn_up.weight"), "no tensor blk.1.ffn_up.weight");
    check_refused(&model().without("output_norm.weight"), "no tensor output_norm.weight");
    check_refused(&model().without("token_embd.weight"), "no tensor token_embd.weight");
}

#[test]
fn a_wrong_shape_is_told_with_both_shapes() {
    let mut transposed = model();
    transposed.find("blk.0.ffn_down.weight").1 = vec![WIDTH, FFN_WIDTH];
    check_refused(&transposed, "has the shape [32, 64] and should have [64, 32]");
    let mut short = model();
    short.find("blk.1.attn_norm.weight").1 = vec![16];
    check_refused(&short, "has the shape [16] and should have [32]");
    let mut vocabulary = model();
    vocabulary.find("token_embd.weight").1 = vec![WIDTH, 6];
    check_refused(&vocabulary, "has the shape [32, 6] and should have [32, 5]");
}

#[test]
fn a_type_that_nobody_decodes_is_named() {
    let mut whole_numbers = model();
    let i32 = TensorType::all().find(|tensor_type| tensor_type.name() == "I32").unwrap();
    whole_numbers.find("blk.0.attn_v.weight").2 = i32;
    check_refused(&whole_numbers, "stored in I32");
    check_refused(&whole_numbers, "lessons still work");
}

#[test]
fn tensors_that_change_the_computation_are_named() {
    let check = |name: &str, expected: &str| check_refused(&model().with(name, &[WIDTH]), expected);
    check("blk.0.attn_qkv.weight", "in one matrix (blk.0.attn_qkv.weight)");
    check("blk.0.attn_q.scale", "scales a whole tensor (blk.0.attn_q.scale)");
    check("blk.1.ffn_gate_exps.weight", "has experts");
    check("blk.1.ffn_up.bias", "biases in its feed-forward");
    check("output.bias", "a bias on its output layer");
    check(
        "blk.0.attn_q_norm.weight",
        "has the tensor blk.0.attn_q_norm.weight, which the trainer does not know",
    );
    check("blk.2.attn_norm.weight", "lessons still work");
}

#[test]
fn metadata_that_changes_the_computation_is_refused() {
    let mut windowed = model();
    windowed.metadata.set("llama.attention.sliding_window", 64_u32.into());
    check_refused(&windowed, "a sliding window");
    check_refused(&windowed, "this model cannot be trained; lessons still work");
}

#[test]
fn another_architecture_is_refused_with_a_way_on() {
    let mut other = model();
    other.metadata.set("general.architecture", "gemma3".into());
    check_refused(&other, "has the architecture gemma3, and the trainer knows llama, qwen2, qwen3");
    check_refused(&other, "lessons still work");
}

#[test]
fn a_truncated_file_names_tensor_and_sizes() {
    let (_dir, path) = written(&model());
    let len = fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(len - 64).unwrap();
    let error = WeightFile::open(&path).unwrap_err().to_string();
    assert!(error.contains("truncated") && error.contains("tensor blk.1.ffn_down.weight"), "{error}");
}

#[test]
fn what_is_no_model_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("page.gguf");
    fs::write(&page, "<html>not found</html>").unwrap();
    assert!(WeightFile::open(&page).unwrap_err().to_string().contains("looks like a web page"));
    assert!(WeightFile::open(dir.path()).unwrap_err().to_string().contains("it is not a file"));
    assert!(WeightFile::open(&dir.path().join("none.gguf")).unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn a_vector_that_is_not_finite_is_refused_at_once() {
    let (_dir, path) = written(&model());
    overwrite(&path, "blk.1.ffn_norm.weight", 7, f32::NAN);
    let error = WeightFile::open(&path).unwrap_err().to_string();
    assert!(error.contains("weight 7 of tensor blk.1.ffn_norm.weight"), "{error}");
}

#[test]
fn a_matrix_that_is_not_finite_is_found_by_the_inspection() {
    let (_dir, path) = written(&model());
    overwrite(&path, "blk.1.ffn_down.weight", 2000, f32::INFINITY);
    let error = WeightFile::open(&path).unwrap().inspect(&|| true).unwrap_err().to_string();
    assert!(error.contains("weight 2000 of tensor blk.1.ffn_down.weight"), "{error}");
}

/// Writes a tiny random model with more than one piece and chunk to inspect.
fn random_file(dir: &Path, architecture: random::Architecture, matrices: TensorType) -> PathBuf {
    let path = dir.join("random.gguf");
    let vocab = as_gguf(own_vocab("qwen2", &["h e"], &["<|endoftext|>", "<|im_start|>", "<|im_end|>"]));
    let geometry = random::Geometry { matrices, ..random::Geometry::tiny(architecture) };
    write_random(&path, &geometry, &vocab, 7).unwrap();
    path
}

#[test]
fn a_scale_that_is_not_finite_is_found_in_its_block() {
    let dir = tempfile::tempdir().unwrap();
    let path = random_file(dir.path(), random::Architecture::Qwen2, TensorType::Q8_0);
    let name = "blk.3.ffn_up.weight";
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&0x7c00_u16.to_le_bytes(), data_of(&path, name) + 34 * 5000).unwrap();
    let error = WeightFile::open(&path).unwrap().inspect(&|| true).unwrap_err();
    let WeightError::NotFinite { name: found, at, .. } = error else { panic!("{error}") };
    assert_eq!((found.as_str(), at / 32), (name, 5000));
}

#[test]
fn random_models_open_with_the_shape_they_were_given() {
    let dir = tempfile::tempdir().unwrap();
    for matrices in [TensorType::Q8_0, TensorType::F16, TensorType::F32] {
        let file = WeightFile::open(&random_file(dir.path(), random::Architecture::Qwen2, matrices)).unwrap();
        assert_eq!(file.geometry.architecture, Architecture::Qwen2);
        assert_eq!((file.geometry.width, file.geometry.ffn_width, file.geometry.head_width), (256, 768, 64));
        assert_eq!((file.geometry.q_width(), file.geometry.kv_width()), (256, 128));
        assert!(file.layers.iter().all(|layer| layer.q_bias.is_some() && layer.q_norm.is_none()));
        assert_eq!(file.layers[0].down.tensor_type, matrices);
        let file = WeightFile::open(&random_file(dir.path(), random::Architecture::Qwen3, matrices)).unwrap();
        assert_eq!(file.geometry.architecture, Architecture::Qwen3);
        assert!(file.layers.iter().all(|layer| layer.q_bias.is_none() && layer.q_norm.is_some()));
        assert_eq!(file.rope_table().pairing, Pairing::Halves);
        assert_eq!(file.rope_table().n_pairs(), 32);
    }
}

#[test]
fn the_starter_model_can_be_trained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/starter/chela-starter.gguf");
    let file = WeightFile::open(&path).unwrap();
    let gguf = Gguf::open(&path).unwrap();
    assert_eq!(file.geometry.architecture.name(), gguf.architecture().unwrap());
    assert_eq!(file.geometry.n_vocab, gguf.tokens().unwrap().len());
    let inspection = file.inspect(&|| true).unwrap();
    assert_eq!(inspection.sha256.len(), 64);
    assert_eq!(inspection.n_weights, chela::gguf::summarize(&gguf).n_params);
}

#[test]
fn the_hash_is_the_same_on_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    let path = random_file(dir.path(), random::Architecture::Qwen3, TensorType::F32);
    let file = WeightFile::open(&path).unwrap();
    let hash = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| file.inspect(&|| true)).unwrap()
    };
    assert_eq!(hash(1), hash(3));
}

#[test]
fn the_hash_is_of_what_the_model_computes() {
    let (_dir, path) = written(&model());
    let base = sha256(&path);
    assert_eq!(base, PINNED, "adapters that exist would not fit their base any more");
    let mut renamed = model();
    renamed.metadata.set("general.name", "Another name".into());
    renamed.metadata.set("tokenizer.chat_template", "{{ messages }}".into());
    let (_dir, path) = written(&renamed);
    assert_eq!(sha256(&path), base);
    overwrite(&path, "blk.0.attn_k.weight", 3, 0.5);
    assert_ne!(sha256(&path), base);
    let mut turned = model();
    turned.metadata.set("llama.rope.freq_base", 5e5_f32.into());
    let (_dir, path) = written(&turned);
    assert_ne!(sha256(&path), base);
}

/// What [`model`] hashes to since the first release.
const PINNED: &str = "158c429c8c5edc371b6382661be2e9941575696021e1bbe49d7792621c99be6c";

#[test]
fn an_inspection_can_be_ended() {
    let (_dir, file) = opened(&model());
    assert!(matches!(file.inspect(&|| false), Err(WeightError::Cancelled { .. })));
}

#[track_caller]
fn check_changed(change: impl FnOnce(&Path), expected: &str) {
    let (dir, file) = opened(&model());
    change(&dir.path().join("model.gguf"));
    let error = file.check_unchanged().unwrap_err().to_string();
    assert!(error.contains("the model file changed while training"), "{error}");
    assert!(error.contains(expected) && error.contains("start the training again"), "{error}");
}

#[test]
fn a_changed_file_is_noticed() {
    check_changed(
        |path| File::options().append(true).open(path).unwrap().write_all(b"more").unwrap(),
        "bytes now and had",
    );
    check_changed(
        |path| {
            let later = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
            let file = File::options().write(true).open(path).unwrap();
            file.set_times(FileTimes::new().set_modified(later)).unwrap();
        },
        "was written to",
    );
    check_changed(
        |path| {
            let other = path.with_extension("new");
            fs::copy(path, &other).unwrap();
            fs::rename(other, path).unwrap();
        },
        "is another file now",
    );
}

#[test]
fn a_file_that_is_gone_is_an_error_of_reading() {
    let (dir, file) = opened(&model());
    fs::remove_file(dir.path().join("model.gguf")).unwrap();
    assert!(file.check_unchanged().unwrap_err().to_string().contains("cannot read"));
}

#[test]
fn a_file_that_is_cut_off_while_open_is_an_error_and_not_a_crash() {
    let (dir, file) = opened(&model());
    File::options().write(true).open(dir.path().join("model.gguf")).unwrap().set_len(4096).unwrap();
    let error = file.read_rows(&file.layers[1].down, 0..32, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("ends inside tensor blk.1.ffn_down.weight now"), "{error}");
}
