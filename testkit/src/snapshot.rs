//! What a text is, in a file that is checked in: the test fails where it becomes another one.
//!
//! `MALLARD_BLESS=1 ./test` writes the files anew; read the difference.

use std::{env, fs, path::Path};

/// Holds a text against `tests/snapshots/NAME.txt` of the crate that calls this.
///
/// ```ignore
/// testkit::snapshot!("verdict/sentences", text);
/// ```
#[macro_export]
macro_rules! snapshot {
    ($name:expr, $text:expr) => {
        $crate::snapshot::hold(
            &::std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(concat!(
                "tests/snapshots/",
                $name,
                ".txt"
            )),
            &::std::string::ToString::to_string(&$text),
        )
    };
}

/// Holds a text against a file, white space at its end aside. With `MALLARD_BLESS`, the file becomes the text.
///
/// # Panics
///
/// When it is another text: the message shows the lines that differ first. When the file cannot be written.
#[track_caller]
pub fn hold(file: &Path, text: &str) {
    let checked_in = fs::read_to_string(file).unwrap_or_default();
    if checked_in.trim_end() == text.trim_end() {
        return;
    }
    if env::var_os("MALLARD_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap_or(file))
            .and_then(|()| fs::write(file, format!("{}\n", text.trim_end())))
            .unwrap_or_else(|error| panic!("failed to write {}: {error}", file.display()));
        return;
    }
    let differ = checked_in.lines().zip(text.lines()).position(|(was, is)| was != is);
    let at = differ.unwrap_or_else(|| checked_in.lines().count().min(text.lines().count()));
    let line = |of: &str| of.lines().nth(at).unwrap_or("(no such line)").to_owned();
    panic!(
        "{} is another text from line {} on; MALLARD_BLESS=1 accepts it\n- {}\n+ {}\n\nthe whole text:\n{text}",
        file.display(),
        at + 1,
        line(&checked_in),
        line(text),
    );
}
