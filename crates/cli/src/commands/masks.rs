//! `masks`.

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
    for mask in MASKS {
        render::out(&format!("{} ({})\n  {}\n  leaks {}", mask.name, mask.group.word(), mask.doc, mask.facts.leaks));
        for arg in mask.args {
            render::out(&format!("  {}: {}", arg.name, arg.doc));
        }
    }
    0
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
