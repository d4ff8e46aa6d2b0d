//! For code scanning: SARIF 2.1.0 (OASIS).

use std::collections::BTreeMap;

use reenact_model::error::Severity;
use serde_json::{Value, json};

use super::stable_id;
use crate::{Report, codes};

/// A report as SARIF; every result lies in the policy, at the line to edit.
pub fn sarif(report: &Report) -> Value {
    let mut rules: BTreeMap<&str, Severity> = BTreeMap::new();
    for finding in &report.findings {
        let worst = rules.entry(&finding.code).or_insert(finding.severity);
        *worst = finding.severity.max(*worst);
    }
    let codes: Vec<&str> = rules.keys().copied().collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|(code, severity)| {
            json!({
                "id": code,
                "shortDescription": { "text": codes::page(code).map_or_else(|| format!("reenact {code}"), |page| page.title.to_owned()) },
                "help": { "text": format!("`reenact explain {code}` tells what it means") },
                "defaultConfiguration": { "level": level(*severity) },
            })
        })
        .collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let mut site = finding.site.clone();
            let span = site.span.take();
            let help = finding.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
            let (file, line, column, length) = span.map_or_else(
                || (report.policy.clone(), 1, 1, 1),
                |span| (span.file, span.line.max(1), span.column.max(1), span.length),
            );
            json!({
                "ruleId": finding.code,
                "ruleIndex": codes.iter().position(|code| *code == finding.code),
                "level": level(finding.severity),
                "message": { "text": format!("{site}: {}{help}", finding.message) },
                "partialFingerprints": { "reenact/v1": stable_id(finding) },
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": { "uri": file.replace(' ', "%20") },
                        "region": { "startLine": line, "startColumn": column, "endColumn": column + length },
                    },
                    "logicalLocations": [{ "fullyQualifiedName": site.to_string() }],
                }],
            })
        })
        .collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "reenact", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::report;

    #[test]
    fn it_is_valid_sarif() {
        let log = sarif(&report());
        let results = log["runs"][0]["results"].as_array().expect("results");
        assert_eq!(results.len(), 3);
        assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 3);
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/datasets");
        let folder = std::env::var("REENACT_DATASETS").unwrap_or_else(|_| beside.to_owned());
        let Ok(schema) = std::fs::read_to_string(format!("{folder}/formats/sarif-2.1.0.schema.json")) else {
            // Past the test harness, which keeps what passing tests print to itself.
            let told = b"*** NOT RUN: the check against the schema of SARIF; set `REENACT_DATASETS` ***\n";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), told);
            return;
        };
        let schema: Value = serde_json::from_str(&schema).expect("a schema");
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("sarif.json", schema).expect("is added");
        let index = compiler.compile("sarif.json", &mut schemas).expect("compiles");
        schemas.validate(&log, index).unwrap_or_else(|error| panic!("{error:#}"));
        let mut broken = log.clone();
        broken["version"] = json!("3");
        assert!(schemas.validate(&broken, index).is_err(), "the check can fail");
    }
}
