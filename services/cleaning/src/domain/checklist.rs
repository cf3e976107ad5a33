//! The checklist of a cleaning, derived from what was asked for.

use super::{
    Details,
    details::{CleaningType, Size},
};

/// The codes of what is to be done for `details`.
pub fn checklist_codes(details: &Details) -> Vec<String> {
    let mut codes = Vec::new();
    match details.size {
        Size::Rooms { rooms, bathrooms } => {
            codes.extend(each_room("room", rooms, &["dust", "floor"]));
            codes.extend(each_room("bathroom", bathrooms, &["sanitary", "floor"]));
        }
        Size::Area(_) => {
            codes.extend(["all.dust", "all.floors", "bathroom.sanitary"].map(str::to_owned));
        }
    }
    codes.extend(codes_of_type(details.kind).iter().map(|code| (*code).to_owned()));
    codes.extend(details.extras.iter().map(|extra| format!("extra.{}", extra.code)));
    codes
}

fn each_room<'a>(
    place: &'a str,
    count: i64,
    tasks: &'a [&'a str],
) -> impl Iterator<Item = String> + 'a {
    (1..=count).flat_map(move |n| tasks.iter().map(move |task| format!("{place}.{n}.{task}")))
}

const fn codes_of_type(kind: CleaningType) -> &'static [&'static str] {
    match kind {
        CleaningType::Standard => &["kitchen.surfaces", "kitchen.sink", "all.bins"],
        CleaningType::Deep => &[
            "kitchen.surfaces",
            "kitchen.sink",
            "kitchen.appliances",
            "all.bins",
            "all.limescale",
            "all.skirting_boards",
            "all.doors_and_switches",
        ],
        CleaningType::MoveOut => &[
            "kitchen.surfaces",
            "kitchen.sink",
            "kitchen.appliances",
            "all.bins",
            "all.limescale",
            "all.skirting_boards",
            "all.doors_and_switches",
            "all.cupboards_inside",
            "all.windows_inside",
        ],
        CleaningType::Office => &["office.desks", "office.kitchenette", "all.bins"],
    }
}
