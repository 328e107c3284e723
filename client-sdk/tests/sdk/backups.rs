//! A backup is whole, or an error.

use keeper_client_sdk::{Backup, BackupOf, Endpoint, Error, Keeper};
use keeper_proto::v1::{BackupEnd, BackupHead, backup_reply::Part};

use crate::fake::Fake;

const FILE: &[u8] = b"the state of everything";

/// The parts of a backup of [`FILE`].
fn parts() -> Vec<Part> {
    let head = BackupHead { cluster: "fake".into(), revision: 42, bytes: FILE.len() as u64, ..BackupHead::default() };
    let (first, second) = FILE.split_at(5);
    let end = BackupEnd { checksum: crc32c::crc32c(FILE) };
    vec![Part::Head(head), Part::Piece(first.into()), Part::Piece(second.into()), Part::End(end)]
}

async fn begin(parts: Vec<Part>) -> anyhow::Result<(Fake, Result<Backup, Error>)> {
    let fake = Fake::start(1).await?;
    fake.state.change(|book| book.backup = parts);
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let endpoint = Endpoint::parse(&fake.endpoints[0])?;
    let backup = keeper.cluster().backup(&endpoint, BackupOf::Cluster).await;
    Ok((fake, backup))
}

async fn read(backup: &mut Backup) -> Result<Vec<u8>, Error> {
    let mut read = Vec::new();
    while let Some(piece) = backup.next().await? {
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

#[tokio::test]
async fn a_backup_comes_as_it_was_sent() -> anyhow::Result<()> {
    let (_fake, backup) = begin(parts()).await?;
    let mut backup = backup?;
    assert_eq!((backup.head().revision, backup.head().bytes), (42, FILE.len() as u64));
    assert_eq!(read(&mut backup).await?, FILE);
    Ok(())
}

#[tokio::test]
async fn a_backup_that_ends_early_is_none() -> anyhow::Result<()> {
    let whole = parts();
    for length in 0..whole.len() {
        let (_fake, backup) = begin(whole[..length].to_vec()).await?;
        let error = match backup {
            Ok(mut backup) => read(&mut backup).await.expect_err("its end is missing"),
            Err(error) => error,
        };
        assert!(error.is_retryable(), "{length} parts: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_that_was_changed_or_lacks_a_piece_is_none() -> anyhow::Result<()> {
    let mut changed = parts();
    changed[1] = Part::Piece("that ".into());
    let mut lacking = parts();
    lacking.remove(2);
    let mut headless = parts();
    headless.remove(0);
    for parts in [changed, lacking, headless] {
        let (_fake, backup) = begin(parts).await?;
        let error = match backup {
            Ok(mut backup) => read(&mut backup).await.expect_err("it is another one"),
            Err(error) => error,
        };
        assert_eq!(error.reason(), "malformed-answer", "{error}");
    }
    Ok(())
}
