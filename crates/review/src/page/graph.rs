//! The graph of entities as a drawing.
//!
//! Hidden here: the layout. Every entity stands to the right of what it refers to, as far as circles let it; names are escaped, colours are
//! those of the text, so that it reads in light and dark and in print. The table below it says the same in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reenact_model::EntityId;
use reenact_model::catalog::Schemas;

use super::markup::text;

/// The height of a line of boxes, the height of a box, the gap between columns, and the width of a letter, in pixels.
const LINE: usize = 40;
const BOX: usize = 26;
const GAP: usize = 70;
const LETTER: usize = 8;
/// More columns than this would be a chain of references that nobody can read.
const COLUMNS: usize = 12;

/// The drawing; nothing if nothing leads anywhere.
pub(super) fn svg(schemas: &Schemas) -> String {
    let edges: Vec<(&EntityId, &EntityId, bool)> = schemas
        .relationships
        .iter()
        .map(|edge| (&edge.child.entity, &edge.parent.entity, edge.declared))
        .filter(|(child, parent, _)| schemas.reached.contains(child) && schemas.reached.contains(parent))
        .collect();
    if edges.is_empty() {
        return String::new();
    }
    let mut column: BTreeMap<&EntityId, usize> = schemas.reached.iter().map(|entity| (entity, 0)).collect();
    // One round for each column: what stands in a circle stops at the last.
    for _ in 1..COLUMNS {
        for (child, parent, _) in edges.iter().filter(|(child, parent, _)| child != parent) {
            let least = (column[parent] + 1).min(COLUMNS - 1);
            if let Some(at) = column.get_mut(child) {
                *at = (*at).max(least);
            }
        }
    }
    let mut used: Vec<usize> = column.values().copied().collect();
    used.sort_unstable();
    used.dedup();
    let mut place: BTreeMap<&EntityId, (usize, usize, usize)> = BTreeMap::new();
    let (mut left, mut height) = (10, 0);
    for n in used {
        let members: Vec<&EntityId> = column.iter().filter(|(_, at)| **at == n).map(|(entity, _)| *entity).collect();
        let letters = members.iter().map(|entity| entity.to_string().chars().count()).max().unwrap_or(0);
        let width = letters * LETTER + 20;
        for (line, entity) in members.iter().enumerate() {
            place.insert(entity, (left, 10 + line * LINE, width));
        }
        height = height.max(members.len() * LINE + 10);
        left += width + GAP;
    }
    let width = left - GAP + 10;
    let mut out = format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"Drawing of the graph\" tabindex=\"0\"><svg class=\"graph\" role=\"img\" aria-labelledby=\"graph-title\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\"><title id=\"graph-title\">Entities and what they refer to; the table below says the same</title>\n"
    );
    for (child, parent, declared) in edges {
        let (Some((x, y, own)), Some((to, at, wide))) = (place.get(child), place.get(parent)) else { continue };
        let (y, at) = (y + BOX / 2, at + BOX / 2);
        let dashes = if declared { "" } else { " stroke-dasharray=\"5 4\"" };
        let path = if to + wide <= *x {
            let (from, middle) = (to + wide, usize::midpoint(to + wide, *x));
            format!("M{x} {y}C{middle} {y} {middle} {at} {from} {at}")
        } else {
            // Back in a circle, or to itself: around the right side.
            let (x, to, side) = (x + own, to + wide, (x + own).max(to + wide) + GAP / 2);
            format!("M{x} {y}C{side} {y} {side} {at} {to} {at}", at = at + 6)
        };
        let _ = writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\".55\"{dashes}></path>"
        );
    }
    for (entity, (x, y, width)) in &place {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX}\" rx=\"5\" fill=\"none\" stroke=\"currentColor\"></rect>\
             <text x=\"{}\" y=\"{}\" fill=\"currentColor\" font-family=\"monospace\" font-size=\"13\">{}</text>",
            x + 10,
            y + 18,
            text(&entity.to_string())
        );
    }
    out + "</svg></div>\n<p class=\"soft\">Each stands to the right of what it refers to; a dashed line is said by the pipeline, a whole one is a foreign key.</p>\n"
}
