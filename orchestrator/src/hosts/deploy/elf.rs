//! What a program asks of its host: its architecture, and how new a C library.

use object::{
    Endianness, FileKind,
    elf::{EM_AARCH64, EM_X86_64, FileHeader64},
    read::elf::{FileHeader, SectionHeader},
};
use std::fmt;

/// A version of the GNU C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Glibc {
    /// Reads `2.36`, `GLIBC_2.36` or `2.2.5`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("GLIBC_").unwrap_or(text).split('.');
        let mut next = || numbers.next()?.parse().ok();
        Some(Self(next()?, next()?))
    }
}

/// What a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// As `uname -m` says it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// The oldest C library that has all it calls; `None` if it calls none.
    pub glibc: Option<Glibc>,
}

/// Reads what a program needs out of its bytes.
///
/// # Errors
/// It is not a program for Linux that this knows.
pub fn needs(program: &[u8]) -> Result<Needs, String> {
    let text = |cause: object::read::Error| format!("its ELF header cannot be read: {cause}");
    if FileKind::parse(program).ok() != Some(FileKind::Elf64) {
        return Err("it is not a 64-bit ELF program".to_owned());
    }
    let header = FileHeader64::<Endianness>::parse(program).map_err(text)?;
    let endian = header.endian().map_err(text)?;
    let architecture = match header.e_machine(endian) {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "aarch64".to_owned(),
        other => format!("machine-{other}"),
    };
    let sections = header.sections(endian, program).map_err(text)?;
    let mut glibc = None;
    for section in sections.iter() {
        let Some((mut libraries, strings)) = section.gnu_verneed(endian, program).map_err(text)?
        else {
            continue;
        };
        let strings = sections.strings(endian, program, strings).map_err(text)?;
        while let Some((_, mut versions)) = libraries.next().map_err(text)? {
            while let Some(version) = versions.next().map_err(text)? {
                let name = version.name(endian, strings).map_err(text)?;
                let name = String::from_utf8_lossy(name);
                let number = name.strip_prefix("GLIBC_").and_then(Glibc::parse);
                glibc = glibc.max(number);
            }
        }
    }
    Ok(Needs { architecture, glibc })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(Glibc::parse("GLIBC_2.2.5"), Some(Glibc(2, 2)));
        assert!(Glibc::parse("2.9") < Glibc::parse("2.28"));
        assert_eq!(Glibc::parse("PRIVATE"), None);
    }

    #[test]
    fn a_program_tells_what_it_needs() {
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&this).unwrap();
        assert_eq!(needs.architecture, std::env::consts::ARCH);
        assert!(needs.glibc > Some(Glibc(2, 2)), "{needs:?}");
        assert!(super::needs(b"#!/bin/sh\n").is_err());
    }
}
