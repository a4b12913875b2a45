//! `mallard serve` in a real browser, with a run going on.

use crate::world::{EMBEDDED, PATIENCE, RUN, sandbox};
use std::{fmt::Write, fs, net::SocketAddr};
use testkit::{
    browser::{Page, View},
    http,
    mallard::Sandbox,
    process::{Running, Signal},
    wait,
};

const SCENARIO: &str = "name: live\n\
     topics: {orders: {partitions: 3}}\n\
     load: [{hold: {rate: 500/s, for: 25s}}, {drain: {within: 15s}}]\n\
     producers: {shop: {topic: orders, payload: {size: 100B}}}\n\
     consumers: {billing: {topics: [orders], group: billing}}\n";

fn serving(sandbox: &Sandbox, port: u16) -> Running {
    let mut serving = sandbox.spawn(["serve", "results", "--listen", &port.to_string()]);
    serving.wait_for_output("is at http://", PATIENCE);
    serving
}

#[test]
fn a_run_that_goes_on_is_followed_and_becomes_its_report() {
    testkit::require!(chromium);
    let sandbox = sandbox(SCENARIO, EMBEDDED);
    let port = http::free_port();
    let server = serving(&sandbox, port);
    let running = sandbox.spawn([&RUN[..], &["--id", "soak"]].concat());
    let journal = sandbox.path("results/soak/events.jsonl");
    wait::until("intervals", PATIENCE, || {
        fs::read_to_string(&journal).ok().filter(|text| text.contains("\"interval\""))
    });
    let mut page = Page::visit(&format!("http://127.0.0.1:{port}/live/soak"), View::PHONE);
    let past = |page: &mut Page| page.text("[data-live-past]");
    let first =
        wait::until("the strip", PATIENCE, || Some(past(&mut page)).filter(|text| text != "–"));
    // The server is ended and started again: the page goes on by itself.
    server.signal(Signal::TERM);
    server.wait(PATIENCE).assert_code(0);
    let _server = serving(&sandbox, port);
    wait::until("further figures", PATIENCE, || (past(&mut page) != first).then_some(()));
    assert_eq!(page.sideways_overflow_px(), 0);
    assert!(page.count("[data-role=time-charts] svg") >= 2, "{}", page.dom());
    let rows = "document.querySelector('[data-case]').data.levels[0].from.length";
    let before = page.evaluate(rows).as_u64();
    wait::until("further rows", PATIENCE, || (page.evaluate(rows).as_u64() > before).then_some(()));
    drop(page);
    let outcome = running.wait(PATIENCE);
    sandbox.latest_run().assert_went_well(&outcome);
    let mut page = Page::visit(&format!("http://127.0.0.1:{port}/live/soak"), View::DESKTOP);
    assert_eq!(page.evaluate("location.pathname"), "/runs/soak/report.html");
    assert!(page.count("[data-role=time-charts] svg") >= 2, "charts are drawn in the sandbox, too");
}

/// An archive of so many runs of two scenarios, of which every tenth failed. They have a `run.json` and a page.
fn many_runs(sandbox: &Sandbox, runs: usize) {
    for at in 0..runs {
        let (name, verdict) =
            (["steady", "burst"][at % 2], if at % 10 == 0 { "fail" } else { "pass" });
        let (day, minute) = (1 + at / 100, at % 60);
        let id = format!("202601{day:02}-10{minute:02}00-{name}-{at:04x}");
        let time = format!("2026-01-{day:02}T10:{minute:02}:00.000000Z");
        let mut digests = String::new();
        for part in ["plan", "kafka", "hosts", "tools", "placement"] {
            let digest = format!("{:02x}{:030x}", at % 5, at % 5);
            let _ = write!(digests, "\"{part}\": {{\"digest\": \"{digest}\", \"of\": {{}}}},");
        }
        let digests = digests.trim_end_matches(',');
        let run = format!(
            "{{\"schema_version\": 1, \"run_id\": \"{id}\", \"name\": \"{name}\", \"started_at\": \"{time}\", \
             \"ended_at\": \"{time}\", \"verdict\": \"{verdict}\", \"sentence\": \"{verdict}: number {at}\", \
             \"reasons\": [], \"cases\": [{{\"name\": \"{name}\", \"scenario\": \"{name}\", \"verdict\": \"{verdict}\", \
             \"sentence\": \"number {at}\", \"duration_us\": 1, \"headline\": {{}}, \"fingerprint\": {{{digests}}}}}], \
             \"versions\": {{}}, \"command_line\": []}}"
        );
        sandbox.file(&format!("results/{id}/run.json"), run);
        sandbox.file(&format!("results/{id}/report.html"), format!("<h1>{id}</h1>"));
    }
}

#[test]
fn two_thousand_runs_are_found_by_the_keyboard_and_two_of_them_compared() {
    testkit::require!(chromium);
    let sandbox = Sandbox::new();
    many_runs(&sandbox, 2_000);
    let port = http::free_port();
    let _server = serving(&sandbox, port);
    let url = format!("http://127.0.0.1:{port}/");
    let mut page = Page::visit(&url, View::DESKTOP);
    assert!(page.text("main").contains("2000 of 2000 runs"), "{}", page.text("main"));
    assert_eq!(page.count("#runs tbody tr"), 100);
    // Words, by Tab and Enter alone.
    let focused = |page: &mut Page| {
        page.evaluate("document.activeElement.name || document.activeElement.textContent")
    };
    for _ in 0..5 {
        if focused(&mut page) == "q" {
            break;
        }
        page.press("Tab");
    }
    assert_eq!(focused(&mut page), "q");
    "fail burst".chars().for_each(|letter| page.press(&letter.to_string()));
    assert_eq!(page.evaluate("document.activeElement.value"), "fail burst");
    let found = Page::visit(&format!("{url}?q=fail+burst"), View::DESKTOP).text("main");
    assert!(found.contains("0 of 2000 runs"), "{found}");
    let mut page = Page::visit(
        &format!("{url}?scenario=steady&verdict=fail&from=2026-01-02&to=2026-01-03"),
        View::PHONE,
    );
    assert!(page.text("main").contains("20 of 2000 runs"), "{}", page.text("main"));
    assert_eq!(page.sideways_overflow_px(), 0);
    assert!(page.errors().is_empty(), "{:?}", page.errors());
    page.click_on("#runs tbody tr:nth-child(1) input");
    page.click_on("#runs tbody tr:nth-child(3) input");
    let ticked = "new URLSearchParams(new FormData(document.forms[1])).toString()";
    let ticked = page.evaluate(ticked).as_str().expect("a query").to_owned();
    let mut compared = Page::visit(&format!("{url}compare?{ticked}"), View::PHONE);
    assert!(compared.errors().is_empty(), "{:?}", compared.errors());
    assert!(compared.text("main").contains("compared"), "{}", compared.text("main"));
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let status = |path: &str, headers: &[(&str, &str)]| {
        http::get(address, path, headers).map(|answer| answer.status).ok()
    };
    assert_eq!(status("/", &[("Host", "evil.example")]), Some(403));
    assert_eq!(status("/runs/..%2f..%2fetc/passwd", &[]), Some(404));
    assert_eq!(status("/runs/none/run.json", &[]), Some(404));
    assert_eq!(status("/?fingerprint=01", &[]), Some(200));
    let answer = http::get(address, "/", &[]).expect("a page");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(answer.headers["content-security-policy"].contains("default-src 'none'"));
}

#[test]
fn elsewhere_than_on_the_loopback_a_token_is_needed() {
    let mut sandbox = Sandbox::new();
    let port = http::free_port();
    let listen = format!("0.0.0.0:{port}");
    let mut server = sandbox.spawn(["serve", "results", "--listen", &listen]);
    server.wait_for_output("token: ", PATIENCE);
    let said = server.stdout_so_far();
    let token = said.split("token: ").nth(1).expect("a token").trim().to_owned();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let get = |headers: &[(&str, &str)]| http::get(address, "/", headers).expect("an answer");
    assert_eq!(get(&[]).status, 401);
    assert_eq!(get(&[("Accept", "text/html")]).headers["location"], "/login");
    assert_eq!(get(&[("Authorization", "Bearer wrong")]).status, 401);
    assert_eq!(get(&[("Authorization", &format!("Bearer {token}"))]).status, 200);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let entered =
        http::send(address, "POST /login", &form, &format!("token={token}")).expect("an answer");
    let cookie = &entered.headers["set-cookie"];
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert_eq!(get(&[("Cookie", cookie.split(';').next().expect("a pair"))]).status, 200);
    drop(server);
    sandbox.set("MALLARD_SERVE_TOKEN", "short");
    let outcome = sandbox.mallard(["serve", "results", "--listen", &listen]);
    outcome.assert_code(2);
    assert!(outcome.stderr.contains("at least 16 characters"), "{outcome}");
}
