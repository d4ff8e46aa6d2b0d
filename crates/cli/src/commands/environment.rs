//! `ps`, `down`, `gc` and `mark`.

use reenact_environment::Registry;
use reenact_model::{Class, Dsn, Error, Kind, Result};

use crate::args::{Down, Gc, Mark};
use crate::render;

/// `ps`.
pub(crate) fn ps(json: bool) -> Result<u8> {
    let leases = Registry::open()?.list()?;
    if json {
        let list: Vec<_> = leases
            .iter()
            .map(|l| serde_json::json!({ "id": l.id, "provider": l.provider, "kept": l.kept, "owner_alive": l.owner_alive }))
            .collect();
        render::json(&serde_json::json!({ "format": "reenact/ps", "format_version": "1.0", "environments": list }));
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = leases
        .iter()
        .map(|l| {
            let state = if l.kept {
                "kept"
            } else if l.owner_alive {
                "in use"
            } else {
                "left behind"
            };
            let services: Vec<String> = l.endpoints.iter().map(|(name, p)| format!("{name} ({})", p.kind)).collect();
            vec![l.id.clone(), state.to_owned(), services.join(", ")]
        })
        .collect();
    render::out(&render::table(&["id", "state", "services"], &rows));
    Ok(0)
}

/// `down`.
pub(crate) async fn down(args: &Down) -> Result<u8> {
    let registry = Registry::open()?;
    let Some(id) = &args.id else {
        let ids = registry.down_all().await?;
        render::line(&format!("took {} environments down", ids.len()));
        return Ok(0);
    };
    if !registry.list()?.iter().any(|l| l.id == *id) {
        return Err(Error::new(Class::Input, format!("there is no environment `{id}`")).help("`reenact ps` lists them"));
    }
    registry.down(id).await?;
    render::line(&format!("took {id} down"));
    Ok(0)
}

/// `gc`.
pub(crate) async fn gc(args: &Gc) -> Result<u8> {
    let ids = Registry::open()?.gc().await?;
    let garbage = reenact_bundle::Directory::garbage(&args.folder);
    for folder in &garbage {
        std::fs::remove_dir_all(folder).map_err(|e| {
            Error::new(
                Class::Cleanup,
                format!("`{}` can't be removed: {}", folder.display(), reenact_model::error::refused(&e)),
            )
        })?;
    }
    render::line(&format!("removed {} environments and {} unfinished bundles", ids.len(), garbage.len()));
    Ok(0)
}

/// `mark`.
pub(crate) async fn mark(args: &Mark) -> Result<u8> {
    let url = std::env::var(&args.url_env)
        .map_err(|_| Error::new(Class::Input, format!("the variable `{}` is not set", args.url_env)))?;
    let kind = Kind::of_scheme(Dsn::new(url.as_str()).scheme()).or(are_servers(&url).then_some(Kind::Kafka));
    let kind = kind.ok_or_else(|| {
        Error::new(Class::Input, "the URL's scheme names no store")
            .help("write postgres://, mysql://, sqlite://, redis:// or kafka://; for Kafka, host:port will do")
    })?;
    let dsn = address(&url, kind);
    let store = reenact_stores::store(kind)
        .ok_or_else(|| Error::new(Class::Input, format!("this build has no store of kind `{kind}`")))?;
    store.mark(&dsn).await?;
    render::line(&format!("{dsn} may now be overwritten by a replay"));
    Ok(0)
}

/// Where a store of a kind is, as a user says it: by a URL, or for Kafka, whose clients know none, by `host:port` alone.
pub(crate) fn address(text: &str, kind: Kind) -> Dsn {
    let bare = kind == Kind::Kafka && !text.contains("://");
    Dsn::new(if bare { format!("kafka://{text}") } else { text.to_owned() })
}

/// Whether a text is a list of servers as Kafka's clients take it: `host:port,host:port`.
fn are_servers(text: &str) -> bool {
    let plain = |host: &str| {
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let bracketed = name.len() < host.len();
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c) || (bracketed && c == ':'))
    };
    text.split(',').all(|server| {
        server
            .rsplit_once(':')
            .is_some_and(|(host, port)| plain(host) && port.parse::<u16>().is_ok_and(|port| port > 0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_kafka_are_told_from_other_texts() {
        for servers in ["127.0.0.1:9092", "kafka-1.internal:9092,kafka-2.internal:9093", "[::1]:9092"] {
            assert!(are_servers(servers), "{servers}");
        }
        for other in ["", "host", "host:", ":9092", "host:0", "host:70000", "a:1,", "u:p@h:1", "h:1/x", "::1:9092"] {
            assert!(!are_servers(other), "{other}");
        }
    }

    #[test]
    fn kafka_needs_no_scheme_and_every_other_kind_does() {
        for text in ["h:1,i:2", "kafka://h:1,i:2"] {
            assert_eq!(address(text, Kind::Kafka).expose(), "kafka://h:1,i:2");
        }
        assert_eq!(address("kafka:9092", Kind::Kafka).expose(), "kafka://kafka:9092");
        assert_eq!(address("http://h:1", Kind::Kafka).expose(), "http://h:1");
        assert_eq!(address("h:1", Kind::Redis).expose(), "h:1");
    }
}
