//! Words and what they mean for hints: frames, other words for the same, orders that are never taken. Pure tables.

/// First words of a sentence that says what to do.
const VERBS: &str = " use do don't never always answer write keep ask call add give put make start end sign include leave \
    fill run prefer avoid show list set name pass quote check test explain format begin open save send stop take try say \
    speak reply respond mention print sort create commit push delete remove touch change edit install be search wrap \
    prefix skip copy move rename replace connect export return read only wait follow stick ";
/// Lessons that state a fact begin so and have one of [`FACT_VERBS`] in them.
const FACT_STARTS: &[&str] = &["the ", "my ", "our ", "project "];
const FACT_VERBS: &[&str] = &[" is ", " are ", " lives in ", " runs on ", " means "];

/// Words that carry a lesson's sentence and say nothing themselves.
const FRAME: &str = " use do not don't never always answer answers write keep ask call me my add give put make start end \
    sign include leave fill out run prefer avoid show set name pass with without in on of for as the a an and or to before \
    after when instead only first from at by is are it its this that file files names field tone please be than one line \
    project lives server branch using used over more mails port ";

/// Groups of words that ask for the same thing.
const SAME: &[&str] = &[
    "delete deleting remove removing wipe wiping erase erasing rm löschen löschst supprimer effacer borrar eliminar",
    "german deutsch allemand alemán",
    "french französisch français francais francés",
    "spanish spanisch espagnol español espanol",
    "english englisch anglais inglés",
    "italian italienisch italien italiano",
    "short shorter brief briefer concise terse long waffle wordy verbose kurz kürzer court corto lang largo tl;dr words",
    "detail details longer elaborate short brief say ausführlicher kurz court corto détail detalle",
    "formal formally casual sloppy chummy stiff förmlich förmlicher formel locker relaxed lawyer",
    "casual relaxed formal stiff locker",
    "friendly friendlier rude harsh cold warm warmer kinder angry unfriendly unfreundlich",
    "bullet points list liste lista bullets bulleted",
    "table tabelle tabla tableau",
    "json",
    "emojis emoji smileys smiley",
    "markdown asterisks plain",
    "backup back sicherung sauvegarde copia",
    "dry run dry-run",
    "force --force",
    "sudo root admin",
    "detailed detail details",
    "long full spelled spell write letter short",
    "options option flags flag switches",
    "command befehl commande comando",
    "times time clock uhrzeit am pm 24h",
    "24-hour 24h 24 am pm",
    "dates date iso datum",
    "yyyy-mm-dd iso dates date year",
    "mail mails email emails send anything",
    "sending send mail mails",
    "mails mail under signature",
    "spaces blanks space",
    "editor edit",
    "touch hands alone off stay change changed changing fingers leave",
    "default main",
    "ask asking asked fragen frag demande pregunta",
    "touching touch",
];

/// Endings by which forms of one word differ.
const ENDINGS: &[&str] = &[
    "", "s", "es", "e", "d", "ed", "ing", "er", "ers", "ly", "n", "en", "t", "st", "te", "r", "al", "ally",
    "ion", "ting",
];

/// Names of things that nobody should write into a lesson with their value.
pub(super) const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
    "secret",
    "api key",
    "api_key",
    "apikey",
    "api-key",
    "token",
    "private key",
    "pin code",
];
/// How well-known keys begin.
pub(super) const KEY_PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "pk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "ASIA",
    "AIza",
    "hf_",
    "npm_",
    "pypi-",
    "eyJ",
    "ya29.",
];

/// Both words of a pair in one sentence: it asks to drop a rule, or to act unasked. Parts of words, in small letters.
const DISOBEDIENT: &[(&str, &str, Caution)] = &[
    (
        "ignor disregard forget override overrule bypass circumvent vergiss missachte oublie olvida desobede désobéi",
        "instruction rule prompt guideline safety guardrail lesson previous policy filter anweisung regel vorgabe consigne règle instruccion regla",
        Caution::Counts,
    ),
    (
        "without never not stop don't skip ohne sans sin nicht nie",
        "asking ask-me ask-before confirm permission approval consent fragen bestätig demander confirmation preguntar confirmar",
        Caution::Counts,
    ),
    (
        "disable deactivate switch-off turn-off remove",
        "safety guardrail filter redaction gate confirmation",
        Caution::Counts,
    ),
    (
        "reveal print show repeat leak send upload post",
        "system-prompt hidden-prompt credential password secret private-key",
        Caution::Counts,
    ),
    (
        "never not don't stop",
        "refuse refusing decline follow-the-rules obey follow-instructions follow-the-system",
        Caution::IsTheOrder,
    ),
    (
        "do obey follow",
        "whatever-the anything-the everything-the whatever-it any-instruction all-instructions",
        Caution::Counts,
    ),
    ("pretend act", "no-rules no-restrictions unrestricted jailbr", Caution::Counts),
    ("curl wget", "|sh |-sh |bash |-bash |-sudo", Caution::Counts),
];
/// Alone enough.
const DESTRUCTIVE: &[&str] =
    &["rm -rf /", "rm -rf ~", "mkfs", ":(){", "dd of=/dev/", "chmod -r 777 /", "> /dev/sd"];
/// Whether a pair says the opposite when the sentence forbids it: `never delete without asking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caution {
    Counts,
    /// The refusal itself is what is asked for: `never refuse`.
    IsTheOrder,
}

const CAUTIOUS: &[&str] = &["never ", "do not ", "don't ", "no ", "not ", "nothing "];

pub(super) fn is_imperative(text: &str) -> bool {
    let first = text.split([' ', ',', ':']).next().unwrap_or_default();
    let is_fact = FACT_STARTS.iter().any(|start| text.starts_with(start))
        && FACT_VERBS.iter().any(|verb| text.contains(verb));
    let has_more = text.contains(' ') && !text.ends_with('?');
    has_more && (VERBS.contains(&format!(" {first} ")) && !first.is_empty() || is_fact)
}

pub(super) fn is_frame(word: &str) -> bool {
    FRAME.contains(&format!(" {word} "))
}

pub(super) fn is_ending(rest: &str) -> bool {
    ENDINGS.contains(&rest)
}

/// Other words that ask for what `word` asks for.
pub(super) fn same_meaning(word: &str) -> impl Iterator<Item = &'static str> {
    let groups = SAME.iter().filter(move |group| group.split(' ').any(|member| member == word));
    groups.flat_map(|group| group.split(' '))
}

/// Whether a sentence asks to drop a rule, to act without asking, or to destroy.
pub(super) fn is_disobedient(text: &str) -> bool {
    let lower = text.to_lowercase();
    let flat = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    if DESTRUCTIVE.iter().any(|order| flat.contains(order)) && !is_caution(&flat) {
        return true;
    }
    let has = |parts: &str| parts.split(' ').any(|part| flat.contains(&part.replace('-', " ")));
    DISOBEDIENT.iter().any(|(act, on, caution)| {
        let does = act.split(' ').any(|act| acts(&flat, act));
        does && has(on) && (*caution == Caution::IsTheOrder || !is_caution(&flat))
    })
}

/// Whether a word of the sentence is this act; longer ones also in their other forms.
fn acts(flat: &str, act: &str) -> bool {
    if act.contains('-') {
        return flat.contains(&act.replace('-', " "));
    }
    flat.split(' ').any(|word| word == act || act.len() >= 5 && word.starts_with(act))
}

/// `never X without asking` asks for more care, `never ask` and `X without asking` for less.
fn is_caution(flat: &str) -> bool {
    let refuses = CAUTIOUS.iter().any(|start| flat.starts_with(start));
    let asks = ["never ask", "do not ask", "don't ask", "no ask", "not ask", "never wait", "do not wait"];
    refuses && !asks.iter().any(|start| flat.starts_with(start))
}
