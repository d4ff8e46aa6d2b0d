//! What every format must do, over all of them.

use super::*;

#[test]
fn a_payload_in_a_payload_is_one_tree_and_goes_back() {
    let codec = Codec { format: Format::Headers, inner: vec![(Path::key("baggage"), Codec::of(Format::Baggage))] };
    let decoder = Decoder::new(&codec).expect("compiles");
    let headers = Headers(vec![
        ("traceparent".into(), Some(b"00-1".to_vec())),
        ("baggage".into(), Some(b"session.id=abc,synthetic=true".to_vec())),
        ("gone".into(), None),
    ]);
    let bytes = headers.write();
    let mut tree = decoder.decode(&bytes).expect("decodes");
    let path: Path = "$.baggage['session.id']".parse().expect("path");
    assert_eq!(tree.find(&path)[0].canonical().as_deref(), Some("abc"));
    assert_eq!(decoder.encode(&tree, &bytes).expect("encodes"), bytes);
    *tree.find_mut(&path)[0] = Node::Text("xyz".into());
    let changed = decoder.encode(&tree, &bytes).expect("encodes");
    let back = Headers::read(&changed).expect("headers");
    assert_eq!(back.0[1].1.as_deref(), Some(&b"session.id=xyz,synthetic=true"[..]));
    assert_eq!(back.0[2].1, None);
}

/// What a decoder makes of a payload after one leaf of it was exchanged.
fn with(codec: &Codec, payload: &[u8], path: &str, text: &str) -> String {
    let decoder = Decoder::new(codec).expect("compiles");
    let mut tree = decoder.decode(payload).expect("decodes");
    let path: Path = path.parse().expect("path");
    let found = tree.find_mut(&path);
    assert!(!found.is_empty(), "{path} of {tree:?}");
    for slot in found {
        *slot = Node::Text(text.into());
    }
    String::from_utf8(decoder.encode(&tree, payload).expect("encodes")).expect("text")
}

fn paths(codec: &Codec, payload: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    let mut tree = Decoder::new(codec).expect("compiles").decode(payload).expect("decodes");
    tree.leaves_mut(&mut |path, leaf| {
        if *leaf != Node::Null {
            out.push(path.to_string());
        }
    });
    out
}

fn within(format: Format, inner: &[(&str, Codec)]) -> Codec {
    let inner = inner.iter().map(|(path, codec)| (path.parse().expect("path"), codec.clone())).collect();
    Codec { format, inner }
}

#[test]
fn forms_and_urls_change_where_a_leaf_changed_and_nowhere_else() {
    let form = Codec::of(Format::Form);
    let given = b"a=1+2%7E&mail=ann%40x.com&flag&a=%c3%a9";
    assert_eq!(paths(&form, given), ["$.a", "$.mail", "$.a"]);
    assert_eq!(with(&form, given, "$.mail", "q r@y.z"), "a=1+2%7E&mail=q+r%40y.z&flag&a=%c3%a9");
    let url = Codec::of(Format::Url);
    let given = b"https://ann:pw@[::1]:8080/u/ann%20lee/?mail=ann@x.com&x=%2f#top";
    let expected =
        ["scheme", "user", "password", "host", "port", "path[*]", "path[*]", "query.mail", "query.x", "fragment"];
    assert_eq!(paths(&url, given), expected.map(|path| format!("$.{path}")));
    let changed = "https://ann:pw@[::1]:8080/u/ann%20lee/?mail=b%40y.z&x=%2f#top";
    assert_eq!(with(&url, given, "$.query.mail", "b@y.z"), changed);
    for given in ["mailto:ann@x.com", "/only/a/path?", "//h", "", "?q", "urn:isbn:1", "http://h/a:b@c"] {
        let decoder = Decoder::new(&url).expect("compiles");
        let tree = decoder.decode(given.as_bytes()).expect("decodes");
        assert_eq!(decoder.encode(&tree, given.as_bytes()).expect("encodes"), given.as_bytes(), "{given}");
    }
    assert_eq!(with(&url, b"mailto:ann@x.com", "$.path[*]", "b@y.z"), "mailto:b%40y.z");
    assert_eq!(Decoder::new(&form).expect("compiles").decode(b"a=%zz"), Err(Undecodable));
}

#[test]
fn xml_is_a_tree_of_its_elements() {
    let xml = Codec::of(Format::Xml);
    let given = "<?xml version=\"1.0\"?>\n<o id=\"1 &amp; 2\">\n <!--by ann-->\n <c><mail>a&lt;b&#64;x</mail><e/></c>\n <c>two</c>\n mixed <![CDATA[<raw>]]>\n</o>";
    let expected = ["$.o['@id']", "$.o['#comment']", "$.o.c.mail", "$.o.c", "$.o['#text']"];
    assert_eq!(paths(&xml, given.as_bytes()), expected);
    let same = "<?xml version=\"1.0\"?><o id=\"1 &amp; 2\"><!--by ann--><c><mail>x&lt;y</mail><e/></c><c>two</c>\n mixed &lt;raw&gt;\n</o>";
    assert_eq!(with(&xml, given.as_bytes(), "$.o.c.mail", "x<y"), same);
    assert!(with(&xml, b"<a><!--x--><b/></a>", "$.a['#comment']", "y-->z-").contains("<!--y- ->z-->"));
    let decoder = Decoder::new(&xml).expect("compiles");
    let deep = "<a>".repeat(MAX_DEPTH + 1);
    let hostile = "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
    for bad in
        ["<a>", "<a></b>", "<a/><b/>", "<a>&b;</a>", "text", "", "<?php x?><a/>", "<a b='1' b='2'/>", hostile, &deep]
    {
        assert_eq!(decoder.decode(bad.as_bytes()), Err(Undecodable), "{bad}");
    }
    assert_eq!(decoder.decode(b"<?xml version='1.0' encoding='latin1'?><a/>"), Err(Undecodable));
}

#[test]
fn frames_come_off_and_go_on_again() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let json = Codec::of(Format::Json);
    let gzip = |text: &[u8]| framed::to_gzip(&Node::Bytes(text.to_vec())).expect("packs");
    // JSON in gzip in base 64 in JSON.
    let packed = STANDARD.encode(gzip(br#"{"mail":"ann@x.com","n":1}"#));
    let document = format!(r#"{{"id":7,"body":"{packed}"}}"#);
    let inner = within(Format::Base64, &[("$", within(Format::Gzip, &[("$", json.clone())]))]);
    let codec = within(Format::Json, &[("$.body", inner)]);
    assert_eq!(paths(&codec, document.as_bytes()), ["$.id", "$.body.mail", "$.body.n"]);
    let changed = with(&codec, document.as_bytes(), "$.body.mail", "b@y.z");
    let tree = Decoder::new(&codec).expect("compiles").decode(changed.as_bytes()).expect("decodes");
    assert_eq!(tree.find(&"$.body.mail".parse().expect("path"))[0].canonical().as_deref(), Some("b@y.z"));
    assert!(!changed.contains(&packed));
    let base64 = Decoder::new(&Codec::of(Format::Base64)).expect("compiles");
    for text in ["_-8", "+/8=", "YWI=", "YWI", "YWJj"] {
        let node = base64.decode(text.as_bytes()).expect("decodes");
        assert_eq!(base64.encode(&node, text.as_bytes()).expect("encodes"), text.as_bytes(), "{text}");
    }
    // A token loses its signature, whatever else becomes of it.
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = format!(
        "{}.{}.{}",
        part(r#"{"alg":"HS256"}"#),
        part(r#"{"sub":"ann"}"#),
        part("thirty-two bytes of a signature.")
    );
    let jwt = within(Format::Jwt, &[("$.header", json.clone()), ("$.payload", json.clone())]);
    assert_eq!(paths(&jwt, token.as_bytes()), ["$.header.alg", "$.payload.sub"]);
    let changed = with(&jwt, token.as_bytes(), "$.payload.sub", "bob");
    assert_eq!(
        changed,
        format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(r#"{"sub":"bob"}"#), URL_SAFE_NO_PAD.encode([0; 32]))
    );
    let bomb = gzip(&vec![0; MAX_BYTES + 1]);
    for (codec, bad) in
        [(&jwt, &b"a.b"[..]), (&jwt, b"a.b.c.d"), (&Codec::of(Format::Gzip), &bomb), (&Codec::of(Format::Gzip), b"x")]
    {
        assert_eq!(Decoder::new(codec).expect("compiles").decode(bad), Err(Undecodable));
    }
}

const SCHEMAS: &str = r#"[
    {"type":"record","name":"Address","namespace":"shop","fields":[{"name":"street","type":"string"}]},
    {"type":"record","name":"Customer","namespace":"shop","fields":[
        {"name":"id","type":"long"},
        {"name":"mail","type":["null","string"]},
        {"name":"born","type":{"type":"int","logicalType":"date"}},
        {"name":"level","type":{"type":"enum","name":"Level","symbols":["LOW","HIGH"]}},
        {"name":"homes","type":{"type":"array","items":"Address"}},
        {"name":"tags","type":{"type":"map","values":"string"}},
        {"name":"raw","type":"bytes"}]}]"#;

#[test]
fn avro_goes_back_in_the_branches_it_came_in() {
    let avro = Avro::from_avsc("c.avsc", SCHEMAS, Some("Customer")).expect("a schema");
    let codec = within(Format::Confluent { indexes: false }, &[("$", Codec::of(Format::Avro(avro)))]);
    // Head; id 42; branch 1 `ann`; born -1; HIGH; one home `x`; tags { k: v }; raw 0xFF.
    let given = b"\0\0\0\x01\x02\x54\x02\x06ann\x01\x02\x02\x02x\0\x02\x02k\x02v\0\x02\xFF";
    let expected = ["$.id", "$.mail", "$.born", "$.level", "$.homes[*].street", "$.tags.k", "$.raw"];
    assert_eq!(paths(&codec, given), expected);
    assert!(codec.known_paths().is_some_and(|known| known.iter().map(ToString::to_string).eq([
        "$.id",
        "$.mail",
        "$.born",
        "$.level",
        "$.homes[*].street",
        "$.raw"
    ])));
    let decoder = Decoder::new(&codec).expect("compiles");
    let mut tree = decoder.decode(given).expect("decodes");
    assert_eq!(decoder.encode(&tree, given).expect("encodes"), given);
    *tree.find_mut(&Path::key("mail"))[0] = Node::Text("bo".into());
    let changed = decoder.encode(&tree, given).expect("encodes");
    assert_eq!(&changed[5..10], b"\x54\x02\x04bo");
    *tree.find_mut(&Path::key("level"))[0] = Node::Text("x7".into());
    assert_eq!(decoder.encode(&tree, given), Err(Undecodable), "no symbol of the enum");
    for bad in [&given[1..], &given[..9], b"\0\0\0\0", b""] {
        assert_eq!(decoder.decode(bad), Err(Undecodable));
    }
    let long = [&given[..], b"x"].concat();
    assert_eq!(decoder.decode(&long), Err(Undecodable), "bytes behind the record");
    let error = |text: &str, record| Avro::from_avsc("c.avsc", text, record).expect_err("refused").to_string();
    assert!(error(SCHEMAS, None).contains("several schemas"));
    assert!(error(SCHEMAS, Some("Nobody")).contains("no record `Nobody`"));
    let endless = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    assert!(error(endless, None).contains("holds itself"));
    assert!(error("{}", None).contains("c.avsc"));
}

#[test]
fn confluents_head_of_protobuf_has_indexes() {
    for (head, rest) in [(&b"\0\0\0\0\x09\0"[..], &b"abc"[..]), (b"\0\0\0\0\x09\x04\x02\x00", b"abc")] {
        let given = [head, rest].concat();
        let node = framed::from_confluent(&given, true).expect("decodes");
        assert_eq!(node, Node::Bytes(rest.to_vec()));
        assert_eq!(framed::to_confluent(&node, &given, true).expect("encodes"), given);
    }
    assert_eq!(framed::from_confluent(b"\0\0\0\0\x09\x04", true), Err(Undecodable));
}
