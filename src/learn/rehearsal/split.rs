//! Which requests are never trained on: one in five, by a hash of what was asked.
//!
//! The hash is of the words and not of the turn's number, so that a request that is made twice is on one side both
//! times, whatever the ledger's numbers are after an import.

use crate::learn::shuffle::Draws;

/// One request in this many is held out.
pub const ONE_IN: u64 = 5;

/// A request as two requests are compared: case, spaces and the final mark do not count.
pub fn key(request: &str) -> String {
    let words: Vec<String> = request.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ").trim_end_matches(['.', '?', '!', ' ']).to_owned()
}

/// Whether what was asked here is kept for the gate and never trained on.
pub fn is_held_out(request: &str) -> bool {
    place(request).is_multiple_of(ONE_IN)
}

/// A number that only depends on the request's key, evenly spread. The same in every version of the program.
pub(super) fn place(request: &str) -> u64 {
    // FNV-1a, then one draw of SplitMix64, because FNV's low bits are not even.
    let hash = key(request).bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    Draws::new(hash).next_u64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn about_one_request_in_five_is_held_out() {
        let held = (0..5000).filter(|i| is_held_out(&format!("search for w{i} in file{i}.txt"))).count();
        assert!((900..1100).contains(&held), "{held}");
    }

    #[test]
    fn the_side_of_a_request_never_changes() {
        // A change here would move turns that were trained on into the held-out set.
        let sides =
            ["list files", "show hidden files", "what is my ip", "unpack a.zip", "edit notes.md"].map(place);
        assert_eq!(sides, SIDES);
    }

    const SIDES: [u64; 5] = [
        5_949_079_687_278_215_654,
        394_195_135_667_367_173,
        202_932_980_078_314_242,
        4_580_754_018_342_408_609,
        11_796_557_140_798_620_353,
    ];

    proptest! {
        #[test]
        fn case_spaces_and_final_marks_do_not_move_a_request(request in "[a-zA-Z .]{1,40}") {
            let other = format!("  {} ?", request.to_uppercase().replace(' ', "  "));
            prop_assert_eq!(is_held_out(&request), is_held_out(&other));
        }
    }
}
