//! The metrics as `docs/metrics.md` shows them.

use super::{Metrics, book::Entry};

/// Every metric: name, type, labels, unit, and what it means, as a table in Markdown.
pub fn reference() -> String {
    let mut text = "| metric | type | labels | unit | what it means |\n|---|---|---|---|---|\n".to_owned();
    for entry in Metrics::new().book.entries() {
        text += &row(entry);
    }
    text
}

fn row(entry: &Entry) -> String {
    let labels: Vec<_> = entry.labels.iter().map(|label| format!("`{label}`")).collect();
    let unit = entry.unit.suffix().unwrap_or("");
    let (name, kind, labels) = (entry.full_name(), entry.kind.called(), labels.join(", "));
    format!("| `{name}` | {kind} | {labels} | {unit} | {} |\n", entry.about)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, env, fs, time::Duration};

    use unsaid_protocol::{
        ErrorCode, SdkAppId,
        callback::{CallbackCommand, Platform},
        session::{KickReason, Kicked, Push},
    };

    use super::{
        super::book::{Kind, Measure},
        *,
    };
    use crate::{
        bus::{Unheard, Word},
        callback::{FlowState, Outcome, Phase},
        chat::Backlog,
        clock::Timestamp,
    };

    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
    const MARK: &str =
        "<!-- From here on the page is made from the code: UNSAID_WRITE_DOCS=1 cargo test -p unsaid metrics_md -->\n\n";

    fn read(name: &str) -> String {
        fs::read_to_string(format!("{DOCS}{name}")).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
    }

    #[test]
    fn metrics_md_has_every_metric() {
        let page = read("metrics.md");
        let (prose, found) = page.split_once(MARK).expect("docs/metrics.md has its mark");
        let fresh = reference();
        if env::var_os("UNSAID_WRITE_DOCS").is_some() {
            fs::write(format!("{DOCS}metrics.md"), format!("{prose}{MARK}{fresh}")).expect("it can be written");
            return;
        }
        assert!(found == fresh, "docs/metrics.md is not what the code says: UNSAID_WRITE_DOCS=1 writes it");
    }

    /// Metrics of a server in which everything has happened once.
    fn everything() -> Metrics {
        let (metrics, took, app) = (Metrics::new(), Duration::from_millis(3), SdkAppId(1_400_000_001));
        metrics.rest.answered(Some(0), ErrorCode(0), took);
        metrics.gateway.answered(0, ErrorCode(0));
        metrics.gateway.logged_in(Platform::Web);
        metrics.gateway.pushed(&Push::Kicked(Kicked { reason: KickReason::OtherLogin }));
        metrics.gateway.closed(None);
        metrics.store.committed(1, took);
        metrics.callbacks.attempted(app, CallbackCommand::AfterMsgWithDraw, &Outcome::Delivered, took);
        metrics.callbacks.phase(Phase::Tls, took);
        metrics.callbacks.delivered(CallbackCommand::AfterMsgWithDraw, took);
        metrics.cluster.stands(1, 256);
        metrics.bus.said(Word::Wake);
        metrics.bus.dropped(Word::Wake);
        metrics.bus.heard(Word::Wake);
        metrics.bus.unheard(Unheard::Forged);
        metrics.standing.note_backlogs(&[(app, Backlog::default())].into(), Timestamp(0));
        metrics.standing.note_flows(&[(app, FlowState::default())].into());
        metrics
    }

    #[test]
    fn the_registry_has_what_is_said_of_it() {
        let metrics = everything();
        let text = metrics.text();
        for entry in metrics.book.entries() {
            let (name, kind) = (entry.full_name(), entry.kind.called());
            let family = name.trim_end_matches("_total").trim_end_matches("_info");
            assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{name} is no {kind}: {text}");
            let sample = match entry.kind {
                Kind::Histogram => format!("{name}_bucket"),
                Kind::Counter | Kind::Gauge | Kind::Info => name.clone(),
            };
            let line = text.lines().find(|line| line.split(['{', ' ']).next() == Some(&sample));
            let line = line.unwrap_or_else(|| panic!("{name} has no sample: {text}"));
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            let labels: BTreeSet<_> = labels.split("\",").filter_map(|label| label.split_once("=\"")).collect();
            let labels: BTreeSet<_> =
                labels.into_iter().map(|(label, _)| label).filter(|label| *label != "le").collect();
            assert_eq!(labels, entry.labels.iter().copied().collect(), "{line}");
            assert!(name.starts_with("unsaid_") || name.starts_with("process_"), "{name}");
            assert!(!entry.about.ends_with('.') && entry.unit != Measure::Count || !entry.about.is_empty(), "{name}");
        }
        let types = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(types, metrics.book.entries().len(), "something is in the registry of which nothing is said");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
        let metrics = Metrics::new();
        let names: BTreeSet<String> = metrics.book.entries().iter().flat_map(names_of).collect();
        for file in ["grafana-dashboard.json", "alerts.yaml", "operations.md", "metrics.md"] {
            let text = read(file);
            let named = words(&text).filter(|word| word.starts_with("unsaid_") || word.starts_with("process_"));
            let named: BTreeSet<&str> = named.collect();
            assert!(named.len() > 3, "docs/{file} names {named:?} only");
            for name in named {
                assert!(names.contains(name), "docs/{file} names {name}, which is no metric");
            }
        }
    }

    #[test]
    fn the_dashboard_is_json_and_every_panel_asks_for_something() {
        let dashboard: serde_json::Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("it is JSON");
        let panels = dashboard["panels"].as_array().expect("it has panels");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let targets = panel["targets"].as_array().expect("a panel has targets");
            assert!(!targets.is_empty() && !panel["title"].as_str().unwrap_or_default().is_empty(), "{panel}");
            for target in targets {
                let asks = target["expr"].as_str().expect("a target asks");
                assert!(words(asks).any(|word| word.starts_with("unsaid_") || word.starts_with("process_")), "{asks}");
            }
        }
    }

    fn names_of(entry: &Entry) -> Vec<String> {
        let name = entry.full_name();
        match entry.kind {
            Kind::Histogram => ["", "_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")).into(),
            Kind::Counter | Kind::Gauge | Kind::Info => vec![name],
        }
    }

    fn words(text: &str) -> impl Iterator<Item = &str> {
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
    }
}
