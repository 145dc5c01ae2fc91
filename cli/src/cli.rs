//! The flags.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Densities of your own draws: fit, score, sample, evaluate, plot.
///
/// amf takes draws of a distribution (posterior draws from Stan, emcee or a nested sampler, or
/// parameter points with log-likelihoods) and fits a density to them: a mixture of normalizing
/// flows, Gaussianisations and Gaussian mixtures, weighted by how well each predicts rows that it
/// did not see. The density can be evaluated exactly, drawn from, saved, and opened from Python.
///
/// Log-densities are natural logarithms: densities per unit of the columns, differences in nats.
#[derive(Debug, Parser)]
#[command(
    name = "amf",
    version,
    max_term_width = 100,
    after_long_help = "Examples:
  amf fit draws.csv --out model.safetensors          fit to all columns
  amf log-prob model.safetensors new.csv             one log-density for each row of new.csv
  amf sample model.safetensors -n 1000 > more.csv    1000 new draws
  amf infer --prior 'mu = normal(0, 5)' --command ./model    a posterior from a log-likelihood
  amf evaluate model.safetensors held_out.csv        how good it is on rows that it never saw
  amf plot model.safetensors --data draws.csv --out model.png
  amf info model.safetensors                         what is in the file

In Python:
  from safetensors import safe_open; import json
  with safe_open(\"model.safetensors\", \"numpy\") as f:
      manifest = json.loads(f.metadata()[\"amf\"])
      weights = f.get_tensor(\"density/weights\")

Exit codes: 0 all is well; 2 a misuse, or input that cannot be used (one line on standard error says what to do, and no file is left behind); 130 \
interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Fit(Fit),
    Infer(Infer),
    LogProb(LogProb),
    Sample(Sample),
    Evaluate(Evaluate),
    Plot(Plot),
    Info(Info),
}

/// The seed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Seed {
    /// Seed of all random numbers.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub seed: u64,
}

/// The threads.
#[derive(Debug, Clone, Copy, Args)]
pub struct Threads {
    /// Threads [default: all cores]. The result does not depend on them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    pub threads: Option<u16>,
}

/// Fit a density to draws and write it to a model file.
///
/// DATA is text in columns (CSV with a header, or separated by blanks; lines that begin with # are
/// skipped, so that CmdStan files can be read) or a .npy array of one or two dimensions, optionally
/// compressed with gzip; - is standard input. Columns whose names end in __ are left out unless
/// they are named.
///
/// Experts are fitted and scored by cross-fitting, so that every number in the final table is about
/// rows that the model did not see: the negative log-likelihood (NLL, in nats, lower is better) of
/// each expert, of their mixture, and of a Gaussian, a Gaussian mixture chosen by BIC and a kernel
/// density estimate. The verdict says which is best, and whether the model is calibrated on
/// held-out rows. More than 20000 rows are split once instead of into several folds.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf fit draws.csv
  amf fit chain_1.csv --columns mu,tau,theta.1 --positive tau --out eight_schools.safetensors
  amf fit nested.csv --log-weight log_weight --interval omega=0,1
  zcat draws.txt.gz | amf fit - --seed 7 --threads 4
  amf fit --print-config > run.ron; amf fit draws.npy --config run.ron

The same rows, options and seed give the same file, byte for byte, whatever the number of threads. Ctrl-C ends a fit without a file, \
within a second; with --checkpoint-dir, what is done by then is not lost.")]
pub struct Fit {
    /// The draws: one for each row; - is standard input.
    #[arg(required_unless_present = "print_config")]
    pub data: Option<PathBuf>,
    /// The columns to use, in this order.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// A column of log-weights: natural logarithms, up to a constant. Importance weights, the
    /// weights of a nested sampler, or log-likelihoods at draws of the prior.
    ///
    /// The effective sample size and the Pareto k of the weights are printed: above 0.7, a few rows
    /// dominate and the fit cannot be trusted.
    #[arg(long, value_name = "COLUMN")]
    pub log_weight: Option<String>,
    /// Columns that are always above 0: fitted as logarithms, with the Jacobian. The density is
    /// zero elsewhere.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub positive: Vec<String>,
    /// A column bounded on both sides, NAME=LOW,HIGH: fitted on the logit scale, with the Jacobian.
    /// The density is zero elsewhere. Can be given several times.
    #[arg(long, value_name = "NAME=LOW,HIGH", value_parser = interval)]
    pub interval: Vec<(String, f64, f64)>,
    /// A column that is always above a number, NAME=LOW: fitted as the logarithm of its distance, with the
    /// Jacobian. Can be given several times.
    #[arg(long, value_name = "NAME=LOW", value_parser = one_end)]
    pub above: Vec<(String, f64)>,
    /// A column that is always below a number, NAME=HIGH. Can be given several times.
    #[arg(long, value_name = "NAME=HIGH", value_parser = one_end)]
    pub below: Vec<(String, f64)>,
    /// Settings of the experts, the folds and the weights, as --print-config prints them.
    #[arg(long, value_name = "RUN.ron")]
    pub config: Option<PathBuf>,
    /// Print the default settings and exit.
    #[arg(long, conflicts_with_all = ["config", "data"])]
    pub print_config: bool,
    #[command(flatten)]
    pub seed: Seed,
    /// The model file.
    #[arg(
        long,
        value_name = "MODEL.safetensors",
        default_value = "model.safetensors"
    )]
    pub out: PathBuf,
    #[command(flatten)]
    pub threads: Threads,
    /// Store finished fits and checkpoints in this folder: after an interruption the same command
    /// resumes and gives the same model, byte for byte. Emptied when the model is written.
    #[arg(long, value_name = "DIR", alias = "keep")]
    pub checkpoint_dir: Option<PathBuf>,
}

/// Find a posterior and its evidence from a prior and a program that computes the log-likelihood.
///
/// PROGRAM is started once for each worker and stays up. It reads a line of parameters, separated by
/// commas in the order of the priors, and answers with one line: the log-likelihood (natural
/// logarithm; -inf where the data are impossible), and with --derived these quantities behind it
/// (-1.5,0.3; a bare -inf or nan will do, and gives them the value nan). Python: print(...,
/// flush=True). Anything else that it prints belongs to standard error: with one line too many,
/// answers would belong to other points, and the run ends with an error.
///
/// Points are drawn from the prior, then from densities fitted to the posterior at rising
/// temperature, until the effective sample size is reached or the evaluations are spent. The result
/// is a summary, and what is asked for of draws as CSV, a corner plot, and a density fitted to the
/// draws (about a minute), whose model file serves the other commands.
///
/// With --ask and --tell the likelihood is evaluated anywhere: --ask prints points as CSV with an
/// id such as 12-0f3a5c7e9b1d2468, whose second part is a mark of its parameters; --tell reads a CSV
/// with the columns id, as it was printed, and log_likelihood (and the derived quantities; if the
/// parameters are there too, they are compared with those asked for, and the number of the point will
/// do as its id). Points of other runs are refused. When no more points are wanted, --tell writes the
/// results.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf infer --prior 'mu = normal(0, 5)' --prior 'tau = half_normal(5)' --command 'python3 model.py' --state run
  amf infer --prior prior.ron --command ./model --workers 8 --evaluations 50000 --draws draws.csv --plot corner.png
  amf infer --prior prior.ron --command ./model --state run --data observed.csv --out posterior.safetensors
  amf infer --prior prior.ron --state run --ask 1000 > batch.csv     then evaluate batch.csv anywhere
  amf infer --prior prior.ron --state run --tell evaluated.csv --ask 1000 > batch.csv

Distributions: uniform(low, high), log_uniform(low, high), normal(mean, sd), log_normal(mu, sigma), half_normal(sd), \
truncated_normal(mean, sd, low, high), exponential(rate), gamma(shape, rate), beta(a, b), cauchy(location, scale), \
student_t(df, location, scale). A file lists them: [\"mu = normal(0, 5)\", \"tau = half_normal(5)\"].

The same prior, likelihood, options and seed give the same draws, whatever the number of workers.")]
pub struct Infer {
    /// The prior of a parameter, 'NAME = DISTRIBUTION(NUMBERS)', or a file that lists them. Can be
    /// given several times.
    ///
    /// Distributions: uniform(low, high), log_uniform(low, high), normal(mean, sd), log_normal(mu,
    /// sigma), half_normal(sd), truncated_normal(mean, sd, low, high), exponential(rate), gamma(shape,
    /// rate), beta(a, b), cauchy(location, scale), student_t(df, location, scale). An angle is
    /// 'phase = uniform(0, 6.2832) periodic'. A file: ["a = normal(0, 1)", "b = uniform(0, 1)"].
    #[arg(long, value_name = "PRIOR", required = true)]
    pub prior: Vec<String>,
    /// The program that computes the log-likelihood, as a shell would start it.
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["ask", "tell"])]
    pub command: Option<String>,
    /// How many programs run at a time [default: one for each core].
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=1024), allow_negative_numbers = true)]
    pub workers: Option<u16>,
    /// The most evaluations of the likelihood.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub evaluations: usize,
    /// The effective sample size at which it ends before that.
    #[arg(long, value_name = "E", default_value_t = 10_000.0)]
    pub ess: f64,
    /// The standard error of ln Z that is wanted as well, nats.
    #[arg(long, value_name = "NATS")]
    pub evidence_error: Option<f64>,
    /// Names of the numbers that follow the log-likelihood in each answer; a bare -inf needs none.
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub derived: Vec<String>,
    /// Seconds that a point may take, such as 90 or 0.5 [default: no limit].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub timeout: Option<Duration>,
    /// What a point counts for at which the program ends, is silent or answers something else.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Failures::Error)]
    pub failures: Failures,
    /// Keep each evaluation in this folder as it comes: after an interruption, or for further
    /// outputs, the same command makes none of them again.
    ///
    /// With another --evaluations, --ess or --evidence-error the first rounds are the same and the
    /// later ones may ask for other points: the result depends on the options alone, not on what was
    /// done before. The evaluations of rounds that do not recur are not used; how many is said at the
    /// end.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// A file that the likelihood depends on: its data, the program itself. Can be given several
    /// times; the evaluations in --state are refused when such a file has changed.
    #[arg(long, value_name = "FILE", requires = "state")]
    pub data: Vec<PathBuf>,
    /// Seconds after which a line of progress is printed at the latest [default: 10 on a terminal,
    /// never elsewhere].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub progress: Option<u64>,
    /// Print up to N points that are wanted.
    #[arg(long, value_name = "N", requires = "state")]
    pub ask: Option<usize>,
    /// Read evaluated points; - is standard input. Can be given several times, and together with --ask,
    /// which then prints the points that are wanted next.
    #[arg(long, value_name = "FILE.csv", requires = "state")]
    pub tell: Vec<PathBuf>,
    /// Fit a density to the draws, as amf fit does, and write this model file.
    #[arg(long, value_name = "MODEL.safetensors")]
    pub out: Option<PathBuf>,
    /// Settings of that fit, as amf fit --print-config prints them.
    #[arg(long, value_name = "RUN.ron", requires = "out")]
    pub config: Option<PathBuf>,
    /// A corner plot of the draws.
    #[arg(long, value_name = "FIG.png|.svg")]
    pub plot: Option<PathBuf>,
    /// Equally weighted draws, with the derived quantities, as CSV.
    #[arg(long, value_name = "FILE.csv")]
    pub draws: Option<PathBuf>,
    /// How many of them, up to 100000000 [default: the effective sample size; draws repeat beyond].
    #[arg(short, value_name = "N", requires = "draws", value_parser = clap::value_parser!(u64).range(1..=100_000_000), allow_negative_numbers = true)]
    pub n: Option<u64>,
    /// All evaluations with weight, with log_weight and log_likelihood, as CSV.
    #[arg(long, value_name = "FILE.csv")]
    pub weighted: Option<PathBuf>,
    #[command(flatten)]
    pub seed: Seed,
    #[command(flatten)]
    pub threads: Threads,
}

/// What a failed point counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Failures {
    /// The run ends with an error that names the point. Points of --state that failed before are
    /// evaluated again.
    Error,
    /// The data are impossible there; the program is started again. In --state the point is marked as
    /// failed.
    Reject,
}

/// Score rows: one log-density in nats for each row of DATA, in order.
///
/// The columns of the model are found in DATA by their names. The output is CSV with one column,
/// log_prob. Rows outside of the support of a bounded column have -inf.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf log-prob model.safetensors new.csv
  amf log-prob model.safetensors points.npy --columns x2,x1 --out scores.csv")]
pub struct LogProb {
    /// A model file.
    pub model: PathBuf,
    /// The rows to score; - is standard input.
    pub data: PathBuf,
    /// The columns of DATA that stand for the model's, in the model's order [default: those of the
    /// same names].
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Where to write [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Draw from a model: CSV with the model's columns.
///
/// Numbers are printed with the fewest digits that restore their bits. The same seed gives the same
/// draws.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf sample model.safetensors -n 1000
  amf sample model.safetensors -n 100000 --seed 7 --out draws.csv")]
pub struct Sample {
    /// A model file.
    pub model: PathBuf,
    /// How many draws, up to 100000000.
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000), allow_negative_numbers = true)]
    pub n: u64,
    #[command(flatten)]
    pub seed: Seed,
    /// Where to write [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Evaluate a model on rows that it never saw.
///
/// For the mixture and each expert: the negative log-likelihood (NLL, nats, with its standard
/// error); and, between the rows and as many draws of the model, the exact 2-Wasserstein distance
/// (W2) and the maximum mean discrepancy (MMD), both in units of the rows' standard deviations,
/// with a Gaussian kernel as wide as the root of the number of columns. Two finite samples of one
/// law differ too: the line `two samples of the mixture` shows by how much. At most 2000 rows are
/// used for W2 and MMD.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf evaluate model.safetensors held_out.csv
  amf evaluate model.safetensors held_out.csv --json | jq .mixture.nll")]
pub struct Evaluate {
    /// A model file.
    pub model: PathBuf,
    /// Rows that the model was not fitted to; - is standard input.
    pub data: PathBuf,
    /// The columns of DATA that stand for the model's, in the model's order [default: those of the
    /// same names].
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// A column of log-weights of the rows.
    #[arg(long, value_name = "COLUMN")]
    pub log_weight: Option<String>,
    #[command(flatten)]
    pub seed: Seed,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Draw a corner plot of a model: each column's density on the diagonal, each pair's below it.
///
/// Beneath the model lie the rows of DATA, or draws of the model without it: a histogram on the
/// diagonal, points below. Lines enclose the model's regions of highest density that hold 50, 90
/// and 99 %.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf plot model.safetensors --out model.png
  amf plot model.safetensors --data draws.csv --out model.svg")]
pub struct Plot {
    /// A model file.
    pub model: PathBuf,
    /// Rows to show beneath; - is standard input.
    #[arg(long, value_name = "DATA")]
    pub data: Option<PathBuf>,
    /// The columns of DATA that stand for the model's, in the model's order [default: those of the
    /// same names].
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', requires = "data")]
    pub columns: Vec<String>,
    /// A column of log-weights of the rows.
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub log_weight: Option<String>,
    /// The figure; its name ends in .png or .svg.
    #[arg(long, value_name = "FIG.png|.svg")]
    pub out: PathBuf,
    #[command(flatten)]
    pub seed: Seed,
}

/// Show what is in a model file.
///
/// Columns and their bounds, the experts with their weights and held-out NLL (nats), the baselines,
/// N_eff (how many experts share the weight), the calibration, where the draws came from, and the
/// verdict of the fit.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  amf info model.safetensors
  amf info model.safetensors --json | jq .report.settings")]
pub struct Info {
    /// A model file.
    pub model: PathBuf,
    /// Print all of it as JSON, with the settings of the fit.
    #[arg(long)]
    pub json: bool,
}

/// A time above zero.
fn seconds(text: &str) -> Result<Duration, String> {
    let number: Option<f64> = text.trim().parse().ok();
    let time = number
        .filter(|s| *s > 0.0)
        .and_then(|s| Duration::try_from_secs_f64(s).ok());
    time.filter(|t| !t.is_zero())
        .ok_or_else(|| format!("\"{text}\" is not a number of seconds above 0, such as 90 or 0.5"))
}

/// `NAME=LOW,HIGH`.
fn one_end(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("\"{text}\" is not NAME=NUMBER, such as mass=0.5");
    let (name, end) = text.rsplit_once('=').ok_or_else(wrong)?;
    let end = end.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    Ok((name.to_owned(), end.ok_or_else(wrong)?))
}

fn interval(text: &str) -> Result<(String, f64, f64), String> {
    let wrong = || format!("\"{text}\" is not NAME=LOW,HIGH, such as share=0,1");
    let (name, ends) = text.rsplit_once('=').ok_or_else(wrong)?;
    let (low, high) = ends.split_once(',').ok_or_else(wrong)?;
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    match (number(low), number(high)) {
        (Some(low), Some(high)) if low < high => Ok((name.to_owned(), low, high)),
        (Some(low), Some(high)) => Err(format!("{low:?} is not below {high:?}")),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["0", "-1", "x", "nan", "inf", "1e-12", "1e300"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ends() {
        assert_eq!(one_end("a=b=1.5"), Ok(("a=b".into(), 1.5)));
        for bad in ["a", "a=x", "a=inf", "a="] {
            assert!(one_end(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn intervals() {
        assert_eq!(interval("a=b=0,1.5"), Ok(("a=b".into(), 0.0, 1.5)));
        for bad in ["a", "a=1", "a=1,x", "a=0,inf", "a=2,1"] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
