//! Connection URLs whose credentials never print.
//!
//! Hidden here: how a URL is shown. `Display` and `Debug` redact the password and every query value; only
//! [`Dsn::expose`] gives the URL itself, to a driver.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalog::Kind;
use crate::error::{Class, Error, Result};

/// A connection URL, such as `postgres://user:secret@host/db`, `sqlite:///path`, `redis://…`, `kafka://host:port`.
///
/// ```
/// let dsn = reenact_model::Dsn::new("postgres://ann:hunter2@db.example/shop?sslkey=k");
/// assert_eq!(format!("{dsn} {dsn:?}"), "postgres://ann:***@db.example/shop?*** postgres://ann:***@db.example/shop?***");
/// let kafka = reenact_model::Dsn::new("kafka://k1:9092,k2:9092?sasl.password=hunter2");
/// assert_eq!((kafka.to_string(), kafka.place()), ("kafka://k1:9092,k2:9092?***".into(), "k1:9092,k2:9092".into()));
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dsn(String);

impl Dsn {
    /// Takes a URL as it is; it is parsed by the store that opens it.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL itself, credentials included: for a driver, or for the environment of a child process.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part before `:`, such as `postgres`.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// Checks that a service of a kind can have this URL, by its scheme alone.
    ///
    /// ```
    /// # use reenact_model::{Dsn, Kind};
    /// let error = Dsn::new("postgres://ann:hunter2@h/d").check(Kind::Sqlite).unwrap_err();
    /// assert_eq!(error.message(), "the URL begins with `postgres:`, which is no URL of a sqlite service");
    /// ```
    ///
    /// # Errors
    /// [`Class::Input`] if the scheme is another kind's, or none at all.
    pub fn check(&self, kind: Kind) -> Result<()> {
        if kind.schemes().contains(&self.scheme()) {
            return Ok(());
        }
        // A scheme that nobody knows may be a part of a password.
        let message = match Kind::of_scheme(self.scheme()) {
            Some(_) => format!("the URL begins with `{}:`, which is no URL of a {kind} service", self.scheme()),
            None => format!("the URL is none of a {kind} service"),
        };
        Err(Error::new(Class::Input, message).help(format!("write `{}`, or name another kind", kind.example())))
    }

    /// Kafka's servers, of which there may be several where a URL has one host; and whether parameters follow.
    fn servers(&self) -> Option<(&str, bool)> {
        let text = self.0.strip_prefix("kafka://")?;
        let (servers, parameters) = text.split_once('?').map_or((text, false), |(servers, _)| (servers, true));
        let servers = servers.trim_end_matches('/');
        // Anything else may be a user and a password.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:,[]".contains(c);
        (!servers.is_empty() && servers.chars().all(plain)).then_some((servers, parameters))
    }

    /// `host:port`, or the path of a file, without credentials and parameters: enough to say which server is meant.
    pub fn place(&self) -> String {
        if let Some((servers, _)) = self.servers() {
            return servers.to_owned();
        }
        match url::Url::parse(&self.0) {
            Ok(url) => match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                _ => url.path().to_owned(),
            },
            Err(_) => "(unparsable url)".to_owned(),
        }
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((servers, parameters)) = self.servers() {
            return write!(f, "kafka://{servers}{}", if parameters { "?***" } else { "" });
        }
        match url::Url::parse(&self.0) {
            Ok(mut url) => {
                if url.password().is_some() && url.set_password(Some("***")).is_err() {
                    return f.write_str("(url)");
                }
                if url.query().is_some() {
                    url.set_query(Some("***"));
                }
                write!(f, "{url}")
            }
            Err(_) => f.write_str("(unparsable url)"),
        }
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
