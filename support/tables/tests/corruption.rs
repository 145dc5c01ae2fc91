//! Damaged tables are read or rejected with a one-line error, within bounds of memory and time.

use flate2::{Compression, write::GzEncoder};
use numerics::random::{stream, uniform};
use std::io::Write;
use tables::{ReadError, ReadOptions, read_from};
use testing::{Mutation, Trial, accepted, loads, must_be_one_line};

fn names_the_file(error: ReadError) -> ReadError {
    assert!(error.to_string().starts_with("draws.csv: "), "{error}");
    error
}

/// Whether a table was read; if so, checks that its numbers are finite.
fn load(bytes: &[u8]) -> bool {
    let weighted = ReadOptions {
        log_weight: Some("x1".into()),
        ..ReadOptions::default()
    };
    let read = |options| read_from(bytes, "draws.csv", options).map_err(names_the_file);
    accepted(read(&weighted), |_| ());
    accepted(read(&ReadOptions::default()), |table| {
        let (n, d) = table.values.shape();
        assert!(n > 0 && d == table.columns.len());
        assert!((0..d).all(|j| table.values.col(j).iter().all(|v| v.is_finite())));
    })
}

/// Without a column of weights, of which there would be none.
fn load_numbers(bytes: &[u8]) -> bool {
    read_from(bytes, "draws.csv", &ReadOptions::default()).is_ok()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn npy(descr: &str, by_columns: bool, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let order = if by_columns { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\x00",
        &length[..],
        header.as_bytes(),
        numbers,
    ]
    .concat()
}

fn texts() -> Vec<Vec<u8>> {
    let rows: String = (0..6)
        .map(|i| format!("{i},{}.5,-{i}e-3\n", i * i))
        .collect();
    [
        format!("mu,tau,x1\n{rows}"),
        format!("# mu tau x1\n{}", rows.replace(',', " ")),
        "# num_samples = 1000\nlp__,accept_stat__,x1,theta.1\n# Step size = 0.7\n-7.1,0.9,1.5,2e-3\n-6.9,1,1.25,0.5\n#\n".into(),
        "\u{feff}\"mu\";\"a \"\"b\"\"; c\";\"x1\"\r\n1;2;-1e3\r\n3;4;0.5\r\n".into(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn arrays() -> Vec<Vec<u8>> {
    let le: Vec<u8> = (0..8)
        .flat_map(|i| (0.5 * f64::from(i)).to_le_bytes())
        .collect();
    vec![
        npy("<f8", false, "(4, 2)", &le),
        npy("<f8", true, "(4, 2)", &le),
        npy(">f4", false, "(16,)", &le),
    ]
}

fn trial(sound: Vec<Vec<u8>>, mutation: Mutation, label: &str) {
    let cases = 100_000;
    let trial = Trial {
        sound: &sound,
        mutation,
        cases,
    };
    trial.run(label, load);
}

#[test]
fn damaged_text() {
    trial(texts(), testing::text, "text");
}

#[test]
fn damaged_arrays() {
    trial(arrays(), testing::text, "arrays");
}

#[test]
fn damaged_streams() {
    let sound = [texts(), arrays()].concat();
    let streams = sound.iter().map(|file| gzip(file)).collect();
    trial(streams, testing::bytes, "streams");
    // The checksum refuses nearly all of these: what is inside is damaged as well.
    let inside = Trial {
        sound: &sound,
        mutation: testing::text,
        cases: 10_000,
    };
    inside.run("inside of streams", |file| load(&gzip(file)));
}

#[test]
fn sizes_are_checked_before_memory_is_taken() {
    let says = |bytes: &[u8]| {
        read_from(bytes, "draws.csv", &ReadOptions::default())
            .unwrap_err()
            .to_string()
    };
    // What a header claims, and what follows: nothing.
    for shape in ["(4000000000000, 2)", "(1, 262144)", "(2, 200000)"] {
        let file = npy("<f8", false, shape, &[]);
        assert!(
            !loads(&file, load) && says(&file).contains("is cut off"),
            "{}",
            says(&file)
        );
    }
    assert!(says(&npy("<f8", false, "(1, 1000000)", &[0; 64])).contains("more than 262144"));
    // A million columns in one line, and a few less in a file that is sound.
    let wide = |columns: usize| vec!["1"; columns].join(",").into_bytes();
    assert!(!loads(&wide(499_999), load) && says(&wide(499_999)).contains("262,144 columns"));
    assert!(loads(&wide(200_000), load));
    let header: Vec<String> = (0..140_000).map(|k| format!("{k:x}_")).collect();
    let header = header.join(",") + "\n1,2";
    assert!(
        !loads(header.as_bytes(), load) && says(header.as_bytes()).contains("line 2 has 2 fields")
    );
}

#[test]
fn small_streams_do_not_fill_the_memory() {
    // 200 MB each; every kind of line that is taken, kept or skipped.
    for line in ["1\n", "1,1,1,1,1,1,1,1\n", "\n", "#\n", "0"] {
        let file = gzip(line.repeat((200 << 20) / line.len()).as_bytes());
        assert!(file.len() < 2_000_000, "{}", file.len());
        assert!(!loads(&file, load), "{line:?}");
    }
    let comments = format!("#{}\n", "a ".repeat(4 << 20)).repeat(8);
    assert!(!loads(&gzip(comments.as_bytes()), load));
    // What compresses well and is sound is read: rows that repeat, and a column of random zeros and
    // ones.
    let mut rng = stream(1, "bits");
    let bits: String = (0..3_000_000)
        .map(|_| {
            if uniform(&mut rng) < 0.5 {
                "0\n"
            } else {
                "1\n"
            }
        })
        .collect();
    let bits = gzip(bits.as_bytes());
    assert!(bits.len() < 1_500_000, "{}", bits.len());
    assert!(loads(&bits, load_numbers));
    let sound = "0.5,1\n0.5,0\n0.5,1\n".repeat(50_000);
    assert!(loads(&gzip(sound.as_bytes()), load));
}

#[test]
fn names_from_files_are_shown_without_control_characters() {
    let error = read_from(&b"a\x07b,c\n1,\n"[..], "draws.csv", &ReadOptions::default());
    assert!(error.unwrap_err().to_string().contains("column \"c\""));
    let missing = ReadOptions {
        columns: Some(vec!["tau".into()]),
        ..ReadOptions::default()
    };
    let error = read_from(&b"a\x1b[1mb,c\n1,2\n"[..], "draws.csv", &missing).unwrap_err();
    must_be_one_line(&error.to_string());
    assert!(error.to_string().contains("a\\u{1b}[1mb"), "{error}");
}
