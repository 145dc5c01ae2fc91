//! Rows of Markov chains, and walls.

use super::bench::Bench;
use numerics::random::{standard_normal, stream, uniform};

/// An autoregressive chain.
fn chain(a: f64, n: usize, seed: u64) -> Vec<f64> {
    let mut rng = stream(seed, "chain");
    let mut at = standard_normal(&mut rng);
    let mut step = || {
        at = a * at + (1.0 - a * a).sqrt() * standard_normal(&mut rng);
        at
    };
    (0..n).map(|_| step()).collect()
}

/// What a fit says.
fn said(bench: &Bench, args: &str) -> String {
    let run = bench.amf(&format!("fit {args} --config run.ron"));
    let text = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(0), "{text}");
    text
}

#[test]
fn columns_of_chains_and_steps_are_no_parameters() {
    let bench = Bench::new();
    let mut text = String::from("chain,draw,mu,lp\n");
    for c in 0..4 {
        for (i, v) in chain(0.0, 200, c).iter().enumerate() {
            text += &format!("{c},{i},{v},{}\n", -0.5 * v * v);
        }
    }
    bench.write("chains.csv", text.as_bytes());
    let out = said(&bench, "chains.csv");
    assert!(
        out.contains("left out, as no parameters: chain, draw, lp"),
        "{out}"
    );
    assert!(out.contains("columns      mu\n"), "{out}");
    assert!(
        out.contains("4 chains: bulk effective sample size"),
        "{out}"
    );
    // Chains that disagree.
    let mut text = String::from(".chain,.iteration,mu\n");
    for c in 0..2 {
        for (i, v) in chain(0.0, 200, c).iter().enumerate() {
            text += &format!("{c},{i},{}\n", v + 4.0 * c as f64);
        }
    }
    bench.write("apart.csv", text.as_bytes());
    let out = said(&bench, "apart.csv");
    assert!(
        out.contains("do not trust") && out.contains("the chains disagree"),
        "{out}"
    );
    bench.write("wrong.csv", b"chain,mu\n0.5,1\n1.5,2\n");
    let refused = bench.refused("fit wrong.csv --config run.ron");
    assert!(
        refused.contains("line 2") && refused.contains("not the number of a chain"),
        "{refused}"
    );
}

#[test]
fn the_order_of_rows_shows_a_chain_and_errors_are_those_of_few_rows() {
    let bench = Bench::new();
    let column = |v: &[f64]| {
        let rows = v.iter().map(|v| format!("{v}\n"));
        format!("a\n{}", rows.collect::<String>())
    };
    bench.write("slow.csv", column(&chain(0.99, 1000, 1)).as_bytes());
    let out = said(&bench, "slow.csv");
    assert!(out.contains("1 chain (by the order of the rows)"), "{out}");
    assert!(
        out.contains("do not trust") && out.contains("run the sampler longer"),
        "{out}"
    );
    bench.write("fast.csv", column(&chain(0.0, 1000, 1)).as_bytes());
    let out = said(&bench, "fast.csv");
    assert!(
        !out.contains("chain") && out.contains("nothing speaks against"),
        "{out}"
    );
}

#[test]
fn walls_at_any_end_are_hinted_at_and_can_be_given() {
    let bench = Bench::new();
    let mut rng = stream(1, "walls");
    let mut text = String::from("turn,late\n");
    for _ in 0..1000 {
        let late = 3.0 - numerics::math::ln(uniform(&mut rng));
        text += &format!("{},{late}\n", 360.0 * uniform(&mut rng));
    }
    bench.write("walls.csv", text.as_bytes());
    let out = said(&bench, "walls.csv");
    assert!(out.contains("--interval turn=0.0,360.0"), "{out}");
    assert!(out.contains("--above late=3.0"), "{out}");
    let out = said(&bench, "walls.csv --interval turn=0,360 --above late=3");
    assert!(
        out.contains("0 < turn < 360, late > 3") && !out.contains("note: all values"),
        "{out}"
    );
    let refused = bench.refused("fit walls.csv --below late=3 --config run.ron");
    assert!(refused.contains("\"late\""), "{refused}");
}
