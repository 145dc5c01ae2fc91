//! How long each stage took.

use super::super::arms::Group;
use super::super::record::MixtureRecord;
use crate::engine::mean::Mean;
use crate::engine::table::{Cell, Table};

/// Seconds of each stage.
pub fn times(groups: &[&Group<'_>]) -> Table {
    let mut experts: Vec<&str> = Vec::new();
    for e in groups.iter().flat_map(|g| g.experts()) {
        if !experts.contains(&e) {
            experts.push(e);
        }
    }
    let mut header = ["protocol", "family", "n"].map(String::from).to_vec();
    header.extend(experts.iter().map(|e| format!("fit {e}")));
    header.extend(["weights", "evaluation", "in all"].map(String::from));
    let mut rows = Vec::new();
    for g in groups {
        let mean = |f: &dyn Fn(&MixtureRecord) -> Option<f64>| {
            let values: Vec<f64> = g.records.iter().filter_map(|r| f(r)).collect();
            Cell::mean(Mean::of(&values).map(Mean::without_error), 2)
        };
        let mut row = vec![
            g.protocol.into(),
            g.family().name().into(),
            Cell::Text(g.n.to_string()),
        ];
        for e in &experts {
            row.push(mean(&|r| {
                let k = r.run.experts.iter().position(|x| x.name == *e)?;
                r.seconds.fit.get(k).copied()
            }));
        }
        row.push(mean(&|r| Some(r.seconds.weights)));
        row.push(mean(&|r| Some(r.seconds.evaluation)));
        row.push(mean(&|r| {
            Some(r.seconds.fit.iter().sum::<f64>() + r.seconds.weights + r.seconds.evaluation)
        }));
        rows.push(row);
    }
    let p = &groups[0].records[0].provenance;
    Table {
        stem: "times".into(),
        title: "Time of each stage".into(),
        caption: format!(
            "Wall-clock seconds of one run, mean over its seeds, on an {} with {} thread(s) for each run while other runs \
             kept the other cores busy; for cross-fitted experts the sum over their models. They differ from machine to machine.",
            p.cpu, p.threads
        ),
        header,
        rows,
    }
}
