//! A directory holds a whole bundle or none.

use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use reenact_model::{Class, Via};

use super::{Fixture, entity, masked, rows};
use crate::directory::shows_dead_writer;
use crate::{Directory, Place};

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_bundle_appears_at_once_and_for_its_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("incident.bundle");
    let fixture = Fixture::at(Arc::new(Directory::create(&path).unwrap()));
    assert!(!path.exists());
    assert_eq!(mode(&parent.path().join(&names(parent.path())[0])), 0o700);
    let id = fixture.write(&[entity("a"), entity("b")], 1000);
    assert_eq!(names(parent.path()), ["incident.bundle"]);
    assert_eq!(names(&path).len(), 4);
    assert!(names(&path).contains(&"manifest.json".to_owned()));
    assert!(names(&path).iter().all(|name| mode(&path.join(name)) == 0o600));
    assert!(Directory::garbage(parent.path()).is_empty());

    // The writer's own handle reads, but writes no more.
    fixture.open().unwrap().verify().unwrap();
    let member = fixture.member();
    assert!(fixture.place.put(&member).is_err() && fixture.place.remove(&member).is_err());
    fixture.place.abandon().unwrap();
    let read = Fixture { place: Arc::new(Directory::open(&path).unwrap()), ..fixture };
    let bundle = read.open().unwrap();
    assert_eq!(*bundle.id(), id);
    bundle.verify().unwrap();
    assert_eq!(read.place.describe(), path.display().to_string());

    let error = Directory::create(&path).unwrap_err();
    assert_eq!(error.class(), Class::Input);
    assert!(error.help_text().is_some());
}

#[test]
fn an_unfinished_bundle_is_no_bundle_but_garbage_once_its_writer_is_gone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("b");
    let (place, entity) = (Arc::new(Directory::create(&path).unwrap()), entity("a"));
    let fixture = Fixture::at(place);
    let writer = fixture.writer();
    let mut member = writer.member(&entity).unwrap();
    member.write(&masked(&entity, rows(&entity, 50_000, 1), Via::root(0))).unwrap();
    let sealed = member.seal().unwrap();
    assert!(Directory::garbage(parent.path()).is_empty(), "its writer lives");
    drop((writer, fixture));
    assert_eq!(Directory::open(&path).unwrap_err().class(), Class::Bundle);
    let garbage = Directory::garbage(parent.path());
    assert_eq!(garbage.len(), 1);
    assert_eq!(names(&garbage[0]), [format!("{}.member", sealed.id)]);

    // Neither a file, nor another name, nor a link is garbage.
    fs::write(parent.path().join(".x.partial-0123456789abcdef"), "").unwrap();
    fs::create_dir(parent.path().join(".x.partial-")).unwrap();
    fs::create_dir(parent.path().join("x.partial-0123456789abcdef")).unwrap();
    std::os::unix::fs::symlink("/", parent.path().join(".y.partial-0123456789abcdef")).unwrap();
    assert_eq!(Directory::garbage(parent.path()), garbage);
}

#[test]
fn only_a_lock_that_was_taken_proves_that_a_writer_is_gone() {
    assert!(shows_dead_writer(&Ok(())));
    assert!(!shows_dead_writer(&Err(TryLockError::WouldBlock)));
    for kind in [io::ErrorKind::Unsupported, io::ErrorKind::Interrupted, io::ErrorKind::PermissionDenied] {
        assert!(!shows_dead_writer(&Err(TryLockError::Error(kind.into()))), "{kind}");
    }
}

#[test]
fn what_is_abandoned_is_gone() {
    let parent = tempfile::tempdir().unwrap();
    let fixture = Fixture::at(Arc::new(Directory::create(parent.path().join("b")).unwrap()));
    let writer = fixture.writer();
    let _sealed = writer.member(&entity("a")).unwrap().seal().unwrap();
    writer.abandon().unwrap();
    writer.abandon().unwrap();
    assert!(names(parent.path()).is_empty());
    assert_eq!(writer.member(&entity("a")).unwrap_err().class(), Class::Write);
}

#[test]
fn what_is_abandoned_while_it_is_completed_is_whole_or_gone() {
    let (mut whole, mut gone) = (0, 0);
    for round in 0..400_u32 {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("b");
        let place = Arc::new(Directory::create(&path).unwrap());
        for n in 0..8_u8 {
            place.put(&format!("{n:032x}").parse().unwrap()).unwrap().finish().unwrap();
        }
        let committing = std::thread::spawn({
            let place = Arc::clone(&place);
            move || place.commit(b"{}").is_ok()
        });
        // Instants spread over the life of a commit, and some after it.
        (0..round * 50).for_each(|_| std::hint::spin_loop());
        while round % 100 == 99 && !committing.is_finished() {
            std::thread::yield_now();
        }
        place.abandon().unwrap();
        if committing.join().unwrap() {
            assert_eq!((names(&path).len(), names(parent.path()).len()), (9, 1));
            whole += 1;
        } else {
            assert_eq!(names(parent.path()), Vec::<String>::new());
            gone += 1;
        }
    }
    assert!(whole > 0 && gone > 0, "{whole} whole, {gone} gone");
}

#[test]
fn files_that_were_changed_on_disk_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("b");
    let fixture = Fixture::at(Arc::new(Directory::create(&path).unwrap()));
    fixture.write(&[entity("a")], 100);
    let open = || {
        let opened = Directory::open(&path).and_then(|place| crate::Bundle::open(Arc::new(place), &fixture.keyring()));
        opened.map(drop).map_err(|error| error.class())
    };
    assert_eq!(open(), Ok(()));
    let file = path.join(format!("{}.member", fixture.member()));
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(open(), Err(Class::Bundle));
    fs::remove_file(&file).unwrap();
    assert_eq!(open(), Err(Class::Bundle));
    fs::create_dir(&file).unwrap();
    assert_eq!(open(), Err(Class::Bundle));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    assert_eq!(open(), Ok(()));
    // A file more does not belong to the bundle and is not read.
    fs::write(path.join("note.txt"), "checked").unwrap();
    assert_eq!(open(), Ok(()));
    fs::write(path.join("manifest.json"), vec![b' '; (16 << 20) + 1]).unwrap();
    assert_eq!(open(), Err(Class::Bundle));
    fs::remove_file(path.join("manifest.json")).unwrap();
    assert_eq!(open(), Err(Class::Bundle));
}

#[test]
fn a_name_that_was_taken_meanwhile_is_not_overwritten() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("b");
    let place = Directory::create(&path).unwrap();
    fs::write(&path, "somebody's file").unwrap();
    assert_eq!(place.commit(b"{}").unwrap_err().class(), Class::Input);
    assert_eq!(fs::read(&path).unwrap(), b"somebody's file");
    place.abandon().unwrap();
    assert_eq!(names(parent.path()), ["b"]);
}
