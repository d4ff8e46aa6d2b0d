//! `ps`, `down`, `gc` and `mark`.

use reenact_environment::Registry;
use reenact_model::{Class, Dsn, Error, Kind, Result};

use crate::args::{Down, Gc, Mark};
use crate::render;

/// `ps`.
pub(crate) fn ps(json: bool) -> Result<u8> {
    let leases = Registry::open()?.list()?;
    if json {
        let list: Vec<_> = leases
            .iter()
            .map(|l| serde_json::json!({ "id": l.id, "provider": l.provider, "kept": l.kept, "owner_alive": l.owner_alive }))
            .collect();
        render::json(&serde_json::json!({ "format": "reenact/ps", "format_version": "1.0", "environments": list }));
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = leases
        .iter()
        .map(|l| {
            let state = if l.kept {
                "kept"
            } else if l.owner_alive {
                "in use"
            } else {
                "left behind"
            };
            let services: Vec<String> = l.endpoints.iter().map(|(name, p)| format!("{name} ({})", p.kind)).collect();
            vec![l.id.clone(), state.to_owned(), services.join(", ")]
        })
        .collect();
    render::out(&render::table(&["id", "state", "services"], &rows));
    Ok(0)
}

/// `down`.
pub(crate) async fn down(args: &Down) -> Result<u8> {
    let registry = Registry::open()?;
    let Some(id) = &args.id else {
        let ids = registry.down_all().await?;
        render::line(&format!("took {} environments down", ids.len()));
        return Ok(0);
    };
    if !registry.list()?.iter().any(|l| l.id == *id) {
        return Err(Error::new(Class::Input, format!("there is no environment `{id}`")).help("`reenact ps` lists them"));
    }
    registry.down(id).await?;
    render::line(&format!("took {id} down"));
    Ok(0)
}

/// `gc`.
pub(crate) async fn gc(args: &Gc) -> Result<u8> {
    let ids = Registry::open()?.gc().await?;
    let garbage = reenact_bundle::Directory::garbage(&args.folder);
    for folder in &garbage {
        std::fs::remove_dir_all(folder).map_err(|e| {
            Error::new(Class::Cleanup, format!("`{}` can't be removed: {}", folder.display(), e.kind()))
        })?;
    }
    render::line(&format!("removed {} environments and {} unfinished bundles", ids.len(), garbage.len()));
    Ok(0)
}

/// `mark`.
pub(crate) async fn mark(args: &Mark) -> Result<u8> {
    let url = std::env::var(&args.url_env)
        .map_err(|_| Error::new(Class::Input, format!("the variable `{}` is not set", args.url_env)))?;
    let dsn = Dsn::new(url);
    let kind = Kind::of_scheme(dsn.scheme()).ok_or_else(|| {
        Error::new(Class::Input, "the URL's scheme names no store")
            .help("write postgres://, mysql://, sqlite://, redis:// or kafka://")
    })?;
    let store = reenact_stores::store(kind)
        .ok_or_else(|| Error::new(Class::Input, format!("this build has no store of kind `{kind}`")))?;
    store.mark(&dsn).await?;
    render::line(&format!("{dsn} may now be overwritten by a replay"));
    Ok(0)
}
