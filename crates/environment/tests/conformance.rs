//! One suite for every provider, on real servers. A missing server fails it and says what to install.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use common::{NAME, Sandbox, all_arguments, lets_in, names_in, password, processes_with, write_and_read};
use reenact_environment::{Embedded, Endpoint, External, Lease, Process, Provider, Registry, Wanted, WantedService};
use reenact_model::{Class, Dsn, Kind};

fn five_kinds() -> Wanted {
    Wanted::new([
        ("orders", Kind::Postgres),
        ("billing", Kind::Mysql),
        ("ledger", Kind::Sqlite),
        ("cart", Kind::Redis),
        ("events", Kind::Kafka),
    ])
}

/// Whose the servers of a provider are.
#[derive(Clone, Copy, PartialEq)]
enum Servers {
    /// The provider makes them, and takes them away.
    Made,
    /// Somebody gives them, and keeps them.
    Given,
}

/// What holds of every provider. Two are given for those that always answer with the same servers.
async fn conforms([one, two]: [&dyn Provider; 2], wanted: &Wanted, sandbox: &Sandbox, servers: Servers) {
    let registry = sandbox.registry();
    let before = registry.list().unwrap().len();
    refuses_nonsense(one).await;
    assert_eq!(registry.list().unwrap().len(), before, "something was made for what was refused");

    let (first, second) = tokio::join!(one.lease(wanted), two.lease(wanted));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.id, second.id);
    for (name, endpoint) in &first.endpoints {
        write_and_read(endpoint.kind, &endpoint.dsn).await;
        let other = &second.endpoints[name];
        assert!(!names_in(other.kind, &other.dsn).await.contains(NAME), "`{name}` of one lease shows in another");
        assert_ne!(endpoint.dsn, other.dsn);
        refuses_strangers(endpoint, &other.dsn).await;
    }
    for lease in [&first, &second] {
        let kinds = wanted.services.iter().map(|service| (service.name.clone(), service.kind)).collect();
        let given: BTreeMap<_, _> = lease.endpoints.iter().map(|(name, e)| (name.clone(), e.kind)).collect();
        assert_eq!(given, kinds);
        kept_secret(lease, sandbox);
    }
    if servers == Servers::Made {
        registered(one, [&first, &second], &registry);
    }
    assert_eq!(registry.gc().await.unwrap(), Vec::<String>::new(), "a lease of a living owner was collected");

    one.release(&first).await.unwrap();
    one.release(&first).await.unwrap();
    assert!(!first.dir.exists());
    assert_eq!(processes_with(&first.id), Vec::<String>::new());
    for (name, endpoint) in &second.endpoints {
        write_and_read(endpoint.kind, &endpoint.dsn).await;
        assert!(names_in(endpoint.kind, &endpoint.dsn).await.contains(NAME) || endpoint.kind == Kind::Memory, "{name}");
    }
    two.release(&second).await.unwrap();
    assert_eq!(registry.list().unwrap().len(), before, "a lease stays registered after its release");
    if servers == Servers::Made {
        sandbox.assert_empty("after the release");
    }
}

/// Nothing is made for a service without a name, or one that is wanted twice.
async fn refuses_nonsense(provider: &dyn Provider) {
    let twice = Wanted::new([("ledger", Kind::Sqlite), ("ledger", Kind::Sqlite)]);
    for wanted in [twice, Wanted::new([("", Kind::Sqlite)])] {
        let error = provider.lease(&wanted).await.unwrap_err();
        assert_eq!(error.class(), Class::Input, "{error}");
    }
}

/// Leases that a provider made stand in the register, and can be loaded from it.
fn registered(provider: &dyn Provider, leases: [&Lease; 2], registry: &Registry) {
    for lease in leases {
        assert_eq!(&registry.load(&lease.id).unwrap(), lease);
    }
    let listed = registry.list().unwrap();
    assert_eq!(listed.len(), 2);
    for info in &listed {
        assert!(info.owner_alive && !info.kept);
        assert_eq!(info.provider, provider.name());
        assert_eq!(info.endpoints.len(), leases[0].endpoints.len());
    }
}

/// A service with credentials refuses none, wrong ones and those of another lease.
async fn refuses_strangers(endpoint: &Endpoint, other: &Dsn) {
    let Some(secret) = password(&endpoint.dsn) else {
        assert!(matches!(endpoint.kind, Kind::Sqlite | Kind::Kafka | Kind::Memory));
        return;
    };
    let url = endpoint.dsn.expose();
    assert!(lets_in(endpoint.kind, url).await);
    for stranger in [String::new(), "wrong".to_owned(), password(other).unwrap()] {
        let url = url.replace(&secret, &stranger);
        assert!(!lets_in(endpoint.kind, &url).await, "`{}` lets a stranger in", endpoint.kind);
    }
}

/// Folders are closed, and no password is in the register, in arguments or in a log.
fn kept_secret(lease: &Lease, sandbox: &Sandbox) {
    let mut text = sandbox.records() + &all_arguments() + &format!("{lease:?}");
    // Whoever makes nothing has no folder.
    if !lease.dir.as_os_str().is_empty() {
        text += &closed_files(&lease.dir);
    }
    for secret in lease.endpoints.values().filter_map(|endpoint| password(&endpoint.dsn)) {
        assert!(!text.contains(&secret), "a password stands in the open");
    }
}

/// What stands in the files of a lease's folders, which must be closed.
fn closed_files(dir: &std::path::Path) -> String {
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir), 0o700);
    assert_eq!(mode(&dir.join("lease.json")), 0o600);
    let mut text = String::new();
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            for file in std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file())
            {
                text += &String::from_utf8_lossy(&std::fs::read(file).unwrap());
            }
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn process_conforms() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    conforms([&provider, &provider], &five_kinds(), &sandbox, Servers::Made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_conforms() {
    let sandbox = Sandbox::new();
    let provider = Embedded::new(sandbox.registry()).base(sandbox.base.path());
    let mut wanted = Wanted::new([("ledger", Kind::Sqlite), ("cart", Kind::Redis), ("note", Kind::Memory)]);
    wanted
        .services
        .push(WantedService { topics: vec![("orders".into(), 3)], ..WantedService::new("events", Kind::Kafka) });
    conforms([&provider, &provider], &wanted, &sandbox, Servers::Made).await;

    let lease = provider.lease(&wanted).await.unwrap();
    let topics = names_in(Kind::Kafka, lease.dsn("events").unwrap()).await;
    assert_eq!(topics.into_iter().collect::<Vec<_>>(), ["orders"]);
    assert_eq!(lease.open, ["kafka service `events`: no authentication, loopback only"]);
    provider.release(&lease).await.unwrap();

    let provider = provider.search_path(Vec::new());
    let lease = provider.lease(&Wanted::new([("cart", Kind::Redis)])).await.unwrap();
    assert_eq!(lease.endpoints["cart"].kind, Kind::Memory);
    provider.release(&lease).await.unwrap();
    sandbox.assert_empty("after the release");
}

#[tokio::test(flavor = "multi_thread")]
async fn external_conforms_over_servers_of_process_leases() {
    let sandbox = Sandbox::new();
    let process = Process::new(sandbox.registry()).base(sandbox.base.path());
    let began = Instant::now();
    let wanted = five_kinds();
    let (first, second) = tokio::join!(process.lease(&wanted), process.lease(&wanted));
    let owned = [first.unwrap(), second.unwrap()];
    assert!(began.elapsed().as_secs() < 60);
    assert_eq!(owned[0].open, ["kafka service `events`: no authentication, loopback only"]);
    assert!(owned[0].admins.is_empty());

    let [one, two] = owned.each_ref().map(|lease| External::new(lease.endpoints.clone()));
    conforms([&one, &two], &wanted, &sandbox, Servers::Given).await;

    // What only this one promises: it makes nothing, and leaves alone what it was given.
    let lease = one.lease(&wanted).await.unwrap();
    assert_eq!(lease.endpoints, owned[0].endpoints);
    assert!(lease.dir.as_os_str().is_empty());
    one.release(&lease).await.unwrap();
    for (name, endpoint) in &owned[0].endpoints {
        assert!(names_in(endpoint.kind, &endpoint.dsn).await.contains(NAME), "`{name}` lost what was written");
    }
    for lease in &owned {
        process.release(lease).await.unwrap();
    }
    sandbox.assert_empty("after the release");
}

#[tokio::test]
async fn external_refuses_what_it_was_not_given() {
    let endpoint = |kind, url: &str| Endpoint { kind, dsn: Dsn::new(url) };
    let external = External::new(BTreeMap::from([
        ("orders".to_owned(), endpoint(Kind::Postgres, "postgres://u:secret@h/db")),
        ("cart".to_owned(), endpoint(Kind::Redis, "http://h/")),
    ]));
    for (wanted, message) in [
        (("events", Kind::Kafka), "events: no URL is given for the service"),
        (("orders", Kind::Mysql), "orders: the URL given is of a `postgres` service, wanted is `mysql`"),
        (("cart", Kind::Redis), "cart: a `redis` URL does not begin with `http:`"),
    ] {
        let error = external.lease(&Wanted::new([wanted])).await.unwrap_err();
        assert_eq!(error.class(), Class::Input);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[tokio::test]
async fn what_no_provider_can_make_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let process = Process::new(sandbox.registry()).base(sandbox.base.path());
    let embedded = Embedded::new(sandbox.registry()).base(sandbox.base.path());
    let cases: [(&dyn Provider, &Wanted); 3] = [
        (&process, &Wanted::new([("m", Kind::Memory)])),
        (&embedded, &Wanted::new([("p", Kind::Postgres)])),
        (&embedded, &Wanted::new([("m", Kind::Mysql)])),
    ];
    for (provider, wanted) in cases {
        let error = provider.lease(wanted).await.unwrap_err();
        assert_eq!(error.class(), Class::Input, "{error}");
    }
    sandbox.assert_empty("after refusals");
}
