//! Text that can't become markup.
//!
//! Hidden here: escaping. Names of schemas, tables, rules and reasons come from strangers. Beside the five characters that HTML knows, what has
//! no shape of its own or turns the direction of writing is shown as its number, so that no name can pass for another.

use std::fmt::Write as _;

/// A text, ready to stand in an element or a quoted attribute.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => {
                let _ = write!(out, "[U+{:04X}]", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A name, in the type of code.
pub(super) fn code(name: &str) -> String {
    format!("<code>{}</code>", text(name))
}

/// Items under each other; a dash for none.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "–".to_owned(),
        [one] => one.clone(),
        items => format!("<ul><li>{}</li></ul>", items.join("</li><li>")),
    }
}

/// A table with a caption. Cells are markup already; the first of each row is its head.
pub(super) fn table(id: &str, caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!(
        "<div class=\"wide\" role=\"region\" aria-labelledby=\"{id}-caption\" tabindex=\"0\"><table><caption id=\"{id}-caption\">{}</caption><thead><tr>",
        text(caption)
    );
    for cell in head {
        let _ = write!(out, "<th scope=\"col\">{cell}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (n, cell) in row.iter().enumerate() {
            let _ = if n == 0 { write!(out, "<th scope=\"row\">{cell}</th>") } else { write!(out, "<td>{cell}</td>") };
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody></table></div>\n"
}

/// A day, `2027-06-30`, of milliseconds since 1970.
pub(super) fn day(ms: i64) -> String {
    // Days to a civil date: Howard Hinnant's `civil_from_days`.
    let days = ms.div_euclid(86_400_000) + 719_468;
    let (era, rest) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (rest - rest / 1_460 + rest / 36_524 - rest / 146_096) / 365;
    let day_of_year = rest - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_markup_and_nothing_hides() {
        assert_eq!(text("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
        assert_eq!(text("a\u{202e}b\u{0}c\u{200b}"), "a[U+202E]b[U+0000]c[U+200B]");
        assert_eq!(text("größe 名前"), "größe 名前");
    }

    #[test]
    fn days_are_civil() {
        assert_eq!(
            ["1970-01-01", "2000-02-29", "2027-06-30", "2100-03-01"],
            [0, 951_782_400_000, 1_814_313_600_000, 4_107_542_400_000].map(day).map(|d| d.leak() as &str)
        );
    }
}
