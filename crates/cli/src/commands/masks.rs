//! `masks`.

use reenact_mask::kernels::MASKS;

use crate::render;

/// `masks`.
pub(crate) fn run(json: bool) -> u8 {
    if json {
        let list: Vec<_> = MASKS
            .iter()
            .map(|m| {
                let args: Vec<_> = m.args.iter().map(|a| serde_json::json!({ "name": a.name, "doc": a.doc })).collect();
                serde_json::json!({ "name": m.name, "doc": m.doc, "leaks": m.leaks, "arguments": args })
            })
            .collect();
        render::json(&serde_json::json!({ "format": "reenact/masks", "format_version": "1.0", "masks": list }));
        return 0;
    }
    for mask in MASKS {
        render::out(&format!("{}\n  {}\n  leaks {}", mask.name, mask.doc, mask.leaks));
        for arg in mask.args {
            render::out(&format!("  {}: {}", arg.name, arg.doc));
        }
    }
    0
}
