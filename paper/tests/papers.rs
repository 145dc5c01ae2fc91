//! What the papers report alone, and how long a job will take.

use crate::{home, paper, stderr, stdout};
use paper::engine::catalogue::Catalogue;
use paper::engine::estimate::TimeEstimate;
use paper::experiments::KINDS;

fn catalogue(configs: &str) -> Catalogue {
    Catalogue::read(KINDS, &home().join(configs)).unwrap()
}

#[test]
fn the_protocols_of_the_papers_are_run_alone_and_in_less_than_an_hour() {
    for configs in ["configs", "configs/smoke"] {
        assert_eq!(catalogue(configs).of_papers(), ["as_published", "one_shot"]);
    }
    let listed = stdout(&paper(&["list", "--papers"]));
    let of = |protocol: &str| listed.lines().filter(|l| l.contains(protocol)).count();
    assert_eq!((of("/as_published.ron"), of("/one_shot.ron")), (6, 90));
    assert_eq!(listed.lines().count(), 96);
    // By the committed records.
    let chosen = catalogue("configs");
    let names = chosen.of_papers();
    let chosen = chosen.select(&names, &[]).unwrap();
    let time = |threads: usize| {
        TimeEstimate::new(&chosen.jobs(), &home().join("results"), threads).to_string()
    };
    let said = time(2);
    let minutes = said
        .split("about ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!((5..40).contains(&minutes.parse::<u32>().unwrap()), "{said}");
    assert!(
        said.starts_with("96 runs to compute on 2 threads: about "),
        "{said}"
    );
    // No sooner than the longest run.
    assert!(
        time(1000).contains(" minutes, by the times"),
        "{}",
        time(1000)
    );
}

#[test]
fn a_job_says_first_how_long_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let run = || {
        let out = dir.path().to_str().unwrap();
        let o = paper(&[
            "reproduce",
            "--smoke",
            "--papers",
            "--only",
            "x_shape",
            "--out",
            out,
        ]);
        assert!(o.status.success(), "{}", stderr(&o));
        stdout(&o)
    };
    let said = run();
    let first = said.lines().next().unwrap();
    assert!(
        first.starts_with("1 run to compute on ") && first.contains("no committed record says"),
        "{said}"
    );
    assert!(said.contains(" metrics reproduced"), "{said}");
    assert_eq!(run().lines().next(), Some("nothing to compute"));
    let o = paper(&["reproduce", "--papers", "--protocol", "held_out"]);
    assert_eq!(o.status.code(), Some(2));
}
