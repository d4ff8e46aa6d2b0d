//! The writing side, as a plain owner.
//!
//! Hidden here: the gates, what was created and what was there before, and how constraints and triggers of tables that were
//! there before are set aside for the load. What the target made itself has no constraint yet that could be in the way.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use reenact_model::catalog::{Condition, Identity, Phase, Scope};
use reenact_model::digest::EntityDigest;
use reenact_model::{Class, Dsn, Entity, Error, FieldPath, KeySet, Relationship, Result, ServiceCatalog, Site};
use sqlx::postgres::PgConnection;

use super::describe::{describe, identity, text};
use super::source::{Sessions, batches, copy_out};
use super::{WRITING, aside, connect, execute, literal, load, quote, rows, select, settle, table};
use crate::sql::{admit, agree, dangling, digest, holds_records, keys, own_entity};
use crate::{GroupOffsets, LoadStep, Loaded, Target};

/// The writing side.
pub(super) struct PgTarget {
    connection: PgConnection,
    sessions: Arc<Sessions>,
    service: String,
    sources: Vec<Identity>,
    own: Option<ServiceCatalog>,
    /// Entities that were there before us; nothing of theirs is altered for good.
    before: BTreeSet<String>,
    /// Statements that put back what was set aside.
    aside: Vec<String>,
    quiet: BTreeSet<String>,
}

impl PgTarget {
    pub(super) async fn open(dsn: &Dsn, service: &str) -> Result<Self> {
        Ok(Self {
            connection: connect(dsn, service, WRITING).await?,
            sessions: Sessions::new(dsn, service, WRITING),
            service: service.to_owned(),
            sources: Vec::new(),
            own: None,
            before: BTreeSet::new(),
            aside: Vec::new(),
            quiet: BTreeSet::new(),
        })
    }

    async fn check(&mut self) -> Result<()> {
        let site = || Site::service(&self.service);
        let marker = aside::marker(&mut self.connection).await.map_err(|e| e.at(site()))?;
        let own = identity(&mut self.connection).await.map_err(|e| e.at(site()))?;
        admit(&self.service, marker.is_some(), self.sources.contains(&own))
    }

    async fn own(&mut self) -> Result<&ServiceCatalog> {
        if self.own.is_none() {
            let scope = Scope { service: self.service.clone(), ..Scope::default() };
            let described = describe(&mut self.connection, &scope).await;
            self.own = Some(described.map_err(|e| e.at(Site::service(&self.service)))?.catalog);
        }
        self.own.as_ref().ok_or_else(|| Error::new(Class::Unexpected, "the target was not described"))
    }

    /// User triggers of a table that was there before would act on what production's triggers did already.
    async fn silence(&mut self, entity: &Entity) -> Result<()> {
        if !self.before.contains(&entity.id.name) || !self.quiet.insert(entity.id.name.clone()) {
            return Ok(());
        }
        let name = table(&entity.id);
        let sql = format!(
            "SELECT tgname::text AS name, tgenabled::text AS enabled FROM pg_trigger WHERE NOT tgisinternal \
             AND tgenabled <> 'D' AND tgrelid = to_regclass({})",
            literal(&name)
        );
        let mut steps = Vec::new();
        for row in rows(&mut self.connection, &sql).await? {
            let trigger = quote(&text(&row, "name"));
            let how = match text(&row, "enabled").as_str() {
                "A" => "ENABLE ALWAYS",
                "R" => "ENABLE REPLICA",
                _ => "ENABLE",
            };
            steps.push((
                format!("ALTER TABLE {name} DISABLE TRIGGER {trigger}"),
                format!("ALTER TABLE {name} {how} TRIGGER {trigger}"),
            ));
        }
        self.aside
            .extend(aside::set_aside(&mut self.connection, steps).await.map_err(|e| e.at(Site::entity(&entity.id)))?);
        Ok(())
    }
}

#[async_trait]
impl Target for PgTarget {
    async fn identity(&mut self) -> Result<Identity> {
        identity(&mut self.connection).await.map_err(|e| e.at(Site::service(&self.service)))
    }

    async fn gates(&mut self, sources: &[Identity]) -> Result<()> {
        self.sources = sources.to_vec();
        self.check().await
    }

    async fn prepare(&mut self, catalog: &ServiceCatalog) -> Result<()> {
        self.check().await?;
        // A load that was killed here must not have cost the tables a constraint or a trigger.
        aside::recover(&mut self.connection).await.map_err(|e| e.at(Site::service(&self.service)))?;
        self.own = None;
        let own = self.own().await?.clone();
        let mut before = BTreeSet::new();
        for entity in &catalog.entities {
            let Some(there) = own.entity(&entity.id.name) else { continue };
            agree(entity, there)?;
            before.insert(entity.id.name.clone());
            if load::holds_rows(&mut self.connection, entity).await.map_err(|e| e.at(Site::entity(&entity.id)))? {
                return Err(holds_records(entity));
            }
        }
        execute(&mut self.connection, "BEGIN").await?;
        for ddl in catalog.ddl.iter().filter(|ddl| ddl.phase == Phase::Before) {
            if ddl.entity.as_ref().is_some_and(|id| before.contains(&id.name)) {
                continue;
            }
            if let Err(error) = execute(&mut self.connection, &ddl.statement).await {
                // The first error is the one to tell, whether or not the roll-back works.
                let _ = execute(&mut self.connection, "ROLLBACK").await;
                return Err(error.at(ddl.entity.as_ref().map_or_else(|| Site::service(&self.service), Site::entity)));
            }
        }
        execute(&mut self.connection, "COMMIT").await?;
        self.before = before;
        self.own = None;
        Ok(())
    }

    async fn defer(&mut self, constraints: &[String]) -> Result<()> {
        self.check().await?;
        let sql = "SELECT c.conname::text AS name, c.conrelid::regclass::text AS table, pg_get_constraintdef(c.oid) AS definition \
                   FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0";
        let mut steps = Vec::new();
        for row in rows(&mut self.connection, sql).await? {
            let (name, table, definition) = (text(&row, "name"), text(&row, "table"), text(&row, "definition"));
            if constraints.contains(&name) {
                let name = quote(&name);
                steps.push((
                    format!("ALTER TABLE {table} DROP CONSTRAINT {name}"),
                    format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"),
                ));
            }
        }
        let site = || Site::service(&self.service);
        self.aside.extend(aside::set_aside(&mut self.connection, steps).await.map_err(|e| e.at(site()))?);
        Ok(())
    }

    async fn load(&mut self, step: &LoadStep, batches: BoxStream<'_, Result<RecordBatch>>) -> Result<Loaded> {
        self.check().await?;
        let (LoadStep::Insert { entity, .. } | LoadStep::Patch { entity, .. }) = step;
        let own = own_entity(self.own().await?, entity)?;
        self.silence(entity).await?;
        let site = || Site::entity(&entity.id);
        execute(&mut self.connection, "BEGIN").await.map_err(|e| e.at(site()))?;
        let loaded = match step {
            LoadStep::Insert { later, .. } => load::insert(&mut self.connection, &own, entity, later, batches).await,
            LoadStep::Patch { columns, .. } => load::patch(&mut self.connection, &own, entity, columns, batches).await,
        };
        match loaded {
            Ok(rows) => {
                execute(&mut self.connection, "COMMIT").await.map_err(|e| e.at(site()))?;
                Ok(Loaded { rows, offsets: Vec::new() })
            }
            Err(error) => {
                let _ = execute(&mut self.connection, "ROLLBACK").await;
                Err(error.at(site()))
            }
        }
    }

    async fn settle(&mut self, catalog: &ServiceCatalog, _groups: &[GroupOffsets]) -> Result<()> {
        self.check().await?;
        for ddl in catalog.ddl.iter().filter(|ddl| ddl.phase == Phase::After) {
            let Some(id) = ddl.entity.as_ref().filter(|id| !self.before.contains(&id.name)) else { continue };
            settle::enforce(&mut self.connection, &ddl.statement).await.map_err(|e| e.at(Site::entity(id)))?;
        }
        let statements = std::mem::take(&mut self.aside);
        aside::restore(&mut self.connection, statements).await.map_err(|e| e.at(Site::service(&self.service)))?;
        self.quiet.clear();
        settle::advance_sequences(&mut self.connection).await.map_err(|e| e.at(Site::service(&self.service)))?;
        self.own = None;
        Ok(())
    }

    async fn digest(&mut self, entity: &Entity) -> Result<EntityDigest> {
        let own = own_entity(self.own().await?, entity)?;
        digest(|read| batches(&self.sessions, read), &own, entity).await
    }

    async fn keys(&mut self, entity: &Entity, fields: &[FieldPath], condition: Option<&Condition>) -> Result<KeySet> {
        keys(|read| batches(&self.sessions, read), entity, fields, condition).await
    }

    async fn dangling(&mut self, edge: &Relationship, child: &Entity, parent: &Entity) -> Result<KeySet> {
        let anti_join = || {
            let (sql, columns) = select::anti_join(edge, child, parent)?;
            Ok(copy_out(&self.sessions, &Arc::new(child.clone()), format!("({sql})"), columns))
        };
        dangling(|read| batches(&self.sessions, read), anti_join, edge, child, parent).await
    }
}
