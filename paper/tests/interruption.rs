//! Whatever happens to the process, nothing finished is lost, and the results are those of an undisturbed run.

use crate::job::{RUNS, command, config, records, undisturbed};
use crate::{files, stderr};
use numerics::random::{stream, uniform};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The lines of an event log: word, run and unit.
fn events(path: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let word = parts.next().unwrap_or_default().to_owned();
            let unit: Vec<&str> = parts.collect();
            (word, unit.join("/"))
        })
        .collect()
}

/// Finished units that lie in a results folder, each with its run.
fn finished(out: &Path) -> BTreeSet<String> {
    let units = out.join("units");
    let all = if units.exists() {
        files(&units)
    } else {
        Vec::new()
    };
    let is_unit = |f: &String| f.contains("/expert-") || f.contains("/evaluation-");
    all.into_iter()
        .filter(|f| is_unit(f) && !f.ends_with(".partial"))
        .collect()
}

/// Eight jobs (or as many as the variable KILLED_JOBS says), each killed again and again at random times until it is done.
#[test]
fn a_job_that_is_killed_ends_as_if_it_was_not_and_computes_nothing_finished_again() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, whole_files) = undisturbed(dir.path());
    let config = config(dir.path());
    let mut rng = stream(1, "kills");
    let (mut kills, mut found, mut resumed) = (0, 0, 0);
    let jobs = std::env::var("KILLED_JOBS").map_or(8, |n| n.parse().unwrap());
    for job in 0..jobs {
        let out = dir.path().join(format!("killed-{job}"));
        let log = dir.path().join(format!("events-{job}"));
        let more = ["--checkpoint", "0.01", "--event-log", log.to_str().unwrap()];
        // What is finished, and how long the log was when that was seen.
        let mut done: BTreeSet<String> = BTreeSet::new();
        for life in 0.. {
            assert!(life < 1000, "job {job} never ends");
            let mut child = command(&config, &[], &out, &more).spawn().unwrap();
            // Some hundredths of a second; longer and longer, for machines that are busy.
            let most = 0.2 + 0.02 * f64::from(life);
            let seconds = 0.01 + most * uniform(&mut rng);
            std::thread::sleep(Duration::from_secs_f64(seconds));
            // SIGKILL.
            child.kill().unwrap();
            let ended = child.wait_with_output().unwrap();
            let lines = events(&log);
            for (word, unit) in &lines {
                let again = word == "begun" || word == "resumed";
                assert!(
                    !(again && done.contains(unit)),
                    "job {job}: {unit} was computed twice"
                );
            }
            resumed += lines.iter().filter(|l| l.0 == "resumed").count();
            found += lines.iter().filter(|l| l.0 == "found").count();
            std::fs::write(&log, "").unwrap();
            if out.exists() {
                done.extend(finished(&out));
                // Runs with a record count with all of their units.
                for run in RUNS
                    .iter()
                    .filter(|r| out.join(format!("records/{r}.ron")).exists())
                {
                    let units = lines.iter().filter(|l| l.1.starts_with(run));
                    done.extend(units.map(|l| l.1.clone()));
                }
            }
            if ended.status.success() {
                break;
            }
            kills += 1;
            assert_eq!(stderr(&ended), "", "job {job}");
        }
        assert_eq!(records(&out), whole, "job {job}");
        assert_eq!(files(&out), whole_files, "job {job}");
        assert_eq!(finished(&out), BTreeSet::new());
    }
    // A kill in the midst of a fit is a matter of luck: about two of five jobs have one.
    println!(
        "{jobs} jobs, {kills} kills, {found} times a unit was found, {resumed} times a fit went on from a checkpoint"
    );
    assert!(
        kills > 2 * jobs && found > 2 * jobs && (resumed > 0 || jobs < 50),
        "{kills} {found} {resumed}"
    );
}

#[test]
fn two_processes_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, whole_files) = undisturbed(dir.path());
    let config = config(dir.path());
    for round in 0..5 {
        let out = dir.path().join(format!("shared-{round}"));
        let log = dir.path().join(format!("events-{round}"));
        let more = ["--event-log", log.to_str().unwrap()];
        let start = || command(&config, &[], &out, &more).spawn().unwrap();
        let both = [start(), start()];
        for child in both {
            let o = child.wait_with_output().unwrap();
            assert!(o.status.success(), "{}", stderr(&o));
            assert_eq!(stderr(&o), "");
        }
        assert_eq!(records(&out), whole);
        assert_eq!(files(&out), whole_files);
        let lines = events(&log);
        let mut begun: Vec<&String> = lines
            .iter()
            .filter(|l| l.0 == "begun")
            .map(|l| &l.1)
            .collect();
        begun.sort();
        let units = begun.len();
        begun.dedup();
        assert!(units <= 2 * begun.len());
        // Three experts, the fits of two of them, four evaluations, in two runs. Where files can be locked, each once.
        assert_eq!(begun.len(), 18);
        assert_eq!(units, 18);
    }
}

/// SIGINT, as Ctrl-C sends it.
fn interrupt(id: u32) {
    let status = Command::new("kill")
        .args(["-INT", &id.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn ctrl_c_ends_it_soon_and_says_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, whole_files) = undisturbed(dir.path());
    let config = config(dir.path());
    let out = dir.path().join("out");
    let mut ended = 0;
    for life in [0, 50, 100, 150] {
        let mut child = command(&config, &[], &out, &["--checkpoint", "0"])
            .spawn()
            .unwrap();
        // Its first file says that it is at work, and listens.
        let before = files(&out);
        while files(&out) == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(life));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        interrupt(child.id());
        let start = Instant::now();
        let o = child.wait_with_output().unwrap();
        // A second, and what a busy machine adds to it.
        assert!(start.elapsed() < Duration::from_secs(4));
        match o.status.code() {
            Some(130) => {
                ended += 1;
                assert_eq!(
                    stderr(&o),
                    "interrupted: what is finished is kept, and the same command goes on from there\n"
                );
            }
            code => assert_eq!(code, Some(0), "{}", stderr(&o)),
        }
    }
    assert!(ended > 0);
    let o = command(&config, &[], &out, &[]).output().unwrap();
    assert!(o.status.success(), "{}", stderr(&o));
    assert_eq!(records(&out), whole);
    assert_eq!(files(&out), whole_files);
}

#[test]
fn what_was_cut_short_or_changed_is_named_and_computed_again() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, _) = undisturbed(dir.path());
    let config = config(dir.path());
    let out = dir.path().join("undisturbed");
    let record = out.join(format!("records/{}.ron", RUNS[1]));
    let text = std::fs::read_to_string(&record).unwrap();
    let changes = [
        (text.replacen("value: ", "value: 1", 1), "it was changed"),
        (text[..text.len() / 2].to_owned(), "it was cut short"),
        (String::new(), "it was cut short"),
        (text.replace("// sha256", "// sha255"), "it was cut short"),
    ];
    for (damaged, reason) in changes {
        std::fs::write(&record, damaged).unwrap();
        // A report is not made of it.
        let report = Command::new(env!("CARGO_BIN_EXE_paper"))
            .arg("report")
            .arg(&out)
            .output();
        let report = report.unwrap();
        assert_eq!(report.status.code(), Some(2));
        let o = command(&config, &[], &out, &[]).output().unwrap();
        assert!(o.status.success());
        for error in [stderr(&report), stderr(&o)] {
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(error.contains(record.to_str().unwrap()), "{error}");
            assert!(error.contains(reason), "{error}");
        }
        assert_eq!(records(&out), whole);
    }
}

/// Kills a job when it has a finished expert and a checkpoint of another, and gives the files of both.
fn kept_by_a_kill(out: &Path, job: impl Fn() -> Command) -> Vec<String> {
    let kept = || -> Vec<String> {
        let there = files(&out.join("units")).into_iter();
        there
            .filter(|f| f.contains("/expert-") || f.contains("/fit-"))
            // What was being written when the kill came.
            .filter(|f| !f.ends_with(".partial"))
            .collect()
    };
    let enough = |kept: &[String]| {
        ["/expert-", "/fit-"]
            .iter()
            .all(|kind| kept.iter().any(|f| f.contains(kind)))
    };
    for _ in 0..100 {
        let mut child = job().spawn().unwrap();
        while !enough(&kept()) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        // The state is that of the kill, which comes a little later than the look.
        if child.wait().unwrap().success() {
            std::fs::remove_dir_all(out).unwrap();
        } else if enough(&kept()) {
            return kept();
        }
    }
    panic!("no kill came between two experts");
}

#[test]
fn so_are_units_and_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, whole_files) = undisturbed(dir.path());
    let config = config(dir.path());
    let out = dir.path().join("out");
    let kept = kept_by_a_kill(&out, || {
        command(&config, &[RUNS[0]], &out, &["--checkpoint", "0"])
    });
    for (i, file) in kept.iter().enumerate() {
        let path = out.join("units").join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        if i % 2 == 0 {
            bytes.truncate(middle);
        } else {
            bytes[middle] ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    let o = command(&config, &[], &out, &[]).output().unwrap();
    assert!(o.status.success(), "{}", stderr(&o));
    let warnings = stderr(&o);
    // Checkpoints of a finished expert are cleared, others are read.
    assert!(
        (1..=kept.len()).contains(&warnings.lines().count()),
        "{warnings}"
    );
    assert!(
        warnings
            .lines()
            .all(|l| l.contains("units/held_out/banana-n300-seed1/")
                && l.ends_with("it is computed again"))
    );
    assert_eq!(records(&out), whole);
    assert_eq!(files(&out), whole_files);
}

/// A script in a mount namespace of its own, where a small file system can be mounted; `None` where that is not allowed.
fn in_a_small_world(script: &str) -> Option<Output> {
    let run = |flags: &str, script: &str| {
        let mut command = Command::new("unshare");
        command.args([flags, "sh", "-c", script]).output()
    };
    let allowed = |flags: &&str| {
        let probe = run(flags, "mount -t tmpfs -o size=64k none /mnt");
        probe.is_ok_and(|o| o.status.success())
    };
    let flags = ["-rm", "-m"].into_iter().find(allowed)?;
    Some(run(flags, script).unwrap())
}

/// Twenty times a job on a file system of three megabytes with so little room that it fills up, then again with room.
#[test]
fn a_full_disk_is_one_clear_line_and_nothing_finished_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, whole_files) = undisturbed(dir.path());
    config(dir.path());
    let script = format!(
        r#"
        set -e
        cd "{}"
        mkdir small
        mount -t tmpfs -o size=3m none small
        for i in $(seq 20); do
            mkdir -p kept-$i
            # The limit is in pages of 4 kB.
            head -c $((3145728 - 12288 * i)) /dev/zero > small/filler
            for life in full room; do
                code=0
                "{}" run held_out.ron --out small/out --threads 1 --checkpoint 0.05 --event-log kept-$i/$life.events \
                    > /dev/null 2> kept-$i/$life.stderr || code=$?
                echo $code > kept-$i/$life.code
                rm -f small/filler
            done
            cp -r small/out kept-$i/out
            rm -r small/out
        done
        "#,
        dir.path().display(),
        env!("CARGO_BIN_EXE_paper")
    );
    let Some(world) = in_a_small_world(&script) else {
        println!(
            "no file system can be mounted here: only the limit on the size of files is tried"
        );
        return;
    };
    assert!(world.status.success(), "{}", stderr(&world));
    let (mut full, mut found) = (0, 0);
    for i in 1..=20 {
        let at = dir.path().join(format!("kept-{i}"));
        let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
        let error = read("full.stderr");
        if read("full.code").trim() != "0" {
            full += 1;
            assert_eq!(read("full.code").trim(), "2", "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(
                error.starts_with("error: held_out/banana-n300-seed"),
                "{error}"
            );
            assert!(
                error.contains("small/out/") && error.contains("make room"),
                "{error}"
            );
        }
        assert_eq!((read("room.code").trim(), &*read("room.stderr")), ("0", ""));
        let done: BTreeSet<String> = events(&at.join("full.events"))
            .into_iter()
            .filter(|l| l.0 == "finished" && !l.1.contains("/fit-"))
            .map(|l| l.1)
            .collect();
        for (word, unit) in events(&at.join("room.events")) {
            found += usize::from(word == "found");
            assert!(
                word == "found" || !done.contains(&unit),
                "{unit} was computed twice"
            );
        }
        let out = at.join("out");
        assert_eq!(records(&out), whole);
        assert_eq!(files(&out), whole_files);
    }
    println!("20 jobs, {full} on a full disk, {found} times a unit was found");
    assert!(full >= 15 && found >= 15, "{full} {found}");
}

#[test]
fn so_are_a_file_that_may_not_grow_and_a_folder_that_cannot_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let out = dir.path().join("out");
    let script = r#"trap '' XFSZ; ulimit -f 2; exec "$0" run "$1" --out "$2" --threads 1"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_paper")]);
    let limited = command.arg(&config).arg(&out).output().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let below = dir.path().join("file/out");
    let unmakable = crate::job::command(&config, &[], &below, &[])
        .output()
        .unwrap();
    for (o, words) in [
        (limited, ["out/units/", "make room"]),
        (unmakable, ["file/out/", "cannot be written"]),
    ] {
        let error = stderr(&o);
        assert_eq!(o.status.code(), Some(2), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(words.iter().all(|w| error.contains(w)), "{error}");
    }
    assert_eq!(files(&out), Vec::<String>::new());
}
