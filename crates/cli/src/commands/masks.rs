//! `masks`.

use std::fmt::Write as _;

use reenact_mask::kernels::{Injective, MASKS, MaskSpec};

use crate::render;

/// `masks`.
pub(crate) fn run(json: bool) -> u8 {
    if json {
        let list: Vec<_> = MASKS
            .iter()
            .map(|m| {
                let args: Vec<_> = m.args.iter().map(|a| serde_json::json!({ "name": a.name, "doc": a.doc })).collect();
                serde_json::json!({ "name": m.name, "doc": m.doc, "group": m.group.word(), "facts": facts(m), "arguments": args })
            })
            .collect();
        render::json(&serde_json::json!({ "format": "reenact/masks", "format_version": "1.0", "masks": list }));
        return 0;
    }
    let mut masks: Vec<&MaskSpec> = MASKS.to_vec();
    // Within a group, the order of the documentation.
    masks.sort_by_key(|mask| mask.group);
    for group in masks.chunk_by(|a, b| a.group == b.group) {
        render::out(&format!("{}\n", group[0].group.word().to_uppercase()));
        for mask in group {
            render::out(&sheet(mask));
        }
    }
    0
}

/// The fact sheet of a mask, for people.
fn sheet(mask: &MaskSpec) -> String {
    let facts = &mask.facts;
    let keys = match facts.injective {
        _ if !facts.deterministic => "no, it is drawn anew in every capture".to_owned(),
        Injective::Always => "yes".to_owned(),
        Injective::If(when) => format!("if {when}"),
        Injective::Never => "no".to_owned(),
    };
    let keeps = [("format", facts.keeps.format), ("length", facts.keeps.length), ("order", facts.keeps.order)];
    let keeps: Vec<&str> = keeps.iter().filter(|(_, kept)| *kept).map(|(what, _)| *what).collect();
    let keeps = if keeps.is_empty() { "nothing".to_owned() } else { keeps.join(", ") };
    let mut text = format!(
        "  {}\n    {}\n    keys and unique fields: {keys}\n    keeps: {keeps}\n    leaks: {}\n",
        mask.name, mask.doc, facts.leaks
    );
    for arg in mask.args {
        let _ = writeln!(text, "    {}: {}", arg.name, arg.doc);
    }
    text
}

/// The fact sheet of a mask.
fn facts(mask: &MaskSpec) -> serde_json::Value {
    let facts = &mask.facts;
    let injective = match facts.injective {
        Injective::Always => serde_json::json!(true),
        Injective::If(when) => serde_json::json!({ "if": when }),
        Injective::Never => serde_json::json!(false),
    };
    serde_json::json!({
        "deterministic": facts.deterministic,
        "injective": injective,
        "keeps": { "format": facts.keeps.format, "length": facts.keeps.length, "order": facts.keeps.order },
        "leaks": facts.leaks,
    })
}
