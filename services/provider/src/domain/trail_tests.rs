//! Each filter by itself, and that none lets another be skipped.

use super::*;
use kit::testing::start;

/// Metres of a degree of latitude.
const DEGREE_METRES: f64 = 111_195.0;

/// A position so many seconds before now and metres north of the first.
fn fix(seconds: i64, north: f64) -> Fix {
    let place = Coordinates { lat: 48.85 + north / DEGREE_METRES, lng: 2.35 };
    Fix { at: start() + Duration::seconds(seconds), place, accuracy_m: 5.0, heading: None }
}

fn off_by(accuracy_m: f64, fix: Fix) -> Fix {
    Fix { accuracy_m, ..fix }
}

fn sift(trail: &mut Trail, batch: &[Fix]) -> Sifted {
    trail.sift(batch.to_vec(), start())
}

fn dropped(sifted: &Sifted) -> Vec<(Drop, i32)> {
    sifted.dropped.iter().map(|(reason, count)| (*reason, *count)).collect()
}

fn norths(sifted: &Sifted) -> Vec<i64> {
    let north = |step: &TrailStep| ((step.fix.place.lat - 48.85) * DEGREE_METRES).round() as i64;
    sifted.steps.iter().map(north).collect()
}

#[test]
fn positions_are_sorted_and_equal_times_are_dropped() {
    let batch = [fix(-10, 200.0), fix(-30, 0.0), fix(-20, 100.0), fix(-20, 150.0)];
    let sifted = sift(&mut Trail::default(), &batch);
    assert_eq!(norths(&sifted), [0, 100, 200]);
    assert_eq!(dropped(&sifted), [(Drop::Repeated, 1)]);
    assert_eq!(sifted.newest, Some(batch[0]));
    assert_eq!(sifted.accepted, 3);
}

#[test]
fn the_future_is_dropped_and_does_not_move_the_clock_of_the_track() {
    let mut trail = Trail::default();
    let sifted = sift(&mut trail, &[fix(10, 0.0), fix(11, 0.0), fix(3_600, 0.0)]);
    assert_eq!((sifted.accepted, dropped(&sifted)), (1, vec![(Drop::Future, 2)]));
    let later = trail.sift(vec![fix(20, 100.0)], start() + Duration::seconds(20));
    assert_eq!(norths(&later), [100], "what lay in the future was not taken for the last one");
}

#[test]
fn what_is_late_or_too_old_is_dropped() {
    let mut trail = Trail::default();
    sift(&mut trail, &[fix(-20, 0.0)]);
    let sifted = sift(&mut trail, &[fix(-20, 50.0), fix(-21, 50.0), fix(-19, 20.0)]);
    assert_eq!((norths(&sifted), dropped(&sifted)), (vec![20], vec![(Drop::Late, 2)]));
    let old = sift(&mut Trail::default(), &[fix(-1_801, 0.0), fix(-1_800, 0.0)]);
    assert_eq!((old.accepted, dropped(&old)), (1, vec![(Drop::Late, 1)]));
}

#[test]
fn what_is_inaccurate_is_indexed_only_or_dropped() {
    let batch = [
        off_by(50.0, fix(-40, 0.0)),
        off_by(51.0, fix(-30, 10.0)),
        off_by(500.0, fix(-20, 20.0)),
        off_by(501.0, fix(-10, 30.0)),
    ];
    let sifted = sift(&mut Trail::default(), &batch);
    assert_eq!(norths(&sifted), [0]);
    assert_eq!(sifted.newest, Some(batch[2]));
    assert_eq!(dropped(&sifted), [(Drop::Inaccurate, 1)]);
}

#[test]
fn nothing_moves_faster_than_70_metres_a_second() {
    let mut trail = Trail::default();
    sift(&mut trail, &[fix(-20, 0.0)]);
    // 700 m in 10 s, and 10 m by which both may be off.
    assert_eq!(dropped(&sift(&mut trail, &[fix(-10, 711.0)])), [(Drop::Impossible, 1)]);
    assert_eq!(norths(&sift(&mut trail, &[fix(-10, 709.0)])), [709]);
    // Neither does what is inaccurate reach the index by that.
    let jump = off_by(400.0, fix(-9, 5_000.0));
    let sifted = sift(&mut trail, &[jump]);
    assert_eq!((sifted.newest, dropped(&sifted)), (None, vec![(Drop::Impossible, 1)]));
}

#[test]
fn three_that_agree_are_a_new_anchor_behind_a_gap() {
    let mut trail = Trail::default();
    sift(&mut trail, &[fix(-60, 0.0)]);
    let far = [fix(-50, 9_000.0), fix(-40, 9_010.0), fix(-30, 9_020.0), fix(-20, 9_030.0)];
    let sifted = sift(&mut trail, &far);
    assert_eq!(dropped(&sifted), [(Drop::Impossible, 2)]);
    assert_eq!(norths(&sifted), [9_020, 9_030]);
    assert_eq!(sifted.steps.iter().map(|step| step.gap).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn those_that_disagree_are_no_anchor_and_neither_are_interrupted_ones() {
    let mut trail = Trail::default();
    sift(&mut trail, &[fix(-60, 0.0)]);
    let apart = [fix(-50, 9_000.0), fix(-49, -9_000.0), fix(-48, 9_000.0), fix(-47, -9_000.0)];
    assert_eq!(dropped(&sift(&mut trail, &apart)), [(Drop::Impossible, 4)]);
    let mixed = [fix(-40, 9_000.0), fix(-39, 9_001.0), fix(-38, 10.0), fix(-37, 9_002.0)];
    let sifted = sift(&mut trail, &mixed);
    assert_eq!((norths(&sifted), dropped(&sifted)), (vec![10], vec![(Drop::Impossible, 3)]));
}

#[test]
fn a_step_is_5_metres_or_10_seconds() {
    let mut trail = Trail::default();
    let walk =
        [fix(-20, 0.0), fix(-19, 2.0), fix(-18, 4.0), fix(-17, 6.0), fix(-7, 6.0), fix(-2, 7.0)];
    let sifted = sift(&mut trail, &walk);
    assert_eq!(norths(&sifted), [0, 6, 6], "small steps add up, and standing is seen each 10 s");
    assert_eq!((sifted.accepted, sifted.newest), (6, Some(walk[5])), "the index gets them all");
    trail.begin_track();
    assert_eq!(norths(&sift(&mut trail, &[fix(-1, 7.0)])), [7]);
}

#[test]
fn no_filter_lets_another_be_skipped() {
    let mut trail = Trail::default();
    sift(&mut trail, &[fix(-60, 0.0)]);
    // Each is wrong in two ways; the first filter in the order names it, and none of them counts.
    for (wrong, reason) in [
        (off_by(900.0, fix(60, 0.0)), Drop::Future),
        (off_by(900.0, fix(-70, 0.0)), Drop::Late),
        (off_by(900.0, fix(-50, 90_000.0)), Drop::Inaccurate),
    ] {
        let sifted = sift(&mut trail, &[wrong]);
        assert_eq!((sifted.accepted, dropped(&sifted)), (0, vec![(reason, 1)]));
        assert_eq!((sifted.newest, sifted.steps.len()), (None, 0));
    }
    // Not even the first position of a device.
    for wrong in [fix(11, 0.0), fix(-1_801, 0.0), off_by(501.0, fix(-5, 0.0))] {
        assert_eq!(sift(&mut Trail::default(), &[wrong]).accepted, 0);
    }
}

#[test]
fn the_pace_is_the_median_within_reason() {
    let place = fix(0, 13_000.0).place;
    let first = sift(&mut Trail::default(), &[fix(-60, 0.0)]);
    assert_eq!(first.steps[0].seconds_to(place), (13_000.0 * 1.3 / 6.7_f64).round() as i32);
    for (metres_a_second, pace) in [(10.0, 10.0), (0.1, 3.0), (40.0, 14.0)] {
        let mut trail = Trail::default();
        let drive: Vec<Fix> =
            (0..20).map(|n| fix(-300 + n * 15, n as f64 * 15.0 * metres_a_second)).collect();
        let sifted = sift(&mut trail, &drive);
        let last = sifted.steps.last().unwrap();
        assert!((last.pace - pace).abs() < 0.05, "{metres_a_second}: {}", last.pace);
    }
}

#[test]
fn noise_leaves_a_sane_track() {
    let mut state = 7_u64;
    let mut random = |most: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let mut trail = Trail::default();
    let mut steps: Vec<TrailStep> = Vec::new();
    for batch in 0..200_i64 {
        let now = start() + Duration::seconds(batch * 5);
        let mut fixes = Vec::new();
        for n in 0..5_i64 {
            let mut fix = fix(batch * 5 - n, (batch * 5 - n) as f64 * 12.0);
            match random(10) {
                0 => fix.at += Duration::seconds(random(4_000) as i64),
                1 => fix.at -= Duration::seconds(random(4_000) as i64),
                2 => fix.place.lat += random(100) as f64 / 10.0 - 5.0,
                3 => fix.accuracy_m = random(2_000) as f64,
                4 => fixes.push(fix),
                _ => {}
            }
            fixes.push(fix);
        }
        let sifted = trail.sift(fixes.clone(), now);
        let all = sifted.accepted + sifted.dropped.values().sum::<i32>();
        assert_eq!(usize::try_from(all).unwrap(), fixes.len(), "each position is accounted for");
        steps.extend(sifted.steps);
    }
    assert!(steps.len() > 100, "{}", steps.len());
    for pair in steps.windows(2) {
        assert!(pair[0].fix.at < pair[1].fix.at, "the track never goes back in time");
        assert!(pair[1].gap || pair[0].fix.can_reach(&pair[1].fix), "it never jumps");
    }
}
