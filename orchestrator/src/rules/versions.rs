//! Versions of operating systems, as far as they can be compared (P15).

use std::cmp::Ordering;

/// `windows-server-2012-r2-sp1`, `rhel-7.9`: a product, its numbers, its release and its service pack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    product: Vec<String>,
    numbers: Vec<u32>,
    release: u32,
    pack: u32,
}

/// Words and numbers of the text, in order.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut joins = false;
    for c in text.to_ascii_lowercase().chars() {
        let fits = |last: &String| last.ends_with(|end: char| end.is_ascii_digit()) == c.is_ascii_digit();
        match out.last_mut().filter(|last| joins && fits(last)) {
            Some(last) if c.is_ascii_alphanumeric() => last.push(c),
            Some(_) | None if c.is_ascii_alphanumeric() => out.push(c.to_string()),
            Some(_) | None => {}
        }
        joins = c.is_ascii_alphanumeric();
    }
    out
}

fn parse(text: &str) -> Version {
    let mut version = Version { product: Vec::new(), numbers: Vec::new(), release: 0, pack: 0 };
    let mut word = String::new();
    for token in tokens(text) {
        match (token.parse::<u32>(), word.as_str()) {
            (Ok(number), "r") => version.release = number,
            (Ok(number), "sp") => version.pack = number,
            (Ok(number), _) => version.numbers.push(number),
            (Err(_), _) if !matches!(token.as_str(), "r" | "sp") => version.product.push(token.clone()),
            (Err(_), _) => {}
        }
        word = token;
    }
    version
}

/// How two versions of one product compare; `None` for versions of different products, of which nobody knows which is
/// higher.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (parse(left), parse(right));
    let known = !left.numbers.is_empty() && !right.numbers.is_empty();
    let rank = |version: &Version| (version.numbers.clone(), version.release, version.pack);
    (known && left.product == right.product).then(|| rank(&left).cmp(&rank(&right)))
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn versions_of_one_product_compare_and_others_do_not() {
        let cases = [
            ("windows-server-2016", "windows-server-2019", Some(Less)),
            ("windows-server-2012-r2", "windows-server-2012", Some(Greater)),
            ("windows-server-2008-sp2", "windows-server-2008-r2", Some(Less)),
            ("Windows Server 2022", "windows-server-2022", Some(Equal)),
            ("ubuntu-16.04", "ubuntu-18.04", Some(Less)),
            ("rhel7.9", "rhel-7.10", Some(Less)),
            ("ubuntu-22.04", "rhel-7.9", None),
            ("windows-10", "windows-server-2016", None),
            ("windows", "windows", None),
        ];
        for (left, right, wanted) in cases {
            assert_eq!(compare(left, right), wanted, "{left} {right}");
        }
    }
}
