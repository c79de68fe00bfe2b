//! The other half of the labelled set: texts of which none is secret.

use super::{ALNUM, BASE64, CAPITAL, Dice, HEX, LOWER, uuid};

/// Texts of which none is secret, though parts of them look or sound like it.
pub(in crate::redaction) fn harmless_cases() -> Vec<String> {
    let mut dice = Dice::new(11);
    let mut texts: Vec<String> =
        PROSE.iter().chain(CODE).chain(MANUALS).chain(EXAMPLES).map(|text| (*text).to_owned()).collect();
    for _ in 0..40 {
        texts.extend(made(&mut dice));
    }
    texts
}

/// Hashes, identifiers, images and other noise that a machine makes and nobody hides.
fn made(dice: &mut Dice) -> Vec<String> {
    let hash = dice.letters(HEX, 40);
    let sum = dice.letters(HEX, 64);
    let image = dice.letters(BASE64, 900);
    let integrity = dice.letters(BASE64, 86);
    let id = uuid(dice);
    let short = dice.letters(HEX, 7);
    let wide = dice.letters(CAPITAL, 26);
    vec![
        format!("commit {hash} (HEAD -> main)"),
        format!("{short} Add the token bucket, remove the old key"),
        format!("index {short}..{} 100644", dice.letters(HEX, 7)),
        format!("{sum}  chela-0.1.0-x86_64.tar.gz"),
        format!("checksum = \"{sum}\""),
        format!("Digest: sha256:{sum}"),
        format!("FROM debian@sha256:{sum}"),
        format!("<img src=\"data:image/png;base64,{image}\" alt=\"key\">"),
        format!("\"integrity\": \"sha512-{integrity}==\""),
        format!("request_id={id} status=200 duration=12ms"),
        format!("\"id\": \"{id}\", \"type\": \"session\""),
        format!("UUID={id} /boot ext4 defaults 0 2"),
        format!("ETag: \"{}\"", dice.letters(HEX, 32)),
        format!("cache_key = \"{sum}\""),
        format!("primary_key: {id}"),
        format!("trace_id: {} span_id: {}", dice.letters(HEX, 32), dice.letters(HEX, 16)),
        format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} anna@laptop", dice.letters(BASE64, 43)),
        format!("SHA256:{} anna@laptop (ED25519)", dice.letters(BASE64, 43)),
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n{}\n-----END CERTIFICATE-----",
            dice.letters(BASE64, 64),
            dice.letters(BASE64, 64)
        ),
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", dice.letters(BASE64, 64)),
        format!("0x{} is the address of the key table", dice.letters(HEX, 12)),
        format!("next_page_token: {wide}"),
        format!("csrf_token = \"{}\"", dice.letters(ALNUM, 32)),
        format!("etcd member {} has started", dice.letters(HEX, 16)),
        format!("pod/api-{}-{} 1/1 Running 0 3d", dice.letters(HEX, 9), dice.letters(LOWER, 5)),
        format!(
            "!function(e,t){{var k={{key:t.key,token:e.next()}};return k.pass?e({}):t}}(a,b)",
            dice.below(9999)
        ),
        format!("//# sourceMappingURL=data:application/json;base64,eyJ{}", dice.letters(ALNUM, 200)),
        format!("arn:aws:iam::{}:role/deploy-key-reader", dice.letters("123456789", 12)),
        format!("public_key = \"{}\"", dice.letters(BASE64, 43)),
        format!("drwxr-xr-x 2 anna anna 4096 May 1 12:00 secret-{}", dice.letters(LOWER, 6)),
        format!("token_count: {} max_tokens={} tokens/s: 41.5", dice.below(9999), dice.below(9999)),
        format!("user_id=U{} channel=C{}", dice.letters(CAPITAL, 10), dice.letters(CAPITAL, 10)),
        format!("key_id: {}", dice.letters(CAPITAL, 20)),
        format!("secret_name: app-{}", dice.letters(LOWER, 8)),
        format!("Version: 1.{}.{}-beta.{} build {short}", dice.below(90), dice.below(90), dice.below(9)),
        format!("/nix/store/{}-openssl-3.0.13/bin", dice.letters(LOWER, 32)),
        format!("https://example.com/files/{id}/report.pdf?version={hash}"),
    ]
}

const PROSE: &[&str] = &[
    "Forgot your password? Enter your email address and we will send you a link.",
    "The password must have at least 8 characters, one of them a digit.",
    "password: required",
    "Your token is invalid or has expired; log in again.",
    "A secret is only as good as its shortest key.",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore.",
    "Token: a sequence of characters that the parser takes as one.",
    "the password is wrong",
    "The key is under the mat: take it, open the door, put it back.",
    "Invalid password for user anna from 10.0.0.7 port 52144 ssh2",
    "error: authentication failed (password is incorrect)",
    "Basic authentication is sent in clear text unless TLS is used.",
    "Bearer tokens are sent in the Authorization header.",
    "We use cookies: they remember your session.",
    "Secret: the ingredient nobody guesses is butter.",
    "sudo: a password is required",
    "auth: basic",
    "Enter passphrase for key '/home/anna/.ssh/id_ed25519':",
    "[sudo] password for anna: ",
    "anna@db1's password: ",
    "passwd: password updated successfully",
    "grep -rn \"BEGIN RSA PRIVATE KEY\" .",
    "If you see -----BEGIN OPENSSH PRIVATE KEY----- in a diff, stop and rotate the key.\nThen tell the team.",
    "12 tests passed, 3 keys skipped, session = 4",
    "das Passwort ist falsch, bitte noch einmal eingeben",
];

const CODE: &[&str] = &[
    "let password = read_password()?;",
    "password = getpass.getpass(\"Password: \")",
    "self.password = password",
    "def login(user: str, password: str) -> Token:",
    "token = lexer.next_token()",
    "pub struct Login { pub user: String, pub password: Option<String> }",
    "if (password !== confirmPassword) return \"passwords differ\";",
    "<input type=\"password\" name=\"password\" placeholder=\"Your password\">",
    "const token = process.env.GITHUB_TOKEN;",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "export API_KEY=\"$(pass show api/key)\"",
    "curl -H \"Authorization: Bearer $TOKEN\" https://api.example.com",
    "curl -u \"$USER:$PASS\" https://example.com",
    "mysql -u root -p shop",
    "password: ENV['DB_PASSWORD'],",
    "key = item.key, value = item.value",
    "for (const [key, value] of Object.entries(map)) out[key] = value;",
    "let key: Vec<u8> = hex::decode(text)?;",
    "private_key_path = \"/etc/ssl/private/server.key\"",
    "PRIVATE_KEY_FILE=/run/secrets/server.pem",
    "assert_eq!(token.kind, TokenKind::Identifier);",
    "Authorization: Bearer <token>",
    "api_key: YOUR_API_KEY_HERE",
    "password = \"changeme\"",
    "token=\"test-token\"",
    "const SECRET_NAME = \"prod/app/database\";",
    "secretKeyRef: { name: db, key: password }",
    "kubectl create secret generic db --from-file=password.txt",
    "docker run -p 8080:80 -u 1000:1000 app",
    "ssh -p 2222 anna@db1",
    "mkdir -p src/redact/tests",
    "git push -u origin main",
    "tar -xpf backup.tar",
    "ps -u anna -o pid,cmd",
    "cp -p a b; find . -name mysql -print",
    "\"password\": { \"type\": \"string\", \"minLength\": 8 }",
    "\"password\": \"Password\", \"password_hint\": \"At least 8 characters\"",
    "user.token = await signer.sign({ sub: user.id, exp: now + 3600 });",
    "auth = HTTPBasicAuth(username, password)",
    "session = requests.Session()",
    "session_key = derive_key(secret, salt)",
    "token_type: bearer, expires_in: 3600",
    "credentials: 'same-origin',",
    "jwt.verify(token, publicKey, { algorithms: ['RS256'] })",
    "access_token: Option<AccessToken>,",
    "key: Key { kind: KeyKind::Press, code: KeyCode::Enter }",
    "postgres://user:password@localhost:5432/db",
    "https://${USER}:${TOKEN}@github.com/a/b.git",
    "http://localhost:8080/users/@me",
    "git@github.com:anna/app.git",
    "ssh://git@example.com:22/app.git",
    "mailto:anna@example.com",
    "PASSWORD=$(openssl rand -base64 24)",
    "read -rsp 'Password: ' password",
    "tokens = tokenizer.encode(text, add_special_tokens=False)",
    "eos_token = \"<|endoftext|>\"",
    "#define KEY_LENGTH 32",
    "hashed_password VARCHAR(255) NOT NULL",
    "SELECT id, token FROM sessions WHERE token = ?",
    "INSERT INTO users (name, password) VALUES ($1, $2)",
];

const MANUALS: &[&str] = &[
    "       -p, --password[=password]   The password to use when connecting to the server.",
    "       --password PASSWORD   password of the user",
    "       --token string        Bearer token for authentication to the API server",
    "       -u, --user <user:password>   Server user and password",
    "       -pass arg   The pass phrase source: pass:password, env:var, file:path, fd:number or stdin.",
    "  --api-key <KEY>    API key [env: API_KEY=]",
    "  --secret NAME      Name of the secret to mount",
    "       PGPASSWORD behaves the same as the password connection parameter.",
    "       The key is given in hexadecimal: key:0123456789ABCDEF",
    "     passwd -- modify a user's password",
    "Usage: tool login --token=TOKEN [--host HOST]",
    "       -storepass password   specifies the password of the keystore",
];

const EXAMPLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
    "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "api_key = \"0000000000000000000000000000000000000000\"",
    "token: abcdefghijklmnopqrstuvwxyz0123456789",
    "SECRET=********",
    "password: \"<redacted>\"",
    "token = \"{{ token }}\"",
    "OPENAI_API_KEY=sk-...",
    "client_secret: [hidden]",
];
