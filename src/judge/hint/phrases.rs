//! How people word plain directives, in English, German, French and Spanish: the rows and the words around them. Pure
//! tables; how they are applied is `directive`'s business. The hints are worded as lessons are.

use super::command;
use super::words::Word;

/// What a pattern says; slots as in [`fits`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Say {
    /// B instead of A.
    Swap,
    /// The same, where A must stand in the request or the answer: `works, not well` is no such thing.
    Contrast,
    /// Q or K instead of the answer's program.
    Tool,
    /// V instead of a value of the answer.
    Value,
    /// The same, where V must look like a value: `should be fine` is no such thing.
    Figure,
    /// The option X, with P if it is named.
    Add,
    Drop,
    /// Root rights for P, or for the answer's program.
    Root,
    NoRoot,
    /// Not A.
    Never,
    Language,
    /// This, with the slots in braces.
    Text(&'static str),
}

pub(super) struct Row {
    pub(super) pattern: &'static str,
    pub(super) say: Say,
}

const fn row(pattern: &'static str, say: Say) -> Row {
    Row { pattern, say }
}

/// After these a new part begins.
pub(super) const BUT: &[&str] =
    &["but", "however", "except", "aber", "sondern", "nur", "mais", "pero", "just", "though"];

/// The first row that fits counts: those that name both sides before those that name one.
pub(super) const ROWS: &[Row] = &[
    // Options.
    row("always? add|pass|include|append|set the? flag|option|switch? X option|flag|switch?", Say::Add),
    row("always? add|pass|give|append the? flag|option|switch? X to P", Say::Add),
    row("always? use|call|run P with X", Say::Add),
    row("always? use|need|want the? flag|option? X option|flag|switch? with|for|in P", Say::Add),
    row("always? use|need|want the? flag|option? X option|flag|switch?", Say::Add),
    row("i want|need X too", Say::Add),
    row("you forgot|missed the? X option|flag?", Say::Add),
    row("the? X option|flag? is|was missing", Say::Add),
    row("it|that needs|wants X", Say::Add),
    row("P needs|wants X", Say::Add),
    row("needs X", Say::Add),
    row("don't|dont forget the? X", Say::Add),
    row("with|and|plus the? X option|flag?", Say::Add),
    row("put X in there", Say::Add),
    row("give P the option|flag? X", Say::Add),
    row("P always? with|mit|avec|con X", Say::Add),
    row("call|run it|that|P with X", Say::Add),
    row("immer? mit X", Say::Add),
    row("nimm|benutze|verwende X", Say::Add),
    row("du hast X vergessen", Say::Add),
    row("X fehlt", Say::Add),
    row("toujours? avec X", Say::Add),
    row("ajoute|rajoute toujours? X", Say::Add),
    row("ajoute|rajoute toujours? X à|a P", Say::Add),
    row("tu as oublié X", Say::Add),
    row("siempre? con X", Say::Add),
    row("añade|agrega|usa siempre? X", Say::Add),
    row("falta X", Say::Add),
    row("without|drop|remove|skip|no|not the? X option|flag?", Say::Drop),
    row("leave out|away the? X", Say::Drop),
    row("leave the? X out|away", Say::Drop),
    row("take away X", Say::Drop),
    row("not with X", Say::Drop),
    row("get rid of X", Say::Drop),
    row("i|we don't|dont want X", Say::Drop),
    row("don't|dont|never use|pass|add the? X option|flag? with|for|to P", Say::Drop),
    row("do not use|pass|add the? X option|flag? with|for|to P", Say::Drop),
    row("don't|dont|never use|pass|add the? X option|flag?", Say::Drop),
    row("do not use|pass|add the? X option|flag?", Say::Drop),
    row("ohne|sans|sin X", Say::Drop),
    row("lass X weg", Say::Drop),
    row("kein X", Say::Drop),
    row("X does not exist here?", Say::Drop),
    row("X is not wanted|needed|supported here?", Say::Drop),
    // Root rights.
    row("sudo", Say::Root),
    row("use|add|with|try sudo", Say::Root),
    row("you need|forgot sudo", Say::Root),
    row("it|that? needs sudo|root", Say::Root),
    row("do|run it|that with sudo", Say::Root),
    row("run it|that as root", Say::Root),
    row("put sudo in front", Say::Root),
    row("always? run|use P with sudo", Say::Root),
    row("always? use sudo with|for P", Say::Root),
    row("P needs|wants sudo|root", Say::Root),
    row("nimm|mit|avec|con|usa|utilise|benutze sudo", Say::Root),
    row("no|without|skip|drop|avoid the? sudo", Say::NoRoot),
    row("leave out|away sudo", Say::NoRoot),
    row("leave sudo out|away", Say::NoRoot),
    row("don't|dont|never use|write sudo", Say::NoRoot),
    row("do not ever? use sudo", Say::NoRoot),
    row("don't|dont ever use sudo", Say::NoRoot),
    row("i am already? root already|here?", Say::NoRoot),
    row("we are already? root already|here?", Say::NoRoot),
    row("i'm|we're already? root already|here?", Say::NoRoot),
    row("sudo is not needed|installed|available|allowed here?", Say::NoRoot),
    row("there is no sudo here?", Say::NoRoot),
    row("ohne|kein|sans|sin sudo", Say::NoRoot),
    row("nie|niemals|jamais|nunca sudo verwenden|benutzen?", Say::NoRoot),
    row("benutze|verwende|nimm nie|niemals|kein sudo", Say::NoRoot),
    row("n'utilise pas|jamais sudo", Say::NoRoot),
    row("no|nunca uses sudo", Say::NoRoot),
    // Wishes about every answer.
    row("use|write|prefer only? long options|flags", Say::Text("use long options")),
    row("long options|flags", Say::Text("use long options")),
    row("no short options|flags", Say::Text("use long options")),
    row("spell out the flags|options", Say::Text("use long options")),
    row("only|just the command", Say::Text("give only the command")),
    row("command only", Say::Text("give only the command")),
    row("i only want the command", Say::Text("give only the command")),
    row("nur den|der befehl|kommando", Say::Text("give only the command")),
    row(
        "always? ask me? first? before you? deleting|delete anything|something|files|things?",
        Say::Text("ask before deleting"),
    ),
    row("you should have asked before deleting", Say::Text("ask before deleting")),
    row("ask me? first when|before you delete", Say::Text("ask before deleting")),
    row("ask me? first before deleting", Say::Text("ask before deleting")),
    row("never delete anything|something|files? without asking me?", Say::Text("ask before deleting")),
    row("don't|dont delete things|anything|files|stuff without asking me?", Say::Text("ask before deleting")),
    row("frag|frage mich? bevor du etwas? löschst", Say::Text("ask before deleting")),
    row("vor dem löschen fragen", Say::Text("ask before deleting")),
    row("demande avant de supprimer", Say::Text("ask before deleting")),
    row("pregunta antes de borrar", Say::Text("ask before deleting")),
    row("never|don't|dont ever? use|write|run rm -rf", Say::Text("never use rm -rf")),
    row("no rm -rf", Say::Text("never use rm -rf")),
    row("stop using rm -rf", Say::Text("never use rm -rf")),
    row("never|don't|dont ever? force push|pushes here?", Say::Text("never force push")),
    row("never|don't|dont push with force", Say::Text("never force push")),
    row("no force push|pushes here?", Say::Text("never force push")),
    row("always? make a backup first", Say::Text("make a backup first")),
    row("back it up first", Say::Text("make a backup first")),
    row("backup first", Say::Text("make a backup first")),
    row("always? do|start|try with? a? dry run first?", Say::Text("do a dry run first")),
    row("dry run first", Say::Text("do a dry run first")),
    row("ask me? before using sudo", Say::Text("ask before using sudo")),
    row("don't|dont|never use sudo without asking me? first?", Say::Text("ask before using sudo")),
    row("no|never sudo without asking me? first?", Say::Text("ask before using sudo")),
    row("don't|dont|never touch|change D", Say::Text("do not touch {D}")),
    row("never change|touch anything in D", Say::Text("do not touch {D}")),
    row("stay out of D", Say::Text("do not touch {D}")),
    row("D must not be changed", Say::Text("do not touch {D}")),
    row("do not touch|change D", Say::Text("do not touch {D}")),
    row("hands off D", Say::Text("do not touch {D}")),
    row("leave D alone", Say::Text("do not touch {D}")),
    row("be|make|keep|write it|this? more? formal|formally", Say::Text("use a formal tone")),
    row("more formal", Say::Text("use a formal tone")),
    row("that|that's|this|it|it's? is? too casual|sloppy|chummy", Say::Text("use a formal tone")),
    row("use a formal tone", Say::Text("use a formal tone")),
    row("zu locker", Say::Text("use a formal tone")),
    row("förmlicher", Say::Text("use a formal tone")),
    row("plus|más formel|formal", Say::Text("use a formal tone")),
    row("be|make|keep it|this? less formal", Say::Text("use a casual tone")),
    row("be|make|keep it|this? more? casual|relaxed", Say::Text("use a casual tone")),
    row("that|that's|this|it|it's? is? way? too formal|stiff", Say::Text("use a casual tone")),
    row("more casual|relaxed", Say::Text("use a casual tone")),
    row("less|not so formal", Say::Text("use a casual tone")),
    row("zu förmlich", Say::Text("use a casual tone")),
    row("trop formel", Say::Text("use a casual tone")),
    row("demasiado formal", Say::Text("use a casual tone")),
    row("be|make it? more? friendlier|friendly", Say::Text("use a friendly tone")),
    row("that|that's|this|it|it's? is? too harsh|rude|cold|unfriendly", Say::Text("use a friendly tone")),
    row("that|that's|this|it|it's? is? way? too long|wordy|verbose", Say::Text("keep answers short")),
    row("way? too many words", Say::Text("keep answers short")),
    row("make|keep it|answers|this|them short|shorter|brief|concise", Say::Text("keep answers short")),
    row("shorter", Say::Text("keep answers short")),
    row("be? more? concise|briefer|terse", Say::Text("keep answers short")),
    row("be brief", Say::Text("keep answers short")),
    row("shorter answers?", Say::Text("keep answers short")),
    row("short answers", Say::Text("keep answers short")),
    row("tl;dr", Say::Text("keep answers short")),
    row("zu|trop|demasiado lang|long|largo", Say::Text("keep answers short")),
    row("kürzer", Say::Text("keep answers short")),
    row("fasse|fass dich kurz|kürzer", Say::Text("keep answers short")),
    row("plus|más court|corto", Say::Text("keep answers short")),
    row("that|that's|this|it|it's? is? too short|brief", Say::Text("give more detail")),
    row("give|i? need|want? a? bit? more detail|details", Say::Text("give more detail")),
    row("longer|elaborate", Say::Text("give more detail")),
    row("zu kurz", Say::Text("give more detail")),
    row("trop court", Say::Text("give more detail")),
    row("demasiado corto", Say::Text("give more detail")),
    row("use|as|in|with? bullet points", Say::Text("use bullet points")),
    row("as a? bulleted? list", Say::Text("use bullet points")),
    row("make it a? bulleted? list", Say::Text("use bullet points")),
    row("als liste", Say::Text("use bullet points")),
    row("as|in|use a table", Say::Text("answer as a table")),
    row("make|put it|that in? a table", Say::Text("answer as a table")),
    row("als tabelle", Say::Text("answer as a table")),
    row("as|in|output|use|make|need|give it|me? as? json format?", Say::Text("answer as JSON")),
    row("json", Say::Text("answer as JSON")),
    row("in|on|just|make it? one|a single? line", Say::Text("answer in one line")),
    row("no|without|don't|dont use|leave? out? the? markdown", Say::Text("do not use markdown")),
    row("plain text no? markdown?", Say::Text("do not use markdown")),
    row(
        "no|without|don't|dont use|leave|drop|stop? out|with? the? emojis|emoji|smileys",
        Say::Text("do not use emojis"),
    ),
    row("drop|leave|stop|skip out|with|using? the? emojis|emoji|smileys", Say::Text("do not use emojis")),
    row("do not use emojis|emoji", Say::Text("do not use emojis")),
    row("keine|sin|pas emojis", Say::Text("do not use emojis")),
    row("pas d'emojis", Say::Text("do not use emojis")),
    row("always? answer|write|reply|speak|respond|talk only? to|with? me? in L", Say::Language),
    row("speak L", Say::Language),
    row("switch to L", Say::Language),
    row("i? need|want it in L", Say::Language),
    row("say that|it in L", Say::Language),
    row("in L", Say::Language),
    row("i don't|dont speak english L", Say::Language),
    row("L", Say::Language),
    row("antworte|antworten|schreib|schreibe|sprich mir|bitte|immer? auf L", Say::Language),
    row("auf L", Say::Language),
    row("réponds|repond|écris|parle toujours? en L", Say::Language),
    row("en L", Say::Language),
    row("responde|contesta|escribe|habla siempre? en L", Say::Language),
    row("you? can? call me N", Say::Text("call me {N}")),
    row("my|the name is N", Say::Text("call me {N}")),
    row("i go by N", Say::Text("call me {N}")),
    row("i'm called N", Say::Text("call me {N}")),
    row("i am called N", Say::Text("call me {N}")),
    row("ich heiße|heisse N", Say::Text("call me {N}")),
    row("nenn|nenne mich N", Say::Text("call me {N}")),
    row("mein name ist N", Say::Text("call me {N}")),
    row("je m'appelle N", Say::Text("call me {N}")),
    row("appelle-moi N", Say::Text("call me {N}")),
    row("me llamo N", Say::Text("call me {N}")),
    row("llámame|llamame N", Say::Text("call me {N}")),
    row("always? sign it|mails|them? with|as N", Say::Text("sign mails with {N}")),
    row("my signature is N", Say::Text("sign mails with {N}")),
    row("use|write|we? use? the? 24-hour|24h times|clock|format", Say::Text("use 24-hour times")),
    row("24-hour|24h times|clock|format", Say::Text("use 24-hour times")),
    row("no am and|or pm", Say::Text("use 24-hour times")),
    row("use|write? iso dates", Say::Text("write dates as YYYY-MM-DD")),
    row("write? dates as|in yyyy-mm-dd", Say::Text("write dates as YYYY-MM-DD")),
    row(
        "always? ask me? before you? sending|send mail|mails|a|it? mail?",
        Say::Text("ask before sending mail"),
    ),
    row("never send a? mail|mails without asking me?", Say::Text("ask before sending mail")),
    row("use W for file names", Say::Text("use {W} for file names")),
    row("never|don't|dont use|put spaces|blanks in file names", Say::Text("do not use spaces in file names")),
    row("no spaces|blanks in file names", Say::Text("do not use spaces in file names")),
    row("my editor is called W", Say::Text("my editor is {W}")),
    row("my editor is K", Say::Text("my editor is {K}")),
    row("i use W as my editor", Say::Text("my editor is {W}")),
    row("mein editor ist K", Say::Text("my editor is {K}")),
    row("the|our R server|machine|host is called? H", Say::Text("the {R} server is {H}")),
    row("the? project W project? lives|is in|at D", Say::Text("project {W} lives in {D}")),
    row("the|our default branch is W", Say::Text("the default branch is {W}")),
    row("the|our default|main branch is called W", Say::Text("the default branch is {W}")),
    row("ssh runs|listens on port? M", Say::Text("use port {M} for ssh")),
    row("use port M for ssh", Say::Text("use port {M} for ssh")),
    row("the|our ssh port is M", Say::Text("use port {M} for ssh")),
    // One thing instead of another.
    row("always? use|take|run|try|write|put|say|do|call B instead of A", Say::Swap),
    row("always? use|take|run|try|write|put B there? and? not|never A", Say::Swap),
    row("always? use|take|run B rather than A", Say::Swap),
    row("always? use|take|run B in place of A", Say::Swap),
    row("always? use|take|run B for A", Say::Contrast),
    row("instead of A always? use|take|run|write B", Say::Swap),
    row("i|we? prefer B to|over A", Say::Swap),
    row("i|we use|have B instead of A", Say::Swap),
    row("i|we use|have|want|meant|mean|said B and? not A", Say::Contrast),
    row("it|that|this should|must say|be|read? B instead of A", Say::Swap),
    row("it|that|this|it's is? B and? not A", Say::Contrast),
    row("it|that|this should|must be B not A", Say::Contrast),
    row("replace|swap|change|substitute|correct A with|by|for|to B", Say::Swap),
    row("don't|dont|never use|run|write A always? use|run|write|take|but? B", Say::Swap),
    row("do not use|run|write A use|run|write|take|but? B", Say::Swap),
    row("stop using A use B", Say::Swap),
    row("not|no A use|but|take B", Say::Contrast),
    row("A is wrong it is|it's? B", Say::Contrast),
    row("A is|was wrong it's|use|take B", Say::Contrast),
    row("A should|must be B", Say::Contrast),
    row("A is not installed|allowed|available here? use|take|run B", Say::Contrast),
    row("we don't|dont have A use|take B", Say::Swap),
    row("we switched from A to B", Say::Swap),
    row("i|we? switched from A to B", Say::Swap),
    row("B would be|is better than A", Say::Contrast),
    row("here|with? B instead of A", Say::Swap),
    row("with? B rather than A", Say::Swap),
    row("typo B not A", Say::Contrast),
    row("not A B", Say::Contrast),
    row("with|actually|better|rather|sorry? B not|never A", Say::Contrast),
    row("why A use B", Say::Swap),
    row("nimm|benutze|verwende|nutze|schreib|schreibe immer? B statt|anstatt|anstelle von? A", Say::Swap),
    row("statt|anstatt A immer? nimm|benutze|verwende? B", Say::Swap),
    row("immer? B statt|anstatt A", Say::Swap),
    row(
        "ich|wir will|wollen|meinte|nehmen|benutzen|nutzen|verwenden? mit|lieber? B nicht|statt A",
        Say::Contrast,
    ),
    row("nicht A sondern B", Say::Contrast),
    row("nicht A nimm|benutze B", Say::Contrast),
    row("ersetze A durch B", Say::Swap),
    row("utilise|utilisez|prends|mets|écris toujours? B au lieu de|d'? A", Say::Swap),
    row("utilise|prends|avec? B pas A", Say::Contrast),
    row("B au lieu de A", Say::Swap),
    row("B plutôt que A", Say::Contrast),
    row("pas A mais B", Say::Contrast),
    row("remplace A par B", Say::Swap),
    row("usa|usad|utiliza|pon|escribe siempre? B en vez|lugar de A", Say::Swap),
    row("usa|con? B no A", Say::Contrast),
    row("B en vez|lugar de A", Say::Swap),
    row("no A sino B", Say::Contrast),
    row("cambia|reemplaza A por B", Say::Swap),
    // Never.
    row("never ever? use|run|call|write A again?", Say::Never),
    row("don't|dont ever? use|run A ever|again|anymore?", Say::Never),
    row("do not ever? use|run A ever|again|anymore?", Say::Never),
    row("stop using A", Say::Never),
    row("A is forbidden|banned here?", Say::Never),
    row("benutze|verwende|nutze nie|niemals|nicht A", Say::Never),
    row("n'utilise jamais|pas A", Say::Never),
    row("nunca|no uses A", Say::Never),
    // Another program than the answer's.
    row("always? use Q instead?", Say::Tool),
    row("take|try|run Q instead", Say::Tool),
    row("take|try|run K", Say::Tool),
    row("we|i always? use Q here?", Say::Tool),
    row("we|i only have Q here?", Say::Tool),
    row("i|we prefer|want|wanted|said|have K here?", Say::Tool),
    row("do it|that|this with|in Q", Say::Tool),
    row("use our tool Q", Say::Tool),
    row("that? should be K", Say::Tool),
    row("go for Q", Say::Tool),
    row("stick to Q", Say::Tool),
    row("prefer|with K", Say::Tool),
    row("nimm|benutze|verwende|nutze immer? Q", Say::Tool),
    row("mit|lieber K", Say::Tool),
    row("wir benutzen|nehmen|verwenden|nutzen Q", Say::Tool),
    row("utilise|utilisez|prends toujours? Q", Say::Tool),
    row("plutôt|avec K", Say::Tool),
    row("on utilise Q ici?", Say::Tool),
    row("usa|utiliza siempre? Q", Say::Tool),
    row("mejor|con|prefiero K", Say::Tool),
    row("aquí usamos Q", Say::Tool),
    // One value of this answer.
    row("i|we meant|ment|mean|said V", Say::Value),
    row("it|that? should|must be V", Say::Figure),
    row("make it|that V", Say::Figure),
    row("actually V", Say::Figure),
    row("the right one is V", Say::Value),
    row("ich meinte|meine V", Say::Value),
    row("es muss V heißen|sein", Say::Figure),
    row("je voulais dire V", Say::Value),
    row("quise decir V", Say::Value),
    row("debe ser V", Say::Figure),
];

/// What may introduce a directive.
const LEADS: &[&str] = &[
    "no",
    "nope",
    "nah",
    "non",
    "nein",
    "wrong",
    "sorry",
    "hm",
    "hmm",
    "ugh",
    "argh",
    "oops",
    "well",
    "ok",
    "okay",
    "great",
    "good",
    "nice",
    "perfect",
    "thanks",
    "thank you",
    "thx",
    "cool",
    "almost",
    "close",
    "not quite",
    "yes",
    "ja",
    "oui",
    "sí",
    "si",
    "please",
    "pls",
    "bitte",
    "por favor",
    "but",
    "aber",
    "mais",
    "pero",
    "and",
    "so",
    "then",
    "also",
    "just",
    "nur",
    "stop",
    "wait",
    "hey",
    "hi",
    "danke",
    "merci",
    "gracias",
    "for the record",
    "remember",
    "remember to",
    "remember that",
    "note",
    "important",
    "btw",
    "rule",
    "hint",
    "from now on",
    "in future",
    "in the future",
    "for the future",
    "next time",
    "ab jetzt",
    "in zukunft",
    "nächstes mal",
    "künftig",
    "désormais",
    "à l'avenir",
    "la prochaine fois",
    "a partir de ahora",
    "la próxima vez",
    "you should",
    "you must",
    "you have to",
    "i'd like you to",
    "i want you to",
    "that's wrong",
    "that is wrong",
    "merk dir",
    "as i said",
    "one thing",
    "my mistake",
    "one small thing",
    "actually",
    "again",
    "in general",
];

/// What may follow one.
const TAILS: &[&str] = &[
    "please",
    "pls",
    "thanks",
    "thank you",
    "thx",
    "ok",
    "bitte",
    "danke",
    "merci",
    "gracias",
    "por favor",
    "s'il te plaît",
    "s'il te plait",
    "s'il vous plaît",
    "svp",
    "instead",
    "here",
    "for that",
    "for this",
    "there",
    "now",
    "too",
    "next time",
    "in future",
    "in the future",
    "from now on",
    "always",
    "at all",
    "everywhere",
    "by the way",
    "btw",
    "stattdessen",
    "immer",
    "künftig",
    "in zukunft",
    "la prochaine fois",
    "la próxima vez",
    "siempre",
    "toujours",
    "on this machine",
    "in this project",
    "in this repo",
    "in this team",
    "when you can",
    "this time",
    "then",
];

/// Only behind these a question asks for something to be done.
const CAN_YOU: &[&str] = &[
    "can you please",
    "could you please",
    "would you please",
    "can you",
    "could you",
    "would you",
    "will you",
    "kannst du bitte",
    "könntest du bitte",
    "kannst du",
    "könntest du",
    "peux-tu",
    "pourrais-tu",
    "puedes",
    "podrías",
];

/// Said for more than this once.
const FOR_GOOD: &[&str] = &[
    "always",
    "never",
    "from now on",
    "in future",
    "in the future",
    "next time",
    "every time",
    "immer",
    "nie",
    "niemals",
    "ab jetzt",
    "in zukunft",
    "künftig",
    "nächstes mal",
    "toujours",
    "jamais",
    "désormais",
    "la prochaine fois",
    "siempre",
    "nunca",
    "a partir de ahora",
    "la próxima vez",
];

/// Words that point at something instead of naming it.
const POINTING: &[&str] =
    &["that", "this", "it", "them", "these", "those", "das", "dies", "ça", "eso", "esto"];
/// Behind `always` and `never` one of these says that it is about what to do, and not a complaint (`never mind`).
const RULE_VERBS: &[&str] = &[
    "use",
    "run",
    "add",
    "ask",
    "answer",
    "write",
    "give",
    "show",
    "put",
    "make",
    "keep",
    "start",
    "end",
    "begin",
    "check",
    "test",
    "include",
    "explain",
    "sign",
    "format",
    "quote",
    "prefer",
    "call",
    "list",
    "sort",
    "create",
    "commit",
    "push",
    "delete",
    "remove",
    "touch",
    "change",
    "edit",
    "install",
    "send",
    "overwrite",
    "print",
    "name",
    "mention",
    "pass",
    "prefix",
    "open",
    "save",
    "store",
    "copy",
    "move",
    "rename",
    "wrap",
    "indent",
    "leave",
    "avoid",
    "apologize",
];
/// Longest rule in somebody's own words: a longer sentence tells a story.
const MAX_RULE_WORDS: usize = 14;
const MIN_RULE_WORDS: usize = 3;

const LANGUAGES: &[(&str, &str)] = &[
    ("German", " german deutsch allemand alemán aleman "),
    ("French", " french französisch franzoesisch français francais francés frances "),
    ("Spanish", " spanish spanisch espagnol español espanol "),
    ("English", " english englisch anglais inglés ingles "),
    ("Italian", " italian italienisch italien italiano "),
    ("Dutch", " dutch niederländisch néerlandais holandés "),
    ("Polish", " polish polnisch polonais polaco "),
    ("Portuguese", " portuguese portugiesisch portugais portugués "),
    ("Turkish", " turkish türkisch turc turco "),
    ("Czech", " czech tschechisch tchèque checo "),
    ("Danish", " danish dänisch danois danés "),
    ("Swedish", " swedish schwedisch suédois sueco "),
    ("Finnish", " finnish finnisch finnois finlandés "),
    ("Greek", " greek griechisch grec griego "),
    ("Russian", " russian russisch russe ruso "),
    ("Japanese", " japanese japanisch japonais japonés "),
    ("Chinese", " chinese chinesisch chinois chino "),
];

/// Words that a slot never takes: they carry the sentence, or point at something instead of naming it.
const NOT_A_THING: &str = " i you he she we they it it's its that that's this these those them me my your our his a an the \
    instead of without not no never always use using used is are was be been better worse wrong right and or but than to with for \
    from in on at by as if when why how what which who there here then so do don't dont does did can could should would \
    must will one more less some any all another other something anything nothing else please next time now again too \
    nicht statt anstatt kein keine ist das der die den dem ein eine es und oder aber mit ohne auf mais pas que au lieu de \
    le la les un une et ou avec sans en vez lugar no el los las una y o con sin pero ever only just already like think \
    know sure mind immer nie niemals toujours jamais siempre nunca pls thx \
    thanks thank bitte danke merci gracias nur still however non nein nope nah hm hmm ugh argh called \
    sorry actually rather great good nice perfect ok okay yes well wait almost ";
/// Plain nouns that look like programs in `use …`.
const NOT_A_PROGRAM: &str = " tabs spaces quotes colors colours commas names words caution care less more english json \
    yaml xml csv html markdown bullets emojis german french spanish plain short long full relative absolute singular \
    plural uppercase lowercase capitals common sense caps both either root mine yours numbers digits letters lists tables \
    paragraphs sentences headings metric celsius euros dollars utf-8 utc it this that them everything ";

pub(super) fn language(word: &str) -> Option<&'static str> {
    let name = format!(" {} ", word.trim());
    LANGUAGES.iter().find(|(_, names)| names.contains(&name)).map(|(language, _)| *language)
}

/// Whether a slot takes these words. A, B: things; V: a value; Q: one program; P: a program, perhaps with its verb; X: an
/// option; K: a program that is known; D: a path; H: a host; M: a port; N: a name; R, W: one word; L: a language.
pub(super) fn fits(slot: char, words: &[Word<'_>]) -> bool {
    let [first, rest @ ..] = words else { return false };
    let is_in = |table: &str, word: &Word<'_>| table.contains(&format!(" {} ", word.folded));
    let is_thing = |word: &Word<'_>| !is_in(NOT_A_THING, word);
    // A pause inside would join two things into one.
    let is_joined = words.iter().rev().skip(1).all(|word| !word.pauses);
    let is_one = rest.is_empty();
    let is_name =
        |word: &Word<'_>| word.text.chars().next().is_some_and(char::is_uppercase) && is_thing(word);
    match slot {
        'A' | 'B' => {
            is_joined && words.iter().all(is_thing) && !command::is_flag(first.text)
                || is_one && command::is_flag(first.text)
        }
        'V' => is_joined && words.iter().all(is_thing),
        'Q' => is_one && is_thing(first) && is_program_like(first),
        'K' => is_one && command::is_known(first.text) && is_program_like(first),
        'P' => {
            is_joined
                && words.len() <= 2
                && words.iter().all(|word| is_thing(word) && command::is_program_name(word.text))
                && (is_one || command::is_known(first.text))
        }
        'X' => is_one && command::is_flag(first.text),
        'D' => is_one && (first.text.contains('/') || first.text.starts_with('~')),
        'H' => is_one && first.text.contains(|c: char| c.is_ascii_digit() || ['.', '-'].contains(&c)),
        'M' => is_one && first.text.len() <= 5 && first.text.chars().all(|c| c.is_ascii_digit()),
        'N' => is_joined && words.len() <= 2 && words.iter().all(is_name),
        'L' => is_one && language(&first.folded).is_some(),
        'R' | 'W' => is_one && is_thing(first),
        _ => false,
    }
}

fn is_program_like(word: &Word<'_>) -> bool {
    command::is_program_name(word.text)
        && !NOT_A_PROGRAM.contains(&format!(" {} ", word.folded))
        && language(&word.folded).is_none()
}

/// Whether a text holds words that make it hold for later too.
pub(super) fn is_for_good(text: &str) -> bool {
    let lower = text.to_lowercase();
    let flat: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let flat = format!(" {} ", flat.join(" "));
    FOR_GOOD.iter().any(|phrase| flat.contains(&format!(" {phrase} ")))
}

/// What stands behind `can you`.
pub(super) fn without_can_you<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    CAN_YOU.iter().find_map(|phrase| after(words, phrase))
}

pub(super) fn without_lead<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    LEADS.iter().filter_map(|phrase| after(words, phrase)).min_by_key(|rest| rest.len())
}

pub(super) fn without_tail<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    let before = |phrase: &&str| {
        let n = phrase.split(' ').count();
        let (rest, tail) = words.split_at_checked(words.len().checked_sub(n)?)?;
        tail.iter().map(|word| word.folded.as_str()).eq(phrase.split(' ')).then_some(rest)
    };
    TAILS.iter().filter_map(before).min_by_key(|rest| rest.len())
}

fn after<'a, 'b>(words: &'b [Word<'a>], phrase: &str) -> Option<&'b [Word<'a>]> {
    let (lead, rest) = words.split_at_checked(phrase.split(' ').count())?;
    lead.iter().map(|word| word.folded.as_str()).eq(phrase.split(' ')).then_some(rest)
}

/// The words themselves, when they are a rule: `always run the tests first`. What points at something that only the
/// message knows (`never do that again`) is none, nor is a complaint (`immer noch falsch`).
pub(super) fn rule_words<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    let [first, second, .., last] = words else { return None };
    let is_order = match first.folded.as_str() {
        "always" | "never" => RULE_VERBS.contains(&second.folded.as_str()),
        "immer" | "nie" | "niemals" => second.folded != "noch" && last.folded.ends_with("en"),
        "toujours" | "siempre" | "nunca" => {
            ["er", "ir", "ar", "re"].iter().any(|end| second.folded.ends_with(end))
        }
        _ => false,
    };
    let points = |word: &Word<'_>| POINTING.contains(&word.folded.as_str());
    let is_rule =
        is_order && !words.iter().any(points) && (MIN_RULE_WORDS..=MAX_RULE_WORDS).contains(&words.len());
    is_rule.then_some(words)
}
