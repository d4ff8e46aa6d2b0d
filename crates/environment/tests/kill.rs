//! Nothing stays behind: the owner of a lease is killed at many instants, and one collection removes the rest.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Sandbox, processes_with, write_and_read};
use reenact_environment::{Process, Provider, Registry, Wanted};
use reenact_model::{Class, Kind};

/// The example that leases all kinds, tells the id, and waits.
fn hold(sandbox: &Sandbox) -> Child {
    let folder = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let example = folder.join("hold");
    assert!(example.exists(), "build it first: `cargo build -p reenact-environment --examples`");
    Command::new(example).arg(sandbox.state()).arg(sandbox.base.path()).stdout(Stdio::piped()).spawn().unwrap()
}

fn leased(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line.split_whitespace().next().expect("a lease").to_owned()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_whose_owner_was_killed_is_collected_and_no_earlier() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let mut child = hold(&sandbox);
    let id = leased(&mut child);
    assert!(registry.gc().await.unwrap().is_empty());
    assert!(registry.list().unwrap()[0].owner_alive);
    kill(child);

    assert!(!registry.list().unwrap()[0].owner_alive);
    assert!(!processes_with(&id).is_empty(), "the servers are to outlive their owner for this test to mean anything");
    assert_eq!(registry.gc().await.unwrap(), [id]);
    sandbox.assert_empty("after the collection");
    assert!(registry.gc().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_killed_while_servers_start_leaves_nothing_to_the_collection() {
    for milliseconds in [5, 20, 60, 120, 250, 400, 600, 900, 1300, 1800, 2500] {
        let sandbox = Sandbox::new();
        let child = hold(&sandbox);
        // Not a wait for anything: the instant of the kill is what is tried out.
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        kill(child);
        sandbox.registry().gc().await.unwrap();
        sandbox.assert_empty(&format!("after a kill at {milliseconds} ms"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_lease_outlives_its_owner_and_is_loaded_by_another_process() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let mut child = hold(&sandbox);
    let id = leased(&mut child);
    registry.keep(&id).unwrap();
    kill(child);
    assert!(registry.gc().await.unwrap().is_empty());

    let lease = registry.load(&id).unwrap();
    for endpoint in lease.endpoints.values() {
        write_and_read(endpoint.kind, &endpoint.dsn).await;
    }
    registry.down(&id).await.unwrap();
    registry.down(&id).await.unwrap();
    sandbox.assert_empty("after `down`");
    assert_eq!(registry.load(&id).unwrap_err().class(), Class::Input);
}

#[tokio::test]
async fn a_process_with_a_registered_id_and_another_start_time_is_not_stopped() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let provider = Process::new(registry.clone()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("cart", Kind::Redis)])).await.unwrap();
    edit(sandbox.state(), &lease.id, |record| {
        record["processes"].as_array_mut().unwrap().push(serde_json::json!({
            "pid": stranger.id(), "start": 1, "program": "redis-server",
        }));
    });
    registry.down(&lease.id).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "a foreign process was stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    sandbox.assert_empty("after `down`");
}

#[tokio::test]
async fn a_process_that_merely_carries_the_variable_is_not_stopped() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let provider = Process::new(registry.clone()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("cart", Kind::Redis)])).await.unwrap();
    let mut stranger =
        Command::new("sleep").arg("600").env(reenact_environment::LEASE_VARIABLE, &lease.id).spawn().unwrap();
    registry.down(&lease.id).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "a foreign process was stopped");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    sandbox.assert_empty("after `down`");
}

#[tokio::test]
async fn a_server_that_was_never_registered_is_stopped() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let provider = Process::new(registry.clone()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("cart", Kind::Redis), ("orders", Kind::Postgres)])).await.unwrap();
    edit(sandbox.state(), &lease.id, |record| record["processes"] = serde_json::json!([]));
    registry.down(&lease.id).await.unwrap();
    sandbox.assert_empty("after `down`");
}

#[tokio::test]
async fn a_record_that_points_elsewhere_removes_nothing_there_and_is_told() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let provider = Process::new(registry.clone()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("ledger", Kind::Sqlite)])).await.unwrap();
    let precious = sandbox.state().join("precious");
    std::fs::create_dir(&precious).unwrap();
    edit(sandbox.state(), &lease.id, |record| record["dir"] = precious.to_str().unwrap().into());
    let error = registry.down(&lease.id).await.unwrap_err();
    assert_eq!(error.class(), Class::Cleanup);
    assert!(error.message().contains("precious"), "{error}");
    assert!(precious.exists());
    assert_eq!(registry.down_all().await.unwrap_err().class(), Class::Cleanup);
    edit(sandbox.state(), &lease.id, |record| record["dir"] = lease.dir.to_str().unwrap().into());
    assert_eq!(registry.down_own().await.unwrap(), [lease.id]);
    sandbox.assert_empty("after `down_own`");
}

#[tokio::test]
async fn files_and_folders_outside_the_lease_go_with_it() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let provider = Process::new(registry.clone()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("ledger", Kind::Sqlite)])).await.unwrap();
    let outside = ["folder", "file", "gone"].map(|name| sandbox.state().join(format!("{name}-{}", lease.id)));
    std::fs::create_dir(&outside[0]).unwrap();
    std::fs::write(outside[0].join("inside"), "").unwrap();
    std::fs::write(&outside[1], "").unwrap();
    edit(sandbox.state(), &lease.id, |record| record["paths"] = serde_json::json!(outside));
    registry.down(&lease.id).await.unwrap();
    assert!(outside.iter().all(|path| !path.exists()));
    sandbox.assert_empty("after `down`");
}

#[tokio::test]
async fn a_damaged_record_does_not_keep_others_from_being_removed() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    let provider = Process::new(registry.clone()).base(sandbox.base.path());
    let lease = provider.lease(&Wanted::new([("ledger", Kind::Sqlite)])).await.unwrap();
    let damaged = sandbox.state().join("leases/0000000000000000.json");
    std::fs::write(&damaged, "{").unwrap();
    let unfinished = sandbox.state().join(format!("leases/{}.1-1.tmp", lease.id));
    std::fs::write(&unfinished, "{").unwrap();
    let error = registry.down_all().await.unwrap_err();
    assert_eq!(error.class(), Class::Cleanup);
    assert!(error.message().contains("0000000000000000"), "{error}");
    assert!(!lease.dir.exists());
    std::fs::remove_file(damaged).unwrap();
    registry.gc().await.unwrap();
    assert!(!unfinished.exists());
    sandbox.assert_empty("after `gc`");
}

#[tokio::test]
async fn ids_that_are_none_and_folders_that_cannot_be_are_refused() {
    let sandbox = Sandbox::new();
    let registry = sandbox.registry();
    for id in ["", "../../etc/passwd", "0123456789ABCDEF", "0123"] {
        assert_eq!(registry.down(id).await.unwrap_err().class(), Class::Input);
        assert_eq!(registry.load(id).unwrap_err().class(), Class::Input);
    }
    registry.down("0123456789abcdef").await.unwrap();
    assert_eq!(registry.keep("0123456789abcdef").unwrap_err().class(), Class::Input);
    let file = sandbox.state().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(Registry::at(&file).unwrap_err().class(), Class::Write);
    let mode = sandbox.state().join("leases").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

fn edit(state: &Path, id: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let path: PathBuf = state.join(format!("leases/{id}.json"));
    let mut record = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    std::fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
}
