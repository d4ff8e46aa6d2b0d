//! What constraints and partitions ask of columns.
//!
//! Hidden here: `CHECK` constraints of tables and of domains, and the columns by which a table is parted. What holds for a part of a
//! tree only, or is not validated, narrows nothing, and is written down by name.

use std::collections::BTreeMap;

use reenact_model::Field;
use sqlparser::dialect::PostgreSqlDialect;

use super::describe::{Constraint, Table, Type};
use crate::sql::checks;

/// Takes into account what binds the columns of an entity: the root of a tree, and the members of it.
pub(super) fn narrow<'a>(
    fields: &mut [Field],
    tree: impl Iterator<Item = &'a Table>,
    root: &Table,
    types: &BTreeMap<i64, Type>,
    constraints: &[Constraint],
) {
    for (field, column) in fields.iter_mut().zip(&root.columns) {
        let mut at = column.type_oid;
        while let Some(domain) = types.get(&at).filter(|found| found.kind == "d") {
            let (names, definitions) = &domain.checks;
            for (name, definition) in names.iter().zip(definitions) {
                let field = std::slice::from_mut(field);
                match expression(definition) {
                    Some(expression) => {
                        checks::narrow(field, &PostgreSqlDialect {}, (name, expression), Some("VALUE"));
                    }
                    None => checks::remember(&mut field[0], name),
                }
            }
            at = domain.base;
        }
        // A row whose key falls between the parts has no place.
        if let Some(key) = root.partition_key.as_ref()
            && checks::mentions(&PostgreSqlDialect {}, key, &column.name)
        {
            checks::remember(field, &format!("PARTITION BY {key}"));
        }
    }
    for table in tree {
        for constraint in constraints.iter().filter(|c| c.table == table.oid && c.kind == "c") {
            let expression = expression(&constraint.definition);
            match expression {
                Some(expression) if table.oid == root.oid && constraint.validated => {
                    checks::narrow(fields, &PostgreSqlDialect {}, (&constraint.name, expression), None);
                }
                _ if table.oid != root.oid && constraint.inherited => {}
                _ => {
                    let named = table.columns.iter().filter(|column| constraint.columns.contains(&column.number));
                    for column in named {
                        for field in fields.iter_mut().filter(|field| field.name == column.name) {
                            checks::remember(field, &constraint.name);
                        }
                    }
                }
            }
        }
    }
}

/// The expression of `CHECK (…)`; none where it holds for less than all rows.
fn expression(definition: &str) -> Option<&str> {
    definition.strip_prefix("CHECK ").filter(|rest| rest.ends_with(')'))
}
