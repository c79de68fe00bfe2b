//! A labelled set: texts of which is known what is secret in them. Secrets are assembled here, letter by letter, from
//! what their issuers say of their formats, so that no file of the repository holds one. Written without a look at the
//! expressions of the rules: formats stand here a second time, as prefix, alphabet and length.

mod harmless;

pub(super) use harmless::harmless_cases;

/// A text, and the parts of it that must not be readable afterwards.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) text: String,
    pub(crate) secrets: Vec<String>,
}

/// Random numbers that are the same in every run (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % limit
    }

    pub(super) fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// `length` letters of an alphabet.
    pub(super) fn letters(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}

pub(super) const HEX: &str = "0123456789abcdef";
pub(super) const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const CAPITAL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(super) const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
const BECH32: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/// Prefix, then alphabets with lengths; a length of 0 stands for the alphabet's text itself.
type Format = (&'static str, &'static str, &'static [(&'static str, usize)]);

/// Formats by their issuers: who, how a token begins, what follows.
const FORMATS: &[Format] = &[
    ("github personal", "ghp_", &[(ALNUM, 36)]),
    ("github oauth", "gho_", &[(ALNUM, 36)]),
    ("github app", "ghs_", &[(ALNUM, 36)]),
    ("github refresh", "ghr_", &[(ALNUM, 36)]),
    ("github fine-grained", "github_pat_", &[(ALNUM, 22), ("_", 0), (ALNUM, 59)]),
    ("gitlab personal", "glpat-", &[(URL64, 20)]),
    ("gitlab routable", "glpat-", &[(URL64, 27), (".01.", 0), (LOWER, 9)]),
    ("gitlab runner", "glrt-", &[(URL64, 20)]),
    ("gitlab deploy", "gldt-", &[(URL64, 20)]),
    ("gitlab trigger", "glptt-", &[(HEX, 40)]),
    ("atlassian", "ATATT3", &[(URL64, 180), ("=", 0), (CAPITAL, 8)]),
    ("npm", "npm_", &[(ALNUM, 36)]),
    ("pypi", "pypi-AgE", &[("IcHlwaS5vcmc", 0), (URL64, 120)]),
    ("rubygems", "rubygems_", &[(HEX, 48)]),
    ("crates.io", "cio", &[(ALNUM, 32)]),
    ("clojars", "CLOJARS_", &[(LOWER, 60)]),
    ("docker", "dckr_pat_", &[(URL64, 27)]),
    ("sourcegraph", "sgp_", &[(HEX, 16), ("_", 0), (HEX, 40)]),
    ("artifactory", "AKCp", &[(ALNUM, 69)]),
    ("aws id", "AKIA", &[(BASE32, 16)]),
    ("aws session id", "ASIA", &[(BASE32, 16)]),
    ("google api", "AIza", &[(URL64, 35)]),
    ("google oauth", "ya29.", &[(URL64, 120)]),
    ("google client", "GOCSPX-", &[(URL64, 28)]),
    ("azure ad", "", &[(ALNUM, 3), ("8Q~", 0), (URL64, 34)]),
    ("alibaba", "LTAI", &[(ALNUM, 20)]),
    ("digitalocean", "dop_v1_", &[(HEX, 64)]),
    ("heroku", "HRKU-AA", &[(URL64, 58)]),
    ("fly", "fm2_", &[(BASE64, 140)]),
    ("fly old", "fo1_", &[(URL64, 43)]),
    ("cloudflare origin", "v1.0-", &[(HEX, 24), ("-", 0), (HEX, 146)]),
    ("databricks", "dapi", &[(HEX, 32)]),
    ("planetscale", "pscale_tkn_", &[(URL64, 43)]),
    ("vault", "hvs.", &[(URL64, 95)]),
    ("vault batch", "hvb.", &[(URL64, 160)]),
    ("terraform", "", &[(ALNUM, 14), (".atlasv1.", 0), (URL64, 67)]),
    ("pulumi", "pul-", &[(HEX, 40)]),
    ("doppler", "dp.pt.", &[(ALNUM, 43)]),
    ("prefect", "pnu_", &[(ALNUM, 36)]),
    ("openshift", "sha256~", &[(URL64, 43)]),
    ("octopus", "API-", &[(CAPITAL, 26)]),
    ("grafana", "glsa_", &[(ALNUM, 32), ("_", 0), (HEX, 8)]),
    ("grafana cloud", "glc_", &[(BASE64, 80)]),
    ("dynatrace", "dt0c01.", &[(CAPITAL, 24), (".", 0), (CAPITAL, 64)]),
    ("new relic", "NRAK-", &[(CAPITAL, 27)]),
    ("sentry user", "sntryu_", &[(HEX, 64)]),
    ("maxmind", "", &[(ALNUM, 6), ("_", 0), (ALNUM, 29), ("_mmk", 0)]),
    ("infracost", "ico-", &[(ALNUM, 32)]),
    ("sonar", "squ_", &[(HEX, 40)]),
    ("tailscale", "tskey-auth-", &[(ALNUM, 12), ("-", 0), (ALNUM, 32)]),
    (
        "1password",
        "A3-",
        &[
            (CAPITAL, 6),
            ("-", 0),
            (CAPITAL, 6),
            ("-", 0),
            (CAPITAL, 5),
            ("-", 0),
            (CAPITAL, 5),
            ("-", 0),
            (CAPITAL, 5),
            ("-", 0),
            (CAPITAL, 5),
        ],
    ),
    ("age", "AGE-SECRET-KEY-1", &[(BECH32, 58)]),
    ("anthropic", "sk-ant-api03-", &[(URL64, 93), ("AA", 0)]),
    ("openai project", "sk-proj-", &[(URL64, 74), ("T3BlbkFJ", 0), (URL64, 74)]),
    ("openai", "sk-", &[(ALNUM, 20), ("T3BlbkFJ", 0), (ALNUM, 20)]),
    ("openrouter", "sk-or-v1-", &[(HEX, 64)]),
    ("hugging face", "hf_", &[(ALNUM, 34)]),
    ("perplexity", "pplx-", &[(ALNUM, 48)]),
    ("groq", "gsk_", &[(ALNUM, 52)]),
    ("replicate", "r8_", &[(ALNUM, 37)]),
    ("stripe live", "sk_live_", &[(ALNUM, 24)]),
    ("stripe restricted", "rk_test_", &[(ALNUM, 99)]),
    ("stripe webhook", "whsec_", &[(ALNUM, 32)]),
    ("square", "sq0atp-", &[(URL64, 22)]),
    (
        "plaid",
        "access-production-",
        &[(HEX, 8), ("-", 0), (HEX, 4), ("-", 0), (HEX, 4), ("-", 0), (HEX, 4), ("-", 0), (HEX, 12)],
    ),
    ("shopify", "shpat_", &[(HEX, 32)]),
    ("shippo", "shippo_live_", &[(HEX, 40)]),
    ("easypost", "EZAK", &[(ALNUM, 54)]),
    ("duffel", "duffel_live_", &[(URL64, 43)]),
    ("sendgrid", "SG.", &[(URL64, 22), (".", 0), (URL64, 43)]),
    ("brevo", "xkeysib-", &[(HEX, 64), ("-", 0), (ALNUM, 16)]),
    ("mailgun", "key-", &[(HEX, 32)]),
    ("twilio", "SK", &[(HEX, 32)]),
    ("slack bot", "xoxb-", &[("0123456789", 12), ("-", 0), ("0123456789", 12), ("-", 0), (ALNUM, 24)]),
    ("slack app", "xapp-1-", &[(CAPITAL, 11), ("-", 0), ("0123456789", 13), ("-", 0), (HEX, 64)]),
    ("telegram", "", &[("123456789", 10), (":AA", 0), (URL64, 33)]),
    ("facebook page", "EAAC", &[(ALNUM, 120)]),
    ("notion", "ntn_", &[("0123456789", 11), (ALNUM, 35)]),
    ("linear", "lin_api_", &[(ALNUM, 40)]),
    ("airtable", "pat", &[(ALNUM, 14), (".", 0), (HEX, 64)]),
    ("postman", "PMAK-", &[(HEX, 24), ("-", 0), (HEX, 34)]),
    ("figma", "figd_", &[(URL64, 40)]),
    ("typeform", "tfp_", &[(URL64, 59)]),
    ("readme", "rdme_", &[(LOWER, 70)]),
    ("frame.io", "fio-u-", &[(URL64, 64)]),
    ("intra 42", "s-s4t2ud-", &[(HEX, 64)]),
    ("adobe", "p8e-", &[(LOWER, 32)]),
    ("jwt", "eyJ", &[(ALNUM, 33), (".eyJ", 0), (ALNUM, 60), (".", 0), (URL64, 43)]),
    ("unix hash", "$6$", &[(ALNUM, 16), ("$", 0), (ALNUM, 86)]),
    ("bcrypt hash", "$2b$12$", &[(ALNUM, 53)]),
];

fn assembled(dice: &mut Dice, (_, prefix, parts): &Format) -> String {
    let mut text = (*prefix).to_owned();
    for (alphabet, length) in *parts {
        text.push_str(&if *length == 0 { (*alphabet).to_owned() } else { dice.letters(alphabet, *length) });
    }
    // An issuer's token does not end in a mark, where a reader could not tell it from the text around it.
    if text.ends_with(['-', '_', '/', '+']) {
        text.pop();
        text.push('9');
    }
    text
}

/// Where a token stands that says by itself what it is. `@` is the token.
const TOKEN_PLACES: &[&str] = &[
    "@",
    "use @ for now, I will change it tomorrow",
    "curl -H 'Authorization: token @' https://api.example.com/user",
    "{\"level\":\"debug\",\"msg\":\"calling upstream\",\"args\":[\"@\"]}",
    "export THING=@",
    "  thing: @  # from the wiki",
    "const c = new Client(\"@\", { retries: 3 });",
    "https://api.example.com/v1/items?x=@&page=2",
    "2026-03-01T12:00:00Z WARN rejected (@), retrying in 5 s",
    "{\"body\":\"first line\\n@\\nlast line\"}",
    "docker run --rm -e THING='@' image:latest",
    "| prod | @ | rotated in May |",
    "echo @ | tool login --stdin",
    "-    value = \"@\"",
];

/// Names of what a machine made, and names of what a person chose.
const TOKEN_NAMES: &[&str] = &[
    "AWS_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "DATADOG_API_KEY",
    "api_key",
    "apiKey",
    "client_secret",
    "clientSecret",
    "access_token",
    "accessToken",
    "auth_token",
    "SECRET_KEY",
    "JWT_SECRET",
    "DJANGO_SECRET_KEY",
    "private_key",
    "CLOUDFLARE_API_TOKEN",
    "NPM_TOKEN",
    "slack.token",
    "x-api-key",
    "ALGOLIA_ADMIN_KEY",
    "SENTRY_AUTH_TOKEN",
    "refresh_token",
    "webhook_secret",
    "encryption_key",
    "AccountKey",
    "consumer_secret",
    "TWILIO_AUTH_TOKEN",
    "service_account_key",
    "SIGNING_SECRET",
    "session_token",
    "bot_token",
    "HEROKU_API_KEY",
    "apikey",
];
const PASSWORD_NAMES: &[&str] = &[
    "password",
    "DB_PASSWORD",
    "PGPASSWORD",
    "dbPassword",
    "MYSQL_PWD",
    "passwd",
    "passphrase",
    "smtp_pass",
    "spring.datasource.password",
    "ADMIN_PASSWORD",
    "redis-password",
    "rootPassword",
    "KEYSTORE_PASSWORD",
    "ftp_password",
];

/// Where a value stands behind its name: `#` is the name, `@` the value.
const NAME_PLACES: &[&str] = &[
    "export #=@",
    "#=@ ./run --fast",
    "#=\"@\"",
    "#: @",
    "  #: \"@\"",
    "{\"host\":\"db1\",\"#\":\"@\",\"port\":5432}",
    "# = \"@\"",
    "# = '@'",
    "let # = \"@\";",
    "const #: &str = \"@\";",
    "docker run -e #=@ -p 8080:80 app",
    "{\\\"#\\\":\\\"@\\\"}",
    "tool --# @ --region eu",
    "tool --#=@ --region eu",
    "<#>@</#>",
    "<add key=\"#\" value=\"@\" />",
    "$env:# = \"@\"",
    "'#' => '@',",
    "#: @ # do not commit",
    "config[\"#\"] = \"@\"",
];

/// Commands and texts with a place for a password (`@`) that only they give away.
const PASSWORD_PLACES: &[&str] = &[
    "mysql -u root -p@ shop < dump.sql",
    "mysqldump -h db1 -uroot -p'@' shop",
    "mysql --user=root --password=@ shop",
    "curl -u anna:@ https://example.com/private",
    "curl --user 'anna:@' https://example.com/private",
    "curl -sS -uanna:@ -X POST https://example.com/private",
    "curl -X POST \\\n  -u anna:@ \\\n  https://example.com/private",
    "sshpass -p @ ssh anna@db1",
    "sshpass -p'@' scp a.txt anna@db1:",
    "redis-cli -h cache1 -a @ ping",
    "mongosh --host db1 -u anna -p @ admin",
    "docker login -u anna -p @ registry.example.com",
    "ldapsearch -x -D cn=anna -w @ -b dc=example",
    "sqlcmd -S db1 -U sa -P @ -Q 'select 1'",
    "7z x backup.7z -p@",
    "unzip -P @ backup.zip",
    "smbclient //files/share -U anna%@",
    "openssl rsa -in key.pem -passin pass:@ -out plain.pem",
    "keytool -list -keystore a.jks -storepass @",
    "xfreerdp /u:anna /p:@ /v:host1",
    "git clone https://anna:@@git.example.com/app.git",
    "psql postgresql://app:@@db1:5432/shop?sslmode=require",
    "DATABASE_URL=mysql://app:@@db1/shop",
    "redis://:@@cache1:6379/0",
    "amqp://app:@@mq1:5672//",
    "machine db1.example.com login anna password @",
    "db1:5432:shop:anna:@",
    "wget --user=anna --password=@ https://example.com/x.tar.gz",
    "Server=db1;Database=shop;User Id=sa;Password=@;Encrypt=true",
    "https://example.com/login?user=anna&password=@&next=home",
    "the password is @",
    "Password: @",
    "http -a anna:@ GET example.com/private",
];

fn password(dice: &mut Dice) -> String {
    let words =
        ["sunny", "hunter", "copper", "Tiger", "Lisbon", "maple", "orbit", "Winter", "falcon", "pepper"];
    let marks = ["!", "+", "_", "-", "*", "."];
    match dice.below(4) {
        0 => format!("{}{}", dice.one_of(&words), dice.letters("0123456789", 3)),
        1 => format!("{}{}{}7", dice.one_of(&words), dice.one_of(&marks), dice.one_of(&words)),
        2 => format!("x{}4", dice.letters(ALNUM, 10)),
        _ => format!("{}3{}{}", dice.letters(LOWER, 3), dice.one_of(&words), dice.one_of(&["!", "99", "Z"])),
    }
}

/// What a machine makes: hexadecimal, base64, letters and digits, a UUID.
fn machine_made(dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => dice.letters(HEX, 32),
        1 => format!("{}7Q", dice.letters(ALNUM, 38)),
        2 => format!("k{}3+{}==", dice.letters(BASE64, 36), dice.letters(ALNUM, 2)),
        3 => format!("a9{}", dice.letters(LOWER, 30)),
        _ => uuid(dice),
    }
}

fn uuid(dice: &mut Dice) -> String {
    let mut parts = [8, 4, 4, 4, 12].map(|length| dice.letters(HEX, length));
    parts[2].replace_range(..1, "4");
    parts.join("-")
}

/// Texts that hold secrets.
pub(crate) fn secret_cases() -> Vec<Case> {
    let mut dice = Dice::new(7);
    let mut cases = Vec::new();
    for format in FORMATS {
        for place in TOKEN_PLACES {
            let token = assembled(&mut dice, format);
            cases.push(Case {
                what: format.0.to_owned(),
                text: place.replace('@', &token),
                secrets: vec![token],
            });
        }
    }
    for place in NAME_PLACES {
        for (names, make) in
            [(TOKEN_NAMES, machine_made as fn(&mut Dice) -> String), (PASSWORD_NAMES, password)]
        {
            for name in names {
                let secret = make(&mut dice);
                let text = place.replace('#', name).replacen('@', &secret, 1);
                cases.push(Case { what: format!("named {place}"), text, secrets: vec![secret] });
            }
        }
    }
    for place in PASSWORD_PLACES {
        for _ in 0..12 {
            let secret = password(&mut dice);
            cases.push(Case {
                what: (*place).to_owned(),
                text: place.replacen('@', &secret, 1),
                secrets: vec![secret],
            });
        }
    }
    for _ in 0..12 {
        cases.extend([
            key_file(&mut dice),
            key_in_json(&mut dice),
            basic(&mut dice),
            cookie(&mut dice),
            set_cookie(&mut dice),
        ]);
        cases.extend([bearer(&mut dice), webhook(&mut dice), alone_in_url(&mut dice), signed(&mut dice)]);
    }
    cases
}

fn key_file(dice: &mut Dice) -> Case {
    let kind = dice.one_of(&["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "]);
    let mut lines: Vec<String> = (0..6).map(|_| dice.letters(BASE64, 64)).collect();
    lines.push(format!("{}==", dice.letters(BASE64, 22)));
    let text = format!(
        "cat id\n-----BEGIN {kind}PRIVATE KEY-----\n{}\n-----END {kind}PRIVATE KEY-----\n$ ls\n",
        lines.join("\n")
    );
    Case { what: "key file".to_owned(), text, secrets: lines }
}

fn key_in_json(dice: &mut Dice) -> Case {
    let lines: Vec<String> = (0..5).map(|_| dice.letters(BASE64, 64)).collect();
    let body = lines.join("\\n");
    let text = format!(
        "{{\"type\":\"x\",\"pem\":\"-----BEGIN PRIVATE KEY-----\\n{body}\\n-----END PRIVATE KEY-----\\n\"}}"
    );
    Case { what: "key in json".to_owned(), text, secrets: lines }
}

fn basic(dice: &mut Dice) -> Case {
    let secret = format!("b3Z{}8=", dice.letters(ALNUM, 23));
    Case {
        what: "basic".to_owned(),
        text: format!("> Authorization: Basic {secret}\n> Accept: */*\n"),
        secrets: vec![secret],
    }
}

fn bearer(dice: &mut Dice) -> Case {
    let secret = format!("q{}2", dice.letters(URL64, 40));
    let text = format!("curl -H \"Authorization: Bearer {secret}\" https://api.example.com");
    Case { what: "bearer".to_owned(), text, secrets: vec![secret] }
}

fn cookie(dice: &mut Dice) -> Case {
    let (one, two) = (dice.letters(ALNUM, 26), dice.letters(HEX, 32));
    let text = format!(
        "GET / HTTP/1.1\r\nHost: example.com\r\nCookie: sid={one}; theme=dark; remember={two}\r\n\r\n"
    );
    Case { what: "cookie".to_owned(), text, secrets: vec![one, two] }
}

fn set_cookie(dice: &mut Dice) -> Case {
    let secret = dice.letters(ALNUM, 40);
    let text = format!("< set-cookie: id={secret}; Path=/; HttpOnly; Secure\n< date: today\n");
    Case { what: "set-cookie".to_owned(), text, secrets: vec![secret] }
}

fn webhook(dice: &mut Dice) -> Case {
    let secret =
        format!("T{}/B{}/{}", dice.letters(CAPITAL, 8), dice.letters(CAPITAL, 8), dice.letters(ALNUM, 24));
    let text = format!("curl -d '{{\"text\":\"hi\"}}' https://hooks.slack.com/services/{secret}");
    Case { what: "webhook".to_owned(), text, secrets: vec![secret] }
}

fn alone_in_url(dice: &mut Dice) -> Case {
    let secret = format!("a{}5", dice.letters(HEX, 38));
    Case {
        what: "token in url".to_owned(),
        text: format!("origin\thttps://{secret}@git.example.com/a/b.git (fetch)"),
        secrets: vec![secret],
    }
}

fn signed(dice: &mut Dice) -> Case {
    let secret = dice.letters(HEX, 64);
    let text = format!("https://b.s3.amazonaws.com/k?X-Amz-Expires=3600&X-Amz-Signature={secret}");
    Case { what: "signed url".to_owned(), text, secrets: vec![secret] }
}
