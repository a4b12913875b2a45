//! Shares, as arguments have them.

use crate::text::units;

/// A share as it is written: `5%`, `0.05`.
pub(super) fn tolerance(text: &str) -> Result<f64, String> {
    let share = units::parse(text, "ratio").ok().filter(|of| (0.0..=1.0).contains(of));
    share.ok_or_else(|| "expected a share from 0 to 100 %, as 5% or 0.05".to_owned())
}
