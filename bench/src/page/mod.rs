//! From outcomes to tables, and from tables to pages.

pub(crate) mod html;
pub(crate) mod markdown;

mod machine;
mod tables;

pub(crate) use machine::Machine;
pub(crate) use tables::table;

/// What stands above the tables.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// Whether it was only to see that everything works.
    pub(crate) short: bool,
    /// Rounds that count.
    pub(crate) rounds: usize,
}

impl Head {
    /// What a reader must know first, a sentence each.
    fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![self.machine.sentence()];
        sentences.push(format!(
            "Median of {} round(s), the smallest and the largest in parentheses; ratios are made within a round.",
            self.rounds
        ));
        if self.short {
            sentences.push(
                "A short run, which only shows that everything works: no figures to judge by."
                    .to_owned(),
            );
        }
        sentences
    }
}

/// A table: text in cells, and notes below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Title.
    pub(crate) title: String,
    /// Heads of the columns; the first one is of the rows' names.
    pub(crate) columns: Vec<String>,
    /// Rows.
    pub(crate) rows: Vec<Vec<String>>,
    /// Notes.
    pub(crate) notes: Vec<String>,
}

/// A cell for something that a tool does not do or say, as opposed to a figure that is missing.
pub(crate) const NOT_SAID: &str = "–";
