//! The route trie: path → leaf, in time linear in the path times the live states.
//!
//! A literal is preferred to `*`, and `*` to `**`, from the first segment to the last. All states
//! that still match are carried along in that order instead of backing out of dead ends. A template
//! has one `**` at most, so each node is live at most once a step.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use http::Method;
use route_template::percent::{self, Keep, Malformed};
use route_template::{Segment, Template};

/// The HTTP method of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This method.
    Exactly(Method),
    /// `custom { kind: "*" }`: every method that has no route of its own here.
    Any,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<Vec<u8>, usize>,
    one: Option<usize>,
    rest: Option<usize>,
    is_rest: bool,
    leaves: Vec<Leaf<T>>,
}

impl<T> Node<T> {
    fn new(is_rest: bool) -> Self {
        Self { literals: HashMap::new(), one: None, rest: None, is_rest, leaves: Vec::new() }
    }
}

/// What is registered for one template shape and verb.
#[derive(Debug)]
pub struct Leaf<T> {
    verb: Option<String>,
    routes: Vec<(Kind, T)>,
}

/// What a leaf says about a method.
#[derive(Debug, PartialEq, Eq)]
pub enum Pick<'a, T> {
    /// The route, for this method.
    Route(&'a T),
    /// The GET route, asked with HEAD.
    Head(&'a T),
    /// OPTIONS, with the value of `Allow`.
    Options(String),
    /// Another method, with the value of `Allow`.
    NotAllowed(String),
}

impl<T> Leaf<T> {
    /// The route for a method.
    pub fn pick(&self, method: &Method) -> Pick<'_, T> {
        let exactly = |wanted: &Method| {
            self.routes.iter().find(|(k, _)| matches!(k, Kind::Exactly(m) if m == wanted))
        };
        if let Some((_, route)) = exactly(method) {
            return Pick::Route(route);
        }
        if method == Method::HEAD
            && let Some((_, route)) = exactly(&Method::GET)
        {
            return Pick::Head(route);
        }
        if let Some((_, route)) = self.routes.iter().find(|(k, _)| *k == Kind::Any) {
            return Pick::Route(route);
        }
        match *method {
            Method::OPTIONS => Pick::Options(self.allow()),
            _ => Pick::NotAllowed(self.allow()),
        }
    }

    fn allow(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        let mut add = |name| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        for (kind, _) in &self.routes {
            if let Kind::Exactly(method) = kind {
                add(method.as_str());
                if method == Method::GET {
                    add("HEAD");
                }
            }
        }
        add("OPTIONS");
        names.join(", ")
    }
}

/// A leaf and the raw segments of the path which led there, without the verb.
#[derive(Debug)]
pub struct Match<'r, 'p, T> {
    /// The routes.
    pub leaf: &'r Leaf<T>,
    /// The path's segments, still encoded.
    pub segments: Vec<&'p str>,
}

/// The trie.
#[derive(Debug)]
pub struct Router<T> {
    nodes: Vec<Node<T>>,
    verbs: HashSet<String>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(false)], verbs: HashSet::new() }
    }
}

impl<T> Router<T> {
    /// Adds a route.
    ///
    /// # Errors
    /// The route which already answers that method on an equivalent template.
    pub fn insert(&mut self, kind: Kind, template: &Template, route: T) -> Result<(), &T> {
        let mut at = 0;
        for segment in &template.segments {
            at = self.child(at, segment);
        }
        if let Some(verb) = &template.verb {
            self.verbs.insert(verb.clone());
        }
        let Some(node) = self.nodes.get_mut(at) else { return Ok(()) };
        let place = node.leaves.iter().position(|l| l.verb == template.verb);
        let place = place.unwrap_or_else(|| {
            node.leaves.push(Leaf { verb: template.verb.clone(), routes: Vec::new() });
            node.leaves.len() - 1
        });
        let Some(leaf) = node.leaves.get_mut(place) else { return Ok(()) };
        if let Some(taken) = leaf.routes.iter().position(|(k, _)| *k == kind) {
            return leaf.routes.get(taken).map_or(Ok(()), |(_, route)| Err(route));
        }
        leaf.routes.push((kind, route));
        Ok(())
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let found = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(next),
            Segment::One => *node.one.get_or_insert(next),
            Segment::Rest => *node.rest.get_or_insert(next),
        };
        if found == next {
            self.nodes.push(Node::new(*segment == Segment::Rest));
        }
        found
    }

    /// Finds the leaf of a path, `None` when nothing matches.
    ///
    /// # Errors
    /// When the path holds a malformed percent escape.
    pub fn find<'p>(&self, path: &'p str) -> Result<Option<Match<'_, 'p, T>>, Malformed> {
        let mut segments = split(path);
        let decoded = segments
            .iter()
            .map(|s| percent::decode(s.as_bytes(), Keep::Nothing))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some((base, verb)) = segments.last().and_then(|s| s.rsplit_once(':')) {
            let verb = percent::decode_text(verb, Keep::Nothing).unwrap_or_default();
            if self.verbs.contains(verb.as_ref()) {
                let mut bare = decoded.clone();
                bare.pop();
                bare.push(percent::decode(base.as_bytes(), Keep::Nothing)?);
                if let Some(leaf) = self.walk(&bare, Some(&verb)) {
                    segments.pop();
                    segments.push(base);
                    return Ok(Some(Match { leaf, segments }));
                }
            }
        }
        Ok(self.walk(&decoded, None).map(|leaf| Match { leaf, segments }))
    }

    fn walk(&self, path: &[Cow<'_, [u8]>], verb: Option<&str>) -> Option<&Leaf<T>> {
        let mut live = Vec::with_capacity(8);
        let mut next = Vec::with_capacity(8);
        self.enter(&mut live, Some(0));
        for segment in path {
            next.clear();
            for &at in &live {
                let Some(node) = self.nodes.get(at) else { continue };
                self.enter(&mut next, node.literals.get(segment.as_ref()).copied());
                if !segment.is_empty() {
                    self.enter(&mut next, node.one);
                }
                if node.is_rest {
                    next.push(at);
                }
            }
            std::mem::swap(&mut live, &mut next);
            if live.is_empty() {
                return None;
            }
        }
        live.iter()
            .filter_map(|&at| self.nodes.get(at))
            .find_map(|node| node.leaves.iter().find(|l| l.verb.as_deref() == verb))
    }

    /// Makes a node live, and the `**` below it, which may match nothing.
    fn enter(&self, live: &mut Vec<usize>, at: Option<usize>) {
        let Some(at) = at else { return };
        live.push(at);
        if let Some(rest) = self.nodes.get(at).and_then(|n| n.rest) {
            live.push(rest);
        }
    }
}

fn split(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

#[cfg(test)]
mod tests {
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
        match found.leaf.pick(&Method::GET) {
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
        let r = router(&[
            ("GET", "/a"),
            ("POST", "/a"),
            ("DELETE", "/{x}"),
            ("*", "/b"),
            ("HEAD", "/c"),
        ]);
        let pick = |method: Method, path: &'static str| {
            format!("{:?}", r.find(path).unwrap().unwrap().leaf.pick(&method))
        };
        assert_eq!(pick(Method::HEAD, "/a"), r#"Head("GET /a")"#);
        assert_eq!(pick(Method::DELETE, "/a"), r#"NotAllowed("GET, HEAD, POST, OPTIONS")"#);
        assert_eq!(pick(Method::OPTIONS, "/a"), r#"Options("GET, HEAD, POST, OPTIONS")"#);
        assert_eq!(pick("get".parse().unwrap(), "/a"), r#"NotAllowed("GET, HEAD, POST, OPTIONS")"#);
        assert_eq!(pick("PURGE".parse().unwrap(), "/b"), r#"Route("* /b")"#);
        assert_eq!(pick(Method::OPTIONS, "/b"), r#"Route("* /b")"#);
        assert_eq!(pick(Method::GET, "/c"), r#"NotAllowed("HEAD, OPTIONS")"#);
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
            let segments = split(&path);
            let ranks = templates.iter().enumerate().filter_map(|(i, t)| Some((rank(t, &segments)?, i)));
            let found = router.find(&path).unwrap().map(|m| match m.leaf.pick(&Method::GET) {
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
                    template.span(variable, &split(&path));
                }
            }
            let _ = router.find(&path);
        }
    }
}
