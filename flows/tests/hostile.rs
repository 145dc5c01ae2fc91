//! Damaged and hostile files of flows: refused in one line, or working densities; within bounds of memory and time.

use autodiff::random::{standard_normal, stream};
use faer::Mat;
use flows::{
    Activation, Architecture, Base, ConditionalFlow, Data, EmConfig, Flow, GaussianMixture,
    LogScale, Nets, Ordering, Standardise,
};
use hostile::{Trial, loads};

const CASES: usize = 100_000;

fn architectures() -> [Architecture; 2] {
    let log_scale = LogScale {
        bound: 1.0,
        knee: 1.0,
    };
    [
        Architecture::Maf {
            layers: 1,
            hidden: vec![3, 2],
            activation: Activation::Relu,
            ordering: Ordering::Random,
            log_scale,
            output_gain: 0.3,
        },
        Architecture::RealNvp {
            couplings: 2,
            hidden: vec![2],
            activation: Activation::Tanh,
            nets: Nets::Separate,
            log_scale,
            output_gain: 0.3,
        },
    ]
}

fn base() -> Base {
    let mut rng = stream(1, "points");
    let x = Mat::from_fn(40, 2, |_, _| standard_normal(&mut rng));
    let start = GaussianMixture::fit(Data::new(x.as_ref()), 2, &EmConfig::default(), &mut rng);
    Base::TrainedGaussianMixture {
        start: start.unwrap(),
        train_weights: true,
    }
}

fn flows() -> Vec<Vec<u8>> {
    let [maf, realnvp] = architectures();
    let flow = |a: &Architecture, d, base| {
        Flow::on_base(a, Standardise::identity(d), base, &mut stream(1, "init")).unwrap()
    };
    vec![
        flow(&maf, 2, Base::StandardNormal).to_bytes(),
        flow(&realnvp, 2, base()).to_bytes(),
        flow(&maf, 1, Base::StandardNormal).to_bytes(),
    ]
}

fn conditional_flows() -> Vec<Vec<u8>> {
    let [maf, realnvp] = architectures();
    let flow = |a: &Architecture, d, base| {
        let (points, contexts) = (Standardise::identity(d), Standardise::identity(1));
        ConditionalFlow::new(a, points, contexts, base, &mut stream(1, "init")).unwrap()
    };
    vec![
        flow(&maf, 2, Base::StandardNormal).to_bytes(),
        flow(&realnvp, 2, base()).to_bytes(),
        flow(&maf, 1, Base::StandardNormal).to_bytes(),
    ]
}

fn one_line(message: &str) {
    assert!(
        message.len() < 2000 && !message.contains(char::is_control),
        "{message:?}"
    );
}

fn must_work(draws: &Mat<f64>, log_prob: &[f64]) {
    for j in 0..draws.ncols() {
        assert!(draws.col(j).iter().all(|v| v.is_finite()));
    }
    assert!(log_prob.iter().all(|l| *l < f64::INFINITY), "{log_prob:?}");
}

fn load(bytes: &[u8]) -> bool {
    match Flow::from_bytes(bytes) {
        Ok(flow) => {
            let draws = flow.sample(3, &mut stream(1, "draws"));
            must_work(&draws, &flow.log_prob(draws.as_ref()));
            true
        }
        Err(reason) => {
            one_line(&reason);
            false
        }
    }
}

fn load_conditional(bytes: &[u8]) -> bool {
    match ConditionalFlow::from_bytes(bytes) {
        Ok(flow) => {
            let context = vec![0.5; flow.context_dim()];
            let draws = flow.sample_given(&context, 3, &mut stream(1, "draws"));
            must_work(&draws, &flow.log_prob_given(draws.as_ref(), &context));
            true
        }
        Err(reason) => {
            one_line(&reason);
            false
        }
    }
}

#[test]
fn damaged_flows() {
    let trial = Trial {
        sound: &flows(),
        mutation: hostile::tensors,
        cases: CASES,
    };
    trial.run("flows", load);
}

#[test]
fn damaged_conditional_flows() {
    let trial = Trial {
        sound: &conditional_flows(),
        mutation: hostile::tensors,
        cases: CASES,
    };
    trial.run("conditional flows", load_conditional);
}

/// A file with another header, whose size in front is mended.
fn with_header(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let size = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&file[8..8 + size]).unwrap();
    assert!(header.contains(from), "{header}");
    let header = header.replace(from, to);
    let new_size = (header.len() as u64).to_le_bytes();
    [&new_size[..], header.as_bytes(), &file[8 + size..]].concat()
}

#[test]
fn widths_are_held_against_the_numbers_in_the_file() {
    let refusal = |bytes: &[u8]| {
        assert!(!loads(bytes, load));
        Flow::from_bytes(bytes).unwrap_err()
    };
    let (flows, conditional) = (flows(), conditional_flows());
    for widths in ["[1000000,1000000]", "[18446744073709551615,2]", "[0]", "[]"] {
        let file = with_header(&flows[0], "[3,2]", widths);
        assert!(
            refusal(&file).contains("need more numbers"),
            "{}",
            refusal(&file)
        );
        let file = with_header(&conditional[2], "[3,2]", widths);
        assert!(!loads(&file, load_conditional));
    }
    let many = vec!["1"; 100_000].join(",");
    assert!(
        refusal(&with_header(
            &flows[1],
            "hidden:[2]",
            &format!("hidden:[{many}]")
        ))
        .contains("need more")
    );
}

#[test]
fn numbers_beyond_the_arithmetic_are_refused_though_each_is_finite() {
    let mut file = flows()[0].clone();
    let size = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    for number in file[8 + size..].chunks_exact_mut(8).take(20) {
        number.copy_from_slice(&(1e140f64).to_le_bytes());
    }
    let reason = Flow::from_bytes(&file).unwrap_err();
    assert!(reason.contains("damaged numbers"), "{reason}");
}
