//! Where a store is reached, as texts that are equal for one place.
//!
//! Hidden here: what makes two addresses one. A host counts by the addresses that it resolves to, and by its name if that is
//! qualified (`redis` alone is another server in every network). What lies on this machine, such as a file or a port of the
//! loopback interface, is joined with the machine's own identity: a forwarded port is no place on another machine.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// How long resolving a name may take; whoever connects right afterwards will tell why it does not resolve.
const RESOLVE: Duration = Duration::from_secs(3);

/// The places of a port of a host; `rest` is what the port leads to, such as a database.
pub(crate) async fn of_host(host: &str, port: u16, rest: &str) -> Vec<String> {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let mut out = Vec::new();
    if host.contains('.') && host.parse::<IpAddr>().is_err() {
        out.push(format!("{host} {port} {rest}"));
    }
    let resolved = tokio::time::timeout(RESOLVE, tokio::net::lookup_host((host.as_str(), port))).await;
    for address in resolved.into_iter().flatten().flatten() {
        out.extend(of_ip(address.ip().to_canonical(), port, rest));
    }
    out.sort();
    out.dedup();
    out
}

fn of_ip(ip: IpAddr, port: u16, rest: &str) -> Vec<String> {
    let mut out = Vec::new();
    let everywhere = ip.is_loopback() || ip.is_unspecified();
    if !everywhere {
        out.push(format!("{ip} {port} {rest}"));
    }
    // Only an address of this machine can be bound. One port of it is one place, by whichever address.
    if everywhere || UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok() {
        out.extend(here(format!("{port} {rest}")));
    }
    out
}

/// The place of a file or of a socket, which need not be there yet.
pub(crate) fn of_file(path: &Path, rest: &str) -> Vec<String> {
    let whole = std::fs::canonicalize(path).ok().or_else(|| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(std::fs::canonicalize(folder).ok()?.join(path.file_name()?))
    });
    here(format!("{} {rest}", whole.as_deref().unwrap_or(path).display())).into_iter().collect()
}

/// Something on this machine; nothing if the machine can't be told from others.
fn here(what: impl Display) -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let id = read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id")).unwrap_or_default();
    // Machines that were made of one image may share their id, and containers do: the name tells them apart.
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).unwrap_or_default();
    let known = !id.is_empty() || !name.is_empty();
    known.then(|| format!("on {id} {name}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_of_this_machine_is_one_place_by_whichever_name() {
        let one = of_host("127.0.0.1", 6379, "0").await;
        assert_eq!(one.len(), 1);
        for other in ["localhost", "[::1]", "::ffff:127.0.0.1", "LOCALHOST."] {
            assert_eq!(of_host(other, 6379, "0").await, one, "{other}");
        }
        assert_ne!(of_host("127.0.0.1", 6380, "0").await, one);
        assert_ne!(of_host("127.0.0.1", 6379, "1").await, one);
        assert!(!one[0].contains("127.0.0.1"), "it would be the same on every machine");
    }

    #[tokio::test]
    async fn a_name_counts_if_it_is_qualified() {
        assert_eq!(of_host("db.shop.invalid", 5432, "d").await, ["db.shop.invalid 5432 d"]);
        assert_eq!(of_host("db-that-is-not-there", 5432, "d").await, Vec::<String>::new());
        assert_eq!(of_host("192.0.2.7", 5432, "d").await, ["192.0.2.7 5432 d"]);
    }

    #[test]
    fn a_file_is_one_place_by_whichever_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        let before = of_file(&path, "");
        std::fs::write(&path, "").expect("writes");
        std::os::unix::fs::symlink(&path, folder.path().join("b.db")).expect("links");
        assert_eq!(before.len(), 1);
        for other in ["a.db", "b.db", "./a.db"] {
            assert_eq!(of_file(&folder.path().join(other), ""), before, "{other}");
        }
        assert_ne!(of_file(&folder.path().join("c.db"), ""), before);
    }
}
