//! The table of `docs/numerics.md`.

use super::cases::{Case, Expect};
use super::fits::{self, Outcome};
use amf::Recipe;

/// What stands above the table.
pub const INTRODUCTION: &str = include_str!("introduction.md");

/// The first lines of the table.
pub const HEAD: &str = "| data | n | d | AMF | MAF | RealNVP | RBIG | Gaussian | what was said |\n\
                        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n";

/// What came of one case.
pub struct Row {
    name: &'static str,
    size: (usize, usize),
    /// `amf fit`.
    recipe: Outcome,
    /// MAF, RealNVP and RBIG alone.
    alone: [Outcome; 3],
    /// The normal law of greatest likelihood.
    gaussian: Option<f64>,
}

impl Row {
    pub fn of(case: &Case, settings: &Recipe) -> Self {
        let one = |name: &str| {
            let expert = settings.experts.iter().find(|e| e.name == name);
            fits::alone(case, &expert.expect("an expert of the settings").kind)
        };
        let d = case.train().ncols();
        Self {
            name: case.name,
            size: (case.n, d),
            recipe: fits::recipe(case, settings),
            alone: ["maf_normal", "realnvp_normal", "rbig"].map(one),
            gaussian: fits::gaussian(case),
        }
    }

    /// What is not as it must be: a fit that is not finite or much worse than the normal law of
    /// greatest likelihood, another refusal than the one that is due, or none.
    pub fn judge(&self, case: &Case) -> Result<(), String> {
        // Without such a law a finite fit is all that is asked.
        let normal = self.gaussian.unwrap_or(f64::INFINITY);
        let bad = |what: String| Err(format!("{}: {what}", self.name));
        let one_sentence = |why: &str| !why.contains('\n') && why.contains([':', ';']);
        match (&self.recipe, case.expect) {
            (Outcome::Fit { nll, .. }, Expect::Fit) => {
                let good = nll.is_finite() && *nll < normal + case.slack[0];
                if !good {
                    return bad(format!(
                        "the recipe's NLL is {nll}, a normal law's {normal}"
                    ));
                }
            }
            (Outcome::Refused(why), Expect::Refusal(words))
                if why.contains(words) && one_sentence(why) => {}
            (Outcome::Fit { nll, .. }, _) => return bad(format!("fitted, with NLL {nll}")),
            (Outcome::Refused(why), _) => return bad(format!("refused: {why}")),
        }
        for outcome in &self.alone {
            match outcome {
                Outcome::Fit { nll, .. } if nll.is_finite() && *nll < normal + case.slack[1] => {}
                Outcome::Refused(why) if case.expect != Expect::Fit && one_sentence(why) => {}
                Outcome::Fit { nll, .. } => {
                    return bad(format!("an expert's NLL is {nll}, a normal law's {normal}"));
                }
                Outcome::Refused(why) => return bad(format!("an expert is refused: {why}")),
            }
        }
        Ok(())
    }

    pub fn markdown(&self) -> String {
        let cell = |o: &Outcome| match o {
            Outcome::Fit { nll, .. } => number(*nll),
            Outcome::Refused(_) => "refused".into(),
        };
        let [maf, realnvp, rbig] = &self.alone;
        let gaussian = self.gaussian.map_or("singular".into(), number);
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {gaussian} | {} |",
            self.name,
            self.size.0,
            self.size.1,
            cell(&self.recipe),
            cell(maf),
            cell(realnvp),
            cell(rbig),
            self.said()
        )
    }

    /// The refusals' words, each once, and what the recipe's fit had to say.
    fn said(&self) -> String {
        let mut said = match &self.recipe {
            Outcome::Fit { notes, .. } => notes.clone(),
            Outcome::Refused(why) => vec![why.clone()],
        };
        for o in &self.alone {
            if let Outcome::Refused(why) = o
                && !said.contains(why)
            {
                said.push(why.clone());
            }
        }
        said.join("<br>")
    }
}

fn number(v: f64) -> String {
    if v.abs() < 1e5 {
        format!("{v:.3}")
    } else {
        format!("{v:.2e}")
    }
}
