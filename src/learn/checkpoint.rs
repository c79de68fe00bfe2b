//! A run that can be gone on with: the trainer's state and what run it belongs to, in one file (`adapter::tensor_file`).
//!
//! What always holds: numbers come back bit by bit, so a resumed run goes on as if it had not been interrupted; a
//! checkpoint of another run, or a damaged one, is refused with what is wrong and what to do.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::TrainState;
use crate::adapter::tensor_file::{Tensor, TensorFile, TensorFileError};
use crate::adapter::{Adapter, Linear, Pair, Site};

/// What makes two runs the same: model, examples, and every setting that changes a number. Names as people know
/// them, because a difference is shown.
pub type Identity = BTreeMap<String, String>;

/// A saved run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub identity: Identity,
    /// Mean loss of the held-out examples before the first step, in nats per token.
    pub held_out_before: Option<f64>,
    pub state: TrainState,
}

/// Why a run cannot be gone on with. Every text ends with the way out.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("there is no unfinished run at {}; train without --resume", .0.display())]
    Absent(PathBuf),
    #[error("{0}; train without --resume to start over")]
    File(#[from] TensorFileError),
    #[error("the checkpoint {} cannot be read: {reason}; train without --resume to start over", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error(
        "the unfinished run is another one: {}; repeat its settings, or train without --resume to start over",
        .0.join(", ")
    )]
    Foreign(Vec<String>),
}

const IDENTITY: &str = "run.";
const ARCHITECTURE: &str = "architecture";
const RANK: &str = "rank";
const ALPHA_BITS: &str = "alpha_bits";
const STEP: &str = "step";
const HELD_OUT_BITS: &str = "held_out_before_bits";
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";

impl Checkpoint {
    /// Writes the file, whole or not at all. Numbers that are not finite are refused.
    pub fn save(&self, path: &Path) -> Result<(), TensorFileError> {
        save(path, &self.identity, self.held_out_before, &self.state)
    }

    /// Reads the file and checks that it belongs to the run `wanted`.
    pub fn load(path: &Path, wanted: &Identity) -> Result<Self, CheckpointError> {
        let file = match TensorFile::read(path) {
            Err(TensorFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(CheckpointError::Absent(path.to_owned()));
            }
            file => file?,
        };
        let unreadable = |reason| CheckpointError::Unreadable { path: path.to_owned(), reason };
        let checkpoint = decode(file).map_err(unreadable)?;
        let differences = differences(&checkpoint.identity, wanted);
        if differences.is_empty() { Ok(checkpoint) } else { Err(CheckpointError::Foreign(differences)) }
    }
}

/// Like [`Checkpoint::save`], without a copy of the state.
pub fn save(
    path: &Path,
    identity: &Identity,
    held_out_before: Option<f64>,
    state: &TrainState,
) -> Result<(), TensorFileError> {
    let adapter = &state.adapter;
    let mut words: BTreeMap<String, String> =
        identity.iter().map(|(name, value)| (format!("{IDENTITY}{name}"), value.clone())).collect();
    words.insert(ARCHITECTURE.to_owned(), adapter.architecture.clone());
    words.insert(RANK.to_owned(), adapter.rank.to_string());
    words.insert(ALPHA_BITS.to_owned(), format!("{:08x}", adapter.alpha.to_bits()));
    words.insert(STEP.to_owned(), state.step.to_string());
    if let Some(loss) = held_out_before {
        words.insert(HELD_OUT_BITS.to_owned(), format!("{:016x}", loss.to_bits()));
    }
    let mut tensors = BTreeMap::new();
    for (site, pair) in &adapter.pairs {
        tensors.insert(name(*site, 'a'), tensor(&[adapter.rank, pair.n_in], &pair.a));
        tensors.insert(name(*site, 'b'), tensor(&[pair.n_out, adapter.rank], &pair.b));
    }
    tensors.insert(FIRST.to_owned(), tensor(&[state.first_moment.len()], &state.first_moment));
    tensors.insert(SECOND.to_owned(), tensor(&[state.second_moment.len()], &state.second_moment));
    TensorFile { words, tensors }.write(path)
}

fn tensor<'a>(shape: &[usize], values: &'a [f32]) -> Tensor<'a> {
    Tensor { shape: shape.to_vec(), values: Cow::Borrowed(values) }
}

/// `blk.3.attn_q.a`.
fn name(site: Site, matrix: char) -> String {
    format!("blk.{}.{}.{matrix}", site.layer, site.linear.gguf_name())
}

fn site(name: &str) -> Option<(Site, char)> {
    let mut parts = name.strip_prefix("blk.")?.split('.');
    let layer = parts.next()?.parse().ok()?;
    let linear = parts.next()?;
    let linear = Linear::ALL.into_iter().find(|known| known.gguf_name() == linear)?;
    let matrix = match parts.next()? {
        "a" => 'a',
        "b" => 'b',
        _ => return None,
    };
    parts.next().is_none().then_some((Site { layer, linear }, matrix))
}

fn decode(file: TensorFile<'static>) -> Result<Checkpoint, String> {
    let TensorFile { words, mut tensors } = file;
    let word = |key: &str| words.get(key).ok_or_else(|| format!("it does not say its {key}"));
    let bad = |key: &str| format!("its {key} makes no sense");
    let rank: usize = word(RANK)?.parse().map_err(|_| bad(RANK))?;
    let alpha =
        u32::from_str_radix(word(ALPHA_BITS)?, 16).map(f32::from_bits).map_err(|_| bad(ALPHA_BITS))?;
    let step = word(STEP)?.parse().map_err(|_| bad(STEP))?;
    let held_out = words.get(HELD_OUT_BITS).map(|bits| u64::from_str_radix(bits, 16).map(f64::from_bits));
    let held_out_before = held_out.transpose().map_err(|_| bad(HELD_OUT_BITS))?;
    let architecture = word(ARCHITECTURE)?.clone();
    let moment = |tensors: &mut BTreeMap<String, Tensor>, key: &str| {
        tensors.remove(key).map(|tensor| tensor.values.into_owned()).ok_or_else(|| format!("it has no {key}"))
    };
    let (first_moment, second_moment) = (moment(&mut tensors, FIRST)?, moment(&mut tensors, SECOND)?);
    let pairs = pairs(tensors, rank)?;
    let n_weights: usize = pairs.values().map(|pair| pair.a.len() + pair.b.len()).sum();
    if first_moment.len() != n_weights || second_moment.len() != n_weights {
        return Err(format!("its moments are not those of {n_weights} weights"));
    }
    let identity =
        words.iter().filter_map(|(key, value)| Some((key.strip_prefix(IDENTITY)?.to_owned(), value.clone())));
    Ok(Checkpoint {
        identity: identity.collect(),
        held_out_before,
        state: TrainState {
            adapter: Adapter { architecture, rank, alpha, pairs },
            step,
            first_moment,
            second_moment,
        },
    })
}

fn pairs(tensors: BTreeMap<String, Tensor<'static>>, rank: usize) -> Result<BTreeMap<Site, Pair>, String> {
    let mut pairs: BTreeMap<Site, Pair> = BTreeMap::new();
    for (name, tensor) in tensors {
        let (site, matrix) = site(&name).ok_or_else(|| format!("its tensor {name} is unknown"))?;
        let pair = pairs.entry(site).or_insert(Pair { n_in: 0, n_out: 0, a: Vec::new(), b: Vec::new() });
        match (matrix, tensor.shape.as_slice()) {
            ('a', &[rows, n_in]) if rows == rank => {
                pair.n_in = n_in;
                pair.a = tensor.values.into_owned();
            }
            ('b', &[n_out, columns]) if columns == rank => {
                pair.n_out = n_out;
                pair.b = tensor.values.into_owned();
            }
            (_, shape) => return Err(format!("its tensor {name} has the shape {shape:?} with rank {rank}")),
        }
    }
    match pairs.iter().find(|(_, pair)| pair.n_in == 0 || pair.n_out == 0) {
        Some((half, _)) => Err(format!("{} has only one of its two matrices", name(*half, '*'))),
        None => Ok(pairs),
    }
}

/// One sentence part for each name whose values differ: `epochs was 3 and is 5`.
fn differences(saved: &Identity, wanted: &Identity) -> Vec<String> {
    let mut names: Vec<&String> = saved.keys().chain(wanted.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let shown =
        |run: &Identity, name: &String| run.get(name).map_or("unset".to_owned(), |value| shortened(value));
    names
        .into_iter()
        .filter(|name| saved.get(*name) != wanted.get(*name))
        .map(|name| format!("{name} was {} and is {}", shown(saved, name), shown(wanted, name)))
        .collect()
}

/// Hashes are told apart by their first digits.
fn shortened(value: &str) -> String {
    let is_hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { value.chars().take(12).collect::<String>() + "…" } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::loss::Term;
    use crate::learn::scripted::Scripted;
    use crate::learn::{Answer, Pace, Row, Sample, Trainer};

    fn identity() -> Identity {
        [("model", "starter"), ("epochs", "3"), ("examples", &"ab".repeat(32))]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn batch(token: i32) -> Vec<Sample> {
        let row = Row { token, terms: vec![Term::CrossEntropy { weight: 1.0 }] };
        vec![Sample { prompt: vec![token, 1], answers: vec![Answer { rows: vec![row] }] }]
    }

    fn saved(dir: &Path) -> (PathBuf, Checkpoint) {
        let mut trainer = Scripted::new();
        for token in 0..5 {
            trainer.step(&batch(token), &Pace::default()).unwrap();
        }
        let checkpoint =
            Checkpoint { identity: identity(), held_out_before: Some(0.1 + 0.2), state: trainer.state() };
        let path = dir.join("run.safetensors");
        checkpoint.save(&path).unwrap();
        (path, checkpoint)
    }

    #[test]
    fn a_checkpoint_comes_back_bit_by_bit() {
        let dir = tempfile::tempdir().unwrap();
        let (path, checkpoint) = saved(dir.path());
        assert_eq!(Checkpoint::load(&path, &identity()).unwrap(), checkpoint);
    }

    #[test]
    fn a_trainer_goes_on_from_the_file_with_identical_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let (path, checkpoint) = saved(dir.path());
        let go_on = |state: TrainState| {
            let mut trainer = Scripted::from_state(state);
            let reports: Vec<_> =
                (5..12).map(|token| trainer.step(&batch(token), &Pace::default()).unwrap()).collect();
            (reports, trainer.state())
        };
        let loaded = Checkpoint::load(&path, &identity()).unwrap();
        assert_eq!(go_on(loaded.state), go_on(checkpoint.state));
    }

    #[track_caller]
    fn foreign(change: &[(&str, Option<&str>)], expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let (path, _) = saved(dir.path());
        let mut wanted = identity();
        for (name, value) in change {
            match value {
                Some(value) => wanted.insert((*name).to_owned(), (*value).to_owned()),
                None => wanted.remove(*name),
            };
        }
        match Checkpoint::load(&path, &wanted).unwrap_err() {
            CheckpointError::Foreign(differences) => assert_eq!(differences, expected),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_checkpoint_of_another_run_is_refused_with_the_differences() {
        foreign(&[("epochs", Some("5"))], &["epochs was 3 and is 5"]);
        foreign(
            &[("seed", Some("1")), ("model", None)],
            &["model was starter and is unset", "seed was unset and is 1"],
        );
        foreign(
            &[("examples", Some(&"cd".repeat(32)))],
            &["examples was abababababab… and is cdcdcdcdcdcd…"],
        );
    }

    #[test]
    fn a_damaged_checkpoint_says_how_to_start_over() {
        let dir = tempfile::tempdir().unwrap();
        let (path, _) = saved(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let said = Checkpoint::load(&path, &identity()).unwrap_err().to_string();
        assert!(
            said.contains("is damaged") && said.ends_with("train without --resume to start over"),
            "{said}"
        );
    }

    #[test]
    fn without_a_checkpoint_there_is_nothing_to_resume() {
        let said = Checkpoint::load(Path::new("/nowhere/x"), &identity()).unwrap_err().to_string();
        assert_eq!(said, "there is no unfinished run at /nowhere/x; train without --resume");
    }

    #[test]
    fn a_state_with_a_number_that_is_not_finite_is_not_saved() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut checkpoint) = saved(dir.path());
        let before = std::fs::read(&path).unwrap();
        checkpoint.state.second_moment[1] = f32::INFINITY;
        let error = checkpoint.save(&path).unwrap_err().to_string();
        assert_eq!(error, "tensor second_moment has a number that is not finite");
        assert_eq!(std::fs::read(&path).unwrap(), before, "the last good state stays");
    }

    #[test]
    fn a_file_that_lacks_a_part_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, _) = saved(dir.path());
        let whole = TensorFile::read(&path).unwrap();
        let refuse = |change: &dyn Fn(&mut TensorFile), reason: &str| {
            let mut file = whole.clone();
            change(&mut file);
            assert_eq!(decode(file).unwrap_err(), reason);
        };
        refuse(&|file| drop(file.words.remove("step")), "it does not say its step");
        refuse(&|file| drop(file.tensors.remove("first_moment")), "it has no first_moment");
        refuse(
            &|file| drop(file.tensors.remove("blk.0.attn_q.a")),
            "blk.0.attn_q.* has only one of its two matrices",
        );
        let odd = "its tensor blk.0.attn_q.a has the shape [3] with rank 1";
        refuse(&|file| file.tensors.get_mut("blk.0.attn_q.a").unwrap().shape = vec![3], odd);
    }
}
