//! Findings as `JUnit`, against the schema that tools for test results read it by.

use std::process::Command;

use crate::datasets;

const PIPELINE: &str = "version: 1\nservices: { one: { kind: sqlite, url: \"sqlite://one.db\" } }\nroots: [ { from: one/t } ]\npolicy: policy.yaml\n";
/// A finding with all that a finding may have, and names that XML can't hold as they are.
const POLICY: &str = "version: 1\nrules:\n  - { name: \"<a & 'b'>\", on: [ one/t.id ], mask: redact }\n  - { name: b, on: [ one/t.none ], mask: redact }\n";

#[test]
fn findings_hold_to_the_schema_of_junit() {
    let Some(datasets) = datasets() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("writes");
    write("pipeline.yaml", PIPELINE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        use sqlx::{Connection as _, Executor as _};
        let options = sqlx::sqlite::SqliteConnectOptions::new();
        let options = options.filename(folder.path().join("one.db")).create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
        connection.execute("create table t (id integer primary key, email text)").await.expect("fills");
        connection.close().await.expect("closes");
    });
    let whole = "version: 1\nrules:\n  - { name: all, on: [ \"one/t.*\" ], mask: integer }\n";
    for (policy, code) in [(POLICY, 10), (whole, 0)] {
        write("policy.yaml", policy);
        let mut check = Command::new(env!("CARGO_BIN_EXE_reenact"));
        check.current_dir(folder.path()).args(["policy", "check", "pipeline.yaml", "--format", "junit"]);
        let output = check.output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(folder.path().join("findings.xml"), &output.stdout).expect("writes");
        let schema = datasets.join("formats/JUnit.xsd");
        let mut lint = Command::new("xmllint");
        lint.args(["--nonet", "--noout", "--schema"]).arg(schema).arg(folder.path().join("findings.xml"));
        let held = lint.output().expect("xmllint, of the Debian package libxml2-utils");
        assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    }
}
