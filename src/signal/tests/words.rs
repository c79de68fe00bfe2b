//! What people say about an answer, in four languages: corrections, blame, praise, and what is none of these.

use super::*;

#[test]
fn corrections_in_english() {
    all(
        "bad +hint",
        "no, use rg
        No, use rg!
        nope, use rg instead
        use rg
        use rg instead
        use rg instead of grep
        please use rg, not grep
        use ripgrep please
        rg, not grep
        not grep, rg
        not grep but rg
        I meant Q3
        I meant Q3, not Q2
        sorry, I meant docs
        don't use sudo
        dont use sudo
        DON’T USE SUDO
        do not use grep, use rg
        never use grep
        always use rg
        from now on use rg
        please always answer in German
        in future, ask me first
        next time use rg
        you should use rg
        we use rg here
        I prefer rg
        stop using grep
        stop doing that with grep
        replace grep with rg
        add -i
        with -i please
        without -n
        you forgot -i
        you forgot the -i flag
        drop -r
        it should be rg
        shorter
        shorter please
        make it shorter
        a bit shorter
        too long
        that's too verbose
        less formal
        keep it short
        in German please
        German please
        answer in French from now on
        as a table
        just the command
        only the command please
        no explanation
        without comments
        no emojis
        be more concise
        ask me before deleting",
    );
}

#[test]
fn corrections_in_polite_english() {
    all(
        "bad +hint",
        "can you say that in German?
        stop, make that docs
        where is -i?
        grep -i
        -i
        what would that do? use -l
        fine, but times in 24-hour form
        works, only spell out the flags
        the branch is main
        could you use rg?
        can you do it with rg?
        would you mind using rg?
        why grep? use rg
        thanks but use rg
        thanks, but use rg
        great, but next time use rg
        perfect, but shorter please
        nice, but without -n
        looks good, but spell out the flags
        thanks, but our team is on ripgrep
        wrong, it should be rg
        that's wrong, use rg
        no, not src, docs
        this repo uses rg
        grep is deprecated, take rg
        call me Momo
        remember to sort the output
        make sure to quote the pattern
        we switched from grep to rg
        I told you to use rg
        no, show me a dry run first
        Thank you so much for your help, I really appreciate it. One small thing: use rg instead of grep. Have a lovely day!
        Hi! I hope that you don't mind my asking, you have been wonderful so far: please use rg. Many thanks!
        I know that you mean well and you are usually right, so don't take this the wrong way. We use rg here. Thank you very much.",
    );
}

#[test]
fn corrections_in_german() {
    all(
        "bad +hint",
        "nein, nimm rg
        nimm rg
        nimm lieber rg
        nutze rg statt grep
        benutze rg
        bitte nimm rg
        nicht grep, sondern rg
        nicht src sondern docs
        rg statt grep
        ich meinte Q3
        ich wollte docs
        kein sudo
        ohne sudo bitte
        auf Deutsch bitte
        bitte auf Deutsch
        kürzer
        kuerzer bitte
        bitte kürzer
        zu lang
        ab jetzt immer rg
        in Zukunft bitte rg
        nächstes Mal mit rg
        merk dir: wir nutzen rg
        wir nutzen rg
        du sollst nicht grep nehmen
        danke, aber nimm rg
        super, aber bitte mit rg
        das muss rg sein
        frag mich vorher
        könntest du rg nehmen?
        hör auf, grep zu nehmen
        falsch, nimm rg",
    );
}

#[test]
fn corrections_in_french_and_spanish() {
    all(
        "bad +hint",
        "non, utilise rg
        utilise rg
        utilise plutôt rg
        rg au lieu de grep
        pas grep mais rg
        je voulais dire Q3
        n'utilise pas sudo
        sans sudo
        en français s'il te plaît
        en anglais
        plus court
        trop long
        désormais, utilise rg
        à partir de maintenant, utilise rg
        la prochaine fois, demande d'abord
        on utilise rg ici
        merci, mais utilise rg
        arrête d'utiliser grep
        il faut utiliser rg
        no, usa rg
        usa rg
        rg en vez de grep
        no grep sino rg
        quería decir Q3
        no uses sudo
        sin sudo
        en español por favor
        más corto
        demasiado largo
        a partir de ahora usa rg
        la próxima vez pregunta
        gracias, pero usa rg
        usamos rg
        deja de usar grep
        deberías usar rg",
    );
}

#[test]
fn plain_blame() {
    all(
        "bad",
        "no
        nope
        wrong
        that's wrong
        this is wrong
        That is not right.
        incorrect
        not what I asked
        that's not what I wanted
        doesn't work
        didn't work
        it doesn't work
        still broken
        still the same error
        same error
        it fails
        nothing happens
        you misunderstood me
        makes no sense
        terrible
        useless
        👎
        -1
        :(
        ugh
        try again
        again
        redo it
        undo that
        undo
        revert that
        please undo this
        it deleted my files
        my files are gone
        the output is empty
        it crashed
        thanks, but that does not work
        thanks but no thanks
        nice try
        almost
        not quite
        not good
        looked good at first, but it does not work
        I thanked you too early, it does not work
        why did you use grep?
        falsch
        das ist falsch
        nein
        funktioniert nicht
        geht nicht
        das geht nicht
        klappt nicht
        mach das rückgängig
        nochmal
        immer noch falsch
        non
        c'est faux
        ça ne marche pas
        annule ça
        recommence
        no funciona
        está mal
        incorrecto
        deshaz eso
        inténtalo otra vez
        sigue sin funcionar",
    );
}

#[test]
fn praise_thanks_and_acceptance() {
    all(
        "good",
        "thanks
        Thanks!
        thank you so much
        thx
        many thanks
        cheers
        perfect
        Perfect, thank you
        great
        great, now list the open ports
        thanks, now show the last commit
        works
        it works now
        works like a charm
        that worked
        exactly
        exactly what I wanted
        spot on
        well done
        good job
        nice work
        looks good
        lgtm
        that's it
        that's correct
        correct
        brilliant
        you nailed it
        love it
        👍
        +1
        🎉
        ok
        fine
        sounds good
        go ahead
        yes please
        got it
        makes sense
        no problem",
    );
}

#[test]
fn praise_that_sounds_like_blame_and_praise_in_other_languages() {
    all(
        "good",
        "no problem, thanks
        nothing wrong with that
        no worries
        not bad
        not bad at all
        not bad, thanks
        no, that is perfect
        no, that's perfect
        no, it's fine
        no complaints
        nothing to change
        I fixed the error, thanks
        the error is gone
        the error is gone, thanks
        no more errors
        that fixed the \"not found\" error, thank you
        can't complain
        don't change anything, it is perfect
        couldn't be better
        I was wrong, your answer was right
        at first I thought it was wrong, but it is exactly right
        That was not what I expected, but it is even better. Thank you!
        danke
        vielen Dank
        Danke schön!
        super, danke
        perfekt
        passt
        funktioniert
        klappt jetzt
        genau so
        nicht schlecht
        nein, das passt so
        sieht gut aus
        alles gut
        kein Problem
        der Fehler ist weg
        merci
        merci beaucoup
        parfait
        c'est bon
        ça marche
        c'est exactement ça
        pas mal
        non, c'est parfait
        génial
        gracias
        muchas gracias
        perfecto
        funciona
        muy bien
        eso es
        nada mal
        no, así está perfecto
        genial, gracias",
    );
}

#[test]
fn sarcasm_is_not_praise() {
    all(
        "bad",
        "great, now everything is gone
        great, now it is even worse
        wonderful, you deleted my work
        oh perfect, another error
        brilliant, now nothing works
        thanks for nothing
        well done, the server is down
        nice, you just lost my files
        super, jetzt ist alles weg
        toll, jetzt geht gar nichts mehr
        bravo, c'est tout cassé
        genial, ahora no funciona nada",
    );
}

#[test]
fn waiting_stopping_and_asking_say_nothing() {
    all(
        "nothing",
        "wait
        hold on
        one moment please
        hmm
        let me check
        I'll try it
        maybe
        not sure
        stop
        cancel
        never mind
        nevermind
        forget it
        I'll do it myself
        what does that do?
        what does -n mean?
        why?
        is that safe?
        are you sure?
        how does that work?
        can you explain?
        actually, let's do the docs folder
        I changed my mind
        on second thought, later
        how tall is the Eiffel tower?
        translate good morning into Latin
        remind Ola of the review on Friday
        /help
        /model
        Moment mal
        warte
        mal sehen
        vergiss es
        was macht das?
        warum?
        bist du sicher?
        ich habe es mir anders überlegt
        attends
        laisse tomber
        c'est quoi ?
        pourquoi ?
        espera
        a ver
        déjalo
        ¿por qué?
        ¿qué hace eso?",
    );
}

#[test]
fn a_changed_mind_blames_nobody_but_may_teach() {
    all("nothing +hint", "I changed my mind, from now on use grep again\non second thought, always use grep");
    all("good +hint", "perfect, always do it like this");
    all("nothing +hint", "/teach use rg");
}

#[test]
fn what_no_rule_knows_is_left_to_the_judge() {
    all("none", "we all have ripgrep on our machines\n3pm, nobody reviews at 3am\n\u{4f60}\u{597d}");
}
