//! `accepted.yaml`: changes that somebody has looked at and found right.

use super::model::Series;
use crate::config::{
    Diagnostic,
    shape::{Fields, Located, Reader, Shape, list, record, text},
    source::Source,
    tidy, yaml,
};
use std::path::Path;

/// Name of the file in the archive.
pub const FILE: &str = "accepted.yaml";

/// How many runs beside the change the named run may be: later runs may move the place of a change a little.
const BESIDE: usize = 2;

/// A change that is accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The scenario.
    pub scenario: String,
    /// The case; any of the scenario's if it is not given.
    pub case: Option<String>,
    /// The metric.
    pub metric: String,
    /// The first run of the new level.
    pub run: String,
    /// Why it is right.
    pub reason: String,
    /// Line in the file.
    pub line: usize,
}

impl Accepted {
    /// Whether it is about a change of a series: that of a regime's run `at`.
    pub(super) fn is_of(&self, series: &Series, regime: &[usize], at: usize) -> bool {
        let near = at.saturating_sub(BESIDE)..=at + BESIDE;
        let is_near = |(place, point): (usize, &usize)| {
            near.contains(&place) && series.points[*point].run == self.run
        };
        self.metric == series.metric
            && self.case.as_ref().is_none_or(|case| *case == series.case)
            && regime.iter().enumerate().any(is_near)
    }
}

/// Reads the file of an archive: nothing is accepted if there is none.
///
/// # Errors
///
/// Every mistake with its place.
pub fn read(results: &Path) -> Result<Vec<Accepted>, Vec<Diagnostic>> {
    let path = results.join(FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let source = Source::read(&path).map_err(|wrong| vec![wrong])?;
    let root = yaml::parse(&source)?;
    let mut reader = Reader::default();
    let entries = list(record("an accepted change", entry)).read(&root, &mut reader);
    if reader.has_errors() {
        tidy(&mut reader.diagnostics);
        return Err(reader.diagnostics);
    }
    Ok(entries.unwrap_or_default())
}

fn entry(fields: &mut Fields<'_>) -> Option<Accepted> {
    let line = fields.at().line();
    let scenario = fields.required("scenario", "The scenario.", text());
    let doc = "The case, where the scenario has several.";
    let case = fields.optional("case", doc, text());
    let metric = fields.required("metric", "The metric whose level changed.", text().located());
    let run = fields.required("run", "The first run of the new level.", text());
    let reason = fields.required("reason", "Why the change is right.", text().located());
    let (metric, reason): (Located<String>, Located<String>) = (metric?, reason?);
    if crate::metrics::find(&metric.value).is_none() {
        let near = crate::metrics::nearest(&metric.value);
        let near = near.map_or(String::new(), |of| format!("did you mean `{}`? ", of.name));
        let help = format!("{near}`mallard metrics` lists all names");
        fields.error(&metric.at, format!("there is no metric `{}`", metric.value), help);
    }
    if reason.value.trim().is_empty() {
        fields.error(&reason.at, "the reason is empty", "say why the change is right");
    }
    Some(Accepted {
        scenario: scenario?,
        case: case?,
        metric: metric.value,
        run: run?,
        reason: reason.value,
        line,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_accepted_is_read_and_every_mistake_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_empty());
        let file = folder.path().join(FILE);
        let good =
            "- {scenario: steady, metric: produce.response.p99, run: a, reason: new disks}\n";
        fs::write(&file, good).unwrap();
        let accepted = read(folder.path()).unwrap();
        assert_eq!((accepted[0].run.as_str(), accepted[0].case.as_deref()), ("a", None));
        fs::write(
            &file,
            "- {scenario: steady, metric: produce.respnse.p99, run: a, reason: ''}\n- {}\n",
        )
        .unwrap();
        let wrong = read(folder.path()).unwrap_err();
        let told: Vec<String> = wrong.iter().map(|wrong| wrong.message.clone()).collect();
        assert!(told.contains(&"there is no metric `produce.respnse.p99`".to_owned()), "{told:?}");
        assert!(told.contains(&"the reason is empty".to_owned()), "{told:?}");
        assert_eq!(told.iter().filter(|of| of.contains("is missing")).count(), 4, "{told:?}");
        let line = wrong[0].location.as_ref().unwrap().line;
        assert_eq!(line, 1);
    }
}
