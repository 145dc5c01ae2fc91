//! What happens to difficult data.
//!
//! `cargo run --release -p amf --example numerics > docs/numerics.md` writes the document; with
//! `-- WORDS` it prints the cases with these words in their names, and with `-- --recipe WORDS` it
//! fits them by the default recipe itself, which takes minutes.

mod cases;
mod fits;
mod table;

use amf::Recipe;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let whole = args.first().is_some_and(|a| a == "--recipe");
    let settings = if whole {
        args.remove(0);
        Recipe::default()
    } else {
        fits::settings()
    };
    let words = args.join(" ");
    if words.is_empty() && !whole {
        print!("{}", table::INTRODUCTION);
    }
    print!("{}", table::HEAD);
    for case in cases::all() {
        if case.name.contains(&words) {
            let row = table::Row::of(&case, &settings);
            println!("{}", row.markdown());
            if let Err(what) = row.judge(&case) {
                eprintln!("not as it should be: {what}");
            }
        }
    }
}
