//! Settings of cross-fitting as people write them down.

use crate::cross_fit::CrossFit;
use numerics::checked::one_line;

impl CrossFit {
    /// Reads and checks settings in RON.
    ///
    /// # Errors
    /// Line and column with what is wrong there, or a sentence that names the field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let settings: Self = ron::from_str(text).map_err(|e| one_line(&e.to_string()))?;
        settings.check().map_err(|reason| one_line(&reason))?;
        Ok(settings)
    }
}
