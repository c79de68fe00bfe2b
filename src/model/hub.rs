//! The hub: which files a repository has, their sizes and hashes; refusals as sentences.
//!
//! Addresses, the token file and the listing come from `hf-hub`. Its download does not: it appends the answer of a
//! server that ignores `Range`, knows no time limit and checks no hash (see `fetch`).

use std::time::Duration;

use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::roots::Env;

const OFFICIAL: &str = "https://huggingface.co";

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where models are downloaded from, and as whom.
#[derive(Clone)]
pub struct Hub {
    pub endpoint: String,
    pub token: Option<String>,
}

/// One file of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    pub path: String,
    pub size: Option<u64>,
    /// Lower-case hexadecimal.
    pub sha256: Option<String>,
}

/// A repository at the commit that `main` points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub repo: String,
    pub revision: String,
    pub files: Vec<RemoteFile>,
}

#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("cannot reach {endpoint}: {reason}; check the network, or HF_ENDPOINT if it is set")]
    Unreachable { endpoint: String, reason: String },
    #[error("there is no repository {repo} at {endpoint}; check the spelling")]
    NoRepo { repo: String, endpoint: String },
    #[error(
        "{repo} does not exist or is private; check the spelling, or set HF_TOKEN to a token that may read it"
    )]
    NoneOrPrivate { repo: String },
    #[error(
        "{repo} is gated: accept its terms at {endpoint}/{repo} and set HF_TOKEN to a token of that account"
    )]
    Gated { repo: String, endpoint: String },
    #[error(
        "{endpoint} refused the token for {repo}; check HF_TOKEN, or accept the model's terms at {endpoint}/{repo}"
    )]
    TokenRefused { repo: String, endpoint: String },
    #[error("{endpoint} answered {status} for {what}; try again later")]
    Status { endpoint: String, what: String, status: u16 },
    #[error(
        "{endpoint} gave an answer for {what} that chela does not understand: {reason}; check HF_ENDPOINT"
    )]
    Answer { endpoint: String, what: String, reason: String },
}

#[derive(Deserialize)]
struct RepoAnswer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl std::fmt::Debug for Hub {
    /// A token never gets into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "set");
        f.debug_struct("Hub").field("endpoint", &self.endpoint).field("token", &token).finish()
    }
}

impl Hub {
    /// `HF_ENDPOINT` and `HF_TOKEN`, else the official hub and the token that `hf auth login` left.
    pub fn from_env(env: &Env) -> Self {
        let stored = || Cache::new(env.huggingface_home()?.join("hub")).token();
        let endpoint = env.hf_endpoint.as_deref().unwrap_or(OFFICIAL);
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: env.hf_token.clone().or_else(stored),
        }
    }

    /// All files of `repo` at the newest commit.
    pub fn list(&self, repo: &str) -> Result<Listing, HubError> {
        let request = self.api()?.model(repo.to_owned()).info_request().query("blobs", "true");
        let request = request.config().http_status_as_error(false);
        let request = request.timeout_connect(Some(PATIENCE)).timeout_per_read(Some(PATIENCE)).build();
        let mut response = request.call().map_err(|err| self.unreachable(&err))?;
        self.refusal(repo, repo, &response)?;
        let answer: RepoAnswer =
            response.body_mut().read_json().map_err(|err| self.not_understood(repo, &err))?;
        let files = answer.siblings.into_iter().map(remote_file).collect();
        Ok(Listing { repo: repo.to_owned(), revision: answer.sha, files })
    }

    /// Fills in size and hash from the file's own headers where the listing had none (mirrors leave them out).
    pub(super) fn complete(&self, listing: &Listing, file: &RemoteFile) -> Result<RemoteFile, HubError> {
        if file.size.is_some() && file.sha256.is_some() {
            return Ok(file.clone());
        }
        let request = self.authorized(agent(0).head(self.url(listing, &file.path)?));
        let response = request.call().map_err(|err| self.unreachable(&err))?;
        self.refusal(&listing.repo, &file.path, &response)?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let length = if response.status().is_redirection() { None } else { header("content-length") };
        let size = header("x-linked-size").or(length).and_then(|text| text.parse().ok());
        let etag = header("x-linked-etag").or_else(|| header("etag"));
        let sha256 = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned());
        Ok(RemoteFile {
            path: file.path.clone(),
            size: file.size.or(size),
            sha256: file.sha256.clone().or(sha256.filter(|hash| is_sha256(hash))),
        })
    }

    /// The file's address at the listing's commit, so that all ranges of it are of one version.
    pub(super) fn url(&self, listing: &Listing, path: &str) -> Result<String, HubError> {
        let repo = Repo::with_revision(listing.repo.clone(), RepoType::Model, listing.revision.clone());
        Ok(self.api()?.repo(repo).url(&percent_encoded(path)))
    }

    pub(super) fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// What an answer that is no success means, for a person.
    pub(super) fn refusal(&self, repo: &str, what: &str, response: &Response<Body>) -> Result<(), HubError> {
        let status = response.status();
        if status.is_success() || status.is_redirection() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(());
        }
        let code =
            response.headers().get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default();
        let (repo, endpoint) = (repo.to_owned(), self.endpoint.clone());
        Err(match (status.as_u16(), code) {
            (401 | 403, "GatedRepo") if self.token.is_none() => HubError::Gated { repo, endpoint },
            (401 | 404, "RepoNotFound") if self.token.is_none() => HubError::NoneOrPrivate { repo },
            (401 | 403, _) if self.token.is_some() => HubError::TokenRefused { repo, endpoint },
            (403, _) => HubError::Gated { repo, endpoint },
            (401, _) => HubError::NoneOrPrivate { repo },
            (404, _) if what == repo => HubError::NoRepo { repo, endpoint },
            (status, _) => HubError::Status { endpoint, what: what.to_owned(), status },
        })
    }

    pub(super) fn unreachable(&self, reason: &ureq::Error) -> HubError {
        let reason = match reason {
            // `Io` would print "io: " before the system's own words.
            ureq::Error::Io(reason) => reason.to_string(),
            ureq::Error::HostNotFound => "the host name is not known".into(),
            other => other.to_string(),
        };
        HubError::Unreachable { endpoint: self.endpoint.clone(), reason }
    }

    fn not_understood(&self, what: &str, reason: &dyn std::fmt::Display) -> HubError {
        HubError::Answer { endpoint: self.endpoint.clone(), what: what.into(), reason: reason.to_string() }
    }

    fn api(&self) -> Result<Api, HubError> {
        // The cache folder is only where hf-hub would look for a token; ours is already known.
        let builder = ApiBuilder::from_cache(Cache::new("/nonexistent/hub".into()))
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false);
        builder.build().map_err(|err| self.not_understood("its address", &err))
    }
}

/// A client that gives up on silence, never unpacks (ranges count packed bytes), and shows statuses as they are.
pub(super) fn agent(max_redirects: u32) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .accept_encoding("identity")
        .max_redirects(max_redirects)
        .redirect_auth_headers(ureq::config::RedirectAuthHeaders::SameHost)
        .timeout_connect(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .user_agent(concat!("chela/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn remote_file(sibling: Sibling) -> RemoteFile {
    let lfs = sibling.lfs.unwrap_or(Lfs { sha256: None, size: None });
    RemoteFile {
        path: sibling.rfilename,
        size: lfs.size.or(sibling.size),
        sha256: lfs.sha256.map(|hash| hash.to_ascii_lowercase()).filter(|hash| is_sha256(hash)),
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Paths in repositories may hold spaces and other characters that an address may not.
fn percent_encoded(path: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    path.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
