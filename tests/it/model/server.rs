//! A hub on the loopback: the few routes that a pull uses, every request noted, faults on demand.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

/// The commit that `main` points to.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong with one answer that carries file content; the first of the queue meets the next answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// This many bytes of the body, then the connection closes.
    DropAfter(usize),
    /// The whole file with status 200, whatever was asked.
    IgnoreRange,
    Status(u16),
    ClaimLength(u64),
    /// The first byte of the body is flipped.
    FlipByte,
    /// A range that was not asked for.
    WrongRange,
}

/// How the repository's listing is answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Listing {
    Full,
    /// Names only, as some mirrors do.
    NamesOnly,
    Refused(u16, &'static str),
    Garbage,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
    /// Bytes of file content that were sent in answer.
    pub(crate) served: usize,
}

pub(crate) struct State {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) listing: Listing,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) requests: Vec<Request>,
    /// Whether file headers name the hash.
    pub(crate) etags: bool,
    stop: bool,
}

pub(crate) struct Server {
    pub(crate) endpoint: String,
    port: u16,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect(),
            listing: Listing::Full,
            faults: VecDeque::new(),
            requests: Vec::new(),
            etags: true,
            stop: false,
        }));
        let shared = Arc::clone(&state);
        let serve = move || {
            for stream in listener.incoming() {
                let mut state = shared.lock().unwrap();
                if state.stop {
                    return;
                }
                // A client that hangs up early is part of the test.
                let _ = answer(&mut state, &stream.unwrap(), port);
            }
        };
        let thread = std::thread::Builder::new().name("hub".into()).spawn(serve).unwrap();
        Self { endpoint: format!("http://127.0.0.1:{port}"), port, state, thread: Some(thread) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn fail_with(&self, faults: &[Fault]) {
        self.state().faults.extend(faults.iter().cloned());
    }

    /// Requests that were answered with file content, or were to be.
    pub(crate) fn downloads(&self) -> Vec<Request> {
        let state = self.state();
        state.requests.iter().filter(|request| request.path.starts_with("/cdn/")).cloned().collect()
    }

    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        self.downloads().into_iter().map(|request| request.range).collect()
    }

    pub(crate) fn served(&self) -> usize {
        self.downloads().iter().map(|request| request.served).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.lock() {
            state.stop = true;
        }
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap();
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn answer(state: &mut State, stream: &TcpStream, port: u16) -> std::io::Result<()> {
    let request = read_request(stream)?;
    let path = request.path.clone();
    let range = request.range.clone();
    let head_only = request.method == "HEAD";
    state.requests.push(request);
    let resolve = format!("/org/tiny-GGUF/resolve/{COMMIT}/");
    if path.starts_with("/api/models/org/tiny-GGUF") {
        return listing(state, stream);
    }
    if let Some(file) = path.strip_prefix(&resolve) {
        let Some((name, bytes)) = state.files.iter().find(|(name, _)| name == file) else {
            return head(stream, "404 Not Found", &[("Content-Length", "0")]);
        };
        // Another host name, as with the real hub's content network.
        let location = format!("http://localhost:{port}/cdn/{name}");
        let etag = if state.etags { format!("\"{}\"", sha256(bytes)) } else { "\"opaque\"".into() };
        let size = bytes.len().to_string();
        let headers = [
            ("Location", location.as_str()),
            ("X-Linked-Etag", &etag),
            ("X-Linked-Size", &size),
            ("X-Repo-Commit", COMMIT),
            ("Content-Length", "0"),
        ];
        return head(stream, "302 Found", &headers);
    }
    match path.strip_prefix("/cdn/") {
        Some(file) if !head_only => content(state, stream, file, range.as_deref()),
        _ => head(stream, "404 Not Found", &[("Content-Length", "0"), ("X-Error-Code", "RepoNotFound")]),
    }
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default().into(), words.next().unwrap_or_default().into());
    let mut request =
        Request { method, path, host: String::new(), range: None, authorization: None, served: 0 };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "range" => request.range = Some(value.into()),
            "authorization" => request.authorization = Some(value.into()),
            "host" => request.host = value.into(),
            _ => {}
        }
    }
    Ok(request)
}

fn listing(state: &State, mut stream: &TcpStream) -> std::io::Result<()> {
    let sibling = |(name, bytes): &(String, Vec<u8>)| match state.listing {
        Listing::NamesOnly => serde_json::json!({ "rfilename": name }),
        _ => serde_json::json!({
            "rfilename": name,
            "size": bytes.len(),
            "lfs": { "sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 133 },
        }),
    };
    let body = match state.listing {
        Listing::Refused(status, code) => {
            let length = ("Content-Length", "0");
            return head(stream, &format!("{status} Refused"), &[("X-Error-Code", code), length]);
        }
        Listing::Garbage => "<html>a captive portal</html>".into(),
        _ => {
            let siblings: Vec<_> = state.files.iter().map(sibling).collect();
            serde_json::json!({ "id": "org/tiny-GGUF", "sha": COMMIT, "siblings": siblings }).to_string()
        }
    };
    head(
        stream,
        "200 OK",
        &[("Content-Type", "application/json"), ("Content-Length", &body.len().to_string())],
    )?;
    stream.write_all(body.as_bytes())
}

fn content(
    state: &mut State,
    mut stream: &TcpStream,
    file: &str,
    range: Option<&str>,
) -> std::io::Result<()> {
    let mut bytes =
        state.files.iter().find(|(name, _)| name == file).map(|(_, bytes)| bytes.clone()).unwrap();
    let fault = state.faults.pop_front();
    if let Some(Fault::Status(status)) = fault {
        return head(stream, &format!("{status} Sorry"), &[("Content-Length", "0")]);
    }
    let total = bytes.len();
    let from = range.map(|range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
    let from: Option<usize> = from.filter(|_| fault != Some(Fault::IgnoreRange));
    if fault == Some(Fault::FlipByte) {
        bytes[from.unwrap_or(0)] ^= 0xff;
    }
    let body = bytes.split_off(from.unwrap_or(0));
    let shown = from.map(|from| if fault == Some(Fault::WrongRange) { from + 7 } else { from });
    let length = match fault {
        Some(Fault::ClaimLength(length)) => length.to_string(),
        _ => body.len().to_string(),
    };
    match shown {
        Some(from) => {
            let range = format!("bytes {from}-{}/{total}", total - 1);
            head(stream, "206 Partial Content", &[("Content-Range", &range), ("Content-Length", &length)])?;
        }
        None => head(stream, "200 OK", &[("Content-Length", &length)])?,
    }
    let n = if let Some(Fault::DropAfter(n)) = fault { n } else { body.len() };
    state.requests.last_mut().unwrap().served = n;
    stream.write_all(&body[..n])?;
    stream.shutdown(Shutdown::Write)
}

fn head(mut stream: &TcpStream, status: &str, headers: &[(&str, &str)]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())
}
