//! What Linux tells about a process: `/proc/PID/stat` and `/proc/PID/status`.

use std::{fs, io, path::Path};

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// User and system time of all its threads since it began.
    pub(crate) cpu_s: f64,
    /// Memory it holds now.
    pub(crate) rss_bytes: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let malformed = |file| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/{file}"));
        let ticks = ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?).ok_or_else(|| malformed("stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let cpu_s = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        Ok(Self { cpu_s, rss_bytes: rss_bytes(&status).ok_or_else(|| malformed("status"))? })
    }
}

/// `utime` and `stime`: fields 14 and 15. The name in field 2 may hold anything, so counting begins after its bracket.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// What was written into a directory: lengths, not blocks, because a log is preallocated, and a share of room that
/// nobody has used yet says nothing about a session.
pub(crate) fn disk_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path())?,
            Ok(metadata) => metadata.len(),
            // A node at work removes files while they are counted.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_after_the_name() {
        let stat = "4242 (a b) c) S 1 4242 4242 0 -1 4194560 9000 0 3 0 1234 567 0 0 20 0 8 0 100 1 2";
        assert_eq!(ticks(stat), Some(1_234 + 567));
        assert_eq!(ticks("4242 (keeper"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(rss_bytes("Name:\tkeeper\nVmPeak:\t  99 kB\nVmRSS:\t   2048 kB\n"), Some(2 << 20));
        assert_eq!(rss_bytes("Name:\tkeeper\n"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.cpu_s >= 0.0 && usage.rss_bytes > 0, "{usage:?}");
    }

    #[test]
    fn a_directory_is_counted_with_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("inner")).unwrap();
        fs::write(dir.path().join("inner/file"), vec![7; 64 << 10]).unwrap();
        assert!(disk_bytes(dir.path()).unwrap() >= 64 << 10);
    }
}
