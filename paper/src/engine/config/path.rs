//! Steps from a whole config to a field.

/// A step from a value to one inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// The field of a struct.
    Field(&'static str),
    /// The item of a list or tuple.
    Item(usize),
}

impl From<&'static str> for Segment {
    fn from(field: &'static str) -> Self {
        Self::Field(field)
    }
}

impl From<usize> for Segment {
    fn from(item: usize) -> Self {
        Self::Item(item)
    }
}
