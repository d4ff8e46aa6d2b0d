//! PostgreSQL passes the suite, and carries every type, partitions, heirs, identities and sequences.

mod common;

use std::net::SocketAddr;

use async_trait::async_trait;
use reenact_model::catalog::Scope;
use reenact_model::{Dsn, FieldPath, Kind};
use reenact_stores::conformance::{self, Ground, sql};
use reenact_stores::sql::postgres::Postgres;
use reenact_stores::{Read, Selection, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::common::Server;

const TABLES: &str = "
    CREATE TABLE item (sku text PRIMARY KEY, price numeric(10,2), label text GENERATED ALWAYS AS (upper(sku)) STORED);
    CREATE TABLE line (order_no bigint, pos smallint, sku varchar(40) NOT NULL REFERENCES item, PRIMARY KEY (order_no, pos));
    CREATE TABLE team (id int PRIMARY KEY, name text, lead_id int NOT NULL);
    CREATE TABLE person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, email text UNIQUE,
        boss_id int REFERENCES person, team_id int REFERENCES team);
    ALTER TABLE team ADD FOREIGN KEY (lead_id) REFERENCES person;
    CREATE TABLE part (id int PRIMARY KEY, order_no bigint, pos smallint,
        CONSTRAINT \"part of line\" FOREIGN KEY (order_no, pos) REFERENCES line);
    CREATE TABLE log (at timestamp, note text);
    CREATE INDEX line_sku ON line (sku);
    CREATE VIEW people AS SELECT * FROM person;
";

struct Shop<'a>(&'a Server);

#[async_trait]
impl Ground for Shop<'_> {
    fn store(&self) -> &'static dyn Store {
        &Postgres
    }

    fn entity(&self, name: &str) -> String {
        format!("public.{name}")
    }

    async fn sample(&self) -> Dsn {
        let rows = sql::rows("\\")
            .replace("(id, name, email, boss_id) VALUES", "(id, name, email, boss_id) OVERRIDING SYSTEM VALUE VALUES");
        self.0.with_tables(&format!("{TABLES} {rows} SELECT setval('person_id_seq', 3)")).await
    }

    async fn empty(&self) -> Dsn {
        self.0.database().await
    }

    async fn change(&self, dsn: &Dsn) {
        self.0
            .run(dsn, "INSERT INTO person (name) VALUES ('new'); UPDATE person SET name = 'other' WHERE id = 2")
            .await;
    }

    fn at(&self, address: SocketAddr) -> Option<Dsn> {
        Some(Dsn::new(format!("postgres://nobody:canary@{address}/none")))
    }

    fn shut(&self, sample: &Dsn) -> Vec<Dsn> {
        self.0.shut(sample)
    }
}

#[async_trait]
impl sql::SqlGround for Shop<'_> {
    async fn execute(&self, dsn: &Dsn, sql: &str) {
        self.0.run(dsn, sql).await;
    }

    fn dangle(&self) -> String {
        "ALTER TABLE part DROP CONSTRAINT \"part of line\"; INSERT INTO part VALUES (900, 77, 1);
         ALTER TABLE part ADD CONSTRAINT \"part of line\" FOREIGN KEY (order_no, pos) REFERENCES line NOT VALID"
            .to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_passes_the_suite() {
    Server::with(Kind::Postgres, async |server| sql::run(&Shop(server)).await).await;
}

fn scope() -> Scope {
    Scope { service: "s".into(), ..Scope::default() }
}

async fn scalar(dsn: &Dsn, sql: &str) -> String {
    let mut connection = PgConnection::connect(dsn.expose()).await.expect("connects");
    let sql = AssertSqlSafe(format!("SELECT ({sql})::text"));
    sqlx::query_scalar::<_, Option<String>>(sql).fetch_one(&mut connection).await.expect("runs").unwrap_or_default()
}

const TYPES: &str = "
    CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
    CREATE TYPE mood AS ENUM ('ok', 'it''s', 'Ähm');
    CREATE DOMAIN short AS varchar(5) CHECK (length(VALUE) > 0);
    CREATE TYPE pair AS (a int, b text);
    CREATE SCHEMA \"S.\"\"x\";
    CREATE TABLE \"S.\"\"x\".\"T \"\"q\" (
        id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, t text, vc varchar(8), bp char(6), n name, ci citext,
        m mood, sh short, j json, jb jsonb, x xml, by bytea, u uuid, d date, ti time, ts timestamp, tz timestamptz,
        nu numeric, n2 numeric(8, 2), gone int, ia int[], ta text[], ma mood[], r int4range, mr int8multirange, p pair, iv interval,
        ttz timetz, mo money, ip inet, ci4 cidr, mac macaddr, bits bit(3), vb varbit, h hstore, lt ltree, tv tsvector, pt point,
        o oid, ch \"char\", lsn pg_lsn);
    ALTER TABLE \"S.\"\"x\".\"T \"\"q\" DROP COLUMN gone;
    INSERT INTO \"S.\"\"x\".\"T \"\"q\" VALUES
    (1, true, -32768, 9223372036854775807, 'NaN', '-Infinity', E'a\\tb\\n''\"\\\\', 'vier', 'ab', 'nm', 'CaSe', 'it''s', 'x',
     '{\"b\": 1,  \"a\":1.50, \"a\": \"\\u0041\"}', '{\"b\": 1, \"a\": 1.50}', '<?xml version=\"1.0\"?><a>é</a>', '\\x00ff5c', 
     'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'infinity', '24:00:00', '0044-03-15 12:00:00 BC', '-infinity',
     'NaN', 1.50, '[2:3]={1,NULL}', ARRAY['a,b', NULL, '', 'NULL', '\"{'], '{ok,\"it''s\"}', '[1,)', '{[1,3),[5,7)}', '(1,\"x,y\")',
     '1 mon -1 day 00:00:01.5', '12:00:00.5+05:30', '$1,234.56', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '101', '10101',
     'a=>\"1\", b=>NULL', 'a.b.c', 'x:1A y', '(1.5,-2)', 4294967295, 'z', '1/AB'),
    (2, false, 0, 0, 1.1, 0.1, '', '', '', '', '', 'ok', 'abcde', 'null', '[]', '', '', 
     '00000000-0000-0000-0000-000000000000', '4713-01-01 BC', '00:00:00', 'infinity', '2021-06-01 12:00:00.000001+02',
     123456789012345678901234567890.000000000000000100, -0.01, '{}', '{}', '{}', 'empty', '{}', '(,)', '-1 year',
     '00:00:00-15:59', '-$0.01', '0.0.0.0', '::/0', 'ff:ff:ff:ff:ff:ff', '000', '', '', '', '', '(0,0)', 0, '', '0/0');
    INSERT INTO \"S.\"\"x\".\"T \"\"q\" (id, nu) VALUES (3, 0.00), (4, -1e20), (5, 1e-10);
";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_renamed_is_the_same_source() {
    Server::with(Kind::Postgres, async |server| {
        let (one, other) = (server.database().await, server.database().await);
        let identity = async |dsn: &Dsn| {
            let source = Postgres.source(dsn, &scope()).await.expect("opens");
            source.describe().await.expect("describes").identity
        };
        let before = identity(&one).await;
        assert_ne!(before, identity(&other).await);
        let (_, name) = one.expose().rsplit_once('/').expect("a database in the url");
        server.run(&other, &format!("ALTER DATABASE {name} RENAME TO renamed")).await;
        assert_eq!(before, identity(&server.at(&one, "renamed")).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_was() {
    Server::with(Kind::Postgres, async |server| {
        let (from, to) = (server.with_tables(TYPES).await, server.database().await);
        let catalog = conformance::round_trip(&Postgres, &scope(), &from, &to).await.expect("a round trip");
        // The server's own account of every row, not ours.
        let all = "SELECT string_agg(t::text, '|' ORDER BY id) FROM \"S.\"\"x\".\"T \"\"q\" t";
        assert_eq!(scalar(&from, all).await, scalar(&to, all).await);
        // Each value of each column that has an equality finds its row again.
        let source = Postgres.source(&from, &scope()).await.expect("opens");
        let table = &catalog.entities[0];
        for field in &table.fields {
            let keys = conformance::keys(&*source, conformance::everything(table), &[FieldPath::column(&field.name)])
                .await
                .expect("keys");
            for key in keys {
                let path = FieldPath::column(&field.name);
                let selection = Selection::Where(vec![(path, key.parts()[0].to_string())]);
                let found = conformance::count(&*source, Read { selection, ..conformance::everything(table) }).await;
                assert!(found.expect("reads") >= 1, "{} as {}", field.name, field.native);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_cannot_be_carried_is_told_with_its_field() {
    Server::with(Kind::Postgres, async |server| {
        let sql = "CREATE TABLE t (id int, at timestamptz); INSERT INTO t VALUES (1, '294246-12-31'), (2, 'infinity')";
        let dsn = server.with_tables(sql).await;
        let source = Postgres.source(&dsn, &scope()).await.expect("opens");
        let table = source.describe().await.expect("describes").entities[0].clone();
        assert_eq!(conformance::count(&*source, conformance::everything(&table)).await.expect("reads"), 2);
        server.run(&dsn, "INSERT INTO t VALUES (3, '294260-01-01')").await;
        let error = conformance::count(&*source, conformance::everything(&table)).await.expect_err("beyond the range");
        assert_eq!(error.class(), reenact_model::Class::Input);
        let told = error.to_string();
        assert!(told.starts_with("s/public.t.at: a moment lies beyond the year 294246"), "{told}");
        assert!(told.contains("help:") && !told.contains("294260"), "{told}");
    })
    .await;
}

const SHAPES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, at date NOT NULL, note text);
    CREATE TABLE child_a (CHECK (at < '2020-01-01')) INHERITS (parent);
    CREATE TABLE child_b (PRIMARY KEY (id)) INHERITS (parent);
    INSERT INTO parent VALUES (1, '2021-01-01', 'root'); INSERT INTO child_a VALUES (2, '2019-01-01', 'a');
    INSERT INTO child_b VALUES (3, '2021-01-01', 'b');
    CREATE TABLE parted (id int, kind text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
    CREATE TABLE parted_x PARTITION OF parted FOR VALUES IN ('x') PARTITION BY RANGE (id);
    CREATE TABLE parted_x1 PARTITION OF parted_x FOR VALUES FROM (0) TO (100);
    CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
    CREATE INDEX parted_kind ON parted (kind);
    INSERT INTO parted VALUES (1, 'x'), (2, 'y');
    CREATE TABLE wide (id int PRIMARY KEY); CREATE TABLE wider (more text) INHERITS (wide);
    INSERT INTO wide VALUES (1); INSERT INTO wider VALUES (2, 'm');
    CREATE SEQUENCE shared INCREMENT BY -1; 
    CREATE TABLE down (id int DEFAULT nextval('shared') PRIMARY KEY); INSERT INTO down VALUES (-5), (-7);
    CREATE TABLE numbered (id bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 100) PRIMARY KEY, own serial);
    CREATE TABLE filled (id bigint GENERATED ALWAYS AS IDENTITY); INSERT INTO filled DEFAULT VALUES;
    INSERT INTO filled OVERRIDING SYSTEM VALUE VALUES (50);
    CREATE FUNCTION own() RETURNS int LANGUAGE sql AS 'SELECT 7';
    CREATE TABLE calls (id int PRIMARY KEY, v int DEFAULT own(), CHECK (v = own())); INSERT INTO calls VALUES (1);
";

#[tokio::test(flavor = "multi_thread")]
async fn trees_and_sequences_are_carried() {
    Server::with(Kind::Postgres, async |server| {
        let (from, to) = (server.with_tables(SHAPES).await, server.database().await);
        let catalog = conformance::round_trip(&Postgres, &scope(), &from, &to).await.expect("a round trip");
        let names: Vec<&str> = catalog.entities.iter().map(|entity| entity.id.name.as_str()).collect();
        assert!(names.contains(&"public.parent") && names.contains(&"public.parted") && names.contains(&"public.wider"));
        assert!(!names.iter().any(|name| name.contains("child_") || name.contains("parted_")));
        for sql in [
            "SELECT string_agg(tableoid::regclass || ':' || id, ',' ORDER BY id) FROM parent",
            "SELECT string_agg(tableoid::regclass || ':' || id, ',' ORDER BY id) FROM parted",
            "SELECT string_agg(tableoid::regclass || ':' || id, ',' ORDER BY id) FROM wide",
            "SELECT string_agg(indexrelid::regclass::text, ',' ORDER BY 1) FROM (SELECT indexrelid FROM pg_index \
             WHERE indrelid >= 16384 AND indrelid::regclass::text !~ '^(reenact_target|pg_toast)' ORDER BY indexrelid::regclass::text) i",
        ] {
            assert_eq!(scalar(&from, sql).await, scalar(&to, sql).await);
        }
        assert_eq!(scalar(&to, "SELECT nextval('shared')").await, "-8");
        assert_eq!(scalar(&to, "SELECT nextval('filled_id_seq')").await, "51");
        assert_eq!(scalar(&to, "SELECT nextval('numbered_id_seq')").await, "100");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_its_own_tables_keeps_them_and_its_triggers_silent() {
    Server::with(Kind::Postgres, async |server| {
        let from = server.with_tables("CREATE TABLE a (id int PRIMARY KEY, b_id int); CREATE TABLE b (id int PRIMARY KEY,
            a_id int NOT NULL REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b;
            INSERT INTO a VALUES (1, NULL), (2, NULL); INSERT INTO b VALUES (10, 1); UPDATE a SET b_id = 10 WHERE id = 2").await;
        let to = server.with_tables("CREATE TABLE a (id int PRIMARY KEY, b_id int); CREATE TABLE b (id int PRIMARY KEY,
            a_id int NOT NULL REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b;
            CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''fired''; END';
            CREATE TRIGGER no BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION no()").await;
        conformance::round_trip(&Postgres, &scope(), &from, &to).await.expect("a round trip");
        assert_eq!(scalar(&to, "SELECT string_agg(tgenabled, '') FROM pg_trigger WHERE NOT tgisinternal").await, "O");
        assert_eq!(scalar(&to, "SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await, "2");
    })
    .await;
}

/// A circle of tables with a trigger, and a source for them.
const CIRCLE: &str = "CREATE TABLE a (id int PRIMARY KEY, b_id int, CONSTRAINT \"a 1\" CHECK (id > 0));
    CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a DEFERRABLE);
    ALTER TABLE a ADD CONSTRAINT \"a b\" FOREIGN KEY (b_id) REFERENCES b ON DELETE CASCADE;
    CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''fired''; END';
    CREATE TRIGGER no BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION no()";
const IN_FORCE: &str = "SELECT (SELECT string_agg(conname || pg_get_constraintdef(oid), ';' ORDER BY conname) FROM pg_constraint \
    WHERE contype = 'f') || (SELECT string_agg(tgenabled, '') FROM pg_trigger WHERE NOT tgisinternal)";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_killed_costs_no_constraint_and_no_trigger() {
    Server::with(Kind::Postgres, async |server| {
        // The usual marker, and one that somebody made by hand, with a note of their own.
        for marker in [
            "",
            "CREATE TABLE reenact_target (); ALTER TABLE reenact_target ADD note text; \
                            INSERT INTO reenact_target VALUES ('for the team, ALTER TABLE with care')",
        ] {
            let to = server.with_tables(&format!("{CIRCLE}; {marker}")).await;
            let before = scalar(&to, IN_FORCE).await;
            Postgres.mark(&to).await.expect("marks");
            let catalog = Postgres.source(&to, &scope()).await.expect("a source").describe().await.expect("describes");
            let target = async || {
                let mut target = Postgres.target(&to, "s").await.expect("a target");
                target.gates(&[]).await.expect("a target");
                target
            };
            let broken_off = async || {
                let mut target = target().await;
                target.prepare(&catalog).await.expect("prepares");
                target.defer(&["a b".to_owned(), "b_a_id_fkey".to_owned()]).await.expect("defers");
                let entity = catalog.entity("public.a").expect("is there").clone();
                let step = reenact_stores::LoadStep::Insert { entity, later: Vec::new() };
                target.load(&step, Box::pin(futures::stream::empty())).await.expect("loads");
                assert_ne!(scalar(&to, IN_FORCE).await, before, "nothing was set aside");
                // As if it were killed: nobody settles.
                drop(target);
            };
            broken_off().await;
            // What it left breaks a reference: all is put back even so, and records are refused as ever.
            server.run(&to, "INSERT INTO a VALUES (1, 77)").await;
            let refused = target().await.prepare(&catalog).await.expect_err("records are there");
            assert_eq!(refused.class(), reenact_model::Class::Refused, "{refused}");
            assert_eq!(scalar(&to, IN_FORCE).await.replace(" NOT VALID", ""), before);
            server.run(&to, "TRUNCATE a, b").await;
            target().await.prepare(&catalog).await.expect("prepares");
            assert_eq!(scalar(&to, IN_FORCE).await, before);
            // And once more, to a good end.
            broken_off().await;
            server.run(&to, "DROP TABLE b CASCADE").await;
            let mut last = target().await;
            last.prepare(&catalog).await.expect("what is gone is forgotten");
            last.settle(&catalog, &[]).await.expect("settles");
            let left = scalar(&to, "SELECT count(*) FROM reenact_target WHERE note LIKE 'put back%'").await;
            assert_eq!(left, "0");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_narrow_a_column_or_are_told_by_name() {
    Server::with(Kind::Postgres, async |server| {
        let sql = "CREATE DOMAIN year AS int CHECK (VALUE >= 1901 AND VALUE <= 2155);
            CREATE DOMAIN leap AS year CONSTRAINT by_four CHECK (VALUE % 4 = 0);
            CREATE TABLE t (id int CHECK (id > 0), state varchar(9) CHECK (state IN ('new', 'paid')), made year, jumps leap,
                code text CHECK (char_length(code) <= 6), price numeric CONSTRAINT positive CHECK (price > 0), a int, b int,
                at date, CONSTRAINT ordered CHECK (a < b)) PARTITION BY RANGE (at);
            CREATE TABLE t_rest PARTITION OF t DEFAULT;
            ALTER TABLE t_rest ADD CONSTRAINT even CHECK (b % 2 = 0);
            ALTER TABLE t ADD CONSTRAINT young CHECK (a > 18) NOT VALID";
        let dsn = server.with_tables(sql).await;
        let source = Postgres.source(&dsn, &scope()).await.expect("opens");
        let catalog = source.describe().await.expect("describes");
        let bound = |f: &reenact_model::Field| {
            let range = f.range.filter(|range| *range != (i32::MIN.into(), i32::MAX.into()));
            let (values, most) = (f.values.as_deref().unwrap_or_default(), f.max_chars.unwrap_or_default());
            format!("{} {range:?} {values:?} {most} {:?}", f.name, f.checks)
        };
        let told: Vec<String> = catalog.entities[0].fields.iter().map(bound).collect();
        let expected = [
            "id Some((1, 2147483647)) [] 0 []",
            r#"state None ["new", "paid"] 9 []"#,
            "made Some((1901, 2155)) [] 0 []",
            r#"jumps Some((1901, 2155)) [] 0 ["by_four"]"#,
            "code None [] 6 []",
            r#"price None [] 0 ["positive"]"#,
            r#"a None [] 0 ["ordered", "young"]"#,
            r#"b None [] 0 ["ordered", "even"]"#,
            r#"at None [] 0 ["PARTITION BY RANGE (at)"]"#,
        ];
        assert_eq!(told, expected);
    })
    .await;
}
