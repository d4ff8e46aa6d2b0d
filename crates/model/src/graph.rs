//! Which records can be loaded when, and which parts must be pinned when.
//!
//! Hidden here: the graph work. Entities of one service are condensed into waves along their relationships; a cycle names
//! the fields that can be left NULL first. Services are ordered along the flow. Pure functions over names.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::{Deserialize, Serialize};

use crate::catalog::{Entity, Relationship};
use crate::error::{Class, Error, Result};
use crate::names::EntityId;

/// Entities that can be loaded at the same time, after all earlier waves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// The entities, by name.
    pub entities: Vec<EntityId>,
    /// Columns that are loaded as NULL first and set when the whole wave is there, by entity.
    pub later: BTreeMap<String, Vec<String>>,
    /// Constraints that no NULL can break up: they have to be deferred, or dropped and added again.
    pub deferred: Vec<String>,
}

/// Puts the entities of one service into waves, parents before children.
///
/// Within a cycle, an edge whose child columns are all nullable (and no part of a key) is loaded second; what is cyclic even
/// then is one wave whose constraints are [`Wave::deferred`].
pub fn waves(entities: &[&Entity], relationships: &[Relationship]) -> Vec<Wave> {
    let names: BTreeMap<&EntityId, usize> = entities.iter().enumerate().map(|(n, e)| (&e.id, n)).collect();
    let edges: Vec<(usize, usize, usize)> = relationships
        .iter()
        .enumerate()
        .filter_map(|(n, r)| Some((*names.get(&r.parent.entity)?, *names.get(&r.child.entity)?, n)))
        .collect();
    let first = components(entities.len(), edges.iter().copied());
    let component_of = positions(&first, entities.len());
    let nullable = |edge: usize| {
        let child = &relationships[edge].child;
        let Some(&n) = names.get(&child.entity) else { return false };
        child.fields.iter().all(|field| {
            let in_key = entities[n].key.contains(&field.column);
            !in_key && field.path.is_none() && entities[n].field(&field.column).is_some_and(|f| f.nullable)
        })
    };
    // Within a component (a self-reference is one too), nullable edges are cut; the rest decides the order.
    let is_cut =
        |&(parent, child, edge): &(usize, usize, usize)| component_of[parent] == component_of[child] && nullable(edge);
    let second = components(entities.len(), edges.iter().filter(|e| !is_cut(e)).copied());
    let second_of = positions(&second, entities.len());

    let mut level = vec![0_usize; second.len()];
    for (at, members) in second.iter().enumerate() {
        for &(parent, child, _) in edges.iter().filter(|e| !is_cut(e)) {
            if members.contains(&child) && second_of[parent] != at {
                level[at] = level[at].max(level[second_of[parent]] + 1);
            }
        }
    }
    let depth = level.iter().max().map_or(0, |m| m + 1);
    let mut out = vec![Wave::default(); depth];
    for (at, members) in second.iter().enumerate() {
        for &member in members {
            out[level[at]].entities.push(entities[member].id.clone());
        }
    }
    for wave in &mut out {
        wave.entities.sort();
    }
    for edge in &edges {
        let (parent, child, n) = *edge;
        if component_of[parent] != component_of[child] {
            continue;
        }
        let wave = level[second_of[child]];
        let relationship = &relationships[n];
        if is_cut(edge) {
            let later = out[wave].later.entry(entities[child].id.name.clone()).or_default();
            for field in &relationship.child.fields {
                if !later.contains(&field.column) {
                    later.push(field.column.clone());
                }
            }
        } else if second_of[parent] == second_of[child] {
            out[wave].deferred.extend(relationship.constraint.clone());
        }
    }
    out
}

/// Strongly connected components, sources first.
fn components(nodes: usize, edges: impl Iterator<Item = (usize, usize, usize)>) -> Vec<Vec<usize>> {
    let mut graph = DiGraph::<(), ()>::with_capacity(nodes, nodes);
    for _ in 0..nodes {
        graph.add_node(());
    }
    for (from, to, _) in edges {
        graph.update_edge(NodeIndex::new(from), NodeIndex::new(to), ());
    }
    let mut found: Vec<Vec<usize>> =
        tarjan_scc(&graph).into_iter().map(|c| c.into_iter().map(NodeIndex::index).collect()).collect();
    found.reverse();
    for component in &mut found {
        component.sort_unstable();
    }
    found
}

fn positions(components: &[Vec<usize>], nodes: usize) -> Vec<usize> {
    let mut at = vec![0; nodes];
    for (n, component) in components.iter().enumerate() {
        for &member in component {
            at[member] = n;
        }
    }
    at
}

/// Orders names along edges `from → to`, sources first; names without edges keep their order.
///
/// Names in one cycle come out in one group.
pub fn levels(names: &[String], edges: &[(String, String)]) -> Vec<Vec<String>> {
    let index: BTreeMap<&String, usize> = names.iter().enumerate().map(|(n, name)| (name, n)).collect();
    let pairs: Vec<_> = edges.iter().filter_map(|(a, b)| Some((*index.get(a)?, *index.get(b)?, 0))).collect();
    let found = components(names.len(), pairs.iter().copied());
    let component_of = positions(&found, names.len());
    let mut level = vec![0_usize; found.len()];
    for (at, members) in found.iter().enumerate() {
        for &(from, to, _) in &pairs {
            if members.contains(&to) && component_of[from] != at {
                level[at] = level[at].max(level[component_of[from]] + 1);
            }
        }
    }
    // Members of one cycle stay together; independent names of one level stand alone.
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&at| (level[at], found[at].first().copied()));
    order.into_iter().map(|at| found[at].iter().map(|&n| names[n].clone()).collect()).collect()
}

/// Orders names along edges that must not be cyclic.
///
/// # Errors
/// [`Class::Input`] with the path of a cycle, such as `a -> b -> a`.
pub fn order(names: &[String], edges: &[(String, String)]) -> Result<Vec<String>> {
    let mut out = Vec::with_capacity(names.len());
    for group in levels(names, edges) {
        let looped = group.len() > 1 || edges.iter().any(|(a, b)| a == b && Some(a) == group.first());
        if looped {
            let path = cycle(&group, edges);
            return Err(Error::new(
                Class::Input,
                format!("services refer to each other in a circle: {}", path.join(" -> ")),
            )
            .help(
                "mark one of these relationships `soft: true` if its records may be loaded before those they refer to",
            ));
        }
        out.extend(group);
    }
    Ok(out)
}

/// A path through a cycle, its first name repeated at the end.
fn cycle(group: &[String], edges: &[(String, String)]) -> Vec<String> {
    let members: BTreeSet<&String> = group.iter().collect();
    let Some(start) = group.first() else { return Vec::new() };
    let mut path = vec![start.clone()];
    let mut seen = BTreeSet::new();
    let mut at = start;
    loop {
        let next = edges
            .iter()
            .filter(|(from, to)| from == at && members.contains(to))
            .map(|(_, to)| to)
            .min_by_key(|to| (seen.contains(to), *to != start));
        let Some(next) = next else { return path };
        path.push(next.clone());
        if !seen.insert(next) || next == start {
            return path;
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{End, Field, ValueType};
    use crate::names::FieldPath;

    fn entity(name: &str, columns: &[(&str, bool)]) -> Entity {
        Entity {
            id: EntityId::new("s", name),
            fields: columns
                .iter()
                .map(|(c, nullable)| {
                    let mut field = Field::new(*c, ValueType::Int64, "bigint");
                    field.nullable = *nullable;
                    field
                })
                .collect(),
            key: vec!["id".into()],
            uniques: Vec::new(),
            estimate: None,
            properties: BTreeMap::new(),
        }
    }

    fn refers(child: &str, column: &str, parent: &str) -> Relationship {
        let end = |entity: &str, field: &str| End {
            entity: EntityId::new("s", entity),
            fields: vec![FieldPath::column(field)],
        };
        Relationship {
            child: end(child, column),
            parent: end(parent, "id"),
            declared: true,
            constraint: Some(format!("{child}_{column}_fkey")),
            deferrable: false,
            condition: None,
        }
    }

    #[test]
    fn parents_come_first() {
        let (a, b, c) = (entity("a", &[("id", false)]), entity("b", &[("id", false)]), entity("c", &[("id", false)]));
        let waves = waves(&[&c, &b, &a], &[refers("c", "b_id", "b"), refers("b", "a_id", "a")]);
        let names: Vec<_> = waves.iter().map(|w| w.entities[0].name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_cycle_is_broken_at_its_nullable_edge() {
        let staff = entity("staff", &[("id", false), ("store_id", false)]);
        let store = entity("store", &[("id", false), ("manager_id", true)]);
        let waves =
            waves(&[&staff, &store], &[refers("staff", "store_id", "store"), refers("store", "manager_id", "staff")]);
        assert_eq!(waves.len(), 2);
        assert_eq!(waves[0].entities[0].name, "store");
        assert_eq!(waves[0].later["store"], ["manager_id"]);
        assert!(waves[1].deferred.is_empty());
    }

    #[test]
    fn a_cycle_without_nulls_defers_its_constraints() {
        let staff = entity("staff", &[("id", false), ("store_id", false)]);
        let store = entity("store", &[("id", false), ("manager_id", false)]);
        let waves =
            waves(&[&staff, &store], &[refers("staff", "store_id", "store"), refers("store", "manager_id", "staff")]);
        assert_eq!(waves.len(), 1);
        assert_eq!(waves[0].deferred.len(), 2);
    }

    #[test]
    fn a_self_reference_is_set_second() {
        let employee = entity("employee", &[("id", false), ("reports_to", true)]);
        let waves = waves(&[&employee], &[refers("employee", "reports_to", "employee")]);
        assert_eq!(waves[0].later["employee"], ["reports_to"]);
    }

    #[test]
    fn cyclic_services_print_their_path() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let edge = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(order(&names, &[edge("c", "a")]).expect("acyclic"), ["b", "c", "a"]);
        let error = order(&names, &[edge("a", "b"), edge("b", "c"), edge("c", "a")]).expect_err("cyclic");
        assert!(error.message().ends_with("a -> b -> c -> a"), "{error}");
        assert_eq!(error.class(), Class::Input);
    }
}
