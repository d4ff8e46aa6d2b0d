//! The JSON Schema of policies, for editors that complete and check while one is written.
//!
//! Hidden here: how the registry of masks becomes a schema, so that a new mask and its arguments are in it by themselves. It says
//! what the shape of a policy is; what a policy does is told by `policy check` alone.

use reenact_mask::kernels::{ArgKind, MASKS, MaskSpec};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a policy's file.
pub fn policy_schema() -> Value {
    let names: Vec<&str> = MASKS.iter().map(|mask| mask.name).collect();
    let with_arguments: Vec<Value> = MASKS.iter().map(|mask| mask_with_arguments(mask)).collect();
    // Both the word and YAML's own null name the mask `null`.
    let mask = json!({ "oneOf": [{ "enum": names }, { "type": "null" }, { "oneOf": with_arguments }] });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy of reenact",
        "type": "object",
        "required": ["version"],
        "additionalProperties": false,
        "properties": {
            "version": { "const": 1 },
            "include": { "type": "array", "items": { "type": "string" } },
            "profile": { "$ref": "#/$defs/names" },
            "undecided": { "enum": ["refuse", "redact"] },
            "classes": { "type": "object", "additionalProperties": { "$ref": "#/$defs/list" } },
            "domains": { "type": "object", "additionalProperties": { "$ref": "#/$defs/domain" } },
            "rules": { "type": "array", "items": { "$ref": "#/$defs/rule" } },
            "tests": { "type": "array", "items": { "type": "object" } },
            "quasi_identifiers": { "type": "array", "items": { "$ref": "#/$defs/list" } },
        },
        "$defs": {
            "list": { "type": "array", "items": { "type": "string" } },
            "names": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/list" }] },
            "mask": mask,
            "domain": {
                "type": "object",
                "required": ["mask"],
                "additionalProperties": false,
                "properties": {
                    "canonical": { "enum": ["text", "integer", "email", "uuid", "folded"] },
                    "mask": { "$ref": "#/$defs/mask" },
                    "partition": {
                        "type": "object",
                        "required": ["by", "topics"],
                        "additionalProperties": false,
                        "properties": { "by": { "type": "string" }, "topics": { "$ref": "#/$defs/names" } },
                    },
                },
            },
            "rule": rule(),
        },
    })
}

fn rule() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "oneOf": [{ "required": ["domain"] }, { "required": ["mask"] }, { "required": ["keep"] }],
        "properties": {
            "name": { "type": "string" },
            "on": { "$ref": "#/$defs/list" },
            "class": { "$ref": "#/$defs/names" },
            "type": { "$ref": "#/$defs/names" },
            "domain": { "type": "string" },
            "mask": { "$ref": "#/$defs/mask" },
            "keep": {
                "type": "object",
                "required": ["reason"],
                "additionalProperties": false,
                "properties": {
                    "reason": { "type": "string", "minLength": 1 },
                    "owner": { "type": "string" },
                    "expires": { "type": "string", "description": "a date: 2027-06-30" },
                    "reference": { "type": "boolean" },
                },
            },
            "subject": { "$ref": "#/$defs/names" },
            "when": {
                "oneOf": [
                    { "type": "string" },
                    {
                        "type": "object",
                        "required": ["on", "that"],
                        "additionalProperties": false,
                        "properties": {
                            "on": { "type": "string" },
                            "that": { "type": "string" },
                            "missing": { "type": "boolean" },
                        },
                    },
                ],
            },
            "accept": { "$ref": "#/$defs/names" },
            "overrides": { "$ref": "#/$defs/list" },
        },
    })
}

fn mask_with_arguments(mask: &MaskSpec) -> Value {
    let arguments: Map<String, Value> = mask
        .args
        .iter()
        .map(|argument| {
            let mut schema = match argument.kind {
                // A number or a date without quotes is a text to a policy, too.
                ArgKind::Text => json!({ "type": ["string", "number", "boolean"] }),
                ArgKind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
                ArgKind::Number(least, most) => json!({ "type": "number", "minimum": least, "maximum": most }),
                ArgKind::Truth => json!({ "type": "boolean" }),
                ArgKind::Choice(words) => json!({ "enum": words }),
            };
            schema["description"] = argument.doc.into();
            (argument.name.to_owned(), schema)
        })
        .collect();
    json!({
        "type": "object",
        "required": [mask.name],
        "additionalProperties": false,
        "description": mask.doc,
        "properties": { mask.name: { "type": "object", "additionalProperties": false, "properties": arguments } },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn check(policy: &str) -> Result<(), String> {
        let value: Value = serde_saphyr::from_str(policy).map_err(|error| error.to_string())?;
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("policy.json", policy_schema()).expect("a resource");
        let schema = compiler.compile("policy.json", &mut schemas).expect("a JSON Schema");
        schemas.validate(&value, schema).map_err(|error| error.to_string())
    }

    fn policies(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                policies(&entry, found);
            } else if entry.extension().is_some_and(|e| e == "yaml") {
                found.push(entry);
            }
        }
    }

    #[test]
    fn every_policy_of_the_project_has_the_shape() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        for folder in ["examples", "policies"] {
            policies(&root.join(folder), &mut files);
        }
        let mut checked = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).expect("reads");
            // Pipelines have services, and CI files have jobs.
            if text.lines().any(|line| line.starts_with("rules:") || line.starts_with("domains:")) {
                check(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                checked += 1;
            }
        }
        assert!(checked >= 9, "{checked} policies were found");
    }

    #[test]
    fn every_mask_is_in_it_with_its_arguments() {
        for mask in MASKS {
            let rule = |mask: &str| format!("version: 1\nrules:\n  - {{ name: r, on: [ a/b.c ], mask: {mask} }}\n");
            check(&rule(mask.name)).unwrap_or_else(|error| panic!("{}: {error}", mask.name));
            let wrong = format!("{{ {}: {{ no_such_argument: 1 }} }}", mask.name);
            assert!(check(&rule(&wrong)).is_err(), "{}", mask.name);
            for argument in mask.args {
                let value = match argument.kind {
                    ArgKind::Text => "x".to_owned(),
                    ArgKind::Integer(least, _) => least.to_string(),
                    ArgKind::Number(least, _) => format!("{least:.1}"),
                    ArgKind::Truth => "true".to_owned(),
                    ArgKind::Choice(words) => words[0].to_owned(),
                };
                let with = format!("{{ {}: {{ {}: {value} }} }}", mask.name, argument.name);
                check(&rule(&with)).unwrap_or_else(|error| panic!("{with}: {error}"));
            }
        }
    }

    #[test]
    fn what_the_parser_refuses_for_its_shape_is_refused() {
        for wrong in [
            "rules: []",
            "version: 2",
            "version: 1\nrule: []",
            "version: 1\nrules: [ { on: [ a/b.c ], mask: redact } ]",
            "version: 1\nrules: [ { name: r, on: [ a/b.c ] } ]",
            "version: 1\nrules: [ { name: r, on: [ a/b.c ], mask: redact, keep: { reason: x } } ]",
            "version: 1\nrules: [ { name: r, on: [ a/b.c ], mask: no_such_mask } ]",
            "version: 1\nrules: [ { name: r, on: [ a/b.c ], keep: { owner: x } } ]",
            "version: 1\ndomains: { d: { canonical: loud, mask: token } }",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
