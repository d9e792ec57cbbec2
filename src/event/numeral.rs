//! Numbers as ids: one text for each number, with all of its digits, however it is written.

use serde_json::Number;

/// The longest numeral that is written without an exponent.
const LONGEST: i64 = 64;

/// The id that a number stands for: an integral float is the integer.
pub fn id_of(number: &Number) -> String {
    match number.is_f64() {
        true => canonical(&number.to_string()),
        false => number.to_string(),
    }
}

/// Whether a double, or 64 bits, hold all of a numeral's digits.
pub(super) fn is_held(numeral: &str) -> bool {
    let held = serde_json::from_str::<Number>(numeral);
    held.is_ok_and(|held| id_of(&held) == canonical(numeral))
}

/// The one text for all numerals of this value: without needless zeros, and without an exponent unless it would be
/// long.
pub(super) fn canonical(numeral: &str) -> String {
    let (sign, unsigned) = match numeral.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", numeral),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    // No honest id has an exponent this long: it stays as it is written.
    let Ok(exponent) = exponent.parse::<i32>() else {
        return numeral.to_owned();
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, part].concat();
    let leading = all.len() - all.trim_start_matches('0').len();
    let digits = all.trim_matches('0');
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    // The number of digits before the point.
    let before = length(whole) + i64::from(exponent) - i64::try_from(leading).unwrap_or(i64::MAX);
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    match usize::try_from(before) {
        _ if digits.is_empty() => "0".to_owned(),
        Ok(before) if before < digits.len() && before > 0 => {
            let (whole, part) = digits.split_at(before);
            format!("{sign}{whole}.{part}")
        }
        Ok(0) | Err(_) if -before < LONGEST => format!("{sign}0.{}{digits}", zeros(-before)),
        Ok(_) if before >= length(digits) && before <= LONGEST.max(length(digits)) => {
            format!("{sign}{digits}{}", zeros(before - length(digits)))
        }
        _ => format!("{sign}{digits}e{}", before - length(digits)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_number_has_one_text() {
        for (numeral, text) in [
            ("42", "42"),
            ("42.0", "42"),
            ("4.2e1", "42"),
            ("420e-1", "42"),
            ("-42.000", "-42"),
            ("0", "0"),
            ("-0", "0"),
            ("0.000e5", "0"),
            ("1.50", "1.5"),
            ("0.05", "0.05"),
            ("5e-2", "0.05"),
            ("1E3", "1000"),
            ("1e+20", "100000000000000000000"),
            (
                "1.2170224540119031e+38",
                "121702245401190310000000000000000000000",
            ),
            (
                "121702245401190315326841853937164860428",
                "121702245401190315326841853937164860428",
            ),
            ("9007199254740993.0", "9007199254740993"),
            ("1e300", "1e300"),
            ("10e299", "1e300"),
            ("15e-100", "15e-100"),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert_eq!(canonical(numeral), text, "{numeral}");
        }
        let long = "9".repeat(500);
        assert_eq!(canonical(&long), long);
    }

    #[test]
    fn what_loses_digits_is_known() {
        for held in [
            "42",
            "42.0",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "1e20",
        ] {
            assert!(is_held(held), "{held}");
        }
        for lost in [
            "18446744073709551616",
            "-9223372036854775809",
            "9007199254740993.0",
            "0.12345678901234567891",
            "1e400",
        ] {
            assert!(!is_held(lost), "{lost}");
        }
    }

    proptest! {
        #[test]
        fn the_text_of_a_number_is_that_number(number in any::<f64>()) {
            prop_assume!(number.is_finite());
            let numeral = serde_json::json!(number).to_string();
            let text = canonical(&numeral);
            prop_assert_eq!(text.parse::<f64>().ok(), Some(number + 0.0));
            prop_assert_eq!(canonical(&text), text);
        }

        #[test]
        fn an_integers_text_is_its_digits(number in any::<i128>()) {
            let digits = number.to_string();
            prop_assert_eq!(canonical(&digits), digits.clone());
            prop_assert_eq!(canonical(&format!("{digits}.0")), digits.clone());
            prop_assert_eq!(canonical(&format!("{digits}e0")), digits);
        }
    }
}
