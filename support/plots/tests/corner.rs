//! Corner plots as files: both formats, one to twelve columns, weights, and what is refused.

use faer::Mat;
use numerics::random::{standard_normal, stream};
use plots::{Corner, Draws, PlotError, corner};
use std::path::Path;

fn normal(n: usize, d: usize, label: &str) -> Mat<f64> {
    let mut rng = stream(1, label);
    Mat::from_fn(n, d, |_, _| standard_normal(&mut rng))
}

fn names(d: usize) -> Vec<String> {
    (0..d).map(|j| format!("theta[{j}]")).collect()
}

/// Width and height in the header of a PNG.
fn size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let at = |k: usize| u32::from_be_bytes([png[k], png[k + 1], png[k + 2], png[k + 3]]);
    (at(16), at(20))
}

#[test]
fn every_number_of_columns_in_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    // Heights: 176 pixels around the panels, 14 between them; of twelve columns ten are shown.
    let heights = [176 + 520, 176 + 774, 176 + 1136, 176 + 1526];
    let mut widest = 0;
    for (d, height) in [1, 2, 5, 12].into_iter().zip(heights) {
        let mut sizes = Vec::new();
        let (columns, model) = (names(d), normal(2000, d, "model"));
        let (data, weights) = (normal(200, d, "data"), vec![0.5; 200]);
        let values = data.as_ref();
        let weighted = Some(Draws {
            values,
            weights: Some(&weights),
        });
        for data in [None, weighted] {
            let model = model.as_ref();
            let title = "normal";
            let figure = Corner {
                name: "model",
                title,
                columns: &columns,
                model,
                data,
            };
            let at = |name: &str| folder.path().join(name);
            for name in ["a.png", "b.PNG", "c.svg"] {
                corner(&at(name), &figure).unwrap();
            }
            let png = std::fs::read(at("a.png")).unwrap();
            assert_eq!(png, std::fs::read(at("b.PNG")).unwrap());
            sizes.push(size(&png));
            let svg = std::fs::read_to_string(at("c.svg")).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains("theta[0]"));
            assert_eq!(svg.contains("first 10 of 12 columns"), d == 12);
        }
        let (width, _) = sizes[0];
        assert!(width > widest, "{d} columns: {width} after {widest}");
        assert!(sizes.iter().all(|s| s.1 == height), "{d}: {sizes:?}");
        widest = width;
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn weights_count() {
    let folder = tempfile::tempdir().unwrap();
    let (columns, model, data) = (names(2), normal(3000, 2, "model"), normal(300, 2, "data"));
    let draw = |weights: Option<&[f64]>| {
        let path = folder.path().join("w.png");
        let data = Some(Draws {
            values: data.as_ref(),
            weights,
        });
        let figure = Corner {
            name: "model",
            title: "",
            columns: &columns,
            model: model.as_ref(),
            data,
        };
        corner(&path, &figure).unwrap();
        std::fs::read(path).unwrap()
    };
    let first_half: Vec<f64> = (0..300).map(|i| f64::from(u8::from(i < 150))).collect();
    assert_eq!(draw(None), draw(Some(&[2.0; 300])));
    assert_ne!(draw(None), draw(Some(&first_half)));
}

#[test]
fn what_is_refused_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let says = |name: &str, columns: &[String], model: &Mat<f64>, data: Option<Draws<'_>>| {
        let figure = Corner {
            name: "model",
            title: "",
            columns,
            model: model.as_ref(),
            data,
        };
        corner(&folder.path().join(name), &figure).unwrap_err()
    };
    let good = normal(100, 2, "model");
    let mut bad = good.clone();
    bad[(7, 1)] = f64::NAN;
    let draws = |weights| {
        Some(Draws {
            values: good.as_ref(),
            weights,
        })
    };
    assert!(matches!(
        says("a.pdf", &names(2), &good, None),
        PlotError::Format { .. }
    ));
    assert!(matches!(
        says("a", &names(2), &good, None),
        PlotError::Format { .. }
    ));
    for (error, text) in [
        (
            says("a.png", &names(3), &good, None),
            "3 names for the 2 columns",
        ),
        (says("a.png", &names(2), &bad, None), "not finite"),
        (
            says("a.png", &names(2), &normal(1, 2, "model"), None),
            "fewer than two draws",
        ),
        (
            says("a.png", &names(2), &good, draws(Some(&[0.0; 100]))),
            "weights",
        ),
        (
            says("a.png", &names(2), &good, draws(Some(&[1.0; 99]))),
            "weights",
        ),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
    for name in ["none/a.png", "none/a.svg"] {
        let error = says(name, &names(2), &good, None);
        assert!(
            error
                .to_string()
                .contains(&Path::new("none").join(&name[5..]).display().to_string()),
            "{error}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn one_value_alone_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let same = Mat::from_fn(50, 2, |i, j| if j == 0 { 3.0 } else { i as f64 });
    let figure = Corner {
        name: "model",
        title: "",
        columns: &names(2),
        model: same.as_ref(),
        data: None,
    };
    corner(&folder.path().join("a.png"), &figure).unwrap();
}
