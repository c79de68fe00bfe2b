//! A daemon for a test: the library's `run` in a thread, with the scripted engine, in a home of its own.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use chela::client::{ChatStream, Client, ClientError, Launcher};
use chela::config::{PathEnv, Paths, Settings};
use chela::daemon::wire::{ChatChunk, ChatRequest, ChelaAnswer, ChelaRequest};
use chela::daemon::{self, DaemonConfig, DaemonError, Loader, Outcome, ProcessRole, TcpEndpoint, TokenHash};
use chela::engine::scripted::Scripted;
use chela::engine::{Engine, EngineError};
use chela::store::{Reader, StoredTurn};
use chela::turn::{Message, Role, SessionId, Source, TurnId, TurnKind};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "the right token";

pub(crate) struct Served {
    pub(crate) paths: Paths,
    pub(crate) client: Client,
    pub(crate) tcp: SocketAddr,
    thread: JoinHandle<Result<Outcome, DaemonError>>,
    /// Removed with the test.
    pub(crate) home: TempDir,
}

/// A daemon with this engine.
pub(crate) fn serve(engine: Scripted) -> Served {
    serve_from(home(), loader_of(Arc::new(engine)))
}

pub(crate) fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn paths_in(home: &TempDir) -> Paths {
    let chela_home = Some(home.path().into());
    Paths::resolve(&PathEnv { chela_home, ..PathEnv::default() }).unwrap()
}

/// Loads the same engine whatever the name.
pub(crate) fn loader_of(engine: Arc<dyn Engine>) -> Loader {
    Box::new(move |_| Ok(Arc::clone(&engine)))
}

/// Loads by name; a name that is absent cannot be loaded.
pub(crate) fn loader_of_many(engines: Vec<Arc<dyn Engine>>) -> Loader {
    let by_name: Mutex<HashMap<String, Arc<dyn Engine>>> =
        Mutex::new(engines.into_iter().map(|engine| (engine.card().name.clone(), engine)).collect());
    Box::new(move |choice| {
        let found = by_name.lock().unwrap().get(&choice.name).cloned();
        let missing = || EngineError::Load { path: choice.name.clone(), reason: "no such file".into() };
        found.ok_or_else(missing)
    })
}

pub(crate) fn serve_from(home: TempDir, loader: Loader) -> Served {
    let config = config(paths_in(&home), loader);
    serve_with(home, config)
}

/// A daemon that is otherwise as `config` says.
pub(crate) fn serve_with(home: TempDir, config: DaemonConfig) -> Served {
    let paths = paths_in(&home);
    let (announce, announced) = mpsc::channel();
    let config = DaemonConfig {
        announce: Some(Box::new(move |listening| announce.send(listening.clone()).unwrap())),
        tcp: Some(TcpEndpoint { port: 0, token: TokenHash::of(TOKEN) }),
        ..config
    };
    let thread = Builder::new().name("daemon".into()).spawn(move || daemon::run(config)).unwrap();
    let listening = announced.recv().expect("the daemon starts");
    // A dead daemon is not to be replaced by another program here.
    let nobody = Launcher { program: "/nonexistent/chela".into(), args: Vec::new(), env: Vec::new() };
    let client = Client::connect_with(&paths, nobody).unwrap();
    Served { paths, client, tcp: listening.tcp.unwrap(), thread, home }
}

pub(crate) fn config(paths: Paths, loader: Loader) -> DaemonConfig {
    let mut settings = Settings::default();
    settings.model.name = "scripted".into();
    let trainer = chela::daemon::local_trainer();
    let course = chela::daemon::usual_course();
    DaemonConfig {
        paths,
        settings,
        loader,
        trainer,
        course,
        redactor: chela::redact::Redactor::new(&chela::redact::Secrets::default()),
        tcp: None,
        role: ProcessRole::Guest,
        announce: None,
    }
}

impl Served {
    /// Begins an answer in session `s` as a chat client would.
    pub(crate) fn chat(&self, text: &str) -> ChatStream {
        self.client.chat(&request(text)).unwrap()
    }

    /// Stops the daemon as a patient user would and returns what the ledger holds of a turn.
    pub(crate) fn stop_and_read(self, turn: TurnId) -> StoredTurn {
        let home = self.stop();
        Reader::open(&paths_in(&home).ledger()).unwrap().turn(turn).unwrap()
    }

    /// Stops the daemon and returns when its thread has ended.
    pub(crate) fn stop(self) -> TempDir {
        self.client.stop_within(LIMIT).unwrap();
        assert_eq!(self.thread.join().unwrap().unwrap(), Outcome::Stopped);
        assert!(!self.paths.socket().exists());
        self.home
    }

    /// One request as a foreign client sends it.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        self.raw("POST", path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Raw {
        self.raw("GET", path, &[], "")
    }

    pub(crate) fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Raw {
        let stream = UnixStream::connect(self.paths.socket()).unwrap();
        exchange(stream, &http(method, path, headers, body))
    }

    /// One request to the TCP endpoint.
    pub(crate) fn tcp_get(&self, path: &str, headers: &[(&str, &str)]) -> Raw {
        exchange(TcpStream::connect(self.tcp).unwrap(), &http("GET", path, headers, ""))
    }
}

/// An HTTP answer as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Raw {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|err| panic!("{err}: {}", self.body))
    }

    /// The sentence of OpenAI's error object.
    #[track_caller]
    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().expect("an error object").to_owned()
    }

    #[track_caller]
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().expect("an error code").to_owned()
    }
}

fn http(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn exchange(mut stream: impl Read + Write, request: &str) -> Raw {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw { status, head: head.to_lowercase(), body: unchunked(head, body) }
}

/// The body without the marks of chunked transfer.
fn unchunked(head: &str, body: &str) -> String {
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    whole
}

/// A chat client's request in session `s`.
pub(crate) fn request(text: &str) -> ChatRequest {
    ChatRequest {
        messages: vec![Message::new(Role::User, text)],
        chela: Some(ChelaRequest {
            session: SessionId("s".into()),
            parent: None,
            source: Source::Chat,
            kind: TurnKind::Main,
            cwd: Some("/here".into()),
            drop_oldest: false,
        }),
        ..ChatRequest::default()
    }
}

/// The next chunk of a stream that is expected to go on.
#[track_caller]
pub(crate) fn next(stream: &mut ChatStream) -> ChatChunk {
    stream.next().expect("the stream goes on").unwrap()
}

/// The first chunk's part about the turn.
#[track_caller]
pub(crate) fn opened(stream: &mut ChatStream) -> ChelaAnswer {
    let chunk = next(stream);
    assert_eq!(chunk.choices[0].delta.role.as_deref(), Some("assistant"));
    chunk.chela.expect("the first chunk names the turn")
}

/// The text of the next chunk.
#[track_caller]
pub(crate) fn text(stream: &mut ChatStream) -> String {
    next(stream).choices[0].delta.content.clone().expect("text")
}

/// Everything that is left of a stream.
pub(crate) fn rest(stream: ChatStream) -> (String, Vec<ChatChunk>, Option<ClientError>) {
    let (mut all, mut chunks) = (String::new(), Vec::new());
    for chunk in stream {
        match chunk {
            Err(err) => return (all, chunks, Some(err)),
            Ok(chunk) => {
                let text = chunk.choices.first().and_then(|choice| choice.delta.content.clone());
                all += &text.unwrap_or_default();
                chunks.push(chunk);
            }
        }
    }
    (all, chunks, None)
}

/// Returns when the condition holds; each look is a call to the daemon.
#[track_caller]
pub(crate) fn until(holds: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < LIMIT, "it never happened");
    }
}

/// Long enough for anything that is expected to happen on a busy machine; nothing waits for it in a good run.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Files below a folder whose bytes hold what is looked for.
pub(crate) fn files_that(dir: &Path, hold: &dyn Fn(&[u8]) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_that(&entry.path(), hold));
        } else if kind.is_file() && hold(&std::fs::read(entry.path()).unwrap()) {
            found.push(entry.path());
        }
    }
    found
}
