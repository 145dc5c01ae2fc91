//! Files of settings, and what is refused.

use super::*;

#[test]
fn settings_survive_a_file_and_misspelt_fields_do_not() {
    let quick = PosteriorConfig::quick(10_000);
    quick.check().unwrap();
    assert_eq!(quick.budget(), 10_000);
    let text = ron::to_string(&quick).unwrap();
    assert_eq!(ron::from_str::<PosteriorConfig>(&text).unwrap(), quick);
    let wrong = text.replacen("base_points", "base_point", 1);
    assert!(ron::from_str::<PosteriorConfig>(&wrong).is_err());
}

#[test]
fn what_is_wrong_is_named() {
    let refuse = |change: &dyn Fn(&mut PosteriorConfig)| {
        let mut c = PosteriorConfig::quick(1000);
        change(&mut c);
        c.check().unwrap_err()
    };
    assert!(refuse(&|c| c.draws = Draws::Count(0)).contains("draws"));
    assert!(refuse(&|c| c.draws = Draws::Annealed(0)).contains("draws"));
    assert!(refuse(&|c| c.draws = Draws::UntilEss { ess: 10.0, most: 5 }).contains("ess must"));
    assert!(refuse(&|c| c.base = PosteriorBase::StandardNormal).contains("base_as_expert"));
    assert!(refuse(&|c| c.experts[1].0 = "maf".into()).contains("\"maf\""));
    assert!(refuse(&|c| c.experts[0].1.fit.steps = 0).contains("steps"));
    assert!(refuse(&|c| c.folds = 1).contains("folds"));
    assert!(refuse(&|c| c.models = 6).contains("models"));
    assert!(refuse(&|c| c.points_for_each_effective = 0.5).contains("points_for_each"));
    assert!(refuse(&|c| c.most_points = 0).contains("most_points"));
    assert!(
        refuse(&|c| {
            c.experts.clear();
            c.base_as_expert = false;
        })
        .contains("experts")
    );
}
