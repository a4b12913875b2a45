//! A record's due time and slip in the 64 bits that librdkafka carries from its sending to its report.
//!
//! Layout: 42 bits due time in microseconds on the run's clock (50 days), then 22 bits slip, the time
//! from due to sent, as a small float: 5 bits exponent, 17 bits mantissa. Slips below 2^18 µs (0.26 s)
//! are exact; beyond, the relative error is at most 2^-18, 19 µs in 5 s. So nothing has to be
//! allocated, looked up or kept beside the record, and service and response time both come out of the
//! report alone.

/// Bits of the slip.
const SLIP_BITS: u32 = 22;
/// Bits of the slip's mantissa, the leading one not counted.
const MANTISSA_BITS: u32 = 17;
/// Largest due time: later ones saturate.
const MAX_DUE_US: u64 = (1 << (64 - SLIP_BITS)) - 1;
/// Largest slip that can be told: 2^48 µs, nine years. Larger ones saturate.
const MAX_SLIP_US: u64 = ((1 << (MANTISSA_BITS + 1)) - 1) << 30;

/// Packs a due time and the time at which the record was sent.
#[inline]
pub(crate) fn pack(due_us: u64, sent_us: u64) -> u64 {
    due_us.min(MAX_DUE_US) << SLIP_BITS | encode(sent_us.saturating_sub(due_us))
}

/// Gives back due time and sending time.
#[inline]
pub(crate) fn unpack(bits: u64) -> (u64, u64) {
    let due_us = bits >> SLIP_BITS;
    (due_us, due_us + decode(bits & ((1 << SLIP_BITS) - 1)))
}

#[inline]
fn encode(slip_us: u64) -> u64 {
    let slip_us = slip_us.min(MAX_SLIP_US);
    let shift = exponent_shift(slip_us);
    // Rounded to the nearest; a carry out of the mantissa makes the next exponent, by addition.
    let rounded = if shift == 0 { slip_us } else { (slip_us + (1 << (shift - 1))) >> shift };
    let (rounded, shift) = if rounded >> (MANTISSA_BITS + 1) == 0 {
        (rounded, shift)
    } else {
        (rounded >> 1, shift + 1)
    };
    // Values below 2^17 have exponent 0 and no leading one; above, the leading one adds itself to the
    // exponent, which is therefore one more than the shift.
    ((shift << MANTISSA_BITS) + rounded).min((1 << SLIP_BITS) - 1)
}

#[inline]
fn decode(bits: u64) -> u64 {
    let (exponent, mantissa) = (bits >> MANTISSA_BITS, bits & ((1 << MANTISSA_BITS) - 1));
    match exponent {
        0 => mantissa,
        exponent => (mantissa | 1 << MANTISSA_BITS) << (exponent - 1),
    }
}

/// How far a value is shifted right so that 18 bits are left.
#[inline]
fn exponent_shift(value: u64) -> u64 {
    u64::from((64 - value.leading_zeros()).saturating_sub(MANTISSA_BITS + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn due_times_are_exact_and_slips_nearly(due_us in 0..=MAX_DUE_US, bits in 0_u32..48, low: u64) {
            let slip = low >> (63 - bits);
            let (due, sent) = unpack(pack(due_us, due_us + slip));
            prop_assert_eq!(due, due_us);
            let slip = slip.min(MAX_SLIP_US);
            prop_assert!((sent - due).abs_diff(slip) <= slip >> 18, "{} became {}", slip, sent - due);
        }

        #[test]
        fn short_slips_are_exact(due_us in 0..=MAX_DUE_US, slip in 0_u64..1 << 18) {
            prop_assert_eq!(unpack(pack(due_us, due_us + slip)), (due_us, due_us + slip));
        }
    }

    #[test]
    fn what_is_out_of_range_saturates() {
        assert_eq!(unpack(pack(u64::MAX, u64::MAX)), (MAX_DUE_US, MAX_DUE_US));
        assert_eq!(unpack(pack(0, u64::MAX)).1, MAX_SLIP_US);
        assert_eq!(unpack(pack(10, 3)), (10, 10));
    }
}
