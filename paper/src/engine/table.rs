//! A table as CSV, Markdown and LaTeX.

use super::mean::Mean;
use std::fmt::Write;

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number with its decimals shown, and its standard error if there is one.
    Number(Mean, usize),
    /// An empty cell.
    Empty,
}

impl Cell {
    /// A number without a standard error.
    #[must_use]
    pub fn plain(value: f64, decimals: usize) -> Self {
        Self::Number(Mean { value, error: None }, decimals)
    }

    /// A mean, or nothing.
    #[must_use]
    pub fn mean(mean: Option<Mean>, decimals: usize) -> Self {
        mean.map_or(Self::Empty, |m| Self::Number(m, decimals))
    }

    fn show(&self, plus_minus: &str) -> String {
        match self {
            Self::Text(t) => t.clone(),
            Self::Number(Mean { value, error: None }, d) => format!("{value:.d$}"),
            Self::Number(
                Mean {
                    value,
                    error: Some(e),
                },
                d,
            ) => format!("{value:.d$} {plus_minus} {e:.d$}"),
            Self::Empty => String::new(),
        }
    }
}

impl From<&str> for Cell {
    fn from(s: &str) -> Self {
        Self::Text(s.into())
    }
}

/// Names of columns.
#[must_use]
pub fn header<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(String::from).to_vec()
}

/// With a capital first letter.
#[must_use]
pub fn capital(s: &str) -> String {
    let mut chars = s.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// A titled table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// File name without its ending.
    pub stem: String,
    /// Heading.
    pub title: String,
    /// What it shows.
    pub caption: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows of equally many cells.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Comma-separated values; a column with standard errors is followed by a column `... se`.
    ///
    /// # Errors
    /// None in practice: it writes to memory.
    pub fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let has_error = |j: usize| {
            let column = self.rows.iter().map(|r| &r[j]);
            column
                .clone()
                .any(|c| matches!(c, Cell::Number(Mean { error: Some(_), .. }, _)))
        };
        let errors: Vec<bool> = (0..self.header.len()).map(has_error).collect();
        let mut out = csv::Writer::from_writer(Vec::new());
        let mut names = Vec::new();
        for (name, error) in self.header.iter().zip(&errors) {
            names.push(name.clone());
            names.extend(error.then(|| format!("{name} se")));
        }
        out.write_record(&names)?;
        for row in &self.rows {
            let mut fields = Vec::new();
            for (cell, error) in row.iter().zip(&errors) {
                let (value, se) = match cell {
                    Cell::Number(m, _) => (m.value.to_string(), m.error.map(|e| e.to_string())),
                    other => (other.show(""), None),
                };
                fields.push(value);
                fields.extend(error.then(|| se.unwrap_or_default()));
            }
            out.write_record(&fields)?;
        }
        Ok(out.into_inner()?)
    }

    /// Adds it to a report.
    pub fn show(&self, text: &mut String) {
        let (title, caption) = (&self.title, &self.caption);
        let _ = write!(text, "### {title}\n\n{caption}\n\n{}\n", self.markdown());
    }

    /// A Markdown table, without title and caption.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let numeric = |j: usize| self.rows.iter().any(|r| matches!(r[j], Cell::Number(..)));
        let rule: Vec<String> = (0..self.header.len())
            .map(|j| {
                if numeric(j) {
                    "---:".into()
                } else {
                    "---".into()
                }
            })
            .collect();
        let mut text = line(&self.header) + &line(&rule);
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|c| c.show("±").replace('|', "\\|"))
                .collect();
            text += &line(&cells);
        }
        text
    }

    /// A LaTeX table (package booktabs).
    #[must_use]
    pub fn latex(&self) -> String {
        let escape = |s: &str| {
            let mut out = String::new();
            for c in s.chars() {
                match c {
                    '_' | '%' | '&' | '#' | '$' | '{' | '}' => out.extend(['\\', c]),
                    '±' => out.push_str("$\\pm$"),
                    '−' => out.push_str("$-$"),
                    '²' => out.push_str("$^2$"),
                    '≤' => out.push_str("$\\le$"),
                    '<' => out.push_str("$<$"),
                    '>' => out.push_str("$>$"),
                    c => out.push(c),
                }
            }
            out
        };
        let cell = |c: &Cell| match c {
            Cell::Text(t) => escape(t),
            Cell::Empty => String::new(),
            number => format!("${}$", number.show("\\pm")),
        };
        let columns: String = (0..self.header.len())
            .map(|j| {
                if self.rows.iter().any(|r| matches!(r[j], Cell::Number(..))) {
                    'r'
                } else {
                    'l'
                }
            })
            .collect();
        let names: Vec<String> = self.header.iter().map(|h| escape(h)).collect();
        let mut text = format!(
            "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{} \\\\\n\\midrule\n",
            escape(&format!("{}. {}", self.title, self.caption)),
            names.join(" & ")
        );
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(cell).collect();
            text += &format!("{} \\\\\n", cells.join(" & "));
        }
        text + "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_show_the_same_numbers() {
        let table = Table {
            stem: "t".into(),
            title: "Title".into(),
            caption: "Caption with 5 %.".into(),
            header: vec!["x_y".into(), "NLL".into()],
            rows: vec![
                vec![
                    "a_b".into(),
                    Cell::Number(
                        Mean {
                            value: 1.23456,
                            error: Some(0.01),
                        },
                        3,
                    ),
                ],
                vec!["c".into(), Cell::plain(2.0, 3)],
                vec!["d".into(), Cell::Empty],
            ],
        };
        let csv = String::from_utf8(table.csv().unwrap()).unwrap();
        assert_eq!(csv, "x_y,NLL,NLL se\na_b,1.23456,0.01\nc,2,\nd,,\n");
        let markdown =
            "| x_y | NLL |\n| --- | ---: |\n| a_b | 1.235 ± 0.010 |\n| c | 2.000 |\n| d |  |\n";
        assert_eq!(table.markdown(), markdown);
        let latex = table.latex();
        assert!(latex.contains("a\\_b & $1.235 \\pm 0.010$ \\\\"), "{latex}");
        assert!(latex.contains("Caption with 5 \\%."));
    }
}
