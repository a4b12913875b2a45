//! Names of many hosts in one: `load-[1-8]`, `rack-[a,b,d]`, `node[01-16]`.

/// Most hosts that one entry may stand for.
const LIMIT: usize = 1_000;

/// The names that a text stands for, in order; the text itself where it has no brackets.
///
/// # Errors
///
/// What is wrong with its brackets.
pub(super) fn expand(text: &str) -> Result<Vec<String>, String> {
    let Some((before, rest)) = text.split_once('[') else {
        return match text.contains(']') {
            true => Err("`]` without `[`".to_owned()),
            false => Ok(vec![text.to_owned()]),
        };
    };
    let (inside, after) = rest.split_once(']').ok_or("`[` without `]`")?;
    if after.contains(['[', ']']) || inside.contains('[') {
        return Err("only one pair of brackets is understood".to_owned());
    }
    let mut names = Vec::new();
    for part in inside.split(',') {
        for middle in part_of(part.trim())? {
            names.push(format!("{before}{middle}{after}"));
        }
        if names.len() > LIMIT {
            return Err(format!("more than {LIMIT} hosts in one entry"));
        }
    }
    Ok(names)
}

/// `1-8`, `01-16` (the zeros stay), or a word of its own.
fn part_of(part: &str) -> Result<Vec<String>, String> {
    if part.is_empty() {
        return Err("nothing stands between the brackets or commas".to_owned());
    }
    let Some((first, last)) = part.split_once('-') else { return Ok(vec![part.to_owned()]) };
    let number = |text: &str| {
        text.parse::<u32>().map_err(|_| format!("`{text}` is not a number: a range is `[1-8]`"))
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err(format!("the range `{part}` runs backwards"));
    }
    if (to - from) as usize >= LIMIT {
        return Err(format!("more than {LIMIT} hosts in one entry"));
    }
    let width = if first.starts_with('0') { first.len() } else { 0 };
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn ranges_stand_for_names_in_order() {
        assert_eq!(expand("load-1").unwrap(), ["load-1"]);
        assert_eq!(expand("load-[1-3]").unwrap(), ["load-1", "load-2", "load-3"]);
        assert_eq!(expand("n[08-10].lan").unwrap(), ["n08.lan", "n09.lan", "n10.lan"]);
        assert_eq!(expand("rack-[a,c, 7-8]").unwrap(), ["rack-a", "rack-c", "rack-7", "rack-8"]);
    }

    #[test]
    fn wrong_ranges_are_told() {
        for wrong in ["a[", "a]", "a[]", "a[1-]", "a[3-1]", "a[1-2][3-4]", "a[0-4000]", "a[1,,2]"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }
}
