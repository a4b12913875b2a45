//! Files whose content came with the connection: certificates, keys, key stores.

use mallard_protocol::private_file;
use rustix::fs::{MemfdFlags, memfd_create};
use std::{fs::File, io::Write, os::fd::AsRawFd};

/// A file in memory that only this process can open, gone when it is dropped or the process has ended, however
/// that came. librdkafka wants paths and reads them while a client is made.
pub(crate) struct PrivateFile {
    file: File,
    name: String,
}

impl PrivateFile {
    /// The file that a property's value carries, if it carries one.
    pub(super) fn of(value: &str) -> Result<Option<Self>, String> {
        let Some((name, bytes)) = private_file::decode(value) else { return Ok(None) };
        let made = memfd_create("mallard", MemfdFlags::CLOEXEC)
            .map_err(std::io::Error::from)
            .and_then(|fd| {
                let mut file = File::from(fd);
                file.write_all(&bytes).map(|()| file)
            });
        let file = made.map_err(|cause| format!("{name} cannot be kept in memory: {cause}"))?;
        Ok(Some(Self { file, name: name.to_owned() }))
    }

    /// A path to it within this process.
    pub(super) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    /// A text with the user's name of the file instead of its path.
    pub(super) fn name_in(&self, text: &str) -> String {
        text.replace(&self.path(), &self.name)
    }
}
