//! `hookwire store`: looking at a store that no broker uses.

use std::collections::HashSet;
use std::io::{BufRead, BufWriter, Write, stdin};
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, bail};
use hookwire_store::{Batch, DataLoss, Disk, FORMAT, Key, Space, Store};
use serde_json::{Value, json};

use crate::cli::StoreCommand;
use crate::output::output;
use crate::session::journal::{Entry, keys};

/// Memory for what was read last; everything is read once.
const CACHE_BYTES: u64 = 8 << 20;
/// Records of an import that are written together.
const IMPORT_BATCH: usize = 1000;

/// Does what the command line asks for.
///
/// # Errors
/// There is no store, a broker uses it, or it is damaged.
pub fn run(command: &StoreCommand) -> anyhow::Result<()> {
    match command {
        StoreCommand::Check { folder } => check(folder),
        StoreCommand::Export {
            folder,
            accept_data_loss,
        } => export(folder, *accept_data_loss),
        StoreCommand::Import { folder } => import(folder),
        StoreCommand::Compact { folder } => compact(folder),
    }
}

fn open(folder: &Path, loss: DataLoss) -> anyhow::Result<Disk> {
    if !Disk::exists(folder) {
        bail!("there is no store in {}", folder.display());
    }
    Disk::open(folder, CACHE_BYTES, loss)
        .with_context(|| format!("cannot open the store in {}", folder.display()))
}

// ---- check

fn check(folder: &Path) -> anyhow::Result<()> {
    let store = open(folder, DataLoss::Refuse)?;
    let mut damaged = 0_u64;
    for space in Space::ALL {
        let mut printed = Ok(());
        let good = store.check(space, &mut |error| {
            damaged += 1;
            if printed.is_ok() {
                printed = writeln!(output(), "{error}");
            }
        })?;
        printed?;
        writeln!(output(), "{}: {good} good records", space.as_str())?;
    }
    writeln!(output(), "{} commits", store.committed())?;
    if damaged > 0 {
        bail!("{damaged} damaged records");
    }
    let left_over = left_over(&store)?;
    if left_over > 0 {
        writeln!(output(), "{left_over} messages that nothing refers to")?;
    }
    Ok(writeln!(output(), "{}: ok", folder.display())?)
}

/// Messages that no place in a queue refers to.
fn left_over(store: &Disk) -> anyhow::Result<usize> {
    let mut referred = HashSet::new();
    let mut unreadable = None;
    store.scan(
        Space::Queue,
        &[],
        &mut |key, value| match Entry::read(value.to_vec()) {
            Ok(entry) => {
                referred.extend(entry.body);
                ControlFlow::Continue(())
            }
            Err(error) => {
                unreadable = Some(format!("a place in a queue, {}: {error}", hex(key)));
                ControlFlow::Break(())
            }
        },
    )?;
    if let Some(unreadable) = unreadable {
        bail!(unreadable);
    }
    let mut left_over = 0;
    store.scan(Space::Message, &[], &mut |key, _| {
        let body = keys::split(key).and_then(|(body, _)| NonZeroU64::new(body));
        left_over += usize::from(body.is_none_or(|body| !referred.contains(&body)));
        ControlFlow::Continue(())
    })?;
    Ok(left_over)
}

// ---- export and import

fn export(folder: &Path, accept_data_loss: bool) -> anyhow::Result<()> {
    let loss = if accept_data_loss {
        DataLoss::Accept
    } else {
        DataLoss::Refuse
    };
    let store = open(folder, loss)?;
    let mut out = BufWriter::new(output());
    writeln!(out, "{}", json!({ "hookwire-store": FORMAT }))?;
    for space in Space::ALL.into_iter().filter(|space| *space != Space::Meta) {
        let mut failed = None;
        store.scan(space, &[], &mut |key, value| {
            let line = json!({ "space": space.as_str(), "key": hex(key), "value": hex(value) });
            match writeln!(out, "{line}") {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    out.flush()?;
    Ok(())
}

fn import(folder: &Path) -> anyhow::Result<()> {
    if Disk::exists(folder) {
        bail!("there is a store in {} already", folder.display());
    }
    let mut lines = stdin().lock().lines();
    let first = lines.next().context("nothing to import")??;
    check_format(&first)?;
    let store = Disk::open(folder, CACHE_BYTES, DataLoss::Refuse)?;
    let mut batch = Batch::default();
    let mut count = 0_usize;
    for (at, line) in lines.enumerate() {
        let line = line?;
        let (space, key, value) = record(&line).with_context(|| format!("line {}: not a record", at + 2))?;
        batch.put(space, Key::from_slice(&key), value);
        count += 1;
        if batch.len() >= IMPORT_BATCH {
            store.commit(&std::mem::take(&mut batch), false)?;
        }
    }
    store.commit(&batch, true)?;
    store.mark()?;
    Ok(writeln!(output(), "{}: {count} records", folder.display())?)
}

fn check_format(line: &str) -> anyhow::Result<()> {
    let head: Value = serde_json::from_str(line).context("not an export of a store")?;
    match head.get("hookwire-store").and_then(Value::as_u64) {
        Some(found) if (1..=u64::from(FORMAT)).contains(&found) => Ok(()),
        Some(found) => bail!("an export of format {found}, this version reads formats up to {FORMAT}"),
        None => bail!("not an export of a store"),
    }
}

fn record(line: &str) -> Option<(Space, Vec<u8>, Vec<u8>)> {
    let record: Value = serde_json::from_str(line).ok()?;
    let text = |name| record.get(name)?.as_str();
    let space = Space::named(text("space")?).filter(|space| *space != Space::Meta)?;
    Some((space, unhex(text("key")?)?, unhex(text("value")?)?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

// ---- compact

fn compact(folder: &Path) -> anyhow::Result<()> {
    let store = open(folder, DataLoss::Refuse)?;
    let before = store.room()?.used;
    store.compact()?;
    let after = store.room()?.used;
    let folder = folder.display();
    Ok(writeln!(
        output(),
        "{folder}: {before} bytes before, {after} after"
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_digits_and_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)).unwrap(), bytes);
        for broken in ["0", "0g", "+1", "é"] {
            assert_eq!(unhex(broken).filter(|_| broken != "+1"), None, "{broken}");
        }
    }
}
