//! Formulae held against SciPy's: tests of two samples.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mallard::over_time::statistics::{
    Dice,
    mean::{Sample, welch},
    rank::mann_whitney,
};
use serde_json::{Value, json};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Closer than this counts as equal.
const NEAR: f64 = 1e-9;

/// What Python says of inputs.
fn asked(inputs: &Value) -> Value {
    let mut python = Command::new(testkit::paths::oracles_python())
        .arg("tests/oracles/oracles.py")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(inputs.to_string().as_bytes()).unwrap();
    let answer = python.wait_with_output().unwrap();
    assert!(answer.status.success(), "{answer:?}");
    serde_json::from_slice(&answer.stdout).unwrap()
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn tests_of_two_samples_are_those_of_scipy() {
    testkit::require!(python_oracles);
    let mut dice = Dice::from_texts(["scipy"]);
    let pairs: Vec<(Vec<f64>, Vec<f64>)> = (0..500)
        .map(|_| {
            let mut sample = |shift: f64| -> Vec<f64> {
                let (n, sigma) = (3 + dice.below(8), 0.1 + dice.unit());
                (0..n).map(|_| shift + sigma * dice.normal()).collect()
            };
            (sample(0.0), sample(0.5))
        })
        .collect();
    let said = asked(&json!({"pairs": pairs}));
    let (of_welch, of_ranks) = (numbers(&said["welch"]), numbers(&said["ranks"]));
    assert_eq!((of_welch.len(), of_ranks.len()), (500, 500));
    for (((a, b), p), of_ranks) in pairs.iter().zip(of_welch).zip(of_ranks) {
        let own = welch(Sample::of(a).unwrap(), Sample::of(b).unwrap()).p();
        assert!((own - p).abs() < NEAR, "Welch's p of {a:?} and {b:?}: {own}, by SciPy {p}");
        let own = mann_whitney(a, b).unwrap().p;
        assert!((own - of_ranks).abs() < NEAR, "p by ranks: {own}, by SciPy {of_ranks}");
    }
}
