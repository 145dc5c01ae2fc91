//! Tables from all formats, messages about files that cannot be read, and no panic on any bytes.

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;
use tables::{ReadError, ReadOptions, Table, read, read_from, write_csv};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn all(bytes: impl AsRef<[u8]>) -> Result<Table, ReadError> {
    read_from(bytes.as_ref(), "draws.csv", &ReadOptions::default())
}

fn chosen(bytes: impl AsRef<[u8]>, columns: &[&str]) -> Result<Table, ReadError> {
    let columns = Some(names(columns));
    let options = ReadOptions {
        columns,
        log_weight: None,
    };
    read_from(bytes.as_ref(), "draws.csv", &options)
}

fn weighted(bytes: impl AsRef<[u8]>, column: &str) -> Result<Table, ReadError> {
    let log_weight = Some(column.to_owned());
    let options = ReadOptions {
        columns: None,
        log_weight,
    };
    read_from(bytes.as_ref(), "draws.csv", &options)
}

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes.as_ref()).unwrap();
    out.finish().unwrap()
}

/// The rows of a table.
fn rows(t: &Table) -> Vec<Vec<f64>> {
    let row = |i| (0..t.values.ncols()).map(|j| t.values[(i, j)]).collect();
    (0..t.values.nrows()).map(row).collect()
}

#[test]
fn columns_of_samplers_are_left_out_and_chains_are_known() {
    let julia = "iteration,chain,mu,lp,n_steps\n501,1,0.5,-3.0,7\n501,2,0.25,-4.0,7\n";
    let t = all(julia).unwrap();
    assert_eq!(t.columns, names(&["mu"]));
    assert_eq!(t.chains, Some(vec![1, 2]));
    assert_eq!(t.left_out, names(&["iteration", "chain", "lp", "n_steps"]));
    let r = all("mu,.chain,.iteration,.draw\n0.5,1,1,1\n0.25,1,2,2\n").unwrap();
    assert_eq!((r.columns, r.chains), (names(&["mu"]), Some(vec![1, 1])));
    // Chosen columns are columns, and "lp" alone is one.
    assert_eq!(
        chosen(julia, &["mu", "lp"]).unwrap().chains,
        Some(vec![1, 2])
    );
    assert_eq!(chosen(julia, &["chain"]).unwrap().chains, None);
    assert_eq!(all("lp,mu\n1,2\n").unwrap().columns.len(), 2);
    let e = all("chain,mu\n0.5,1\n").unwrap_err().to_string();
    assert!(
        e.contains("line 2") && e.contains("number of a chain"),
        "{e}"
    );
}

/// An array as numpy saves it.
fn npy(descr: &str, fortran: bool, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(numbers);
    out
}

fn le(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|v| v.to_le_bytes()).collect()
}

const CMDSTAN: &str = "\
# stan_version_major = 2
# model = eight_schools_model
#     num_samples = 3 (Default)
lp__,accept_stat__,stepsize__,mu,tau,theta.1,theta.2
# Adaptation terminated
# Step size = 0.4
# Diagonal elements of inverse mass matrix:
# 10.1, 0.9
-5.25,0.98,0.4,4.5,1.25,3.5,5
-6.5,0.75,0.4,-0.5,2,1e-3,+1
-4.125,1,0.4,7,0.5,8,.5
#
#  Elapsed Time: 0.02 seconds (Warm-up)
#
";

#[test]
fn cmdstan_writes_comments_everywhere() {
    let t = all(CMDSTAN).unwrap();
    assert_eq!(t.columns, names(&["mu", "tau", "theta.1", "theta.2"]));
    assert_eq!(rows(&t)[1], [-0.5, 2.0, 1e-3, 1.0]);
    assert_eq!(t.values.nrows(), 3);
    assert_eq!((t.log_weights, t.source), (None, "draws.csv".to_owned()));
    let t = chosen(CMDSTAN, &["tau", "lp__"]).unwrap();
    assert_eq!(rows(&t), [[1.25, -5.25], [2.0, -6.5], [0.5, -4.125]]);
    let t = weighted(CMDSTAN, "lp__").unwrap();
    assert_eq!(t.log_weights, Some(vec![-5.25, -6.5, -4.125]));
    assert_eq!(t.columns.len(), 4);
}

#[test]
fn the_same_numbers_in_every_kind_of_text() {
    let expected = [[1.0, 2.0], [-3.5, 4e-3]];
    for (text, columns) in [
        ("a,b\n1,2\n-3.5,4e-3\n", ["a", "b"]),
        ("\u{feff}a,b\r\n1,2\r\n\r\n-3.5,4e-3", ["a", "b"]),
        ("\"a\", \"b\"\n \"1\" , 2\n-3.5,\"4e-3\"\n", ["a", "b"]),
        (
            "\"a, in m\",\"b \"\"x\"\"\"\n1,2\n-3.5,4e-3\n",
            ["a, in m", "b \"x\""],
        ),
        ("a;b\n1;2\n-3.5;4e-3\n", ["a", "b"]),
        ("a,b,\n1,2,\n-3.5,4e-3,\n", ["a", "b"]),
        ("1,2\n-3.5,4e-3\n", ["x1", "x2"]),
        ("1,2,\n-3.5,4e-3,\n", ["x1", "x2"]),
        ("a b\n1 2\n-3.5 4e-3\n", ["a", "b"]),
        ("\"a\" \"b c\"\n1 2\n-3.5 4e-3\n", ["a", "b c"]),
        ("  a\t b \n 1\t2\t\n\n  -3.5   0.004  \n", ["a", "b"]),
        ("1 2 \n-3.5 4e-3 \n", ["x1", "x2"]),
        (
            "# alpha beta\n1.000e+00 2.000e+00\n-3.5 4e-3\n",
            ["alpha", "beta"],
        ),
        ("#alpha,beta\n1,2\n-3.5,4e-3\n", ["alpha", "beta"]),
        (
            "# alpha beta\n# one two three\n1 2\n# 5 6\n-3.5 4e-3\n",
            ["alpha", "beta"],
        ),
        ("# one two three\n1 2\n-3.5 4e-3\n", ["x1", "x2"]),
        (",a,b\n0,1,2\n1,-3.5,4e-3\n", ["a", "b"]),
    ] {
        for bytes in [text.as_bytes().to_vec(), gzip(text)] {
            let t = all(bytes).unwrap_or_else(|e| panic!("{text:?}: {e}"));
            assert_eq!(t.columns, names(&columns), "{text:?}");
            assert_eq!(rows(&t), expected, "{text:?}");
        }
    }
    assert_eq!(rows(&all("my_column\n1\n2\n").unwrap()), [[1.0], [2.0]]);
}

#[test]
fn the_same_numbers_in_every_kind_of_array() {
    let expected = [[1.0, 2.0, 3.0], [4.0, 5.5, -6.25]];
    let c = [1.0_f64, 2.0, 3.0, 4.0, 5.5, -6.25];
    let f = [1.0_f64, 4.0, 2.0, 5.5, 3.0, -6.25];
    for (order, numbers) in [(false, c), (true, f)] {
        let f8: Vec<u8> = numbers.iter().flat_map(|v| v.to_be_bytes()).collect();
        let f4 = numbers.map(|v| v as f32);
        let f4_le: Vec<u8> = f4.iter().flat_map(|v| v.to_le_bytes()).collect();
        let f4_be: Vec<u8> = f4.iter().flat_map(|v| v.to_be_bytes()).collect();
        for (descr, bytes) in [
            ("'<f8'", le(&numbers)),
            ("'>f8'", f8),
            ("'<f4'", f4_le),
            ("'>f4'", f4_be),
        ] {
            let file = npy(descr, order, "(2, 3)", &bytes);
            for bytes in [file.clone(), gzip(&file)] {
                let t = all(bytes).unwrap();
                assert_eq!(t.columns, names(&["x1", "x2", "x3"]));
                assert_eq!(rows(&t), expected, "{descr} {order}");
            }
            let t = chosen(&file, &["x3", "x1"]).unwrap();
            assert_eq!(rows(&t), [[3.0, 1.0], [-6.25, 4.0]]);
        }
    }
    let t = all(npy("'<f8'", false, "(3,)", &le(&[1.0, 2.0, 3.0]))).unwrap();
    assert_eq!(rows(&t), [[1.0], [2.0], [3.0]]);
    let mut version_2 = npy("'<f8'", false, "(1, 2)", &le(&[1.0, 2.0]));
    version_2[6] = 2;
    version_2.splice(10..10, [0, 0]);
    assert_eq!(rows(&all(version_2).unwrap()), [[1.0, 2.0]]);
}

#[test]
fn log_weights_may_be_minus_infinity() {
    let text = "w,a\n-inf,1\n0,2\n-1.5,3\n";
    let t = weighted(text, "w").unwrap();
    assert_eq!(t.log_weights, Some(vec![f64::NEG_INFINITY, 0.0, -1.5]));
    assert_eq!(t.columns, names(&["a"]));
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let long = format!("a,b\n1,{}\n", "z".repeat(50));
    let cut = format!("\"{}…\" is not a number", "z".repeat(40));
    let cut_gzip = gzip(CMDSTAN);
    let array = |descr, shape, n: usize| npy(descr, false, shape, &le(&vec![1.0; n]));
    let plain: [(Vec<u8>, &str); 32] = [
        (b"".into(), "there is no data"),
        (b"# only\n\n# comments\n".into(), "there is no data"),
        (b"a,b\n".into(), "no row of data"),
        (b"a,a\n1,2\n".into(), "two columns are called \"a\""),
        (b"lp__,n__\n1,2\n".into(), "no column is left"),
        (
            b"a,b\n1,2\n3,four\n".into(),
            "line 3, column \"b\": \"four\" is not a number",
        ),
        (
            b"a,b\n1,\n".into(),
            "line 2, column \"b\": the field is empty",
        ),
        (b"a;b\n1,5;2\n".into(), "decimal comma"),
        (long.into_bytes(), &cut),
        (
            b"a,b\n1,2,3\n".into(),
            "line 2 has 3 fields where 2 are expected",
        ),
        (
            b"a b\n1 2\n1\n".into(),
            "line 3 has 1 fields where 2 are expected",
        ),
        (
            b"a,b\n1,2\nnan,Inf\n-infinity,1e999\n".into(),
            "4 of the numbers used are not finite, first in column \"a\", line 3",
        ),
        (
            b"a,b\n1,-NaN\n".into(),
            "1 of the numbers used is not finite, first in column \"b\", line 2",
        ),
        (b"1,NA,3\n".into(), "\"NA\" is not a number but \"1\" is"),
        (b"a,b\n\"1,2\n".into(), "line 2: a quote is opened"),
        (b"PK\x03\x04...".into(), "zip or .npz"),
        (b"\xff\xfea\0,\0".into(), "UTF-16"),
        (b"a,b\n\0\0\0\n".into(), "binary"),
        (gzip(gzip("a\n1\n")), "compressed twice"),
        (
            cut_gzip[..cut_gzip.len() - 20].into(),
            "gzip stream is damaged",
        ),
        (
            [&cut_gzip[..], b"trailing"].concat(),
            "gzip stream is damaged",
        ),
        (array("'<i8'", "(1, 2)", 2), "holds \"<i8\", not floats"),
        (array("[('a', '<f8')]", "(2,)", 2), "has named fields"),
        (array("'<f8'", "(1, 2, 1)", 2), "has 3 dimensions"),
        (array("'<f8'", "()", 1), "has 0 dimensions"),
        (array("'<f8'", "(0, 2)", 0), "is empty (0 x 2)"),
        (
            array("'<f8'", "(3, 2)", 5),
            "is cut off: 5 numbers where 3 x 2",
        ),
        (array("'<f8'", "(2, 2)", 5), "is followed by more bytes"),
        (
            array("'<f8'", "(1000000000000, 2)", 5),
            "is cut off: 5 numbers",
        ),
        (
            array("'<f8'", "(10000000000000000000, 2)", 5),
            "it is damaged",
        ),
        (array("'<f8'", "(2, 1000000000)", 5), "transposed"),
        (b"\x93NUMPY\x01\x00\xff".into(), "cut off in its header"),
    ];
    for (bytes, says) in plain {
        let error = all(&bytes).unwrap_err().to_string();
        assert!(error.contains(says), "{error}\nnot: {says}");
        assert!(
            error.starts_with("draws.csv: ") && !error.contains('\n'),
            "{error}"
        );
    }
    let says = |r: Result<Table, ReadError>| r.unwrap_err().to_string();
    let text = "mu,tau,theta.1\n1,2,3\n";
    assert!(
        says(chosen(text, &["teta.1"])).contains("no column \"teta.1\"; did you mean \"theta.1\"?")
    );
    assert!(says(chosen(text, &["velocity"])).contains("the columns are mu, tau, theta.1"));
    assert!(says(chosen(text, &["mu", "mu"])).contains("asked for twice"));
    assert!(says(weighted("w,a\nNaN,1\n", "w")).contains("first in column \"w\", line 2"));
    assert!(says(weighted("w,a\ninf,1\n", "w")).contains("not finite"));
    assert!(says(weighted("w,a\n-inf,1\n-inf,2\n", "w")).contains("every log-weight"));
    let by_columns = npy(
        "'<f8'",
        true,
        "(2, 2)",
        &le(&[1.0, f64::NAN, f64::NAN, 1.0]),
    );
    assert!(
        says(all(by_columns))
            .contains("2 of the numbers used are not finite, first in column \"x2\", row 1")
    );
    // What is not used may be anything.
    assert!(chosen("a,a,b,c\n1,2,3,text\n", &["b"]).is_ok());
}

#[test]
fn files_that_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let says = |p: &Path| read(p, &ReadOptions::default()).unwrap_err().to_string();
    assert!(
        says(&folder.path().join("none.csv")).ends_with("none.csv: no such file; check the path")
    );
    assert!(says(folder.path()).contains("cannot be read"));
    let path = folder.path().join("draws");
    std::fs::write(&path, "a\n1\n").unwrap();
    let t = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(t.source, path.display().to_string());
}

#[test]
fn a_bomb_of_zeros_is_refused_before_it_unfolds() {
    // A thousand times smaller than what is in it, and one line.
    let bomb = gzip(vec![b'1'; 64 << 20]);
    let error = all(&bomb).unwrap_err();
    assert!(
        matches!(error, ReadError::LongLine { line: 1, .. }),
        "{error}"
    );
}

fn table() -> impl Strategy<Value = (Vec<String>, faer::Mat<f64>)> {
    let finite = any::<f64>().prop_filter("finite", |v| v.is_finite());
    (1..6_usize, 1..12_usize).prop_flat_map(move |(d, n)| {
        // A name is not a number, does not end in two underscores, and has no blanks at its ends.
        let name = "[a-zA-Zä]([ -~]{0,8}[a-zA-Z0-9.\\])\"])?";
        let name = name.prop_filter("a number", |s| s.parse::<f64>().is_err());
        let columns = prop::collection::btree_set(name, d);
        let numbers = prop::collection::vec(finite.clone(), n * d);
        (columns, numbers).prop_map(move |(c, v)| {
            (
                c.into_iter().collect(),
                faer::Mat::from_fn(n, d, |i, j| v[i * d + j]),
            )
        })
    })
}

fn bits(values: faer::MatRef<'_, f64>) -> Vec<u64> {
    let d = values.ncols();
    (0..values.nrows() * d)
        .map(|k| values[(k / d, k % d)].to_bits())
        .collect()
}

proptest! {
    #[test]
    fn csv_gives_the_bits_back((columns, values) in table()) {
        let mut out = Vec::new();
        write_csv(&columns, values.as_ref(), &mut out).unwrap();
        let t = all(&out).unwrap();
        prop_assert_eq!(&t.columns, &columns);
        prop_assert_eq!(bits(t.values.as_ref()), bits(values.as_ref()));
    }

    #[test]
    fn arrays_give_the_bits_back((_, values) in table(), by_columns: bool) {
        let (n, d) = values.shape();
        let (slow, fast) = if by_columns { (d, n) } else { (n, d) };
        let at = |k: usize| {
            let (a, b) = (k / fast, k % fast);
            if by_columns { values[(b, a)] } else { values[(a, b)] }
        };
        let numbers: Vec<f64> = (0..slow * fast).map(at).collect();
        let t = all(npy("'<f8'", by_columns, &format!("({n}, {d})"), &le(&numbers))).unwrap();
        prop_assert_eq!(bits(t.values.as_ref()), bits(values.as_ref()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0..4_usize) {
        let start: &[u8] = [&b""[..], b"\x93NUMPY\x01\x00", b"\x1f\x8b\x08\0", b"a,b\n"][start];
        let _ = all([start, &bytes].concat());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-0-9a.e+,;#\"\t \r\n]{0,120}") {
        if let Ok(t) = all(&text) {
            prop_assert!(t.values.nrows() > 0 && t.columns.len() == t.values.ncols());
            prop_assert!(bits(t.values.as_ref()).iter().all(|b| f64::from_bits(*b).is_finite()));
        }
    }

    #[test]
    fn damaged_files_are_read_or_refused(
        kind in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        keep: prop::sample::Index,
    ) {
        let array = npy("'<f8'", kind == 1, "(4, 2)", &le(&[1.5; 8]));
        let mut bytes = match kind {
            0 | 1 => array,
            2 => CMDSTAN.as_bytes().to_vec(),
            _ => gzip(array),
        };
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = all(&bytes);
        let _ = all(&bytes[..keep.index(bytes.len())]);
    }
}
