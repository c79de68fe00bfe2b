//! The trainable matrices and their gradients, flat in one order: sites in order, A before B.
//!
//! Flat, because the optimizer, the norm and the saved state see one vector; a block sees its seven pairs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::TrainError;
use super::shuffle::Draws;
use super::weights::Geometry;
use crate::adapter::{Adapter, Linear, Pair, Site};

/// Where a site's matrices lie in the flat vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) n_in: usize,
    pub(super) n_out: usize,
    pub(super) a: Range<usize>,
    pub(super) b: Range<usize>,
}

/// The adapter in training.
#[derive(Debug)]
pub(super) struct Parameters {
    architecture: String,
    pub(super) rank: usize,
    alpha: f32,
    /// Seven per layer, in the order of [`Linear::ALL`].
    places: Vec<Place>,
    pub(super) values: Vec<f32>,
    pub(super) gradients: Vec<f32>,
}

impl Parameters {
    /// A as PEFT initializes it (uniform, Kaiming with a = √5, so within ±1/√(inputs)), B zero: the adapter starts as
    /// the base.
    pub(super) fn fresh(geometry: &Geometry, rank: usize, alpha: f32, seed: u64) -> Result<Self, TrainError> {
        let mut parameters = Self::zeros(geometry, rank, alpha)?;
        let mut draws = Draws::new(seed);
        for place in &parameters.places {
            #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
            let bound = 1.0 / (place.n_in as f32).sqrt();
            for value in parameters.values.get_mut(place.a.clone()).into_iter().flatten() {
                *value = bound * uniform(&mut draws);
            }
        }
        Ok(parameters)
    }

    /// Goes on from an adapter. Sites that it leaves alone start with B = 0 and A from the seed 0.
    pub(super) fn from_adapter(geometry: &Geometry, adapter: &Adapter) -> Result<Self, TrainError> {
        let expected = geometry.architecture.name();
        if adapter.architecture != expected {
            return Err(TrainError::Misfit(format!(
                "it is for {}, the model is {expected}",
                adapter.architecture
            )));
        }
        let mut parameters = Self::fresh(geometry, adapter.rank, adapter.alpha, 0)?;
        for (site, pair) in &adapter.pairs {
            let name = format!("blk.{}.{}", site.layer, site.linear.gguf_name());
            let Some(place) = parameters.place(site.layer, site.linear).cloned() else {
                return Err(TrainError::Misfit(format!("the model has no {name}")));
            };
            let fits = (pair.n_in, pair.n_out) == (place.n_in, place.n_out)
                && (pair.a.len(), pair.b.len()) == (place.a.len(), place.b.len());
            if !fits {
                let (n_in, n_out) = (place.n_in, place.n_out);
                let (has_in, has_out) = (pair.n_in, pair.n_out);
                return Err(TrainError::Misfit(format!(
                    "{name} maps {n_in} values to {n_out}, the adapter's matrices map {has_in} to {has_out}"
                )));
            }
            for (range, from) in [(place.a, &pair.a), (place.b, &pair.b)] {
                if let Some(to) = parameters.values.get_mut(range) {
                    to.copy_from_slice(from);
                }
            }
        }
        if let Some(at) = parameters.values.iter().position(|value| !value.is_finite()) {
            return Err(TrainError::Misfit(format!("its {at}th value is not finite")));
        }
        Ok(parameters)
    }

    fn zeros(geometry: &Geometry, rank: usize, alpha: f32) -> Result<Self, TrainError> {
        if rank == 0 || rank > 1024 {
            return Err(TrainError::Misfit(format!("a rank of {rank}; 1 to 1024 are possible, 16 is usual")));
        }
        if !(alpha.is_finite() && alpha > 0.0) {
            return Err(TrainError::Misfit(format!("an alpha of {alpha}; it must be positive")));
        }
        let mut places = Vec::with_capacity(geometry.n_layers * Linear::ALL.len());
        let mut end = 0;
        for _ in 0..geometry.n_layers {
            for linear in Linear::ALL {
                let (n_in, n_out) = dimensions(geometry, linear);
                let (a, b) = (end..end + rank * n_in, end + rank * n_in..end + rank * (n_in + n_out));
                end = b.end;
                places.push(Place { n_in, n_out, a, b });
            }
        }
        let architecture = geometry.architecture.name().to_owned();
        Ok(Self { architecture, rank, alpha, places, values: vec![0.0; end], gradients: vec![0.0; end] })
    }

    pub(super) fn scale(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
        let rank = self.rank as f32;
        self.alpha / rank
    }

    pub(super) fn place(&self, layer: usize, linear: Linear) -> Option<&Place> {
        self.places.get(layer * Linear::ALL.len() + linear as usize)
    }

    /// The adapter as a value.
    pub(super) fn adapter(&self) -> Adapter {
        self.shaped(&self.values)
    }

    /// Any flat vector of this shape (values, gradients) as matrices.
    pub(super) fn shaped(&self, flat: &[f32]) -> Adapter {
        let part = |range: &Range<usize>| flat.get(range.clone()).unwrap_or_default().to_vec();
        let mut pairs = BTreeMap::new();
        for (layer, places) in self.places.chunks(Linear::ALL.len()).enumerate() {
            for (linear, place) in Linear::ALL.into_iter().zip(places) {
                let (a, b) = (part(&place.a), part(&place.b));
                pairs.insert(Site { layer, linear }, Pair { n_in: place.n_in, n_out: place.n_out, a, b });
            }
        }
        Adapter { architecture: self.architecture.clone(), rank: self.rank, alpha: self.alpha, pairs }
    }
}

/// Trainable numbers of an adapter of this rank.
pub(super) fn n_parameters(geometry: &Geometry, rank: usize) -> usize {
    let ends = Linear::ALL.map(|linear| dimensions(geometry, linear));
    geometry.n_layers * rank * ends.iter().map(|(n_in, n_out)| n_in + n_out).sum::<usize>()
}

/// Inputs and outputs of a linear map.
fn dimensions(geometry: &Geometry, linear: Linear) -> (usize, usize) {
    let (width, ffn) = (geometry.width, geometry.ffn_width);
    let (q, kv) = (geometry.q_width(), geometry.kv_width());
    match linear {
        Linear::Q => (width, q),
        Linear::K | Linear::V => (width, kv),
        Linear::O => (q, width),
        Linear::Gate | Linear::Up => (width, ffn),
        Linear::Down => (ffn, width),
    }
}

/// Uniform in −1..1: the top 24 bits of a draw.
fn uniform(draws: &mut Draws) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "24 bits are exact in an f32")]
    let unit = (draws.next_u64() >> 40) as f32 / (1_u64 << 24) as f32;
    2.0 * unit - 1.0
}
