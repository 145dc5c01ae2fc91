//! Why a figure was not drawn.

/// Why a figure was not drawn or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The name of the file ends in neither .png nor .svg.
    #[error("{path}: figures are .png or .svg; end the name so")]
    Format {
        /// The path.
        path: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] store::Error),
    /// The drawing failed.
    #[error("{path}: {cause}")]
    Draw {
        /// The path.
        path: String,
        /// What failed.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The input cannot be drawn.
    #[error("{path}: cannot be drawn: {problem}")]
    Input {
        /// The path.
        path: String,
        /// Why not.
        problem: String,
    },
}
