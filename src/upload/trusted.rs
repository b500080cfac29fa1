//! Opens a checkpoint safely in a folder that other users may write to: their files and links are not used.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::error::{Error, Result, Status};

/// The most symbolic links in a chain; as many as Linux follows.
const MOST_LINKS: usize = 40;

/// Mode bits: group or others may write to a folder.
const SHARED: u32 = 0o022;

const ROOT: u32 = 0;

pub(super) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// The path of the file after following symbolic links, and whether there was one. Renaming a file to a
/// link's name would replace the link.
pub(super) fn followed(path: &Path) -> Result<(PathBuf, bool)> {
    let mut file = path.to_owned();
    for links in 0..MOST_LINKS {
        match std::fs::symlink_metadata(&file) {
            Ok(found) if found.is_symlink() => {
                check_trusted(&file, &found, "a symbolic link")?;
                let target = std::fs::read_link(&file);
                let target = target.map_err(|cause| failed("follow", path, &cause))?;
                file = folder_of(&file).join(target);
            }
            _ => return Ok((file, links > 0)),
        }
    }
    let cause = io::Error::from_raw_os_error(libc::ELOOP);
    Err(failed("follow", path, &cause))
}

/// Fails if another user may have put this file or link into its folder: if it belongs neither to this user
/// nor to root, and others may write to the folder or the folder belongs to another user. In folders like
/// /tmp, Linux itself refuses some of that (fs.protected_symlinks, fs.protected_regular), unless a system
/// has switched it off.
fn check_trusted(path: &Path, found: &Metadata, what: &str) -> Result<()> {
    let trusted = |uid: u32| uid == geteuid().as_raw() || uid == ROOT;
    if trusted(found.uid()) {
        return Ok(());
    }
    let folder =
        std::fs::metadata(folder_of(path)).map_err(|cause| failed("look at", path, &cause))?;
    if folder.mode() & SHARED == 0 && trusted(folder.uid()) {
        return Ok(());
    }
    Err(Error::new(
        Status::FileError,
        format!(
            "checkpoint {} is {what} of another user (uid {}), in a folder that another user may write to, and is not used; remove it, or name a resume_path in a folder of your own",
            path.display(),
            found.uid()
        ),
    ))
}

pub(super) fn open(path: &Path) -> Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // Non-blocking, so that a FIFO does not block the caller; and a link that appeared meanwhile is not
        // followed.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)
        .map_err(|cause| failed("open", path, &cause))?;
    let found = metadata(&opened, path)?;
    if !found.is_file() {
        return Err(Error::new(
            Status::FileError,
            format!("checkpoint {} is not a regular file", path.display()),
        ));
    }
    check_trusted(path, &found, "a file")?;
    Ok(opened)
}

pub(super) fn metadata(file: &File, path: &Path) -> Result<Metadata> {
    file.metadata()
        .map_err(|cause| failed("look at", path, &cause))
}

pub(super) fn failed(what: &str, path: &Path, cause: &std::io::Error) -> Error {
    Error::file(
        format_args!("cannot {what} checkpoint {}", path.display()),
        cause,
    )
}
