//! Names and secrets that a lease makes up.
//!
//! Hidden here: which database name a service's name becomes, and where randomness comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use reenact_model::{Class, Error, Result};

use crate::lease::WantedService;

/// Names that a server keeps for itself, as databases or as roles.
const RESERVED: [&str; 12] = [
    "postgres",
    "template0",
    "template1",
    "mysql",
    "sys",
    "test",
    "performance_schema",
    "information_schema",
    "public",
    "none",
    "root",
    "mariadb",
];

/// The longest name: MySQL allows 32 characters for an account.
const LONGEST: usize = 28;

/// `bytes` random bytes as hexadecimal digits.
pub(crate) fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer)
        .map_err(|error| Error::new(Class::Unexpected, format!("the system gives no random bytes: {error}")))?;
    Ok(hex::encode(buffer))
}

/// A database name per service, of lower-case letters, digits and `_`, which is also its account's name.
pub(crate) fn databases<'a>(services: impl IntoIterator<Item = &'a WantedService>) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for service in services {
        let base = database(&service.name);
        let mut name = base.clone();
        let mut count = 2;
        while !taken.insert(name.clone()) {
            name = format!("{base}_{count}");
            count += 1;
        }
        names.insert(service.name.clone(), name);
    }
    names
}

fn database(service: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = service.chars().take(LONGEST - 2).map(plain).collect();
    let awkward = name.starts_with(|c: char| !c.is_ascii_lowercase()) || name.starts_with("pg_");
    if awkward || RESERVED.contains(&name.as_str()) { format!("s_{name}") } else { name }
}

/// A `sqlite:` URL of an absolute path.
pub(crate) fn sqlite_url(path: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            // Writing into a string can't fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use reenact_model::Kind;

    use super::*;

    #[test]
    fn database_names_are_plain_and_differ() {
        let services = ["orders", "Orders", "or-ders", "or_ders", "postgres", "pg_x", "7up", "ö"]
            .map(|name| WantedService::new(name, Kind::Postgres));
        let names = databases(&services);
        assert_eq!(names["orders"], "orders");
        assert_eq!(names["Orders"], "orders_2");
        assert_eq!(names["or-ders"], "or_ders");
        assert_eq!(names["or_ders"], "or_ders_2");
        assert_eq!(names["postgres"], "s_postgres");
        assert_eq!(names["pg_x"], "s_pg_x");
        assert_eq!(names["7up"], "s_7up");
        assert_eq!(names["ö"], "s__");
    }

    #[test]
    fn long_names_fit_a_mysql_account() {
        let services =
            [WantedService::new("a".repeat(90), Kind::Mysql), WantedService::new("a".repeat(91), Kind::Mysql)];
        let names = databases(&services);
        assert!(names.values().all(|name| name.len() <= 32));
        assert_ne!(names.values().next(), names.values().nth(1));
    }

    #[test]
    fn a_path_becomes_a_url_that_parses_back() {
        assert_eq!(sqlite_url(Path::new("/tmp/a b/c?.db")), "sqlite:///tmp/a%20b/c%3F.db");
    }
}
