//! The classes of forged tokens, each made from a good one.

use super::*;

pub(super) fn set(mut object: Value, name: &str, value: Value) -> String {
    let members = object.as_object_mut().unwrap();
    match value {
        Value::Null => drop(members.remove(name)),
        value => drop(members.insert(name.to_owned(), value)),
    }
    object.to_string()
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn hmac(key: &[u8], header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let tag = ring::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", B64.encode(tag))
}

/// The same signature with the group's order added to its second half: another form of the same number.
fn malleated(token: &str) -> String {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let [header, claims, signature] = parts(token);
    let mut bytes = B64.decode(signature).unwrap();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    format!("{header}.{claims}.{}", B64.encode(bytes))
}

pub(super) fn headers(f: &Fixture) -> Vec<(&'static str, String)> {
    let (header, claims) = (f.header(), f.claims().to_string());
    let public = f.keyring.active().public_key().to_vec();
    let hs256 = json!({ "alg": "HS256", "typ": "at+jwt", "kid": f.keyring.active().kid() });
    let attacker = Keyring::ephemeral(f.clock.now()).unwrap();
    let jwk = attacker.jwks()["keys"][0].clone();
    let mut with_jwk = header.clone();
    with_jwk["jwk"] = jwk;
    let twice = header.to_string().replacen('{', r#"{"alg":"none","#, 1);
    vec![
        ("alg none", f.with_header("alg", json!("none"))),
        ("alg NoNe", f.with_header("alg", json!("NoNe"))),
        ("alg empty", f.with_header("alg", json!(""))),
        ("alg absent", f.with_header("alg", Value::Null)),
        ("alg null in place", f.sign(&header.to_string().replace("\"EdDSA\"", "null"), &claims)),
        ("alg of another case", f.with_header("alg", json!("eddsa"))),
        ("alg RS256", f.with_header("alg", json!("RS256"))),
        ("alg ES256", f.with_header("alg", json!("ES256"))),
        ("alg list", f.with_header("alg", json!(["EdDSA"]))),
        ("alg twice", f.sign(&twice, &claims)),
        ("HS256 with the public key", hmac(&public, &hs256, &f.claims())),
        ("HS256 with its base64", hmac(B64.encode(&public).as_bytes(), &hs256, &f.claims())),
        ("HMAC said to be EdDSA", hmac(&public, &header, &f.claims())),
        ("typ absent", f.with_header("typ", Value::Null)),
        ("typ JWT", f.with_header("typ", json!("JWT"))),
        ("typ of another case", f.with_header("typ", json!("AT+JWT"))),
        ("typ internal", f.with_header("typ", json!("qs-internal+jwt"))),
        ("kid absent", f.with_header("kid", Value::Null)),
        ("kid empty", f.with_header("kid", json!(""))),
        ("kid number", f.with_header("kid", json!(1))),
        ("kid unknown", f.with_header("kid", json!("unknown"))),
        ("kid path", f.with_header("kid", json!("../../../dev/null"))),
        ("kid SQL", f.with_header("kid", json!("' UNION SELECT 'x"))),
        ("kid URL", f.with_header("kid", json!("http://attacker.example/key"))),
        ("kid of the next key", f.with_header("kid", json!(next_kid(&f.keyring)))),
        ("crit", f.with_header("crit", json!(["exp"]))),
        ("crit empty", f.with_header("crit", json!([]))),
        ("jku", f.with_header("jku", json!("http://attacker.example/jwks"))),
        ("x5u", f.with_header("x5u", json!("http://attacker.example/cert"))),
        ("x5c", f.with_header("x5c", json!(["MIIB"]))),
        ("jwk of ours", f.with_header("jwk", f.keyring.jwks()["keys"][0].clone())),
        ("jwk of the attacker", seal(&attacker, &with_jwk.to_string(), &claims)),
        ("b64 false", f.with_header("b64", json!(false))),
        ("zip", f.with_header("zip", json!("DEF"))),
        ("cty JWT", f.with_header("cty", json!("JWT"))),
        ("header no JSON", f.sign("EdDSA", &claims)),
        ("header list", f.sign("[]", &claims)),
        ("another key's signature", seal(&attacker, &header.to_string(), &claims)),
    ]
}

fn next_kid(keyring: &Keyring) -> String {
    keyring.keys().find(|key| key.state() == KeyState::Next).unwrap().kid().to_owned()
}

pub(super) fn forms(f: &Fixture) -> Vec<(&'static str, String)> {
    let good = f.good();
    let [header, claims, signature] = parts(&good);
    let none = B64.encode(r#"{"alg":"none"}"#);
    let richer = B64.encode(set(f.claims(), "roles", json!(["operator"])));
    let flipped = {
        let mut bytes = B64.decode(signature).unwrap();
        bytes[10] ^= 1;
        B64.encode(bytes)
    };
    let shorter = B64.encode(&B64.decode(signature).unwrap()[..63]);
    let other = f.with_claim("ver", json!(4));
    let json_form = json!({ "protected": header, "payload": claims, "signature": signature });
    vec![
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{good}.{claims}.{signature}")),
        ("leading dot", format!(".{good}")),
        ("a part before", format!("{header}.{good}")),
        ("no signature", format!("{header}.{claims}.")),
        ("none without signature", format!("{none}.{claims}.")),
        ("none with signature", format!("{none}.{claims}.{signature}")),
        ("signature of another token", format!("{header}.{claims}.{}", parts(&other)[2])),
        ("changed claims", format!("{header}.{richer}.{signature}")),
        ("flipped bit", format!("{header}.{claims}.{flipped}")),
        ("short signature", format!("{header}.{claims}.{shorter}")),
        ("zero signature", format!("{header}.{claims}.{}", B64.encode([0; 64]))),
        ("malleated signature", malleated(&good)),
        ("padding", format!("{good}==")),
        ("space before", format!(" {good}")),
        ("newline after", format!("{good}\n")),
        ("scheme before", format!("Bearer {good}")),
        ("JSON serialisation", json_form.to_string()),
        ("not ASCII", format!("{header}.{claims}é.{signature}")),
        ("nothing but letters", "a".repeat(500)),
        ("too long", f.with_claim("padding", json!("x".repeat(4096)))),
    ]
}

pub(super) fn claims(f: &Fixture) -> Vec<(String, String)> {
    let header = f.header().to_string();
    let mut forged = [malformed_claims(f), wrong_claims(f)].concat();
    for (name, claims) in [("claims list", "[]"), ("claims no JSON", "sub"), ("claims empty", "")] {
        forged.push((name.to_owned(), f.sign(&header, claims)));
    }
    let now = f.clock.now().timestamp();
    let (started, life) = (now - 631, json!(now - 31));
    let mut expired = f.claims();
    expired["iat"] = json!(started);
    expired["nbf"] = json!(started);
    expired["exp"] = life;
    forged.push(("expired".to_owned(), f.sign(&header, &expired.to_string())));
    forged
}

/// Each claim absent, null, an object, there twice; each time as something else than a number.
fn malformed_claims(f: &Fixture) -> Vec<(String, String)> {
    let now = f.clock.now().timestamp();
    let header = f.header().to_string();
    let mut forged = Vec::new();
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "ver", "roles"] {
        forged.push((format!("{name} absent"), f.with_claim(name, Value::Null)));
        let null = f.claims().as_object().unwrap()[name].to_string();
        let null = f.claims().to_string().replacen(
            &format!("\"{name}\":{null}"),
            &format!("\"{name}\":null"),
            1,
        );
        forged.push((format!("{name} null"), f.sign(&header, &null)));
        forged.push((format!("{name} object"), f.with_claim(name, json!({ "a": 1 }))));
        let value = &f.claims()[name];
        let twice = f.claims().to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
        forged.push((format!("{name} twice"), f.sign(&header, &twice)));
    }
    for name in ["exp", "nbf", "iat", "ver"] {
        forged.push((format!("{name} text"), f.with_claim(name, json!((now + 600).to_string()))));
        forged.push((format!("{name} fraction"), f.with_claim(name, json!(now as f64 + 0.5))));
    }
    forged
}

/// Claims of the right type that say what they must not.
fn wrong_claims(f: &Fixture) -> Vec<(String, String)> {
    let now = f.clock.now().timestamp();
    let wrong = [
        ("exp huge", "exp", json!(i64::MAX)),
        ("exp beyond i64", "exp", json!(u64::MAX)),
        ("exp negative", "exp", json!(-1)),
        ("exp zero", "exp", json!(0)),
        ("a life too long", "exp", json!(now + 601)),
        ("no life", "exp", json!(now)),
        ("nbf in the future", "nbf", json!(now + 31)),
        ("nbf after exp", "nbf", json!(now + 700)),
        ("iat in the future", "iat", json!(now + 31)),
        ("iat long ago", "iat", json!(i64::MIN)),
        ("another issuer", "iss", json!("https://attacker.example")),
        ("issuer list", "iss", json!([ISSUER])),
        ("issuer prefix", "iss", json!("quickserve.attacker.example")),
        ("another audience", "aud", json!("payment")),
        ("audience list", "aud", json!(["quickserve"])),
        ("extra audience", "aud", json!(["quickserve", "attacker"])),
        ("audience empty", "aud", json!("")),
        ("subject e-mail", "sub", json!("ana@example.com")),
        ("subject empty", "sub", json!("")),
        ("subject nil", "sub", json!(Uuid::nil())),
        ("session nil", "sid", json!(Uuid::nil())),
        ("version negative", "ver", json!(-1)),
        ("unknown role", "roles", json!(["root"])),
        ("role of another case", "roles", json!(["Operator"])),
        ("roles as text", "roles", json!("operator")),
    ];
    let forged = wrong.map(|(name, claim, value)| (name.to_owned(), f.with_claim(claim, value)));
    forged.into()
}
