//! Which version of the policy answers: adapters into the engine, switching between them, and what is remembered.
//!
//! What always holds: the base can always answer, whatever is wrong with an adapter; a version is loaded only after
//! its hash and its base were compared; a switch is in the ledger before it takes effect; an answer keeps the version
//! that it began with, because its lease keeps the adapter loaded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::error::ApiError;
use super::ledger::Ledger;
use super::models::Serving;
use super::wire::{AdapterList, AdapterRow, BrokenAdapter};
use crate::adapter::manifest::State;
use crate::adapter::{AdapterError, Base, Shelf, fingerprint};
use crate::config::Paths;
use crate::engine::{EngineError, Job, ModelCard};
use crate::store::{Entry, NewGate, NewServing, ServingRow};
use crate::turn::PolicyVersion;

/// Adapters that stay loaded beside the one that serves, for evaluation and for going back quickly.
const MAX_IDLE: usize = 2;

/// How soon a version that somebody still uses is looked at again.
const STILL_IN_USE: Duration = Duration::from_millis(50);

/// The daemon's policies: where adapters are kept and what the ledger says of them.
pub(super) struct Policies {
    shelf: Shelf,
    fingerprints: PathBuf,
    ledger: Arc<Ledger>,
    /// One load or switch at a time.
    changing: tokio::sync::Mutex<()>,
}

/// The versions of one loaded model.
#[derive(Default)]
pub(super) struct Versions {
    state: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    serving: PolicyVersion,
    /// Least recently used first.
    adapters: Vec<Arc<PolicyVersion>>,
    /// Why it is not the version that was chosen.
    notice: Option<String>,
}

/// The right to have one version answer; it stays loaded as long as somebody holds this.
#[derive(Debug, Clone, Default)]
pub(super) struct Lease(Arc<PolicyVersion>);

impl Lease {
    pub(super) fn version(&self) -> PolicyVersion {
        *self.0
    }
}

impl Versions {
    pub(super) fn serving(&self) -> PolicyVersion {
        self.lock().serving
    }

    pub(super) fn notice(&self) -> Option<String> {
        self.lock().notice.clone()
    }

    /// A lease of a version that is loaded, or of the base; `None` means the version that serves.
    fn lease(&self, wanted: Option<PolicyVersion>) -> Option<Lease> {
        let mut loaded = self.lock();
        let wanted = wanted.unwrap_or(loaded.serving);
        if wanted == PolicyVersion::BASE {
            return Some(Lease::default());
        }
        let at = loaded.adapters.iter().position(|version| **version == wanted)?;
        let version = loaded.adapters.remove(at);
        loaded.adapters.push(Arc::clone(&version));
        Some(Lease(version))
    }

    fn add(&self, version: PolicyVersion) -> Lease {
        let lease = Lease(Arc::new(version));
        self.lock().adapters.push(Arc::clone(&lease.0));
        lease
    }

    /// Takes out what nobody needs any more, beyond [`MAX_IDLE`].
    fn take_idle(&self) -> Vec<PolicyVersion> {
        let mut loaded = self.lock();
        let serving = loaded.serving;
        let is_idle = |version: &Arc<PolicyVersion>| **version != serving && Arc::strong_count(version) == 1;
        let mut excess =
            loaded.adapters.iter().filter(|version| is_idle(version)).count().saturating_sub(MAX_IDLE);
        let mut taken = Vec::new();
        loaded.adapters.retain(|version| {
            let goes = excess > 0 && is_idle(version);
            if goes {
                excess -= 1;
                taken.push(**version);
            }
            !goes
        });
        taken
    }

    /// Takes out a version that nobody uses and that does not serve; false if it is not loaded, or in use.
    fn take(&self, version: PolicyVersion) -> bool {
        let mut loaded = self.lock();
        let serving = loaded.serving;
        let before = loaded.adapters.len();
        loaded.adapters.retain(|one| **one != version || version == serving || Arc::strong_count(one) > 1);
        loaded.adapters.len() < before
    }

    fn is_loaded(&self, version: PolicyVersion) -> bool {
        self.lock().adapters.iter().any(|one| **one == version)
    }

    fn serve(&self, version: PolicyVersion) -> PolicyVersion {
        let mut loaded = self.lock();
        loaded.notice = None;
        std::mem::replace(&mut loaded.serving, version)
    }

    fn say(&self, notice: String) {
        tracing::warn!(notice, "the base answers");
        self.lock().notice = Some(notice);
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Policies {
    pub(super) fn new(paths: &Paths, ledger: Arc<Ledger>) -> Self {
        Self {
            shelf: Shelf::new(&paths.adapters_dir()),
            fingerprints: paths.fingerprints_file(),
            ledger,
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// Makes a freshly loaded model serve what was last chosen for it. Cannot fail: the base serves instead, and
    /// the notice says why.
    pub(super) async fn resume(&self, serving: &Serving) {
        let _one_at_a_time = self.changing.lock().await;
        if let Err(reason) = self.try_resume(serving).await {
            serving.versions.say(format!("{reason}; the base model answers"));
        }
    }

    async fn try_resume(&self, serving: &Serving) -> Result<(), String> {
        let rows = self.ledger.serving().await.map_err(|error| error.detail.message)?;
        // Without a choice to remember, nobody has to wait for a hash.
        if rows.iter().all(|row| row.version == PolicyVersion::BASE) {
            return Ok(());
        }
        let base = self.base(serving.engine.card()).await.map_err(|err| err.to_string())?;
        match choice(&rows, &base.sha256) {
            Choice::Base => Ok(()),
            Choice::Version(version) => {
                self.load(serving, version, &base).await.map_err(|err| err.to_string())?;
                serving.versions.serve(version);
                tracing::info!(%version, "serving");
                Ok(())
            }
            Choice::OfAnotherBase(version) => {
                self.verified(version, &base).await.map(drop).map_err(|err| err.to_string())
            }
        }
    }

    /// The right to be answered by `wanted` (loaded if need be), or by the version that serves.
    pub(super) async fn lease(
        &self,
        serving: &Serving,
        wanted: Option<PolicyVersion>,
    ) -> Result<Lease, ApiError> {
        if let Some(lease) = serving.versions.lease(wanted) {
            return Ok(lease);
        }
        let _one_at_a_time = self.changing.lock().await;
        let version = wanted.unwrap_or_else(|| serving.versions.serving());
        let base = self.base(serving.engine.card()).await.map_err(Refusal::from)?;
        let lease = self.load(serving, version, &base).await?;
        release_idle(serving);
        Ok(lease)
    }

    /// Lets `version` answer all new turns, now and after a restart.
    pub(super) async fn switch(
        &self,
        serving: &Serving,
        version: PolicyVersion,
        reason: &str,
    ) -> Result<(), ApiError> {
        let _one_at_a_time = self.changing.lock().await;
        let base = self.base(serving.engine.card()).await.map_err(Refusal::from)?;
        let _lease = match version {
            PolicyVersion::BASE => Lease::default(),
            version => self.load(serving, version, &base).await?,
        };
        let at = Timestamp::now().as_millisecond();
        let row = NewServing { at, version, base_sha256: base.sha256, reason: reason.to_owned() };
        self.ledger.append(Entry::Serve(row)).await?;
        self.now_serves(serving, version, reason).await;
        Ok(())
    }

    /// The gate's word on a candidate that passed: in one step it is in the ledger, and the candidate answers all new
    /// turns.
    pub(super) async fn promote(
        &self,
        serving: &Serving,
        candidate: PolicyVersion,
        gate: NewGate,
    ) -> Result<(), ApiError> {
        let _one_at_a_time = self.changing.lock().await;
        self.ledger.append(Entry::RecordGate(gate)).await?;
        self.now_serves(serving, candidate, "promoted").await;
        Ok(())
    }

    /// Lets the newest version below the one that serves answer, of those that served before, or the base.
    pub(super) async fn roll_back(&self, serving: &Serving, reason: &str) -> Result<PolicyVersion, ApiError> {
        let _one_at_a_time = self.changing.lock().await;
        let base = self.base_of(serving).await?;
        let rows = self.ledger.serving().await?;
        let current = serving.versions.serving();
        if current == PolicyVersion::BASE {
            return Err(ApiError::bad_request(
                "nothing_to_roll_back",
                "the base answers; there is nothing before it",
            ));
        }
        // What was forgotten in the meantime is not there any more.
        let rows: Vec<ServingRow> = rows.into_iter().filter(|row| self.stands(row.version)).collect();
        let version = before(&rows, current, &base.sha256);
        let _lease = match version {
            PolicyVersion::BASE => Lease::default(),
            version => self.load(serving, version, &base).await?,
        };
        let at = Timestamp::now().as_millisecond();
        let row = NewServing { at, version, base_sha256: base.sha256, reason: reason.to_owned() };
        self.ledger.append(Entry::Rollback(row)).await?;
        self.now_serves(serving, version, reason).await;
        Ok(version)
    }

    /// Lets none of `tainted` answer any more: where one does, the newest other version below it that served before
    /// does so from now on, or the base. Returns what serves now.
    pub(super) async fn withdraw(
        &self,
        serving: &Serving,
        tainted: &[PolicyVersion],
        reason: &str,
    ) -> Result<PolicyVersion, ApiError> {
        let current = serving.versions.serving();
        if !tainted.contains(&current) {
            return Ok(current);
        }
        let _one_at_a_time = self.changing.lock().await;
        let base = self.base_of(serving).await?;
        let rows: Vec<ServingRow> = self.ledger.serving().await?;
        let sound = |row: &ServingRow| !tainted.contains(&row.version) && self.stands(row.version);
        let rows: Vec<ServingRow> = rows.into_iter().filter(sound).collect();
        let mut version = before(&rows, current, &base.sha256);
        let mut _lease = Lease::default();
        if version != PolicyVersion::BASE {
            match self.load(serving, version, &base).await {
                Ok(lease) => _lease = lease,
                Err(err) => {
                    tracing::warn!(%version, %err, "the base answers in its place");
                    version = PolicyVersion::BASE;
                }
            }
        }
        let at = Timestamp::now().as_millisecond();
        let row = NewServing { at, version, base_sha256: base.sha256, reason: reason.to_owned() };
        self.ledger.append(Entry::Rollback(row)).await?;
        self.now_serves(serving, version, reason).await;
        Ok(version)
    }

    fn stands(&self, version: PolicyVersion) -> bool {
        version == PolicyVersion::BASE || self.shelf.manifest(version).is_ok()
    }

    /// What each version on the shelf was made from, as its manifest says.
    pub(super) async fn parents(&self) -> Result<Vec<(PolicyVersion, PolicyVersion)>, ApiError> {
        let place = self.shelf.clone();
        let listing = blocking(move || place.list()).await.map_err(|err| internal(&err))?;
        Ok(listing.versions.into_iter().map(|manifest| (manifest.version, manifest.parent)).collect())
    }

    /// Removes versions that do not serve, with all that unfinished runs have left.
    pub(super) async fn erase(&self, versions: Vec<PolicyVersion>) -> Result<(), ApiError> {
        let place = self.shelf.clone();
        let erased = blocking(move || {
            for version in versions {
                match place.remove(version) {
                    Ok(()) | Err(AdapterError::NoVersion(_)) => {}
                    Err(err) => return Err(err),
                }
            }
            place.end_runs()
        });
        erased.await.map_err(|err| internal(&err))
    }

    /// Unloads a version that does not serve, as soon as no answer uses it.
    pub(super) async fn unload(&self, serving: &Serving, version: PolicyVersion) {
        while serving.versions.is_loaded(version) {
            forget(serving, version);
            tokio::time::sleep(STILL_IN_USE).await;
        }
    }

    async fn now_serves(&self, serving: &Serving, version: PolicyVersion, reason: &str) {
        let before = serving.versions.serve(version);
        tracing::info!(%version, %before, reason, "serving");
        self.note_states(before, version).await;
        release_idle(serving);
    }

    /// What stands on the shelf, and what answers.
    pub(super) async fn list(&self, serving: Option<&Serving>) -> Result<AdapterList, ApiError> {
        let place = self.shelf.clone();
        let listing = blocking(move || place.list()).await.map_err(|err| internal(&err))?;
        let version = serving.map_or(PolicyVersion::BASE, |serving| serving.versions.serving());
        let row = |manifest: crate::adapter::Manifest| AdapterRow {
            serving: manifest.version == version,
            manifest,
        };
        let broken = listing
            .broken
            .into_iter()
            .map(|broken| BrokenAdapter { name: broken.name, problem: broken.problem });
        Ok(AdapterList {
            serving: version,
            model: serving.map(|serving| serving.engine.card().name.clone()),
            adapters: listing.versions.into_iter().map(row).collect(),
            broken: broken.collect(),
            notice: serving.and_then(|serving| serving.versions.notice()),
        })
    }

    /// Loads a version into the engine, unless it is there.
    async fn load(&self, serving: &Serving, version: PolicyVersion, base: &Base) -> Result<Lease, Refusal> {
        if let Some(lease) = serving.versions.lease(Some(version)) {
            return Ok(lease);
        }
        let path = self.verified(version, base).await?;
        let (done, outcome) = oneshot::channel();
        serving.engine.submit(Job::LoadAdapter {
            version,
            path,
            scale: 1.0,
            // Nobody waits any more when the daemon is ending.
            done: Box::new(move |result| drop(done.send(result))),
        })?;
        outcome.await.unwrap_or(Err(EngineError::Stopped))?;
        Ok(serving.versions.add(version))
    }

    /// The file of a version that is whole and belongs to `base`.
    async fn verified(&self, version: PolicyVersion, base: &Base) -> Result<PathBuf, AdapterError> {
        let (place, base) = (self.shelf.clone(), base.clone());
        blocking(move || place.verify(version, &base).map(|_| place.gguf_path(version))).await
    }

    /// The model that a version must belong to.
    pub(super) async fn base_of(&self, serving: &Serving) -> Result<Base, ApiError> {
        Ok(self.base(serving.engine.card()).await.map_err(Refusal::from)?)
    }

    /// Which model is loaded; hashing it takes seconds the first time.
    async fn base(&self, card: &ModelCard) -> Result<Base, AdapterError> {
        let (path, cache) = (card.path.clone(), self.fingerprints.clone());
        let sha256 = blocking(move || fingerprint::of_file(&path, &cache)).await?;
        Ok(Base { name: card.name.clone(), sha256, architecture: card.architecture.clone() })
    }

    /// Writes into the manifests what became of both versions. The ledger decides what serves, so a failure here
    /// is only logged.
    async fn note_states(&self, before: PolicyVersion, now: PolicyVersion) {
        let place = self.shelf.clone();
        let noted = blocking(move || {
            new_states(before, now)
                .into_iter()
                .try_for_each(|(version, state)| place.set_state(version, state).map(drop))
        });
        if let Err(err) = noted.await {
            tracing::warn!(%err, "the manifest does not say what became of its version");
        }
    }
}

/// What the rows say about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Base,
    Version(PolicyVersion),
    /// Nothing was ever chosen for this model, and the last choice was this version of another one.
    OfAnotherBase(PolicyVersion),
}

fn choice(rows: &[ServingRow], base_sha256: &str) -> Choice {
    let of_this_base = rows.iter().rfind(|row| row.base_sha256 == base_sha256);
    match (of_this_base, rows.last()) {
        (Some(row), _) if row.version != PolicyVersion::BASE => Choice::Version(row.version),
        (None, Some(row)) if row.version != PolicyVersion::BASE => Choice::OfAnotherBase(row.version),
        _ => Choice::Base,
    }
}

/// A version that a newer one replaces is superseded; one that is left for an older one, or for the base, was
/// withdrawn.
fn new_states(before: PolicyVersion, now: PolicyVersion) -> Vec<(PolicyVersion, State)> {
    let after = if now > before { State::Superseded } else { State::Withdrawn };
    let left = (before != now).then_some((before, after));
    left.into_iter()
        .chain([(now, State::Promoted)])
        .filter(|(version, _)| *version != PolicyVersion::BASE)
        .collect()
}

/// Unloads a version that serves nobody.
pub(super) fn forget(serving: &Serving, version: PolicyVersion) {
    if serving.versions.take(version) {
        remove(serving, version);
    }
}

/// The newest version below `current` that served with this base; the base itself where none did.
fn before(rows: &[ServingRow], current: PolicyVersion, base_sha256: &str) -> PolicyVersion {
    let served = rows.iter().filter(|row| row.base_sha256 == base_sha256).map(|row| row.version);
    served.filter(|version| *version < current).max().unwrap_or(PolicyVersion::BASE)
}

/// Forgets adapters that nobody needs; their memory is the engine's.
fn release_idle(serving: &Serving) {
    for version in serving.versions.take_idle() {
        remove(serving, version);
    }
}

fn remove(serving: &Serving, version: PolicyVersion) {
    let done = Box::new(move |result: Result<(), EngineError>| {
        if let Err(err) = result {
            tracing::warn!(%version, %err, "an adapter stays loaded");
        }
    });
    if let Err(err) = serving.engine.submit(Job::RemoveAdapter { version, done }) {
        tracing::warn!(%version, %err, "an adapter stays loaded");
    }
}

/// Why a version cannot answer.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Adapter(err @ AdapterError::NoVersion(_)) => {
                Self::bad_request("policy_not_found", err.to_string())
            }
            Refusal::Adapter(err @ AdapterError::Io { .. }) => internal(&err),
            Refusal::Adapter(err) => Self::bad_request("policy_not_usable", err.to_string()),
            Refusal::Engine(err @ EngineError::Adapter(_)) => {
                Self::bad_request("policy_not_usable", err.to_string())
            }
            Refusal::Engine(err) => err.into(),
        }
    }
}

fn internal(err: &AdapterError) -> ApiError {
    ApiError::internal("adapter_failed", err.to_string())
}

/// Reads and hashes files where it does not hold up other requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdapterError> + Send + 'static,
) -> Result<T, AdapterError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| {
        Err(AdapterError::io(std::path::Path::new("the shelf"), std::io::Error::other(err)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(version: u32, base_sha256: &str) -> ServingRow {
        ServingRow {
            at: 0,
            version: PolicyVersion(version),
            base_sha256: base_sha256.into(),
            reason: String::new(),
        }
    }

    #[track_caller]
    fn check_choice(rows: &[(u32, &str)], expected: Choice) {
        let rows: Vec<_> = rows.iter().map(|(version, base)| row(*version, base)).collect();
        assert_eq!(choice(&rows, "ours"), expected);
    }

    #[test]
    fn the_newest_row_of_the_model_decides() {
        let version = |n| Choice::Version(PolicyVersion(n));
        check_choice(&[], Choice::Base);
        check_choice(&[(1, "ours"), (2, "ours")], version(2));
        check_choice(&[(2, "ours"), (1, "ours")], version(1));
        check_choice(&[(2, "ours"), (0, "ours")], Choice::Base);
        check_choice(&[(2, "ours"), (5, "theirs")], version(2));
        check_choice(&[(0, "ours"), (5, "theirs")], Choice::Base);
    }

    #[test]
    fn a_choice_for_another_model_is_not_forgotten_silently() {
        check_choice(&[(5, "theirs")], Choice::OfAnotherBase(PolicyVersion(5)));
        check_choice(&[(5, "theirs"), (0, "theirs")], Choice::Base);
    }

    #[track_caller]
    fn check_states(before: u32, now: u32, expected: &[(u32, State)]) {
        let states = new_states(PolicyVersion(before), PolicyVersion(now));
        let states: Vec<_> = states.into_iter().map(|(version, state)| (version.0, state)).collect();
        assert_eq!(states, expected);
    }

    #[test]
    fn manifests_say_what_became_of_a_version() {
        check_states(0, 1, &[(1, State::Promoted)]);
        check_states(1, 2, &[(1, State::Superseded), (2, State::Promoted)]);
        check_states(2, 1, &[(2, State::Withdrawn), (1, State::Promoted)]);
        check_states(2, 0, &[(2, State::Withdrawn)]);
        check_states(2, 2, &[(2, State::Promoted)]);
        check_states(0, 0, &[]);
    }

    #[test]
    fn what_is_leased_or_serves_stays_loaded() {
        let versions = Versions::default();
        let leases: Vec<Lease> = (1..=5).map(|version| versions.add(PolicyVersion(version))).collect();
        versions.serve(PolicyVersion(1));
        assert_eq!(versions.take_idle(), []);
        drop(leases);
        let kept = versions.lease(Some(PolicyVersion(2))).unwrap();
        assert_eq!(versions.take_idle(), [PolicyVersion(3)]);
        assert_eq!(versions.take_idle(), []);
        assert!(versions.lease(Some(PolicyVersion(3))).is_none());
        assert_eq!(versions.lease(None).unwrap().version(), PolicyVersion(1));
        assert_eq!(kept.version(), PolicyVersion(2));
    }
}
