//! Binding a pipeline to what the servers really hold.

use std::collections::{BTreeMap, BTreeSet};

use reenact_model::captured::Extractor;
use reenact_model::catalog::{Condition, End, Relationship};
use reenact_model::{Class, Entity, EntityId, Error, Finding, Result, ServiceCatalog, Site, Span, graph};

use super::{Bound, BoundRoot, Children, Pipeline, Root, finding};

type Entities<'a> = BTreeMap<&'a EntityId, &'a Entity>;

/// What binding needs at every turn.
struct Context<'a> {
    pipeline: &'a Pipeline,
    entities: Entities<'a>,
    catalogs: &'a [ServiceCatalog],
    findings: Vec<Finding>,
}

pub(super) fn bind(pipeline: &Pipeline, catalogs: &[ServiceCatalog]) -> Result<Bound> {
    let entities: Entities<'_> = catalogs.iter().flat_map(|c| &c.entities).map(|e| (&e.id, &**e)).collect();
    let mut cx = Context { pipeline, entities, catalogs, findings: Vec::new() };
    let mut relationships: Vec<Relationship> = catalogs.iter().flat_map(|c| c.relationships.clone()).collect();
    for virtual_ in &pipeline.relationships {
        let relationship = &virtual_.relationship;
        cx.check_end(&relationship.child, relationship.condition.as_ref(), &virtual_.span);
        cx.check_end(&relationship.parent, None, &virtual_.span);
        relationships.push(relationship.clone());
    }
    let roots: Vec<BoundRoot> = pipeline.roots.iter().map(|root| cx.bind_root(root, &relationships)).collect();
    let what = format!("`{}` does not fit the services", pipeline.file);
    if let Some(error) = Error::from_findings(Class::Input, &what, &cx.findings) {
        return Err(error);
    }
    let load_order = load_order(pipeline, catalogs, &relationships)?;
    let reached = reached(&roots, &relationships);
    Ok(Bound { relationships, roots, reached, load_order })
}

impl Context<'_> {
    fn check_end(&mut self, end: &End, condition: Option<&Condition>, span: &Span) {
        let Some(entity) = self.entities.get(&end.entity) else {
            let told = self.missing(&end.entity, span);
            self.findings.push(told);
            return;
        };
        if let Err(error) = Extractor::new(entity, &end.fields, condition) {
            let mut told = finding("PIPE-021", span, error.message());
            told.site = Site { span: Some(span.clone()), ..error.site().clone() };
            told.help = error.help_text().map(str::to_owned).or_else(|| {
                let names: Vec<&str> = entity.fields.iter().map(|f| f.name.as_str()).take(20).collect();
                Some(format!("{} has the fields {}", entity.id, names.join(", ")))
            });
            self.findings.push(told);
        }
    }

    /// The finding for an entity that is not there, with those that are.
    fn missing(&self, id: &EntityId, span: &Span) -> Finding {
        match self.catalogs.iter().find(|c| c.service == id.service) {
            None => finding("PIPE-008", span, format!("there is no service `{}`", id.service))
                .help(format!("the services are {}", self.pipeline.names().join(", "))),
            Some(catalog) => {
                let mut names: Vec<&str> = catalog.entities.iter().map(|e| e.id.name.as_str()).collect();
                let wanted = id.name.to_lowercase();
                let last = wanted.rsplit('.').next().unwrap_or_default();
                names.sort_by_key(|n| (!n.to_lowercase().contains(last), n.to_lowercase()));
                names.truncate(8);
                finding("PIPE-020", span, format!("service `{}` has no entity `{}`", id.service, id.name))
                    .help(format!("it has {}", names.join(", ")))
            }
        }
    }

    fn bind_root(&mut self, root: &Root, relationships: &[Relationship]) -> BoundRoot {
        let (service, pattern) = root.from.split_once('/').unwrap_or((&root.from, ""));
        let mut bound = BoundRoot { entities: Vec::new(), along: BTreeSet::new(), levels: 0 };
        if pattern.contains('*') {
            let prefix = pattern.trim_end_matches('*');
            let fits = |e: &&EntityId| e.service == service && e.name.starts_with(prefix);
            bound.entities = self.entities.keys().copied().filter(fits).cloned().collect();
            if bound.entities.is_empty() {
                self.findings.push(finding("PIPE-020", &root.span, format!("`{}` matches no entity", root.from)));
            }
            if !root.filter.is_empty() {
                let message = "a root with a wildcard takes whole entities and no `where`";
                self.findings.push(finding("PIPE-022", &root.span, message));
            }
        } else {
            let id = EntityId::new(service, pattern);
            let fields = root.filter.iter().map(|(field, _)| field.clone()).collect();
            self.check_end(&End { entity: id.clone(), fields }, None, &root.span);
            bound.entities.push(id);
        }
        match &root.children {
            Children::None => {}
            Children::Levels(levels) => bound.levels = *levels,
            Children::Along(list) => {
                for wanted in list {
                    let named = |r: &Relationship| {
                        r.child.to_string() == *wanted
                            || r.child.entity.to_string() == *wanted
                            || r.to_string() == *wanted
                    };
                    let edges: Vec<usize> = (0..relationships.len()).filter(|n| named(&relationships[*n])).collect();
                    if edges.is_empty() {
                        let message = format!("`{wanted}` is the child end of no relationship");
                        let help = "write it as in the relationship: `service/entity.field`";
                        self.findings.push(finding("PIPE-023", &root.span, message).help(help));
                    }
                    bound.along.extend(edges);
                }
            }
        }
        bound
    }
}

/// Services in the order of loading: those that are referred to before those that refer, else along the flow.
fn load_order(pipeline: &Pipeline, catalogs: &[ServiceCatalog], relationships: &[Relationship]) -> Result<Vec<String>> {
    let soft: BTreeSet<String> =
        pipeline.relationships.iter().filter(|v| v.soft).map(|v| v.relationship.to_string()).collect();
    // Events and cached values are loaded, not executed: only rows of SQL stores need what they refer to.
    let sql = |service: &str| catalogs.iter().any(|c| c.service == service && c.kind.is_sql());
    let hard: Vec<(String, String)> = relationships
        .iter()
        .filter(|r| r.child.entity.service != r.parent.entity.service)
        .filter(|r| sql(&r.child.entity.service) && sql(&r.parent.entity.service) && !soft.contains(&r.to_string()))
        .map(|r| (r.parent.entity.service.clone(), r.child.entity.service.clone()))
        .collect();
    let names = pipeline.names();
    graph::order(&names, &hard)
        .map_err(|e| e.at(Site::default().with_span(pipeline.relationships.first().map(|s| s.span.clone()))))?;
    // The flow orders the rest, as far as it does not contradict.
    let mut edges = hard;
    for edge in &pipeline.flow {
        let mut with = edges.clone();
        with.push(edge.clone());
        if graph::order(&names, &with).is_ok() {
            edges = with;
        }
    }
    graph::order(&names, &edges)
}

/// The entities that a walk from the roots may come to.
fn reached(roots: &[BoundRoot], relationships: &[Relationship]) -> BTreeSet<EntityId> {
    let mut seen: BTreeSet<(EntityId, u32)> = BTreeSet::new();
    let mut queue: Vec<(EntityId, u32)> =
        roots.iter().flat_map(|r| r.entities.iter().map(|e| (e.clone(), r.levels))).collect();
    let along: BTreeSet<usize> = roots.iter().flat_map(|r| r.along.iter().copied()).collect();
    while let Some((entity, levels)) = queue.pop() {
        if !seen.insert((entity.clone(), levels)) {
            continue;
        }
        for (n, relationship) in relationships.iter().enumerate() {
            if relationship.child.entity == entity {
                queue.push((relationship.parent.entity.clone(), 0));
            }
            if relationship.parent.entity == entity {
                if along.contains(&n) {
                    queue.push((relationship.child.entity.clone(), 0));
                }
                if levels > 0 {
                    let below = if levels == u32::MAX { u32::MAX } else { levels - 1 };
                    queue.push((relationship.child.entity.clone(), below));
                }
            }
        }
    }
    seen.into_iter().map(|(entity, _)| entity).collect()
}
