//! Which route a path and a method lead to.

use super::*;

fn router(templates: &[(&str, &str)]) -> Router<String> {
    let mut router = Router::default();
    for (method, text) in templates {
        let kind = match *method {
            "*" => Kind::Any,
            m => Kind::Exactly(m.parse().unwrap()),
        };
        let template = Template::parse(text).unwrap();
        router.insert(kind, &template, format!("{method} {text}")).unwrap();
    }
    router
}

fn get(router: &Router<String>, path: &str) -> Option<String> {
    let found = router.find(path).unwrap()?;
    match found.pick(&Method::GET) {
        Pick::Route(route) => Some(route.trim_start_matches("GET ").to_owned()),
        other => Some(format!("{other:?}")),
    }
}

#[test]
fn specific_beats_general_whatever_the_order() {
    let r = router(&[
        ("GET", "/p/{x=**}"),
        ("GET", "/p/static"),
        ("GET", "/p/{a}"),
        ("GET", "/p/static/{b}"),
        ("GET", "/p/{a}/tail"),
        ("GET", "/p/{a}/deep/leaf"),
        ("GET", "/q/**/end"),
        ("GET", "/q/**"),
        ("GET", "/f/{parent=d/**}/{kind}"),
        ("GET", "/f/{name=d/**}/documents"),
    ]);
    for (path, want) in [
        ("/p", "/p/{x=**}"),
        ("/p/", "/p/{x=**}"),
        ("/p/static", "/p/static"),
        ("/p/%73tatic", "/p/static"),
        ("/p/other", "/p/{a}"),
        ("/p/static/z", "/p/static/{b}"),
        ("/p/static/tail", "/p/static/{b}"),
        ("/p/z/tail", "/p/{a}/tail"),
        ("/p/static/deep/leaf", "/p/{a}/deep/leaf"),
        ("/p/static/deep/other", "/p/{x=**}"),
        ("/p/z//tail", "/p/{x=**}"),
        ("/q/end", "/q/**/end"),
        ("/q/end/end", "/q/**/end"),
        ("/q/a/b/end", "/q/**/end"),
        ("/q/end/a", "/q/**"),
        ("/f/d/a/b/c", "/f/{parent=d/**}/{kind}"),
        ("/f/d/c", "/f/{parent=d/**}/{kind}"),
        ("/f/d/a/documents", "/f/{name=d/**}/documents"),
    ] {
        assert_eq!(get(&r, path).as_deref(), Some(want), "{path}");
    }
    for path in ["/", "/q2", "/P/static", "/f/d", "/f/d/a/", "", "*"] {
        assert_eq!(get(&r, path), None, "{path}");
    }
}

#[test]
fn one_segment_is_never_empty() {
    let r = router(&[("GET", "/a/{x}"), ("GET", "/a/{x}/b")]);
    for path in ["/a/", "/a//b", "/a/x/", "/a"] {
        assert_eq!(get(&r, path), None, "{path}");
    }
}

#[test]
fn a_verb_is_a_verb_only_where_it_is_registered() {
    let r = router(&[
        ("POST", "/a/{x}:go"),
        ("GET", "/a/{x}"),
        ("GET", "/r/{x=**}:stat"),
        ("GET", "/r/{x=**}"),
    ]);
    let segments = |path: &'static str| r.find(path).unwrap().unwrap().segments;
    assert_eq!(segments("/a/b:c:go"), ["a", "b:c"]);
    assert_eq!(segments("/a/b:%67o"), ["a", "b"]);
    assert_eq!(segments("/a/b%3Ago"), ["a", "b%3Ago"]);
    assert_eq!(segments("/a/b:Go"), ["a", "b:Go"]);
    assert_eq!(segments("/a/b:stat"), ["a", "b:stat"]);
    assert_eq!(segments("/r/a/b:stat"), ["r", "a", "b"]);
    assert_eq!(segments("/r:stat"), ["r"]);
    assert_eq!(get(&r, "/a/b:go").unwrap(), r#"NotAllowed("POST, OPTIONS")"#);
}

#[test]
fn methods_are_looked_up_on_the_best_leaf_only() {
    let r =
        router(&[("GET", "/a"), ("POST", "/a"), ("DELETE", "/{x}"), ("*", "/b"), ("HEAD", "/c")]);
    let pick = |method: Method, path: &'static str| {
        format!("{:?}", r.find(path).unwrap().unwrap().pick(&method))
    };
    assert_eq!(pick(Method::HEAD, "/a"), r#"Head("GET /a")"#);
    assert_eq!(pick(Method::DELETE, "/a"), r#"NotAllowed("GET, HEAD, POST, OPTIONS")"#);
    assert_eq!(pick(Method::OPTIONS, "/a"), r#"Options("GET, HEAD, POST, OPTIONS")"#);
    assert_eq!(pick("get".parse().unwrap(), "/a"), r#"NotAllowed("GET, HEAD, POST, OPTIONS")"#);
    assert_eq!(pick("PURGE".parse().unwrap(), "/b"), r#"Route("* /b")"#);
    assert_eq!(pick(Method::OPTIONS, "/b"), r#"Route("* /b")"#);
    assert_eq!(pick(Method::GET, "/c"), r#"NotAllowed("HEAD, OPTIONS")"#);
}

/// As the contracts of Firestore have them.
#[test]
fn a_wildcard_behind_the_rest_takes_no_method_from_others() {
    let r = router(&[
        ("GET", "/docs/{name=*/**}"),
        ("PATCH", "/docs/{name=*/**}"),
        ("GET", "/docs/{parent=*/**}/{id}"),
        ("POST", "/docs/{parent=**}/{id}"),
        ("DELETE", "/docs/a/b"),
    ]);
    let pick = |method: Method, path: &'static str| {
        format!("{:?}", r.find(path).unwrap().unwrap().pick(&method))
    };
    assert_eq!(pick(Method::GET, "/docs/x/y"), r#"Route("GET /docs/{parent=*/**}/{id}")"#);
    assert_eq!(pick(Method::GET, "/docs/x"), r#"Route("GET /docs/{name=*/**}")"#);
    assert_eq!(pick(Method::PATCH, "/docs/x/y"), r#"Route("PATCH /docs/{name=*/**}")"#);
    assert_eq!(pick(Method::POST, "/docs/x/y/z"), r#"Route("POST /docs/{parent=**}/{id}")"#);
    assert_eq!(pick(Method::DELETE, "/docs/a/b"), r#"Route("DELETE /docs/a/b")"#);
    let all = "GET, HEAD, PATCH, POST, OPTIONS";
    assert_eq!(pick(Method::PUT, "/docs/x/y"), format!("NotAllowed({all:?})"));
    assert_eq!(pick(Method::OPTIONS, "/docs/x/y"), format!("Options({all:?})"));
}

#[test]
fn equivalent_templates_are_refused() {
    let mut r = router(&[("GET", "/a/{x}"), ("GET", "/a/{x}:v"), ("*", "/a/{x}")]);
    for (text, taken) in
        [("/a/*", "GET /a/{x}"), ("/%61/{y=*}", "GET /a/{x}"), ("/a/*:v", "GET /a/{x}:v")]
    {
        let template = Template::parse(text).unwrap();
        let kind = Kind::Exactly(Method::GET);
        assert_eq!(r.insert(kind, &template, String::new()).unwrap_err(), taken);
    }
    let other = Template::parse("/a/**").unwrap();
    assert!(r.insert(Kind::Exactly(Method::GET), &other, String::new()).is_ok());
}

#[test]
fn adversarial_tables_keep_few_live_states() {
    // Every prefix of a/a/a/… and */a/a/… is alive; a back-tracking trie needs 2^n steps.
    let templates: Vec<String> = (0..60)
        .map(|n| format!("/{}/{{x}}/{}/z", "a/".repeat(n).trim_end_matches('/'), "a/a/a"))
        .map(|t| t.replace("//", "/"))
        .collect();
    let table: Vec<(&str, &str)> = templates.iter().map(|t| ("GET", t.as_str())).collect();
    let r = router(&table);
    let path = "/a".repeat(20_000);
    assert_eq!(get(&r, &path), None);
    let path = format!("{}/z", "/a".repeat(10));
    assert!(get(&r, &path).is_some());
}

/// How a template matches a path, segment by segment; the smallest is the best. Leaving `**`
/// for a literal is better than leaving it for `*`, and that better than staying in it.
fn rank(template: &Template, path: &[&str]) -> Option<Vec<u8>> {
    let fits = |segment: &Segment, text: &str| match segment {
        Segment::Literal(literal) => literal == text.as_bytes(),
        Segment::One => !text.is_empty(),
        Segment::Rest => true,
    };
    let plain = |segment: &Segment| if *segment == Segment::One { 1 } else { 0 };
    let segments = &template.segments;
    let Some(rest) = segments.iter().position(|s| *s == Segment::Rest) else {
        let matches = segments.len() == path.len();
        let matches = matches && segments.iter().zip(path).all(|(s, p)| fits(s, p));
        return matches.then(|| segments.iter().map(plain).chain([0]).collect());
    };
    let (before, tail) = (&segments[..rest], &segments[rest + 1..]);
    let covered = path.len().checked_sub(before.len() + tail.len())?;
    let (head, end) = path.split_at(before.len());
    let matches = before.iter().zip(head).all(|(s, p)| fits(s, p))
        && tail.iter().zip(&end[covered..]).all(|(s, p)| fits(s, p));
    let leave = |(at, s)| if at == 0 { 2 + plain(s) } else { plain(s) };
    let tail = tail.iter().enumerate().map(leave);
    let nothing = u8::from(covered == 0 && tail.len() == 0);
    let ranks = before.iter().map(plain).chain(std::iter::repeat_n(4, covered)).chain(tail);
    matches.then(|| ranks.chain([nothing]).collect())
}

proptest::proptest! {
    #[test]
    fn the_trie_finds_what_a_search_of_all_templates_finds(
        templates in proptest::collection::vec("(/(a|b|\\*)){0,4}(/\\*\\*(/(a|b|\\*)){0,2})?", 1..12),
        path in "(/(a|b|c|)){0,7}",
    ) {
        let templates: Vec<Template> =
            templates.iter().filter_map(|t| Template::parse(t).ok()).collect();
        let mut router = Router::default();
        for (index, template) in templates.iter().enumerate() {
            // Of equivalent ones the first counts; the others are refused.
            let _ = router.insert(Kind::Any, template, index);
        }
        let segments = split_verb(&path);
        let ranks = templates.iter().enumerate().filter_map(|(i, t)| Some((rank(t, &segments)?, i)));
        let found = router.find(&path).unwrap().map(|m| match m.pick(&Method::GET) {
            Pick::Route(index) => *index,
            _ => usize::MAX,
        });
        proptest::prop_assert_eq!(found, ranks.min().map(|(_, index)| index));
    }

    #[test]
    fn no_template_and_no_path_is_too_strange(template in ".{0,40}", path in ".{0,60}") {
        let mut router = Router::default();
        if let Ok(template) = Template::parse(&template) {
            router.insert(Kind::Any, &template, ()).unwrap();
            for variable in &template.variables {
                template.span(variable, &split_verb(&path));
            }
        }
        let _ = router.find(&path);
    }
}
