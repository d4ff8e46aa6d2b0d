//! `policy serve`: the page, live, for the browser of whoever started it.
//!
//! Hidden here: who may look. It listens on the loopback interface alone, at a port that the system chooses. The link that is printed
//! holds a token that serves once; it is exchanged for a cookie that scripts can't read and other sites can't send. Host and Origin are
//! compared with the address itself, so a name that a stranger points at this machine opens nothing. There is nothing to send: the page
//! holds no key, and approving happens in the terminal.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use reenact_mask::PolicyText;
use reenact_model::{Class, Error, Result};
use reenact_review::Schemas;
use reenact_review::page::content_policy;

use super::approvals;
use super::capture::load;
use super::policy::{revisions, schemas};
use super::report::Gathered;
use crate::args::{PolicyServe, ReportArgs};
use crate::render;

const COOKIE: &str = "reenact-review";

/// `policy serve`.
pub(crate) async fn serve(args: &PolicyServe) -> Result<u8> {
    let (pipeline, _) = load(&args.report.pipeline)?;
    // Schemas are asked for once: the page follows files, not servers.
    let schemas = schemas(&pipeline, &args.report.schemas).await?;
    Gathered::of(&args.report, schemas.clone())?;
    let failed = |error: std::io::Error| {
        Error::new(Class::Unexpected, format!("the page can't be served: {}", reenact_model::error::refused(&error)))
            .help("write it into a file with `reenact policy report -o report.html`")
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let desk = Arc::new(Desk {
        address,
        token: Mutex::new(Some(secret()?)),
        session: secret()?,
        args: args.report.clone(),
        schemas,
    });
    let token = desk.token.lock().ok().and_then(|token| token.clone()).unwrap_or_default();
    render::out(&format!("http://{address}/enter?token={token}"));
    render::line("the link opens once, in a browser on this machine; Ctrl-C ends this command");
    loop {
        let (stream, _) = listener.accept().await.map_err(failed)?;
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request: Request<Incoming>| {
                let answer = desk.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A connection that breaks concerns nobody else.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// 32 random bytes that nobody can guess.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| Error::new(Class::Unexpected, "the operating system gives no randomness"))?;
    Ok(hex::encode(bytes))
}

/// Whether two texts are equal, in a time that does not tell where they part.
fn same(given: &str, secret: &str) -> bool {
    given.len() == secret.len() && given.bytes().zip(secret.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

struct Desk {
    address: SocketAddr,
    /// Until it was used.
    token: Mutex<Option<String>>,
    session: String,
    args: ReportArgs,
    schemas: Schemas,
}

impl Desk {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let head = |name| request.headers().get_all(name).iter().map(HeaderValue::to_str).collect::<Vec<_>>();
        let host = self.address.to_string();
        if !matches!(head(header::HOST)[..], [Ok(given)] if given == host) {
            return plain(StatusCode::MISDIRECTED_REQUEST, "this address serves one host");
        }
        let own = format!("http://{host}");
        if head(header::ORIGIN).iter().any(|origin| !matches!(origin, Ok(origin) if *origin == own)) {
            return plain(StatusCode::FORBIDDEN, "another site asked");
        }
        if request.method() != Method::GET {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "there is nothing to send; approve in the terminal");
        }
        if request.uri().path() == "/enter" {
            return self.enter(request.uri().query().unwrap_or_default());
        }
        let cookies = head(header::COOKIE);
        let mut cookies = cookies.iter().flatten().flat_map(|cookies| cookies.split(';'));
        let known = cookies.any(|cookie| {
            cookie.trim().split_once('=').is_some_and(|(name, value)| name == COOKIE && same(value, &self.session))
        });
        if !known {
            return plain(StatusCode::FORBIDDEN, "open the link that the command printed");
        }
        match request.uri().path() {
            "/" => self.page(),
            "/version" => plain(StatusCode::OK, &self.version()),
            _ => plain(StatusCode::NOT_FOUND, "there is one page"),
        }
    }

    /// Exchanges the token, once.
    fn enter(&self, query: &str) -> Response<Full<Bytes>> {
        let given = query.strip_prefix("token=").unwrap_or_default();
        let Ok(mut token) = self.token.lock() else {
            return plain(StatusCode::FORBIDDEN, "no longer");
        };
        if !token.as_ref().is_some_and(|token| same(given, token)) {
            return plain(StatusCode::FORBIDDEN, "this link was used, or is another command's");
        }
        *token = None;
        let mut answer = plain(StatusCode::SEE_OTHER, "");
        let cookie = format!("{COOKIE}={}; HttpOnly; SameSite=Strict; Path=/", self.session);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
        answer
    }

    fn page(&self) -> Response<Full<Bytes>> {
        match Gathered::of(&self.args, self.schemas.clone()) {
            Ok(gathered) => {
                let mut answer = plain(StatusCode::OK, &gathered.page(true).html());
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                answer.headers_mut().insert(header::CONTENT_TYPE, html);
                if let Ok(policy) = HeaderValue::from_str(&format!("{}; frame-ancestors 'none'", content_policy(true)))
                {
                    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
                }
                answer
            }
            // A file that is being written reads a moment later.
            Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, error.message()),
        }
    }

    /// Another text as soon as a file of the page is another.
    fn version(&self) -> String {
        let mut all = String::new();
        let mut add = |path: &std::path::Path| all += &std::fs::read_to_string(path).unwrap_or_default();
        add(&self.args.pipeline);
        self.args.approval.iter().for_each(|path| add(path));
        // A bundle's manifest names every other byte of it by digest.
        self.args.bundle.iter().for_each(|path| add(&path.join("manifest.json")));
        if let Ok((pipeline, text)) = load(&self.args.pipeline) {
            approvals::beside(&pipeline).unwrap_or_default().iter().for_each(|path| add(path));
            all += &text.digest();
        }
        if let Some(approved) = &self.args.approved {
            all += &revisions(approved).map_or_else(|error| error.message().to_owned(), |text| text.digest());
        }
        PolicyText::from(&all).digest()
    }
}

/// A text that nothing keeps and nobody guesses a type for.
fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *answer.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
