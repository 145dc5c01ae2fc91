//! The report's text about the canon.

/// Heading and introduction of the chapter.
pub const CHAPTER: &str = "
## Evidence and posteriors in many dimensions

Annealed importance sampling (`posterior::anneal`, what `amf infer` runs) on test problems of evidence samplers and on real models, in \
2 to 30 dimensions, with one set of default settings. Evidence is known in closed form or by quadrature; of logistic regression, the \
Lotka-Volterra equations and radial velocities it is the mean of a few longer runs of an earlier version of the same sampler, with \
standard errors of .001 to .002 (`posterior/examples/reference.rs`): a bias common to both would not show. Stepping-stone \
estimates from parallel tempering, an independent method, agree to a tenth of a nat \
(`posterior/examples/stepping_stones.rs`). Beside it the one-shot method: as many draws of the prior, \
weighted by their likelihoods.
";
