//! The pages in a browser: nothing red on the console, nothing asked of the network, nothing wider than
//! the window, and charts that answer.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use mallard::{over_time::index, report::templates::Templates};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use support::archives;
use tempfile::TempDir;
use testkit::browser::{Page, View};

/// A day of a hundred agents with a thousand partitions opens within this; the machine may be busy with other tests.
const OPENS_WITHIN: Duration = Duration::from_secs(2);

fn made(make: impl Fn(&Path) -> PathBuf) -> (TempDir, PathBuf) {
    let results = tempfile::tempdir().unwrap();
    let page = index::with_reports(&make(results.path()), &Templates::load(None).unwrap()).unwrap();
    (results, page)
}

/// What holds for every page, however it is looked at.
fn is_sound(page: &mut Page) {
    assert_eq!(page.errors(), []);
    assert!(page.requests().is_empty(), "{:?}", page.requests());
    assert_eq!(page.sideways_overflow_px(), 0);
}

#[test]
fn every_page_is_sound_in_every_view() {
    testkit::require!(chromium);
    for make in [
        archives::passing,
        archives::failing,
        archives::matrix,
        archives::hostile,
        archives::unfinished,
    ] {
        let (results, report) = made(make);
        for file in [report, results.path().join("index.html")] {
            for view in
                [View::DESKTOP, View::PHONE, View::DESKTOP.dark(), View::DESKTOP.without_scripts()]
            {
                is_sound(&mut Page::open(&file, view));
            }
        }
    }
}

#[test]
fn hostile_text_runs_nothing() {
    testkit::require!(chromium);
    let (results, report) = made(archives::hostile);
    for file in [report, results.path().join("index.html")] {
        let mut page = Page::open(&file, View::DESKTOP);
        assert_eq!(page.evaluate("typeof window.pwned"), Value::from("undefined"));
        assert_eq!(page.count("img"), 0);
    }
}

#[test]
fn the_pointer_shows_the_same_time_in_all_charts_and_dragging_zooms() {
    testkit::require!(chromium);
    let (_results, report) = made(archives::failing);
    let mut page = Page::open(&report, View::DESKTOP);
    let plots = page.count("[data-role=time-charts] .plot");
    assert!(plots >= 6, "{plots}");
    page.hover_on("[data-role=time-charts] .plot");
    assert_eq!(page.count("[data-role=time-charts] .plot .cursor"), plots);
    let clock = page.text("[data-role=clock]");
    assert!(clock.contains("UTC · hold"), "{clock}");
    let value = page.text("[data-role=time-charts] .key output");
    assert!(value.ends_with("/s"), "{value}");
    let (x, y) = page.middle_of("[data-role=time-charts] .plot");
    page.drag((x - 100.0, y), (x + 100.0, y));
    page.hover(1.0, 1.0);
    assert!(page.text("[data-role=clock]").contains(" of 0:22"));
    page.click_on("[data-zoom=all]");
    page.hover(1.0, 1.0);
    assert_eq!(page.text("[data-role=clock]"), "whole run, 0:22");
    is_sound(&mut page);
}

#[test]
fn an_outage_is_told_at_the_top_and_told_apart_from_what_failed_in_every_chart() {
    testkit::require!(chromium);
    let (_results, report) = made(archives::failing);
    let mut page = Page::open(&report, View::DESKTOP);
    let told = page.text(".note.outage");
    assert!(told.contains("No acknowledgements from 0:08 to 0:13"), "{told}");
    assert!(told.contains("180 records were sent again"), "{told}");
    let plots = page.count("[data-role=time-charts] .plot");
    let named = page.evaluate(
        "[...document.querySelectorAll('[data-role=time-charts] .outagetext')].filter((e) => e.textContent === 'outage').length",
    );
    assert_eq!(named, Value::from(plots));
    // Neither has the other's colour.
    let fills = "['outage', 'failband'].map((name) => getComputedStyle(document.querySelector(`.plot .${name}`)).fill)";
    let fills = page.evaluate(fills);
    assert_ne!(fills[0], fills[1], "{fills}");
    is_sound(&mut page);
}

#[test]
fn partitions_are_sorted_filtered_and_shown_all() {
    testkit::require!(chromium);
    let (_results, report) = made(|results| archives::soak(results, 1, 2, 1_000));
    let mut page = Page::open(&report, View::DESKTOP);
    let rows = "[data-role=partition-table] tbody tr";
    assert_eq!(page.count(rows), 20);
    page.click_on("[data-role=partitions] .controls button");
    assert_eq!(page.count(rows), 1_000);
    page.click_on("[data-role=partition-table] th:first-child button");
    assert_eq!(page.text("[data-role=partition-table] tbody td"), "orders/0");
    page.evaluate(
        "(() => { const box = document.querySelector('[data-role=partitions] input'); \
         box.value = 'orders/99'; box.dispatchEvent(new Event('input')); })()",
    );
    assert_eq!(page.count(rows), 11);
    is_sound(&mut page);
}

#[test]
fn a_closed_case_draws_its_charts_when_it_is_opened() {
    testkit::require!(chromium);
    let (_results, report) = made(archives::matrix);
    let mut page = Page::open(&report, View::DESKTOP);
    assert_eq!(page.count("#case-2[open]"), 1, "the first case that did not pass is open");
    assert_eq!(page.count("#case-1 .plot"), 0);
    page.evaluate("document.getElementById('case-1').open = true");
    page.evaluate("new Promise((done) => setTimeout(done, 100))");
    assert!(page.count("#case-1 .plot") > 6);
    is_sound(&mut page);
}

#[test]
fn cases_stand_side_by_side_with_what_must_hold_across_them() {
    testkit::require!(chromium);
    let (_results, report) = made(archives::matrix);
    for view in [View::DESKTOP, View::DESKTOP.dark(), View::PHONE] {
        let mut page = Page::open(&report, view);
        let charts = page.count(".set-chart");
        assert!(charts >= 2, "rates alone hide what they cost: {charts}");
        assert_eq!(page.count(".set-chart .row"), 5 * charts, "a bar a case");
        let titles = page.text(".set-charts");
        assert!(titles.contains("produce.response.p99"), "{titles}");
        // The limit of both cases that are held against the one without a codec.
        assert_eq!(page.count(".set-chart .track b"), 2);
        assert_eq!(page.count("#set-codecs ~ .scroll .expect .broke"), 1);
        let width = page.evaluate("document.querySelector('.set-chart .track').clientWidth");
        assert!(width.as_f64().is_some_and(|width| width > 80.0), "{width}");
        is_sound(&mut page);
    }
}

#[test]
fn expectations_against_baselines_are_told_by_word_and_sign() {
    testkit::require!(chromium);
    let (_results, report) = made(archives::matrix);
    let mut page = Page::open(&report, View::PHONE);
    let words = page.evaluate(
        "[...document.querySelectorAll('#baselines + .scroll .badge')].map((e) => e.textContent.trim()).join()",
    );
    assert_eq!(words, Value::from("✓ held,✗ failed,? unclear,– not judged"));
    is_sound(&mut page);
}

#[test]
fn what_the_figures_mean_is_told_in_words_and_signs() {
    testkit::require!(chromium);
    let (_results, report) = made(archives::matrix);
    let mut page = Page::open(&report, View::PHONE.dark());
    page.evaluate("document.querySelectorAll('details.case').forEach((d) => { d.open = true; })");
    let words = page.evaluate(
        "[...document.querySelectorAll('#case-1 .tiers .word')].map((e) => e.textContent.trim()).join()",
    );
    assert_eq!(words, Value::from("● good,◐ acceptable,○ poor,– no tier"));
    assert_eq!(page.count("#case-1 [aria-label^='Stages of'] i"), 4);
    assert!(page.text("#case-1-meaning ~ .note").contains("What to do"));
    is_sound(&mut page);
}

#[test]
fn the_index_filters_by_every_word() {
    testkit::require!(chromium);
    let results = tempfile::tempdir().unwrap();
    let templates = Templates::load(None).unwrap();
    for make in [archives::passing, archives::failing, archives::matrix] {
        index::with_reports(&make(results.path()), &templates).unwrap();
    }
    let mut page = Page::open(&results.path().join("index.html"), View::DESKTOP);
    page.evaluate(
        "(() => { const box = document.getElementById('filter'); box.value = 'steady fail'; \
         box.dispatchEvent(new Event('input')); })()",
    );
    assert_eq!(page.count("#runs tbody tr:not([hidden])"), 1);
    assert_eq!(page.text("#shown"), "1 of 3");
}

#[test]
fn a_day_of_a_hundred_agents_with_a_thousand_partitions_opens_quickly() {
    testkit::require!(chromium);
    let (_results, report) = made(|results| archives::soak(results, 24, 100, 1_000));
    // What counts is the page's own work; starting the browser is not the page's.
    let start = Instant::now();
    let mut page = Page::open(&report, View::DESKTOP);
    let opened = start.elapsed();
    let drawn = page.evaluate(
        "(() => { const of = performance.getEntriesByType('navigation')[0]; return of.loadEventEnd; })()",
    );
    let drawn = Duration::from_secs_f64(drawn.as_f64().unwrap_or(f64::MAX).min(1e6) / 1e3);
    assert!(drawn < OPENS_WITHIN, "drawn after {drawn:?}, opened after {opened:?}");
    is_sound(&mut page);
}
