//! AdamW over the adapter's matrices, the norm clip before it, and the learning rate of each gradient step.
//!
//! Loshchilov & Hutter, arXiv 1711.05101, algorithm 2 with the decay multiplied by the learning rate, as in PyTorch's
//! `torch.optim.AdamW` (which this equals to f32 rounding): with gradient g, step t, rate η,
//!
//! `m = β1 m + (1 - β1) g`, `v = β2 v + (1 - β2) g²`,
//! `θ = θ (1 - η λ) - η / (1 - β1^t) · m / (√v / √(1 - β2^t) + ε)`
//!
//! What does not live here: which matrices there are. The norm is summed in a fixed order and every number
//! is updated from its own four, so the result does not depend on how the work is cut.

use rayon::prelude::*;

use super::TrainError;

/// Numbers that one thread updates at a time; fixed, so that the norm is summed in the same order by any number of them.
const CHUNK: usize = 1 << 16;

/// How fast and how carefully to learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWSettings {
    /// After the warm-up.
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// λ; towards zero, which for an adapter is towards the base.
    pub weight_decay: f64,
    /// Gradients with a larger L2 norm are scaled down to it; infinity: never.
    pub max_grad_norm: f64,
    /// The rate grows linearly over these gradient steps; 0: it starts full.
    pub warmup_steps: u64,
    /// When known, the rate falls along a cosine to a tenth at this gradient step, and stays there; otherwise it is
    /// constant.
    pub total_steps: Option<u64>,
}

impl Default for AdamWSettings {
    /// β, ε and λ of PyTorch (Kingma & Ba, arXiv 1412.6980; λ 0.01); the rate of `QLoRA` for small models (Dettmers et
    /// al., arXiv 2305.14314, table 9); the customary clip at 1; a short warm-up at a constant rate, because runs are a
    /// few dozen steps.
    fn default() -> Self {
        Self {
            learning_rate: 2e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: 1.0,
            warmup_steps: 5,
            total_steps: None,
        }
    }
}

impl AdamWSettings {
    /// The rate of gradient step `step`, counted from 1.
    #[expect(clippy::cast_precision_loss, reason = "numbers of steps are far below 2^52")]
    pub fn learning_rate_at(&self, step: u64) -> f64 {
        const FLOOR: f64 = 0.1;
        if step < self.warmup_steps {
            return self.learning_rate * step as f64 / self.warmup_steps as f64;
        }
        let Some(total) = self.total_steps.filter(|total| *total > self.warmup_steps) else {
            return self.learning_rate;
        };
        let progress = (step - self.warmup_steps) as f64 / (total - self.warmup_steps) as f64;
        let cosine = (std::f64::consts::PI * progress.min(1.0)).cos();
        self.learning_rate * (FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + cosine))
    }
}

/// What one update did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// L2 norm over all gradients before clipping.
    pub grad_norm: f64,
    pub learning_rate: f64,
}

/// The moments of every number that is learned, flat in the order of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    settings: AdamWSettings,
    step: u64,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// For `n` numbers that were never updated.
    pub fn new(settings: AdamWSettings, n: usize) -> Self {
        Self { settings, step: 0, first: vec![0.0; n], second: vec![0.0; n] }
    }

    /// Goes on where [`AdamW::parts`] was taken, with identical numbers. Refuses moments of different lengths.
    pub fn restore(
        settings: AdamWSettings,
        step: u64,
        first: Vec<f32>,
        second: Vec<f32>,
    ) -> Result<Self, TrainError> {
        if first.len() == second.len() {
            return Ok(Self { settings, step, first, second });
        }
        let reason =
            format!("the optimizer has {} first moments and {} second ones", first.len(), second.len());
        Err(TrainError::Misfit(reason))
    }

    /// Gradient steps taken, first moments, second moments: what to save.
    pub fn parts(&self) -> (u64, &[f32], &[f32]) {
        (self.step, &self.first, &self.second)
    }

    /// One gradient step, by all threads of the caller's pool. `parameters` and `gradients`: the same matrices in the same order at every call. When it
    /// fails (lengths differ, a gradient is not finite), nothing was changed.
    pub fn update(
        &mut self,
        parameters: &mut [&mut [f32]],
        gradients: &[&[f32]],
    ) -> Result<Update, TrainError> {
        self.check_lengths(parameters, gradients)?;
        let squares: Vec<Vec<f64>> =
            gradients.iter().map(|part| part.par_chunks(CHUNK).map(sum_of_squares).collect()).collect();
        let (update, factors) = self.advance(squares.iter().flatten().sum::<f64>().sqrt())?;
        let (mut first, mut second) = (self.first.as_mut_slice(), self.second.as_mut_slice());
        for (parameters, gradients) in parameters.iter_mut().zip(gradients) {
            let (first_part, first_rest) = first.split_at_mut(parameters.len());
            let (second_part, second_rest) = second.split_at_mut(parameters.len());
            let values = parameters.par_chunks_mut(CHUNK).zip(gradients.par_chunks(CHUNK));
            let moments = first_part.par_chunks_mut(CHUNK).zip(second_part.par_chunks_mut(CHUNK));
            values.zip(moments).for_each(|((parameters, gradients), (first, second))| {
                update_chunk(&factors, parameters, gradients, first, second);
            });
            (first, second) = (first_rest, second_rest);
        }
        Ok(update)
    }

    /// Counts the step and says what it multiplies with.
    /// Refuses a norm that is not finite.
    fn advance(&mut self, grad_norm: f64) -> Result<(Update, Factors), TrainError> {
        let step = self.step + 1;
        if !grad_norm.is_finite() {
            return Err(TrainError::NotFinite { what: "the gradient".to_owned(), step });
        }
        self.step = step;
        let learning_rate = self.settings.learning_rate_at(step);
        Ok((Update { grad_norm, learning_rate }, Factors::new(&self.settings, step, grad_norm)))
    }

    fn check_lengths(&self, parameters: &[&mut [f32]], gradients: &[&[f32]]) -> Result<(), TrainError> {
        let matched = parameters.len() == gradients.len()
            && parameters.iter().zip(gradients).all(|(one, other)| one.len() == other.len());
        let n_parameters: usize = parameters.iter().map(|parameters| parameters.len()).sum();
        if matched && n_parameters == self.first.len() {
            return Ok(());
        }
        let n_gradients: usize = gradients.iter().map(|gradients| gradients.len()).sum();
        let n_moments = self.first.len();
        let reason = format!(
            "{n_parameters} numbers, {n_gradients} gradients and an optimizer for {n_moments} numbers"
        );
        Err(TrainError::Misfit(reason))
    }
}

/// What is the same for all numbers in one gradient step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Factors {
    /// The norm clip.
    gradient_scale: f32,
    /// 1 - η λ.
    keep: f32,
    /// 1 - β1.
    first_gain: f32,
    beta2: f32,
    second_gain: f32,
    /// 1 / √(1 - β2^t).
    root_scale: f32,
    epsilon: f32,
    /// η / (1 - β1^t).
    step_size: f32,
}

impl Factors {
    #[expect(clippy::cast_possible_truncation, reason = "computed in f64, used on f32 numbers")]
    fn new(settings: &AdamWSettings, step: u64, grad_norm: f64) -> Self {
        /// As in PyTorch's `clip_grad_norm_`; keeps the quotient away from 0 / 0.
        const NORM_EPSILON: f64 = 1e-6;
        let learning_rate = settings.learning_rate_at(step);
        let exponent = i32::try_from(step).unwrap_or(i32::MAX);
        let correction = |beta: f64| 1.0 - beta.powi(exponent);
        Self {
            gradient_scale: (settings.max_grad_norm / (grad_norm + NORM_EPSILON)).min(1.0) as f32,
            keep: (1.0 - learning_rate * settings.weight_decay) as f32,
            first_gain: (1.0 - settings.beta1) as f32,
            beta2: settings.beta2 as f32,
            second_gain: (1.0 - settings.beta2) as f32,
            root_scale: (1.0 / correction(settings.beta2).sqrt()) as f32,
            epsilon: settings.epsilon as f32,
            step_size: (learning_rate / correction(settings.beta1)) as f32,
        }
    }
}

/// Updates numbers from their gradients and moments: slices of equal length, any part of the whole.
fn update_chunk(
    factors: &Factors,
    parameters: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let moments = first.iter_mut().zip(second);
    for ((parameter, gradient), (first, second)) in parameters.iter_mut().zip(gradients).zip(moments) {
        let gradient = gradient * factors.gradient_scale;
        *first += (gradient - *first) * factors.first_gain;
        *second = *second * factors.beta2 + gradient * gradient * factors.second_gain;
        let root = second.sqrt() * factors.root_scale + factors.epsilon;
        *parameter = *parameter * factors.keep - factors.step_size * *first / root;
    }
}

/// In f64 and in a fixed order: eight running sums, then their sum. Finite exactly if all values are.
fn sum_of_squares(values: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0_f64; LANES];
    for values in values.chunks(LANES) {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Recorded {
        settings: Settings,
        start: Vec<Vec<f32>>,
        steps: Vec<Step>,
    }

    #[derive(Deserialize)]
    struct Settings {
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        epsilon: f64,
        weight_decay: f64,
        max_grad_norm: f64,
        warmup_steps: u64,
        total_steps: u64,
    }

    #[derive(Deserialize)]
    struct Step {
        gradients: Vec<Vec<f32>>,
        grad_norm: f64,
        learning_rate: f64,
        parameters: Vec<Vec<f32>>,
    }

    fn recorded() -> (AdamWSettings, Vec<Vec<f32>>, Vec<Step>) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/optimizer.json");
        let recorded: Recorded = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let settings = AdamWSettings {
            learning_rate: recorded.settings.learning_rate,
            beta1: recorded.settings.beta1,
            beta2: recorded.settings.beta2,
            epsilon: recorded.settings.epsilon,
            weight_decay: recorded.settings.weight_decay,
            max_grad_norm: recorded.settings.max_grad_norm,
            warmup_steps: recorded.settings.warmup_steps,
            total_steps: Some(recorded.settings.total_steps),
        };
        (settings, recorded.start, recorded.steps)
    }

    fn update(
        optimizer: &mut AdamW,
        parameters: &mut [Vec<f32>],
        gradients: &[Vec<f32>],
    ) -> Result<Update, TrainError> {
        let mut parameters: Vec<&mut [f32]> = parameters.iter_mut().map(Vec::as_mut_slice).collect();
        let gradients: Vec<&[f32]> = gradients.iter().map(Vec::as_slice).collect();
        optimizer.update(&mut parameters, &gradients)
    }

    /// `scripts/reference/optimizer.py`: warm-up, then cosine; some gradients are clipped, some are not.
    #[test]
    fn pytorch_takes_the_same_steps() {
        let (settings, mut parameters, steps) = recorded();
        let mut optimizer = AdamW::new(settings, parameters.iter().map(Vec::len).sum());
        assert!(steps.iter().any(|step| step.grad_norm > settings.max_grad_norm));
        assert!(steps.iter().any(|step| step.grad_norm < settings.max_grad_norm));
        for step in &steps {
            let update = update(&mut optimizer, &mut parameters, &step.gradients).unwrap();
            assert!((update.grad_norm / step.grad_norm - 1.0).abs() < 1e-6);
            assert!((update.learning_rate / step.learning_rate - 1.0).abs() < 1e-12);
            for (actual, expected) in parameters.iter().flatten().zip(step.parameters.iter().flatten()) {
                assert!((actual - expected).abs() <= 2e-7 * (1.0 + expected.abs()), "{actual} {expected}");
            }
        }
    }

    #[test]
    fn a_restored_run_goes_on_with_identical_numbers() {
        let (settings, mut parameters, steps) = recorded();
        let mut optimizer = AdamW::new(settings, parameters.iter().map(Vec::len).sum());
        let (before, after) = steps.split_at(2);
        for step in before {
            update(&mut optimizer, &mut parameters, &step.gradients).unwrap();
        }
        let (step, first, second) = optimizer.parts();
        let mut restored = AdamW::restore(settings, step, first.to_vec(), second.to_vec()).unwrap();
        let mut restored_parameters = parameters.clone();
        for step in after {
            update(&mut optimizer, &mut parameters, &step.gradients).unwrap();
            update(&mut restored, &mut restored_parameters, &step.gradients).unwrap();
        }
        assert_eq!((&restored, &restored_parameters), (&optimizer, &parameters));
    }

    #[test]
    fn however_the_work_is_cut_the_numbers_are_the_same() {
        let (settings, mut parameters, steps) = recorded();
        let n: usize = parameters.iter().map(Vec::len).sum();
        let mut flat = parameters.concat();
        let (mut whole, mut cut) = (AdamW::new(settings, n), AdamW::new(settings, n));
        for step in &steps {
            let update = update(&mut whole, &mut parameters, &step.gradients).unwrap();
            let (_, factors) = cut.advance(update.grad_norm).unwrap();
            let gradients = step.gradients.concat();
            let (first, second) = (&mut cut.first, &mut cut.second);
            let moments = first.chunks_mut(5).zip(second.chunks_mut(5));
            for ((parameters, gradients), (first, second)) in
                flat.chunks_mut(5).zip(gradients.chunks(5)).zip(moments)
            {
                update_chunk(&factors, parameters, gradients, first, second);
            }
        }
        assert_eq!((cut, flat), (whole, parameters.concat()));
    }

    #[test]
    fn a_gradient_that_is_not_finite_changes_nothing() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut optimizer = AdamW::new(AdamWSettings::default(), 3);
            let mut parameters = [vec![1.0, 2.0], vec![3.0]];
            update(&mut optimizer, &mut parameters, &[vec![0.1, 0.2], vec![0.3]]).unwrap();
            let before = (optimizer.clone(), parameters.clone());
            let error = update(&mut optimizer, &mut parameters, &[vec![0.1, 0.2], vec![bad]]).unwrap_err();
            assert!(matches!(error, TrainError::NotFinite { step: 2, .. }), "{error}");
            assert_eq!((optimizer, parameters), before);
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let mut optimizer = AdamW::new(AdamWSettings::default(), 3);
        let mut parameters = [vec![1.0, 2.0], vec![3.0]];
        for gradients in [vec![vec![0.1, 0.2]], vec![vec![0.1], vec![0.2, 0.3]], vec![]] {
            let error = update(&mut optimizer, &mut parameters, &gradients).unwrap_err();
            assert!(matches!(error, TrainError::Misfit(_)), "{error}");
        }
        assert!(AdamW::restore(AdamWSettings::default(), 1, vec![0.0; 3], vec![0.0; 2]).is_err());
        assert_eq!(optimizer, AdamW::new(AdamWSettings::default(), 3));
    }

    #[test]
    fn largest_gradients_do_not_overflow_the_norm() {
        let mut optimizer = AdamW::new(AdamWSettings::default(), 2);
        let mut parameters = [vec![1.0, 1.0]];
        let update = update(&mut optimizer, &mut parameters, &[vec![f32::MAX, f32::MAX]]).unwrap();
        assert!(update.grad_norm.is_finite());
        assert!(parameters[0].iter().all(|parameter| parameter.is_finite()));
    }

    #[track_caller]
    fn check_rates(warmup_steps: u64, total_steps: Option<u64>, expected: &[(u64, f64)]) {
        let settings =
            AdamWSettings { learning_rate: 1.0, warmup_steps, total_steps, ..AdamWSettings::default() };
        for (step, rate) in expected {
            assert!((settings.learning_rate_at(*step) - rate).abs() < 1e-12, "at {step}");
        }
    }

    #[test]
    fn the_rate_warms_up_and_stays() {
        check_rates(4, None, &[(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0), (5, 1.0), (1_000_000, 1.0)]);
        check_rates(0, None, &[(1, 1.0)]);
        check_rates(1, None, &[(1, 1.0)]);
    }

    #[test]
    fn the_rate_falls_to_a_tenth_when_the_end_is_known() {
        check_rates(4, Some(24), &[(2, 0.5), (4, 1.0), (14, 0.55), (24, 0.1), (25, 0.1)]);
        check_rates(0, Some(2), &[(1, 0.55), (2, 0.1), (3, 0.1)]);
        check_rates(4, Some(4), &[(4, 1.0), (5, 1.0)]);
    }
}
