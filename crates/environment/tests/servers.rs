//! What is particular to single servers of the `process` provider.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use common::{Sandbox, lets_in, names_in, write_and_read};
use reenact_environment::{Process, Provider, Wanted};
use reenact_model::{Class, Dsn, Kind};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

#[tokio::test]
async fn a_missing_program_is_told_with_the_package_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path()).search_path(Vec::new());
    for (kind, package) in [
        (Kind::Postgres, "`postgresql`"),
        (Kind::Mysql, "`mariadb-server`"),
        (Kind::Redis, "`redis-server`"),
        (Kind::Kafka, "`openjdk-17-jre-headless`"),
    ] {
        let error = provider.lease(&Wanted::new([("s", kind)])).await.unwrap_err();
        assert_eq!(error.class(), Class::Unreachable);
        assert!(error.help_text().is_some_and(|help| help.contains(package)), "{error}");
    }
    sandbox.assert_empty("after failures");
}

#[tokio::test]
async fn missing_jars_without_maven_are_told_with_both_remedies() {
    let sandbox = Sandbox::new();
    let java_only = sandbox.state().join("bin");
    std::fs::create_dir(&java_only).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let mut java = std::env::split_paths(&path).map(|folder| folder.join("java"));
    let java = java.find(|java| java.exists()).expect("install `openjdk-17-jre-headless`");
    std::os::unix::fs::symlink(java, java_only.join("java")).unwrap();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    let provider = provider.search_path(vec![java_only]).cache(sandbox.state().join("cache"));
    let error = provider.lease(&Wanted::new([("events", Kind::Kafka)])).await.unwrap_err();
    let help = error.help_text().unwrap_or_default();
    assert!(help.contains("`maven`") && help.contains("`REENACT_KAFKA_JARS`"), "{error}");
    assert_eq!(error.class(), Class::Unreachable);
    sandbox.assert_empty("after a failure");
}

#[tokio::test]
async fn a_full_folder_is_told_as_such_and_by_its_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let open = std::fs::Permissions::from_mode(0o755);
    let programs = tempfile::Builder::new().prefix("programs-").permissions(open.clone()).tempdir().unwrap();
    // What the installer says on a full disk, before it removes what it wrote.
    let said = "ERROR: Error writing file './mysql/db.MAI' (Errcode: 28 \\\"No space left on device\\\")";
    for program in ["mariadbd", "mariadb-install-db"] {
        let path = programs.path().join(program);
        std::fs::write(&path, format!("#!/bin/sh\necho \"{said}\" >&2\nexit 1\n")).unwrap();
        std::fs::set_permissions(path, open.clone()).unwrap();
    }
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    let provider = provider.search_path(vec![programs.path().to_owned()]);
    let error = provider.lease(&Wanted::new([("billing", Kind::Mysql)])).await.unwrap_err();
    assert_eq!(error.class(), Class::Write, "{error}");
    let base = sandbox.base.path().display().to_string();
    assert!(error.message().starts_with("no space is left in `") && error.message().contains(&base), "{error}");
    assert!(!error.message().contains("Errcode"), "{error}");
    assert!(error.help_text().is_some_and(|help| help.contains("`TMPDIR`")), "{error}");
    sandbox.assert_empty("after a failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failing_server_takes_the_whole_lease_down_and_tells_why() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    let provider = provider.setting(Kind::Postgres, "no_such_setting", "1");
    let wanted = Wanted::new([("orders", Kind::Postgres), ("cart", Kind::Redis), ("billing", Kind::Mysql)]);
    let error = provider.lease(&wanted).await.unwrap_err();
    assert_eq!(error.class(), Class::Unreachable);
    assert!(error.message().contains("no_such_setting"), "{error}");
    assert!(error.message().len() < 1200, "{error}");
    sandbox.assert_empty("after a failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_of_one_kind_are_closed_to_each_other() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    let wanted = Wanted::new([
        ("orders", Kind::Postgres),
        ("customers", Kind::Postgres),
        ("billing", Kind::Mysql),
        ("stock-a", Kind::Mysql),
        ("cart", Kind::Redis),
        ("session", Kind::Redis),
    ]);
    let lease = provider.lease(&wanted).await.unwrap();
    for (one, other) in [("orders", "customers"), ("billing", "stock-a"), ("cart", "session")] {
        let (kind, dsn) = (lease.endpoints[one].kind, lease.dsn(one).unwrap());
        write_and_read(kind, dsn).await;
        assert!(!names_in(kind, lease.dsn(other).unwrap()).await.contains(common::NAME));
        if kind != Kind::Redis {
            let database = |dsn: &Dsn| dsn.expose().rsplit_once('/').unwrap().1.to_owned();
            let url = dsn
                .expose()
                .replace(&format!("/{}", database(dsn)), &format!("/{}", database(lease.dsn(other).unwrap())));
            assert!(!lets_in(kind, &url).await, "`{one}` may enter `{other}`");
        }
    }
    provider.release(&lease).await.unwrap();
    sandbox.assert_empty("after the release");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_a_redis_server_is_one_that_its_own_client_takes() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("cart", Kind::Redis)])).await.unwrap();
    let url = lease.dsn("cart").unwrap().expose().to_owned();
    assert!(url.starts_with("redis://default:"), "a URL without the account's name");
    // It comes with the server's package, under the server's own name.
    let client = ["redis-cli", "valkey-cli"]
        .into_iter()
        .find_map(|program| std::process::Command::new(program).args(["-u", &url, "PING"]).output().ok());
    let client = client.expect("install the Debian package `redis-tools` (or `valkey-tools`)");
    assert_eq!(String::from_utf8_lossy(&client.stdout).trim(), "PONG");
    provider.release(&lease).await.unwrap();
    sandbox.assert_empty("after the release");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_of_a_fresh_installation_are_gone() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path());
    let wanted = Wanted::new([("orders", Kind::Postgres), ("billing", Kind::Mysql)]);
    let lease = provider.lease(&wanted).await.unwrap();
    let place = |service: &str| lease.dsn(service).unwrap().place();
    for user in ["root", "mysql", ""] {
        assert!(
            !lets_in(Kind::Mysql, &format!("mysql://{user}@{}/mysql", place("billing"))).await,
            "`{user}` over TCP"
        );
        let socket = MySqlConnectOptions::new().socket(lease.dir.join("mysql/s")).username(user);
        assert!(socket.connect().await.is_err(), "`{user}` over the socket");
    }
    for user in ["postgres", "reenact_admin"] {
        assert!(!lets_in(Kind::Postgres, &format!("postgres://{user}@{}/postgres", place("orders"))).await);
    }
    let mut postgres = sqlx::PgConnection::connect(lease.dsn("orders").unwrap().expose()).await.unwrap();
    let powerful: bool = sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut postgres)
        .await
        .unwrap();
    assert!(!powerful);
    provider.release(&lease).await.unwrap();
    sandbox.assert_empty("after the release");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_may_ask_for_administrators_and_settings() {
    let sandbox = Sandbox::new();
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path()).with_admins();
    let provider = provider
        .setting(Kind::Postgres, "wal_level", "logical")
        .setting(Kind::Mysql, "log-bin", "binlog")
        .setting(Kind::Redis, "maxmemory", "64mb");
    let wanted = Wanted::new([("orders", Kind::Postgres), ("billing", Kind::Mysql), ("cart", Kind::Redis)]);
    let lease = provider.lease(&wanted).await.unwrap();
    let mut postgres = sqlx::PgConnection::connect(lease.admins["orders"].expose()).await.unwrap();
    let level: String = sqlx::query_scalar("SHOW wal_level").fetch_one(&mut postgres).await.unwrap();
    assert_eq!(level, "logical");
    sqlx::raw_sql("CREATE ROLE reader LOGIN").execute(&mut postgres).await.unwrap();
    let mut mysql = sqlx::MySqlConnection::connect(lease.admins["billing"].expose()).await.unwrap();
    let binlog: i64 = sqlx::query_scalar("SELECT @@log_bin").fetch_one(&mut mysql).await.unwrap();
    assert_eq!(binlog, 1);
    sqlx::raw_sql("CREATE USER reader@'127.0.0.1'").execute(&mut mysql).await.unwrap();
    provider.release(&lease).await.unwrap();
    sandbox.assert_empty("after the release");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_starts_from_an_empty_cache_and_then_from_what_is_kept_there() {
    let sandbox = Sandbox::new();
    let cache = sandbox.state().join("cache");
    let provider = Process::new(sandbox.registry()).base(sandbox.base.path()).cache(&cache);
    for round in ["first", "second"] {
        let lease = provider.lease(&Wanted::new([("events", Kind::Kafka)])).await.unwrap();
        write_and_read(Kind::Kafka, lease.dsn("events").unwrap()).await;
        provider.release(&lease).await.unwrap();
        let kept: std::collections::BTreeSet<_> = std::fs::read_dir(cache.join("reenact/kafka"))
            .unwrap()
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .collect();
        let expected = ["4.2.0", "kafka_2.13-4.2.0.jar.bootstrap.checkpoint"].map(str::to_owned);
        assert_eq!(kept, expected.into(), "after the {round} start");
    }
    sandbox.assert_empty("after the release");
}
